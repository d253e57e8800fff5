"""The project's own benchmarks: every speed and memory claim comes from here, with its machine.

``BENCHMARKS`` is the table of them; each is a function that returns results. This is one of the few
rooms that may read the clock on the wall.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from kubesim.bench.result import Benchmark, Result, machine

__all__ = ["BENCHMARKS", "Benchmark", "Result", "run_benchmark"]

BENCHMARKS: dict[str, str] = {
    "faults": "random faults on small clusters, and the invariants that hold all the same",
    "lifecycle": "pods from create to Ready through the whole cluster",
    "month": "thirty days of a small platform: an autoscaler, nightly jobs on their own nodes",
    "node": "container starts: as recorded, and as simulated with the preset made of them",
    "openb": "the openb trace: 8,152 tasks that share the GPUs of 1,523 nodes",
    "schedule": "scheduling decisions on 5,000 nodes",
    "seed": "the tables of the article it all began with: published, simulated, measured",
    "wasm": "real modules: costs, throughput, density, the hostile set",
}


def run_benchmark(name: str) -> Benchmark:
    """Run one benchmark on this machine; ``name`` is a key of ``BENCHMARKS``."""
    measure: Callable[[], list[Result]] = import_module(f"kubesim.bench.{name}").measure
    return Benchmark(benchmark=name, machine=machine(), results=tuple(measure()))
