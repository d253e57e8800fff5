"""The article's three tables: as published, as simulated, and what of them this machine measures.

The article that the project started from gives cold starts of six runtimes, the memory of a hundred
instances, and one closed loop of 400 connections. The preset ``seed`` is made of its numbers; here
the simulator runs with them, and what comes out is put beside what was published:

- **cold start**: ten thousand times a container is created and started through a node's CRI. A Linux
  program is up when it listens; of a Wasm module it is the instance that starts cold: Spin's when the
  first request comes, a command's before it runs to its end. That is what the article compares; a
  pod's start is printed as well, where sandbox, network plugin and the kubelet's relist take most of
  the time, of either.
- **memory**: a hundred pods of each kind on one node, the part that the applications take.
- **throughput**: traffic of 400 connections on one pod of an 8-core node, through the Service.

The closed loop is simulated for two seconds instead of thirty: it is saturated from the first
moment. What is measured is real execution by the engine in this process.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kubesim.bench.result import Result, timed
from kubesim.cluster import Simulation
from kubesim.facts import RequestCompleted
from kubesim.node.cri.messages import (
    ContainerConfig,
    ContainerState,
    PodSandboxConfig,
    PodSandboxMetadata,
)
from kubesim.scenario import LiveRun, Scenario
from kubesim.share import share_path
from kubesim.sim import SimProcess
from kubesim.sim.time import MILLISECOND, SECOND
from kubesim.telemetry import Run
from kubesim.telemetry.quantiles import quantile
from kubesim.telemetry.startup import TOTAL
from kubesim.wasm import Engine, Limits, Module, wagi
from kubesim.wasm.holding import hold, load_machine_code, machine_code
from kubesim.wire.http import HttpRequest, Served

STARTS = 10_000
PODS = 100
FEW_PODS = 10
CONNECTIONS = 400
NODE = "node-0"
LOOP_NS = 2 * SECOND
NOTE = (
    "pod_start_p50_ms compares whole pods: sandbox, CNI and the kubelet's one-second relist dominate "
    "there, of either kind, so that the article's factor of hundreds is nearly gone."
)
GREETER = "mixed-pool/modules/greeter/greeter.wasm"
_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Subject:
    """A row of the article's cold start table.

    Attributes:
        name: Its name in the results.
        image: Its image in the scenarios below.
        handler: Its runtime handler.
        p50_ms: The published median.
        p99_ms: The published 99th percentile.
    """

    name: str
    image: str
    handler: str
    p50_ms: float
    p99_ms: float


SUBJECTS = (
    Subject("docker-alpine-go", "alpine", "runc", 450, 1200),
    Subject("docker-distroless-go", "distroless", "runc", 380, 980),
    Subject("gvisor", "alpine", "runsc", 520, 1500),
    Subject("spin", "greeter", "spin", 1.2, 3.8),
    Subject("wasmedge", "squares", "wasmedge", 2.1, 5.2),
    Subject("wasmtime", "squares", "wasmtime", 0.8, 2.5),
)
MEMORY_MB = {"docker": 6400.0, "spin": 320.0}
THROUGHPUT = {"docker": (45_230.0, 8.8), "spin": (38_750.0, 10.3)}
KINDS = {"docker": ("alpine", ""), "spin": ("greeter", "runtimeClassName: spin")}

_SCENARIO = """
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {{name: bench-seed}}
spec:
  seed: 1
  duration: {duration}
  preset: seed
  nodePools:
    - name: node
      count: 1
      capacity: {{cpu: "8", memory: 64Gi, pods: 250}}
      runtimes: [runc, runsc, spin, wasmedge, wasmtime]
  images:
    - {{name: "alpine:v1", layers: [{{size: 12M}}], program: {{}}}}
    - {{name: "distroless:v1", layers: [{{size: 8M}}], program: {{model: distroless-go}}}}
    - {{name: "greeter:v1", wasm: {{module: {modules}/{greeter}, kind: wagi}}}}
    - {{name: "squares:v1", wasm: {{module: {modules}/toolchains/modules/squares.wasm}}}}
  traffic: [{traffic}]
"""
_CLASS = """
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: spin}
handler: spin
"""
_WORKLOAD = """
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: app}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: app}}}}
  template:
    metadata: {{labels: {{app: app}}}}
    spec:
      {runtime}
      containers: [{{name: app, image: "{image}:v1"}}]
