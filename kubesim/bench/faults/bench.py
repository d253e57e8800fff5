"""A thousand schedules, each on a cluster of its own, and what of the invariants did not hold.

The cluster is small: three nodes, two of which have room for everything and not for more, a
Deployment of containers, one of Wasm pods, a Job, and users who try again. A run is judged while it
goes on (``kubesim.scenario.checkers``) and when everything that broke had time to come back: then each
workload has the pods it wants, ready wherever there is a machine.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from kubesim.api.appsv1 import Deployment
from kubesim.api.batchv1 import Job
from kubesim.api.corev1 import Pod
from kubesim.api.podutil import get_pod_condition
from kubesim.bench.faults.schedule import HOST, MEMORY_GIB, NODES, Schedule, schedule_of
from kubesim.bench.result import Result
from kubesim.facts import NodeBooted, NodeFailed, RequestsInFlight
from kubesim.scenario import LiveRun, Scenario
from kubesim.scenario.steps import VERBS
from kubesim.share import share_path

SCHEDULES = 1000
# A Job is not Complete before its last pod is gone, and one on a dead machine stays: what counts is
# that it is decided.
DECIDED = ("SuccessCriteriaMet", "FailureTarget", "Complete", "Failed")

_SCENARIO = f"""
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {{name: faults}}
spec:
  duration: 15m
  nodePools:
    - name: node
      count: {len(NODES)}
      capacity: {{cpu: "2", memory: {MEMORY_GIB}Gi, ephemeralStorage: 20Gi, pods: 30}}
      runtimes: [runc, spin]
  images:
    - name: {HOST}/shop:v1
      layers: [{{size: 3M}}, {{size: 9M}}]
      program: {{memory: 60Mi}}
    - name: {HOST}/batch:v1
      layers: [{{size: 3M}}]
      program: {{port: 0, runTime: 40s}}
    - name: {HOST}/greeter:v1
      wasm: {{module: {{modules}}/mixed-pool/modules/greeter/greeter.wasm, kind: wagi}}
  traffic:
    - {{name: shoppers, service: shop, from: 10s, until: 10m, rate: 0.5/s, timeout: 2s,
       retries: {{attempts: 3}}}}
    - {{name: visitors, service: greeter, from: 10s, until: 10m, rate: 0.5/s, timeout: 2s,
       retries: {{attempts: 3}}, request: {{query: n=10}}}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {{name: spin}}
handler: spin
---
apiVersion: batch/v1
kind: Job
metadata: {{name: batch}}
spec:
  completions: 4
  parallelism: 2
  backoffLimit: 20
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: batch
          image: {HOST}/batch:v1
          imagePullPolicy: Always
          resources: {{requests: {{cpu: 500m, memory: 64Mi}}}}
"""
_DEPLOYMENT = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      {runtime}
      containers:
        - name: {name}
          image: {host}/{name}:v1
          imagePullPolicy: Always
          resources: {{requests: {{cpu: 250m, memory: 128Mi}}, limits: {{memory: 256Mi}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one schedule.

    Attributes:
        seed: The schedule's.
        violation: The invariant that did not hold, or the error; empty when all held.
        digest: Of the run's journal, as far as it came.
        requests: How many requests ended.
        faults: How many steps its timeline has.
    """

    seed: int
    violation: str
    digest: str
    requests: int
    faults: int


def measure() -> list[Result]:
    """A thousand schedules."""
    return measure_schedules(SCHEDULES)[0]


def measure_schedules(schedules: int) -> tuple[list[Result], list[Verdict]]:
    """So many schedules, seeds from 1 on; the results, and those that broke something."""
    seeds = range(1, schedules + 1)
    cores = min(os.cpu_count() or 1, schedules)
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        verdicts = list(pool.imap_unordered(replay, seeds, chunksize=4))
    verdicts.sort(key=lambda verdict: verdict.seed)
    failed = [verdict for verdict in verdicts if verdict.violation]
    results = [
        Result(name="schedules", value=len(verdicts), unit="runs", higher_is_better=True),
        Result(name="violations", value=len(failed), unit="runs", higher_is_better=False),
        Result(
            name="faults",
            value=sum(verdict.faults for verdict in verdicts),
            unit="steps",
            higher_is_better=True,
        ),
        Result(
            name="requests",
            value=sum(verdict.requests for verdict in verdicts),
            unit="requests",
            higher_is_better=True,
        ),
    ]
    return results, failed


def replay_command(seed: int) -> str:
    """What to type to see one schedule again."""
    return f"kubesim bench faults --seed {seed}"


def replay(seed: int) -> Verdict:
    """Run the schedule of one seed."""
    schedule = schedule_of(seed)
    live = live_run(schedule)
    try:
        live.advance(live.end_ns)
        live.finish()
        violation = "; ".join(unsettled(live))
    except Exception as error:  # whatever it is, it is what the seed found
        violation = f"{type(error).__name__}: {error}" + _place(error)
    return Verdict(
        seed=seed,
        violation=violation,
        digest=live.simulation.sim.journal.digest,
        requests=sum(len(totals.latencies_ns) for totals in live.observer.services.values()),
        faults=len(schedule.steps),
    )


def live_run(schedule: Schedule) -> LiveRun:
    """A run of the schedule, about to begin."""
    base = _base()
    spec = base.spec.model_copy(update={"timeline": schedule.steps, "seed": schedule.seed})
    assert all(any(getattr(step, verb) for verb in VERBS) for step in schedule.steps), schedule
    return LiveRun(replace(base, spec=spec))


def unsettled(live: LiveRun) -> Iterator[str]:
    """What is wrong at the end, when everything that broke had time to come back."""
    down = _without_power(live)
    yield from _workloads(live, down)
    yield from _containers(live, down)
    for _, fact in live.simulation.sim.journal.of(RequestsInFlight):
        yield f"{fact.requests} requests of {fact.traffic} never ended"


def _workloads(live: LiveRun, down: set[str]) -> Iterator[str]:
    """Pods that a controller lost, or that are not ready."""
    store = live.simulation.store
    for deployment in store.values(Deployment):
        pods = [
            pod
            for pod in store.values(Pod)
            if pod.metadata.labels.get("app") == deployment.name
            and pod.metadata.deletion_timestamp is None
            and pod.status.phase in ("Pending", "Running")
        ]
        if len(pods) != deployment.spec.replicas:
            yield f"{deployment.name} wants {deployment.spec.replicas} pods and has {len(pods)}"
        for pod in pods:
            ready = get_pod_condition(pod.status, "Ready")
            if ready is None or ready.status != "True":
                yield f"pod {pod.name} is not ready ({pod.status.phase}, {_waiting(pod)})"
            elif pod.spec.node_name in down:
                yield f"pod {pod.name} is ready on {pod.spec.node_name}, which is down"
    for job in store.values(Job):
        if not any(c.status == "True" and c.type in DECIDED for c in job.status.conditions):
            yield f"job {job.name} has not ended"


def _containers(live: LiveRun, down: set[str]) -> Iterator[str]:
    """What runs is what the API server says: nothing of a pod that is gone, nothing missing."""
    running = {
        (name, sandbox.metadata.uid, container.name)
        for name, assembly in live.simulation.nodes.items()
        if name not in down
        for sandbox in assembly.containerd.list_pod_sandbox_stats()
        for container in sandbox.containers
    }
    said = {
        (pod.spec.node_name or "", pod.uid, status.name)
        for pod in live.simulation.store.values(Pod)
        if pod.spec.node_name not in down
        for status in pod.status.container_statuses
        if status.state.running is not None
    }
    for node, uid, name in sorted(running - said):
        yield f"{name} of pod {uid} runs on {node}, and nobody knows"
    for node, uid, name in sorted(said - running):
        yield f"{name} of pod {uid} is said to run on {node}, and does not"


def _without_power(live: LiveRun) -> set[str]:
    """The nodes that are down: what failed last and was not booted since."""
    down: set[str] = set()
    for _, fact in live.simulation.sim.journal:
        if isinstance(fact, NodeFailed):
            down.add(fact.node)
        elif isinstance(fact, NodeBooted):
            down.discard(fact.node)
    return down


def _waiting(pod: Pod) -> str:
    reasons = [s.state.waiting.reason or "" for s in pod.status.container_statuses
               if s.state.waiting is not None]  # fmt: skip
    return f"on {pod.spec.node_name or 'no node'} {' '.join(reasons)}".strip()


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" (at {Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


@cache
def _base() -> Scenario:
    """The cluster without its faults; a process loads it once."""
    text = _SCENARIO.replace("{modules}", str(share_path("scenarios")))
    for name, runtime in (("shop", ""), ("greeter", "runtimeClassName: spin")):
        text += _DEPLOYMENT.format(name=name, runtime=runtime, host=HOST)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scenario.yaml"
        file.write_text(text, encoding="utf-8")
        return Scenario.load(file)
