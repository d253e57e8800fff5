"""Decisions a second: the workloads of upstream's scheduler benchmark, without its API server.

Each workload is named and made as in ``test/integration/scheduler_perf``: 5,000 nodes of 4 cores,
32 GiB and 110 pods, pods that are there before the clock starts, and pods that are measured. What
is measured is the decision alone: the full default profile over the scheduler's own cache, at the
default sampling of nodes and the default parallelism, from a pod to its node, and the promise of
that node. No watch, no binding, no simulated latency. A run takes about half a minute.

For comparison, an unpatched kube-scheduler v1.36.2 with etcd and an API server on a machine with
two cores, in pods a second: SchedulingBasic 257, TopologySpreading 133,
PreferredTopologySpreading 148, PodAntiAffinity 107, PodAffinity 48, Preemption 192. It also talks
to an API server, which a decision here does not; both figures are what users of either wait for.

In ``Preemption`` a pod counts once, although two attempts are made for it: one that finds no room
and chooses whom to evict, and one that takes the room when the victims are gone. Between the two
lie the first attempts of the next pods, so that some hundreds are nominated at any time.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kubesim.api.corev1 import Pod
from kubesim.bench.result import Result, peak_memory_mb, timed
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.listers import ObjectLister
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.testing import node, pod
from kubesim.sim import Rng

NODES = 5_000
ZONE = "topology.kubernetes.io/zone"
HOSTNAME = "kubernetes.io/hostname"
ZONES = ("moon-1", "moon-2", "moon-3")
NOMINATED_AT_A_TIME = 500
"""How many preemptors wait for their victims to go: about a second's worth in the real one."""

START_NS = 1_767_225_600 * 10**9  # 2026-01-01T00:00:00Z


def measure() -> list[Result]:
    """Run every workload once, each in a cluster of its own."""
    results = []
    for name, workload in WORKLOADS.items():
        decisions, took_s = workload()
        results.append(
            Result(name=name, value=decisions / took_s, unit="decisions/s", higher_is_better=True)
        )
        gc.collect()
    peak = Result(name="peak_mb", value=peak_memory_mb(), unit="MB", higher_is_better=False)
    return [*results, peak]


def cluster(zones: Sequence[str] = ()) -> Engine:
    """An engine with empty nodes."""
    engine = Engine(
        config=KubeSchedulerConfiguration(),
        lister=ObjectLister(),
        clock=lambda: START_NS,
        rng=lambda name: Rng(1, name),
    )
    for i in range(NODES):
        labels = {ZONE: zones[i % len(zones)]} if zones else {}
        name = f"scheduler-perf-{i}"
        engine.cache.add_node(node(name, cpu="4", memory="32Gi", pods="110", labels=labels))
    return engine


def copies(
    template: Pod, count: int, *, prefix: str = "measured", namespace: str = "default"
) -> list[Pod]:
    """Pods of one template."""
    return [
        template.replace(
            metadata=template.metadata.replace(
                name=f"{prefix}-{i}", uid=f"{prefix}-{i}", namespace=namespace
            )
        )
        for i in range(count)
    ]


def place(engine: Engine, pods: Sequence[Pod]) -> None:
    """Place pods one after the other; each is there for the next one."""
    for item in pods:
        info = engine.pod_infos.of(item)
        attempt = engine.schedule(info)
        assert attempt.selected, attempt.message
        engine.cache.assume_pod(info, attempt.selected)


def placing(
    *,
    measured: int,
    template: Callable[[], Pod],
    first: int,
    first_template: Callable[[], Pod],
    zones: Sequence[str] = (),
    namespaces: tuple[str, str] = ("default", "default"),
) -> Callable[[], tuple[int, float]]:
    """A workload that places ``measured`` pods among ``first`` others."""

    def run() -> tuple[int, float]:
        engine = cluster(zones)
        place(engine, copies(first_template(), first, prefix="first", namespace=namespaces[0]))
        pods = copies(template(), measured, namespace=namespaces[1])
        _none, took_s = timed(lambda: place(engine, pods))
        return measured, took_s

    return run


def default_pod(name: str = "pod", **spec: Any) -> Pod:
    """``templates/pod-default.yaml``, or what others add to it."""
    return pod(name, cpu="100m", memory="500Mi", **spec)


