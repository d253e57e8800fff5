"""The pod garbage collector: pods of nodes that do not exist, and too many that are over.

The real one looks every 20 seconds. A node that is missing is in quarantine for 40 seconds before its
pods are given up, as it may just not be known yet. Here a look is planned only when something would
come of it, on the same grid.

Mirrors: pkg/controller/podgc/gc_controller.go.
Departs: the grid begins with the run; each look takes no time, so the grid does not drift.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.corev1 import Node, Pod, PodCondition
from kubesim.api.podutil import get_node_condition, is_pod_terminal, set_pod_condition
from kubesim.controlplane.client import Client, Controller, NotFound
from kubesim.controlplane.controllers.indexes import BY_NODE, node_names
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

PERIOD_NS = 20 * SECOND  # gcCheckPeriod
QUARANTINE_NS = 40 * SECOND  # quarantineTime
TERMINATED_POD_GC_THRESHOLD = 12_500  # --terminated-pod-gc-threshold
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
LOOK = "look"  # the only key: a look at everything


class PodGCController(Controller):
    """Deletes pods that nobody else would delete."""

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        terminated_pod_threshold: int = TERMINATED_POD_GC_THRESHOLD,
    ) -> None:
        super().__init__(sim, workers=1)
        self._client = client
        self._threshold = terminated_pod_threshold
        self._quarantined_ns: dict[str, int] = {}  # missing nodes, and until when
        self._over: dict[str, None] = {}
        self._nodes = client.informer(Node)
        self._nodes.add_handler(self._node_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_NODE, node_names)
        self._pods.add_handler(self._pod_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Look at all pods once; plan the next look if there is still something to do."""
        pods = self._pods.values()
        for pod in excess(pods, self._threshold):
            yield from self._fail_and_delete(pod, None)
        for pod in pods:
            if self._is_stuck(pod):
                yield from self._fail_and_delete(pod, None)
        yield from self._collect_orphans()
        if self._quarantined_ns or len(self._over) > self._threshold:
            self._plan_look()

    def _collect_orphans(self) -> SimProcess[None]:
        now = self._sim.now
        missing = self._missing_nodes()
        for name in [name for name in self._quarantined_ns if name not in missing]:
            del self._quarantined_ns[name]
        for name in missing:
            if self._quarantined_ns.setdefault(name, now + QUARANTINE_NS) > now:
                continue
            del self._quarantined_ns[name]
            try:
                yield from self._client.get(Node, name)
            except NotFound:
                condition = PodCondition(
                    type="DisruptionTarget",
                    status="True",
                    reason="DeletionByPodGC",
                    message="PodGC: node no longer exists",
                    last_transition_time=self._sim.wall_ns,
                )
                for pod in self._pods.by_index(BY_NODE, name):
                    yield from self._fail_and_delete(pod, condition)

    def _missing_nodes(self) -> list[str]:
        names = dict.fromkeys(pod.spec.node_name for pod in self._pods.values())
        return [name for name in names if name and self._nodes.get(name) is None]

    def _fail_and_delete(self, pod: Pod, condition: PodCondition | None) -> SimProcess[None]:
        def failed(current: Pod) -> Pod:
            if is_pod_terminal(current) or current.uid != pod.uid:
                return current
            status = current.status.replace(phase="Failed")
            if condition is not None:
                status = set_pod_condition(status, condition)
            return current.replace(status=status)

        try:
            if not is_pod_terminal(pod):
                yield from self._client.patch(Pod, pod.key, failed, status=True)
            yield from self._client.delete(Pod, pod.key, grace_period_seconds=0, uid=pod.uid)
        except NotFound:
            return

    def _is_stuck(self, pod: Pod) -> bool:
        """Whether it is to go and nobody is there to let it go."""
        if pod.metadata.deletion_timestamp is None:
            return False
        if not pod.spec.node_name:
            return True
        node = self._nodes.get(pod.spec.node_name)
        return node is not None and is_out_of_service(node)

    def _plan_look(self) -> None:
        """The next point of the grid."""
        self.queue.add_after(LOOK, PERIOD_NS - self._sim.now % PERIOD_NS)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            assert old is not None
            self._over.pop(old.key, None)
            return
        if is_pod_terminal(new):
            self._over[new.key] = None
        node_name = new.spec.node_name
        orphaned = bool(node_name) and self._nodes.get(node_name or "") is None
        if orphaned or self._is_stuck(new) or 0 < self._threshold < len(self._over):
            self._plan_look()

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        changed = new or old
        assert changed is not None
        if (new is None or is_out_of_service(new)) and self._pods.by_index(BY_NODE, changed.name):
            self._plan_look()


def is_out_of_service(node: Node) -> bool:
    """Whether somebody said that the node is off and stays off."""
    ready = get_node_condition(node.status, "Ready")
    is_ready = ready is not None and ready.status == "True"
    return not is_ready and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def excess(pods: tuple[Pod, ...], threshold: int) -> list[Pod]:
    """The pods that are over and above the threshold: evicted ones first, then the oldest."""
    over = [pod for pod in pods if is_pod_terminal(pod)]
    if threshold <= 0 or len(over) <= threshold:
        return []
    over.sort(
        key=lambda pod: (
            pod.status.reason != "Evicted",
            pod.metadata.creation_timestamp or 0,
            pod.name,
        )
    )
    return over[: len(over) - threshold]
