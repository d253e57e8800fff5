"""NodeUnschedulable: a cordoned node takes no new pods, unless they tolerate its being cordoned.

Mirrors: pkg/scheduler/framework/plugins/nodeunschedulable/node_unschedulable.go.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Node, Pod, Taint
from kubesim.api.metav1 import KubeObject
from kubesim.api.taints import tolerations_tolerate_taint
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
    QueueingHint,
)
from kubesim.controlplane.scheduler.framework.interface import EnqueueExtensions, FilterPlugin
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import Status

NAME = "NodeUnschedulable"
REFUSAL = Status.unresolvable("node(s) were unschedulable", plugin=NAME)
CORDON = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")


class NodeUnschedulable(FilterPlugin, EnqueueExtensions):
    """Refuses cordoned nodes."""

    name: ClassVar[str] = NAME

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        node = ClusterEvent(EventResource.NODE, ActionType.ADD | ActionType.UPDATE_NODE_TAINT)
        pod = ClusterEvent(EventResource.POD, ActionType.UPDATE_POD_TOLERATION)
        return (
            ClusterEventWithHint(node, after_node_change),
            ClusterEventWithHint(pod, after_pod_toleration_change),
        )

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        if not node.node.spec.unschedulable:
            return None
        tolerated = tolerations_tolerate_taint(info.signature.spec.tolerations, CORDON)
        return None if tolerated else REFUSAL


def after_node_change(_pod: Pod, old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """A node that came uncordoned, or was uncordoned, is worth a try."""
    assert isinstance(new, Node)
    was_open = isinstance(old, Node) and not old.spec.unschedulable
    return QueueingHint.QUEUE if not new.spec.unschedulable and not was_open else QueueingHint.SKIP


def after_pod_toleration_change(
    pod: Pod, _old: KubeObject | None, new: KubeObject | None
) -> QueueingHint:
    """The pod itself was given a toleration for cordoned nodes."""
    assert isinstance(new, Pod)
    helps = new.uid == pod.uid and tolerations_tolerate_taint(new.spec.tolerations, CORDON)
    return QueueingHint.QUEUE if helps else QueueingHint.SKIP
