"""How a new node joins: it registers, is not ready, and becomes ready when its network is.

Mirrors: pkg/kubelet/kubelet_node_status.go (registerWithAPIServer), pkg/kubelet/nodestatus/setters.go
(ReadyCondition), plugin/pkg/admission/nodetaint.
Departs: the taint of the admission plugin NodeTaint is put on by the kubelet; a network plugin that
runs as a DaemonSet is not waited for, its time is drawn; there is no taint of an external cloud
provider.
"""

from __future__ import annotations

from kubesim.api.corev1 import Node, NodeCondition, Taint
from kubesim.controlplane.client import Client, NotFound
from kubesim.sim import Sim, SimProcess

TAINT_NOT_READY = "node.kubernetes.io/not-ready"
NETWORK_NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


def unready(node: Node, wall_ns: int) -> Node:
    """The node as it registers: without a network, and therefore tainted."""
    taint = Taint(key=TAINT_NOT_READY, effect="NoSchedule")
    conditions = tuple(
        condition
        if condition.type != "Ready"
        else condition.replace(
            status="False",
            reason="KubeletNotReady",
            message=NETWORK_NOT_READY,
            last_heartbeat_time=wall_ns,
            last_transition_time=wall_ns,
        )
        for condition in node.status.conditions
    )
    return node.replace(
        spec=node.spec.replace(taints=(*node.spec.taints, taint)),
        status=node.status.replace(conditions=conditions),
    )


def now_ready(node: Node, wall_ns: int) -> Node:
    """The node when its network works."""
    ready = NodeCondition(
        type="Ready",
        status="True",
        reason="KubeletReady",
        message="kubelet is posting ready status",
        last_heartbeat_time=wall_ns,
        last_transition_time=wall_ns,
    )
    conditions = tuple(ready if c.type == "Ready" else c for c in node.status.conditions)
    return node.replace(status=node.status.replace(conditions=conditions))


def register(client: Client, node: Node, wall_ns: int) -> SimProcess[None]:
    """Create the Node, not ready."""
    node = unready(node, wall_ns)
    yield from client.create(node)
    yield from client.patch(
        Node, node.name, lambda stored: stored.replace(status=node.status), status=True
    )


def report_alive(client: Client, node: Node, *, boot_id: str = "") -> SimProcess[None]:
    """Say again how the node is: after a boot, or when nobody was told for a while."""

    def alive(stored: Node) -> Node:
        info = stored.status.node_info
        if boot_id and info is not None:
            info = info.replace(boot_id=boot_id)
        conditions = node.status.conditions
        return stored.replace(status=stored.status.replace(conditions=conditions, node_info=info))

    try:
        yield from client.patch(Node, node.name, alive, status=True)
    except NotFound:
        return


def report_ready(sim: Sim, client: Client, name: str) -> SimProcess[bool]:
    """Say that the node is ready; whether it still was there."""
    try:
        yield from client.patch(Node, name, lambda node: now_ready(node, sim.wall_ns), status=True)
    except NotFound:
        return False
    return True
