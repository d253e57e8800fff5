"""The node lifecycle controller: a node that falls silent is declared unreachable.

The real one looks every five seconds whether each node's lease was renewed since it last looked,
and gives a node 50 seconds of grace. Here the look that would notice is computed when a node falls
silent: from the instant of the last renewal on the lease's grid and the monitor's own grid.

A node that registers is not ready and tainted so; the taint goes when it is ready. A node under
pressure is tainted so that the scheduler sends nobody else there.

Mirrors: pkg/controller/nodelifecycle/node_lifecycle_controller.go (monitorNodeHealth,
doNoScheduleTaintingPass, nodeConditionToTaintKeyStatusMap).
Departs: the taints of a node that comes back go as soon as its Ready condition is seen; the rate limits
of large outages are not modelled.
"""

from __future__ import annotations

import contextlib

from kubesim.api.corev1 import Node, NodeCondition, Pod, PodCondition, Taint
from kubesim.api.podutil import get_node_condition, get_pod_condition, set_pod_condition
from kubesim.controlplane.client import Client, NotFound, Recorder
from kubesim.controlplane.controllers.indexes import BY_NODE, node_names
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

MONITOR_PERIOD_NS = 5 * SECOND  # --node-monitor-period
MONITOR_GRACE_PERIOD_NS = 50 * SECOND  # --node-monitor-grace-period
TAINT_NOT_READY = "node.kubernetes.io/not-ready"
TAINT_UNREACHABLE = "node.kubernetes.io/unreachable"
TAINTS = (TAINT_NOT_READY, TAINT_UNREACHABLE)
PRESSURE_TAINTS = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
}


class NodeLifecycleController:
    """Marks silent nodes and the pods on them."""

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        monitor_period_ns: int = MONITOR_PERIOD_NS,
        monitor_grace_period_ns: int = MONITOR_GRACE_PERIOD_NS,
    ) -> None:
        self._sim = sim
        self._period_ns, self._grace_ns = monitor_period_ns, monitor_grace_period_ns
        self._client = client
        self._recorder = Recorder(sim, component="node-controller")
        self._silences: dict[str, int] = {}  # a silence that is over has another number
        self._nodes = client.informer(Node)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_NODE, node_names)
        self._nodes.add_handler(self._node_changed)

    def node_silent(self, node_name: str, *, last_renewal_ns: int) -> None:
        """A node will renew its lease no more; it did so last at ``last_renewal_ns``."""
        seen_ns = -(-last_renewal_ns // self._period_ns) * self._period_ns
        # A period begins when the look before has ended, so ten of them are a little more than the
        # grace period, and the tenth look after the one that saw the renewal is the one that acts.
        noticed_ns = seen_ns + -(-self._grace_ns // self._period_ns) * self._period_ns
        silence = self._silences[node_name] = self._silences.get(node_name, 0) + 1
        delay_ns = max(0, noticed_ns - self._sim.now)
        self._sim.call_in(delay_ns, self._start_marking, node_name, silence)

    def node_heard(self, node_name: str) -> None:
        """A node renews its lease again."""
        self._silences[node_name] = self._silences.get(node_name, 0) + 1

    def _node_changed(self, _old: Node | None, new: Node | None) -> None:
        if new is not None and _is_ready(new) and _has_not_ready_taint(new):
            self._sim.process(self._untaint(new.name))
        if new is not None and _under_pressure(new) is not new:
            self._sim.process(self._taint_for_pressure(new.name))

    def _taint_for_pressure(self, node_name: str) -> SimProcess[None]:
        """Bring the NoSchedule taints in line with the node's conditions."""
        with contextlib.suppress(NotFound):
            yield from self._client.patch(Node, node_name, _under_pressure)

    def _untaint(self, node_name: str) -> SimProcess[None]:
        """A node that has become ready takes pods."""
        with contextlib.suppress(NotFound):
            yield from self._client.patch(Node, node_name, _without_not_ready_taint)

    def _start_marking(self, node_name: str, silence: int) -> None:
        if self._silences[node_name] == silence:
            self._sim.process(self._mark(node_name))

    def _mark(self, node_name: str) -> SimProcess[None]:
        wall_ns = self._sim.wall_ns
        node = self._nodes.get(node_name)
        if node is None:
            return
        self._recorder.normal(
            node, "NodeNotReady", f"Node {node_name} status is now: NodeNotReady"
        )
        try:
            yield from self._client.patch(
                Node, node_name, lambda n: _unknown(n, wall_ns), status=True
            )
            yield from self._client.patch(Node, node_name, lambda n: _tainted(n, wall_ns))
        except NotFound:
            return
        for pod in self._pods.by_index(BY_NODE, node_name):
            ready = get_pod_condition(pod.status, "Ready")
            if ready is None or ready.status != "True":
                continue
            self._recorder.warning(pod, "NodeNotReady", "Node is not ready")
            try:
                yield from self._client.patch(
                    Pod, pod.key, lambda p: _not_ready(p, wall_ns), status=True
                )
            except NotFound:
                continue


def _is_ready(node: Node) -> bool:
    ready = get_node_condition(node.status, "Ready")
    return ready is not None and ready.status == "True"


def _under_pressure(node: Node) -> Node:
    """The node with a taint for each condition that says so, and none for the others."""
    true = {c.type for c in node.status.conditions if c.status == "True"}
    keys = [key for condition, key in PRESSURE_TAINTS.items() if condition in true]
    here = [t.key for t in node.spec.taints if t.key in PRESSURE_TAINTS.values()]
    if sorted(keys) == sorted(here):
        return node
    others = tuple(t for t in node.spec.taints if t.key not in PRESSURE_TAINTS.values())
    own = tuple(Taint(key=key, effect="NoSchedule") for key in keys)
    return node.replace(spec=node.spec.replace(taints=(*others, *own)))


def _has_not_ready_taint(node: Node) -> bool:
    return any(taint.key in TAINTS for taint in node.spec.taints)


def _without_not_ready_taint(node: Node) -> Node:
    if not _is_ready(node):
        return node
    taints = tuple(taint for taint in node.spec.taints if taint.key not in TAINTS)
    return node.replace(spec=node.spec.replace(taints=taints))


def _unknown(node: Node, wall_ns: int) -> Node:
    conditions = tuple(
        NodeCondition(
            type=condition.type,
            status="Unknown",
            reason="NodeStatusUnknown",
            message="Kubelet stopped posting node status.",
            last_heartbeat_time=condition.last_heartbeat_time,
            last_transition_time=wall_ns,
        )
        for condition in node.status.conditions
    )
    return node.replace(status=node.status.replace(conditions=conditions))


def _tainted(node: Node, wall_ns: int) -> Node:
    taints = tuple(t for t in node.spec.taints if t.key != TAINT_UNREACHABLE) + tuple(
        Taint(key=TAINT_UNREACHABLE, effect=effect, time_added=wall_ns)
        for effect in ("NoSchedule", "NoExecute")
    )
    return node.replace(spec=node.spec.replace(taints=taints))


def _not_ready(pod: Pod, wall_ns: int) -> Pod:
    condition = PodCondition(type="Ready", status="False", last_transition_time=wall_ns)
    return pod.replace(status=set_pod_condition(pod.status, condition))
