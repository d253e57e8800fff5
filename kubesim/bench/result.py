"""What a benchmark says: named values with units, and on which machine they were measured."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any, TypeVar

from kubesim.sim.time import SECOND

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured value.

    Attributes:
        name: What it is called in the JSON; of a table's cell, ``<row>_<column>``.
        value: The value.
        unit: Its unit.
        higher_is_better: Whether more of it is good.
        row: In text, it is a cell of this row of a table.
        published: What somebody else says it is.
    """

    name: str
    value: float
    unit: str
    higher_is_better: bool
    row: str = ""
    published: float | None = None

    def to_json(self) -> dict[str, Any]:
        """``name``, ``value``, ``unit``, ``higher_is_better``, and ``published`` if there is one."""
        data = asdict(self)
        del data["row"]
        if self.published is None:
            del data["published"]
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A benchmark's results; ``to_json`` is a contract."""

    benchmark: str
    machine: dict[str, Any]
    results: tuple[Result, ...]

    def to_json(self) -> dict[str, Any]:
        """``{"benchmark", "machine", "results": [{"name", "value", "unit", "higher_is_better"}]}``."""
        return {
            "benchmark": self.benchmark,
            "machine": self.machine,
            "results": [result.to_json() for result in self.results],
        }


def machine() -> dict[str, Any]:
    """The machine under it all."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_mb": pages // 1_000_000,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """A result and the seconds it took."""
    began_ns = perf_counter_ns()  # a benchmark reads the clock on the wall
    result = work()
    return result, (perf_counter_ns() - began_ns) / SECOND


def peak_memory_mb() -> float:
    """The largest resident set of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1_000_000


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
