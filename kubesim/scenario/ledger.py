"""Who had which place when: what the bill of a run is made of.

Follows the journal, and looks a pod up in the store when it is bound, because a fact does not say
what a pod asks for.
"""

from __future__ import annotations

from typing import Any

from kubesim import facts
from kubesim.api.appsv1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from kubesim.api.batchv1 import CronJob, Job
from kubesim.api.corev1 import Node, Pod, Service
from kubesim.api.metav1 import KubeObject, controller_of
from kubesim.api.podutil import pod_requests
from kubesim.api.spinv1alpha1 import SpinApp
from kubesim.cluster import Simulation
from kubesim.sim import Fact
from kubesim.telemetry.cost import Costs, Placement, bill

OWNERS: dict[str, type[KubeObject]] = {
    owner.__name__: owner
    for owner in (SpinApp, Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob)
}
ENDED = ("Succeeded", "Failed")


class Ledger:
    """The places that pods have and had; call it with every fact.

    Args:
        simulation: The cluster.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._store = simulation.store
        self._open: dict[str, Placement] = {}
        self.placements: list[Placement] = []

    def __call__(self, at_ns: int, fact: Fact) -> None:
        """Take one fact."""
        if isinstance(fact, facts.PodBound):
            self._begin(at_ns, fact.uid, f"{fact.namespace}/{fact.name}")
        elif isinstance(fact, facts.PodPhaseChanged):
            if fact.phase in ENDED:
                self._end(at_ns, fact.uid)
            elif fact.node and fact.uid not in self._open:
                self._begin(at_ns, fact.uid, f"{fact.namespace}/{fact.name}")
        elif isinstance(fact, facts.ObjectWritten) and (fact.kind, fact.verb) == ("Pod", "delete"):
            self._end(at_ns, fact.uid)
        elif isinstance(fact, facts.ObjectWritten) and fact.verb == "resize":
            self._end(at_ns, fact.uid)
            self._begin(at_ns, fact.uid, f"{fact.namespace}/{fact.name}")

    def costs(self) -> Costs:
        """What everything has cost by now."""
        simulation = self._simulation
        services = [
            (service.namespace, service.name, dict(service.spec.selector))
            for service in self._store.values(Service)
        ]
        instances = simulation.fleet.cloud.instances.values()
        return bill(instances, self.placements, services, simulation.sim.now)

    def _begin(self, at_ns: int, uid: str, key: str) -> None:
        pod = self._store.get(Pod, key)
        if pod is None or pod.uid != uid or not pod.spec.node_name or uid in self._open:
            return
        node = self._store.get(Node, pod.spec.node_name)
        if node is None:
            return
        requests, allocatable = pod_requests(pod.spec), node.status.allocatable
        top = self._topmost(pod)
        placement = Placement(
            namespace=pod.namespace,
            workload=(type(top).__name__, top.name),
            labels=dict(pod.metadata.labels),
            node=pod.spec.node_name,
            cpu_millis=_amount(requests, "cpu") // 1_000_000,
            memory_bytes=_amount(requests, "memory") // 1_000_000_000,
            node_cpu_millis=_amount(allocatable, "cpu") // 1_000_000,
            node_memory_bytes=_amount(allocatable, "memory") // 1_000_000_000,
            begin_ns=at_ns,
        )
        self._open[uid] = placement
        self.placements.append(placement)

    def _end(self, at_ns: int, uid: str) -> None:
        placement = self._open.pop(uid, None)
        if placement is not None:
            placement.end_ns = at_ns

    def _topmost(self, obj: KubeObject) -> KubeObject:
        """The owner that no other one owns; the object itself when it has none."""
        reference = controller_of(obj)
        kind = None if reference is None else OWNERS.get(reference.kind)
        if reference is None or kind is None:
            return obj
        owner = self._store.get(kind, f"{obj.namespace}/{reference.name}")
        return obj if owner is None else self._topmost(owner)


def _amount(resources: Any, name: str) -> int:
    """How much there is of a resource, in billionths."""
    return int(resources[name].nanos) if name in resources else 0
