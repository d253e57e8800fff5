"""Removing a node: taint it, wait, drain it, give it back.

Mirrors: kubernetes/autoscaler cluster-autoscaler/core/scaledown/actuation (actuator.go, drain.go,
group_deletion_scheduler.go, delete_in_batch.go, delay.go, softtaint.go).
Departs: a node's taint is put on by a process of its own, so that of several nodes one may fail to be
tainted and the others go nevertheless.
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
from kubesim.controlplane.autoscaler.clusterautoscaler.evictor import Evictor, daemon_set_pods
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options
from kubesim.controlplane.autoscaler.clusterautoscaler.scaledown import Unneeded
from kubesim.controlplane.client import Client, NotFound, Recorder, StatusError
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

POLL_NS = 5 * SECOND
DELAY_DELETION = "delay-deletion.cluster-autoscaler.kubernetes.io/"


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
        self._evictor = Evictor(sim, client=client, recorder=recorder, options=options)
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
                Node, name, change if soft else without_taint(DELETION_CANDIDATE)
            )
        except NotFound:
            return

    def _remove(self, name: str, group: NodeGroup, *, drain: bool) -> SimProcess[None]:
        try:
            node = yield from self._client.patch(Node, name, self._to_be_deleted)
        except StatusError as error:
            known = self._nodes.get(name)
            if known is not None:
                message = f"failed to mark the node as toBeDeleted/unschedulable: {error.message}"
                self._recorder.warning(known, "ScaleDownFailed", message)
            self._done(name, worked=False)
            return
        self._recorder.normal(node, "ScaleDown", "marked the node as toBeDeleted/unschedulable")
        yield self._sim.timeout(self._options.node_delete_delay_after_taint)
        failure = yield from self._empty(name, drain=drain)
        if failure is not None:
            what = "drain and delete" if drain else "delete empty"
            self._recorder.warning(node, "ScaleDownFailed", f"failed to {what} node: {failure}")
            with contextlib.suppress(StatusError):
                yield from self._client.patch(Node, name, self._stays)
            self._done(name, worked=False)
            return
        group.delete_node(name)
        self._recorder.normal(node, "ScaleDown", "nodes removed by cluster autoscaler")
        if drain:
            message = f"Scale-down: node {name} removed with drain"
            self._recorder.normal(self._status, "ScaleDown", message)
        else:
            message = f"Scale-down: empty node {name} removed"
            self._recorder.normal(self._status, "ScaleDownEmpty", message)
        self._done(name, worked=True)

    def _empty(self, name: str, *, drain: bool) -> SimProcess[str | None]:
        """Move the pods away; why that failed, if it did."""
        pods = self._pods_to_move(name)
        if pods is None:
            return "failed to get pods to move on node"
        if not drain and pods:
            return f'failed to delete empty node "{name}", new pods scheduled'
        options = self._options
        own = daemon_set_pods(
            (pod for pod in self._pods.values() if pod.spec.node_name == name),
            by_default=(
                options.daemonset_eviction_for_occupied_nodes
                if drain
                else options.daemonset_eviction_for_empty_nodes
            ),
        )
        failure = yield from self._evictor.drain(name, pods, own)
        if failure is not None and drain:
            return failure
        return (yield from self._delayed(name))

    def _delayed(self, name: str) -> SimProcess[str | None]:
        """Wait for those who asked, by an annotation, to be waited for."""
        until_ns = self._sim.now + self._options.node_deletion_delay_timeout
        while (node := self._nodes.get(name)) is not None:
            if not any(key.startswith(DELAY_DELETION) for key in node.metadata.annotations):
                break
            if self._sim.now >= until_ns:
                break
            yield self._sim.timeout(POLL_NS)
        return None

    def _done(self, name: str, *, worked: bool) -> None:
        del self.going[name]
        self._finished(name, worked)

    def _to_be_deleted(self, node: Node) -> Node:
        marked = self._with(TO_BE_DELETED, "NoSchedule")(node)
        if self._options.cordon_node_before_terminating:
            marked = marked.replace(spec=marked.spec.replace(unschedulable=True))
        return marked

    def _stays(self, node: Node) -> Node:
        cleared = without_taint(TO_BE_DELETED)(node)
        if self._options.cordon_node_before_terminating:
            cleared = cleared.replace(spec=cleared.spec.replace(unschedulable=None))
        return cleared

    def _with(self, key: str, effect: str) -> Callable[[Node], Node]:
        value = str(self._sim.wall_ns // SECOND)

        def change(node: Node) -> Node:
            taints = tuple(taint for taint in node.spec.taints if taint.key != key)
            marked = Taint.model_validate({"key": key, "value": value, "effect": effect})
            return node.replace(spec=node.spec.replace(taints=(*taints, marked)))

        return change


def without_taint(key: str) -> Callable[[Node], Node]:
    """What takes a taint off a node."""

    def change(node: Node) -> Node:
        taints = tuple(taint for taint in node.spec.taints if taint.key != key)
        return node.replace(spec=node.spec.replace(taints=taints))

    return change
