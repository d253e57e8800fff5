"""NodePorts: a port of a node can be taken once.

Mirrors: pkg/scheduler/framework/plugins/nodeports/node_ports.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
    QueueingHint,
)
from kubesim.controlplane.scheduler.framework.interface import (
    EnqueueExtensions,
    FilterPlugin,
    PreFilterPlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo, host_ports
from kubesim.controlplane.scheduler.framework.status import SKIP, Status

NAME = "NodePorts"
REFUSAL = Status.unschedulable(
    "node(s) didn't have free ports for the requested pod ports", plugin=NAME
)


class NodePorts(PreFilterPlugin, FilterPlugin, EnqueueExtensions):
    """Refuses nodes on which one of the pod's host ports is taken."""

    name: ClassVar[str] = NAME

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        pod = ClusterEvent(EventResource.POD, ActionType.DELETE)
        node = ClusterEvent(EventResource.NODE, ActionType.ADD)
        return (ClusterEventWithHint(pod, after_pod_deleted), ClusterEventWithHint(node))

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        return None, None if info.signature.host_ports else SKIP

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        return REFUSAL if node.conflicts_with(info.signature.host_ports) else None


def after_pod_deleted(pod: Pod, old: KubeObject | None, _new: KubeObject | None) -> QueueingHint:
    """A pod left a node and with it a port that this pod wants."""
    assert isinstance(old, Pod)
    if not old.spec.node_name and not old.status.nominated_node_name:
        return QueueingHint.SKIP
    freed = NodeInfo("")
    freed.used_ports.update(host_ports(old.spec))
    wanted = host_ports(pod.spec)
    return QueueingHint.QUEUE if freed.conflicts_with(wanted) else QueueingHint.SKIP