---
apiVersion: v1
kind: Service
metadata: {{name: app}}
spec: {{selector: {{app: app}}, ports: [{{port: 80}}]}}
"""
_LOOP = (
    "{{name: wrk, service: app, from: 20s, connections: {connections}, request: {{query: n=10}}}}"
)


def measure() -> list[Result]:
    """All tables; under a minute on two cores.

    Each row is a run of its own, so they run beside each other; what is measured is measured when
    the cores are free again.
    """
    rows: list[tuple[str, str]] = [("_cold_start", subject.name) for subject in SUBJECTS]
    rows += [(table, kind) for table in ("_memory", "_throughput", "_pod_start") for kind in KINDS]
    order = sorted(rows, key=lambda row: row[0] != "_throughput")  # the longest first
    with multiprocessing.get_context("spawn").Pool(os.cpu_count() or 1) as pool:
        found = dict(zip(order, pool.map(_row, order, chunksize=1), strict=True))
    return [result for row in rows for result in found[row]] + list(_measured())


def _row(row: tuple[str, str]) -> list[Result]:
    table, name = row
    makers: dict[str, Callable[[str], Iterator[Result]]] = {
        "_cold_start": _cold_start,
        "_memory": _memory,
        "_throughput": _throughput,
        "_pod_start": _pod_start,
    }
    return list(makers[table](name))


def cold_starts_ns(subject: Subject, count: int) -> list[int]:
    """So many cold starts on an idle node, sorted, in nanoseconds."""
    live = _live(duration=f"{count * 10}s")
    samples: list[int] = []
    live.simulation.sim.process(_starts(live.simulation, subject, count, samples))
    live.advance(live.end_ns)
    assert count == len(samples), (count, len(samples))
    return sorted(samples)


def _starts(
    simulation: Simulation, subject: Subject, count: int, samples: list[int]
) -> SimProcess[None]:
    """Create, start, ask, stop and remove, again and again, as ``crictl`` would."""
    runtime, image = simulation.nodes[NODE].containerd, f"{subject.image}:v1"
    metadata = PodSandboxMetadata(name="bench", namespace="default", uid=subject.name)
    config = PodSandboxConfig(metadata=metadata)
    sandbox = yield from runtime.run_pod_sandbox(config, subject.handler)
    yield from runtime.pull_image(image, config)
    status = yield from runtime.pod_sandbox_status(sandbox)
    for attempt in range(count):
        wanted = ContainerConfig(name="app", attempt=attempt, image=image)
        container = yield from runtime.create_container(sandbox, wanted, config)
        began_ns = simulation.sim.now
        yield from runtime.start_container(container)
        if subject.image == "squares":
            samples.append((yield from _ran(simulation, subject.name)))
        else:
            served, asked_ns = yield from _answered(simulation, status.ip)
            is_wasm = subject.image == "greeter"
            samples.append(served.instantiate_ns if is_wasm else asked_ns - began_ns)
        yield from runtime.stop_container(container, 0)
        yield from runtime.remove_container(container)


def _answered(simulation: Simulation, ip: str) -> SimProcess[tuple[Served, int]]:
    """Ask until somebody answers; the answer and when that request was sent."""
    while True:
        asked_ns = simulation.sim.now
        answer, _ = yield from simulation.network.request(ip, 80, HttpRequest())
        if isinstance(answer, Served):
            return answer, asked_ns
        yield simulation.sim.timeout(MILLISECOND // 2)


def _ran(simulation: Simulation, pod_uid: str) -> SimProcess[int]:
    """From the start of a pod's only container to its end."""
    while True:
        yield simulation.sim.timeout(20 * MILLISECOND)
        found = simulation.nodes[NODE].containerd.list_containers(pod_uid)[-1]
        if found.state is ContainerState.EXITED:
            return found.finished_at - found.started_at


def _cold_start(name: str) -> Iterator[Result]:
    (subject,) = (subject for subject in SUBJECTS if subject.name == name)
    samples = cold_starts_ns(subject, STARTS)
    for q, published in ((50, subject.p50_ms), (99, subject.p99_ms)):
        name = f"cold_start_p{q}_ms/{subject.name}"
        yield _result(name, quantile(samples, q) / MILLISECOND, "ms", published=published)