def spreading_pod(when_unsatisfiable: str) -> Pod:
    """``templates/pod-with-topology-spreading.yaml`` or its preferring sister."""
    constraint = {
        "maxSkew": 5,
        "topologyKey": ZONE,
        "whenUnsatisfiable": when_unsatisfiable,
        "labelSelector": {"matchLabels": {"color": "blue"}},
    }
    return default_pod(
        "spreading-pod", labels={"color": "blue"}, topologySpreadConstraints=[constraint]
    )


def affinity_pod(kind: str, color: str, topology_key: str) -> Pod:
    """``templates/pod-with-pod-affinity.yaml`` or ``pod-with-pod-anti-affinity.yaml``."""
    term = {
        "labelSelector": {"matchLabels": {"color": color}},
        "topologyKey": topology_key,
        "namespaces": ["sched-1", "sched-0"],
    }
    affinity = {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return default_pod("affinity-pod", labels={"color": color}, affinity=affinity)


def anti_affinity_pod() -> Pod:
    """A pod that wants no other of its kind on its node."""
    return affinity_pod("podAntiAffinity", "green", HOSTNAME)


def zone_affinity_pod() -> Pod:
    """A pod that wants to be in the zone of its kind."""
    return affinity_pod("podAffinity", "blue", ZONE)


def preemption() -> tuple[int, float]:
    """Every node is full of unimportant pods, of which three have to leave for an important one."""
    engine = cluster()
    low = copies(pod("low", cpu="900m", memory="500Mi"), 4 * NODES, prefix="low")
    place(engine, low)
    high = copies(pod("high", cpu="3000m", memory="500Mi", priority=10), NODES)
    _none, took_s = timed(lambda: preempt(engine, high))
    return len(high), took_s


def preempt(engine: Engine, pods: Sequence[Pod]) -> None:
    """Make room for every pod, and place it when its victims are gone."""
    waiting: deque[tuple[Pod, str, tuple[PodInfo, ...]]] = deque()
    for item in pods:
        info = engine.pod_infos.of(item)
        attempt = engine.schedule(info)
        result = attempt.post_filter
        assert result is not None, attempt.message
        assert result.victims is not None, attempt.message
        engine.nominator.add(info, result.nominated_node_name)
        waiting.append((item, result.nominated_node_name, result.victims.pods))
        if len(waiting) >= NOMINATED_AT_A_TIME:
            take_room(engine, *waiting.popleft())
    while waiting:
        take_room(engine, *waiting.popleft())


def take_room(engine: Engine, item: Pod, node_name: str, victims: Sequence[PodInfo]) -> None:
    """The victims are gone: the pod is tried again, and takes the node that it waited for."""
    for victim in victims:
        engine.cache.remove_pod(victim.uid)
    nominated = item.replace(status=item.status.replace(nominated_node_name=node_name))
    info = engine.pod_infos.of(nominated)
    attempt = engine.schedule(info)
    assert attempt.selected == node_name, attempt.message
    engine.cache.assume_pod(info, node_name)
    engine.nominator.remove(info.uid)


WORKLOADS: dict[str, Callable[[], tuple[int, float]]] = {
    "SchedulingBasic": placing(
        measured=10_000, template=default_pod, first=1_000, first_template=default_pod
    ),
    "TopologySpreading": placing(
        measured=5_000,
        template=lambda: spreading_pod("DoNotSchedule"),
        first=5_000,
        first_template=default_pod,
        zones=ZONES,
    ),
    "PreferredTopologySpreading": placing(
        measured=5_000,
        template=lambda: spreading_pod("ScheduleAnyway"),
        first=5_000,
        first_template=default_pod,
        zones=ZONES,
    ),
    "PodAntiAffinity": placing(
        measured=2_000,
        template=anti_affinity_pod,
        first=1_000,
        first_template=anti_affinity_pod,
        namespaces=("sched-0", "sched-1"),
    ),
    "PodAffinity": placing(
        measured=5_000,
        template=zone_affinity_pod,
        first=5_000,
        first_template=zone_affinity_pod,
        zones=("zone1",),
        namespaces=("sched-0", "sched-1"),
    ),
    "Preemption": preemption,
}
"""The workloads by name; each returns its number of decisions and how long they took."""
