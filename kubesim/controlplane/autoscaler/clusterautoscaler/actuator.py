"""Removing a node: taint it, wait, drain it, give it back.

Mirrors: kubernetes/autoscaler cluster-autoscaler/core/scaledown/actuation (actuator.go, drain.go,
delete_in_batch.go, softtaint.go).
Departs: DaemonSet pods are not evicted; pods of all priorities are evicted at the same time; pods
are deleted, which heeds no disruption budget that changed since the decision.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from kubesim.api.corev1 import ConfigMap, Node, Pod, Taint
from kubesim.controlplane.autoscaler.cloudprovider import NodeGroup
from kubesim.controlplane.autoscaler.clusterautoscaler.clusterstate import (
    DELETION_CANDIDATE,
    TO_BE_DELETED,
)
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options
from kubesim.controlplane.autoscaler.clusterautoscaler.scaledown import Unneeded
from kubesim.controlplane.client import Client, NotFound, Recorder, StatusError
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

EVICTION_RETRY_NS = 10 * SECOND
POD_EVICTION_HEADROOM_NS = 30 * SECOND
POLL_NS = 5 * SECOND
DEFAULT_GRACE_SECONDS = 30


class Actuator:
    """Removes nodes.

    Args:
        sim: The run.
        client: The connection to the API server.
        recorder: For events.
        options: The flags.
        status: The ConfigMap that events about the whole cluster are about.
        pods_to_move: The pods that have to leave a node now; ``None`` if something keeps it.
        finished: Told of every removal that ended, and whether it worked.
    """

    def __init__(  # noqa: PLR0913  # the parts of a component
        self,
        sim: Sim,
        *,
        client: Client,
        recorder: Recorder,
        options: Options,
        status: ConfigMap,
        pods_to_move: Callable[[str], tuple[Pod, ...] | None],
        finished: Callable[[str, bool], None],
    ) -> None:
        self._sim = sim
        self._client = client
        self._recorder = recorder
        self._options = options
        self._status = status
        self._pods_to_move = pods_to_move
        self._finished = finished
        self._nodes = client.informer(Node)
        self._pods = client.informer(Pod)
        self.going: dict[str, bool] = {}
        """The nodes that are being removed, and whether they are drained."""

    def start(self, entry: Unneeded, group: NodeGroup) -> None:
        """Begin to remove a node."""
        drain = bool(entry.pods)
        self.going[entry.node] = drain
        if drain:
            names = ",".join(f"{pod.namespace}/{pod.name}" for pod in entry.pods)
            self._recorder.normal(
                self._status,
                "ScaleDown",
                f"Scale-down: removing node {entry.node}, utilization: "
                f"{float(entry.utilization):.6g}, pods to reschedule: {names}",
            )
        else:
            message = f'Scale-down: removing empty node "{entry.node}"'
            self._recorder.normal(self._status, "ScaleDownEmpty", message)
        self._sim.process(self._remove(entry.node, group, drain=drain))

    def soften(self, unneeded: Mapping[str, Unneeded], candidates: list[Node], limit: int) -> None:
        """Mark the nodes that may go soon, so that the scheduler prefers others."""
        changed = 0
        for node in candidates:
            marked = any(taint.key == DELETION_CANDIDATE for taint in node.spec.taints)
            if (node.name in unneeded) == marked or changed >= limit:
                continue
            changed += 1
            self._sim.process(self._mark(node.name, soft=not marked))

    def _mark(self, name: str, *, soft: bool) -> SimProcess[None]:
        change = self._with(DELETION_CANDIDATE, "PreferNoSchedule")
        try:
            yield from self._client.patch(
                Node, name, change if soft else _without(DELETION_CANDIDATE)
            )
        except NotFound:
            return

    def _remove(self, name: str, group: NodeGroup, *, drain: bool) -> SimProcess[None]:
        try:
            change = self._with(TO_BE_DELETED, "NoSchedule")
            node = yield from self._client.patch(Node, name, change)
        except StatusError:
            self._done(name, worked=False)
            return
        self._recorder.normal(node, "ScaleDown", "marked the node as toBeDeleted/unschedulable")
        yield self._sim.timeout(self._options.node_delete_delay_after_taint)
        failure = yield from self._empty(name, drain=drain)
        if failure is not None:
            self._recorder.warning(node, "ScaleDownFailed", failure)
            with contextlib.suppress(StatusError):
                yield from self._client.patch(Node, name, _without(TO_BE_DELETED))
            self._done(name, worked=False)
            return
        group.delete_node(name)
        self._recorder.normal(node, "ScaleDown", "node removed by cluster autoscaler")
        self._done(name, worked=True)

    def _empty(self, name: str, *, drain: bool) -> SimProcess[str | None]:
        """Move the pods away; why that failed, if it did."""
        pods = self._pods_to_move(name)
        if pods is None:
            return "failed to get pods to move on node"
        if not drain:
            return "node is not empty" if pods else None
        evictions = [self._sim.process(self._evict(pod)) for pod in pods]
        if evictions:
            yield self._sim.all_of(evictions)
        if any(process.value is False for process in evictions):
            return "failed to drain the node: some pods could not be evicted"
        longest_s = max((self._grace(pod) for pod in pods), default=0)
        until_ns = self._sim.now + longest_s * SECOND + POD_EVICTION_HEADROOM_NS
        while any(self._is_there(pod, name) for pod in pods):
            if self._sim.now >= until_ns:
                return "failed to drain the node: pods remaining after timeout"
            yield self._sim.timeout(POLL_NS)
        return None

    def _evict(self, pod: Pod) -> SimProcess[bool]:
        self._recorder.normal(pod, "ScaleDown", "deleting pod for node scale down")
        until_ns = self._sim.now + self._options.max_pod_eviction_time
        while True:
            try:
                yield from self._client.delete(
                    Pod, pod.key, uid=pod.uid, grace_period_seconds=self._grace(pod)
                )
            except NotFound:
                return True
            except StatusError:
                if self._sim.now + EVICTION_RETRY_NS >= until_ns:
                    message = "failed to delete pod for ScaleDown"
                    self._recorder.warning(pod, "ScaleDownFailed", message)
                    return False
                yield self._sim.timeout(EVICTION_RETRY_NS)
            else:
                return True

    def _grace(self, pod: Pod) -> int:
        grace = pod.spec.termination_grace_period_seconds
        seconds = DEFAULT_GRACE_SECONDS if grace is None else grace
        return min(seconds, self._options.max_graceful_termination_sec)

    def _is_there(self, pod: Pod, node: str) -> bool:
        current = self._pods.get(pod.key)
        same = current is not None and current.uid == pod.uid
        return same and current is not None and current.spec.node_name == node

    def _done(self, name: str, *, worked: bool) -> None:
        del self.going[name]
        self._finished(name, worked)

    def _with(self, key: str, effect: str) -> Callable[[Node], Node]:
        value = str(self._sim.wall_ns // SECOND)

        def change(node: Node) -> Node:
            taints = tuple(taint for taint in node.spec.taints if taint.key != key)
            marked = Taint.model_validate({"key": key, "value": value, "effect": effect})
            return node.replace(spec=node.spec.replace(taints=(*taints, marked)))

        return change


def _without(key: str) -> Callable[[Node], Node]:
    def change(node: Node) -> Node:
        taints = tuple(taint for taint in node.spec.taints if taint.key != key)
        return node.replace(spec=node.spec.replace(taints=taints))

    return change