def memory_mb(kind: str) -> tuple[float, float]:
    """A hundred pods: what their applications take, and all that with shims and pauses."""
    image, runtime = KINDS[kind]
    live = _live(duration="120s", image=image, runtime=runtime, replicas=PODS)
    live.advance(live.end_ns)
    parts = live.simulation.nodes[NODE].machine.memory.by_component
    return parts["app"] / 1_000_000, sum(parts.values()) / 1_000_000


def _memory(kind: str) -> Iterator[Result]:
    application, whole = memory_mb(kind)
    yield _result(f"memory_{PODS}_mb/{kind}", application, "MB", published=MEMORY_MB[kind])
    yield _result(f"memory_{PODS}_pods_with_shims_mb/{kind}", whole, "MB")


def served_per_second(kind: str) -> tuple[float, float]:
    """Of 400 connections: requests a second, and their mean latency in seconds."""
    image, runtime = KINDS[kind]
    loop = _LOOP.format(connections=CONNECTIONS)
    live = _live(duration="22s", image=image, runtime=runtime, replicas=1, traffic=loop)
    live.advance(live.end_ns)
    took_ns = [fact.latency_ns for _, fact in live.finish().journal.of(RequestCompleted)]
    return len(took_ns) * SECOND / LOOP_NS, sum(took_ns) / len(took_ns) / SECOND


def _throughput(kind: str) -> Iterator[Result]:
    rps, latency_ms = THROUGHPUT[kind]
    found, latency_s = served_per_second(kind)
    yield _result(f"throughput_rps/{kind}", found, "1/s", published=rps, up=True)
    yield _result(f"latency_mean_ms/{kind}", latency_s * 1000, "ms", published=latency_ms)
    in_flight = found * latency_s
    yield _result(f"in_flight_by_little/{kind}", in_flight, "requests", published=CONNECTIONS)


def _pod_start(kind: str) -> Iterator[Result]:
    image, runtime = KINDS[kind]
    live = _live(duration="60s", image=image, runtime=runtime, replicas=FEW_PODS)
    live.advance(live.end_ns)
    run: Run = live.finish()
    took = sorted(pod["startup"][TOTAL] for pod in run.pods)
    yield _result(f"pod_start_p50_ms/{kind}", quantile(took, 50) / MILLISECOND, "ms")


def _measured() -> Iterator[Result]:
    """Wasmtime on this machine, with the module that the simulated rows run."""
    wasm = (share_path("scenarios") / GREETER).read_bytes()
    engine = Engine(use_cache=False, trusted_bytes_max=len(wasm))
    module, compile_s = timed(lambda: engine.load(wasm))
    assert isinstance(module, Module)
    artifact = machine_code(module)
    context = wagi.context(HttpRequest(), wagi.WagiHandler())

    def load() -> None:
        load_machine_code(engine, module, artifact)

    def instantiate() -> None:
        hold(engine, module, 1).release()

    def respond() -> None:
        wagi.respond(engine.run(module, context, Limits()))

    costs = {"compile": compile_s}
    works = {"load-precompiled": load, "instantiate": instantiate, "first-response": respond}
    for name, work in works.items():
        costs[name] = sorted(timed(work)[1] for _ in range(_ROUNDS))[_ROUNDS // 2]
    for name, took_s in costs.items():
        yield _result(f"measured_ms/wasmtime-{name}", took_s * 1000, "ms")


def _live(
    *, duration: str, image: str = "", runtime: str = "", replicas: int = 0, traffic: str = ""
) -> LiveRun:
    """A run of the scenario above, about to begin."""
    text = (
        _SCENARIO.format(
            duration=duration, modules=share_path("scenarios"), greeter=GREETER, traffic=traffic
        )
        + _CLASS
    )
    if replicas:
        text += _WORKLOAD.format(replicas=replicas, runtime=runtime, image=image)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scenario.yaml"
        file.write_text(text, encoding="utf-8")
        return LiveRun(Scenario.load(file))


def _result(
    name: str, value: float, unit: str, *, published: float | None = None, up: bool = False
) -> Result:
    return Result(name=name, value=value, unit=unit, higher_is_better=up, published=published)
