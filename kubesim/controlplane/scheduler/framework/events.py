"""What happens in a cluster that can make a waiting pod schedulable.

A change of an object becomes cluster events; a plugin registers the events that may lift its
refusals, with a hint: a function that looks at the change and the waiting pod.

Mirrors: kube-scheduler/framework/types.go (ClusterEvent), pkg/scheduler/framework/events.go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntFlag

from kubesim.api.corev1 import Node, Pod, PodSpec
from kubesim.api.metav1 import KubeObject
from kubesim.api.podresize import reserved_spec
from kubesim.controlplane.scheduler.framework.resources import amounts, pod_requests


class ActionType(IntFlag):
    """What happened to an object; the values are upstream's, because their order matters."""

    NONE = 0
    ADD = 1
    DELETE = 1 << 1
    UPDATE_NODE_ALLOCATABLE = 1 << 2
    UPDATE_NODE_LABEL = 1 << 3
    UPDATE_NODE_TAINT = 1 << 4
    UPDATE_NODE_CONDITION = 1 << 5
    UPDATE_NODE_ANNOTATION = 1 << 6
    UPDATE_NODE_DECLARED_FEATURE = 1 << 7
    UPDATE_POD_LABEL = 1 << 8
    UPDATE_POD_SCALE_DOWN = 1 << 9
    UPDATE_POD_TOLERATION = 1 << 10
    UPDATE_POD_SCHEDULING_GATES_ELIMINATED = 1 << 11
    UPDATE_POD_GENERATED_RESOURCE_CLAIM = 1 << 12
    UPDATE = (1 << 13) - 4
    ALL = (1 << 13) - 1


class EventResource(Enum):
    """What an event is about."""

    POD = "Pod"
    ASSIGNED_POD = "AssignedPod"
    UNSCHEDULABLE_POD = "UnschedulablePod"
    NODE = "Node"
    PERSISTENT_VOLUME = "PersistentVolume"
    PERSISTENT_VOLUME_CLAIM = "PersistentVolumeClaim"
    CSI_NODE = "CSINode"
    STORAGE_CLASS = "StorageClass"
    VOLUME_ATTACHMENT = "VolumeAttachment"
    WILDCARD = "*"


class QueueingHint(Enum):
    """Whether an event makes it worth to try a pod again."""

    SKIP = "QueueSkip"
    QUEUE = "Queue"


HintFunction = Callable[[Pod, KubeObject | None, KubeObject | None], QueueingHint]
"""Given the waiting pod and the object before and after the change."""


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """Something that happened to an object of the cluster."""

    resource: EventResource
    action: ActionType

    @property
    def wildcard(self) -> bool:
        """Whether it stands for any event whatever."""
        return self.resource is EventResource.WILDCARD and self.action == ActionType.ALL

    def covers(self, happened: ClusterEvent) -> bool:
        """Whether this, as a registration, is about what happened."""
        if self.wildcard:
            return True
        return (
            self._covers_resource(happened.resource)
            and bool(self.action & happened.action)
            and happened.action <= self.action
        )

    def _covers_resource(self, resource: EventResource) -> bool:
        if self.resource in (EventResource.WILDCARD, resource):
            return True
        return self.resource is EventResource.POD and resource in _KINDS_OF_PODS


_KINDS_OF_PODS = (EventResource.ASSIGNED_POD, EventResource.UNSCHEDULABLE_POD)


@dataclass(frozen=True, slots=True)
class ClusterEventWithHint:
    """An event a plugin registers for; without a hint every such event is worth a try."""

    event: ClusterEvent
    hint: HintFunction | None = None


ASSIGNED_POD_ADD = ClusterEvent(EventResource.ASSIGNED_POD, ActionType.ADD)
ASSIGNED_POD_DELETE = ClusterEvent(EventResource.ASSIGNED_POD, ActionType.DELETE)
UNSCHEDULED_POD_ADD = ClusterEvent(EventResource.UNSCHEDULABLE_POD, ActionType.ADD)
NODE_ADD = ClusterEvent(EventResource.NODE, ActionType.ADD)
NODE_DELETE = ClusterEvent(EventResource.NODE, ActionType.DELETE)
UNSCHEDULABLE_TIMEOUT = ClusterEvent(EventResource.WILDCARD, ActionType.ALL)


def pod_changes(new: Pod, old: Pod) -> tuple[ClusterEvent, ...]:
    """The events that an update of a pod amounts to; at least one."""
    resource = (
        EventResource.ASSIGNED_POD if new.spec.node_name else EventResource.UNSCHEDULABLE_POD
    )
    actions = []
    if new.metadata.labels != old.metadata.labels:
        actions.append(ActionType.UPDATE_POD_LABEL)
    before, after = reserved_spec(old), reserved_spec(new)
    if after is not before and _scaled_down(after, before):
        actions.append(ActionType.UPDATE_POD_SCALE_DOWN)
    if new.spec is not old.spec:
        if old.spec.scheduling_gates and not new.spec.scheduling_gates:
            actions.append(ActionType.UPDATE_POD_SCHEDULING_GATES_ELIMINATED)
        if len(new.spec.tolerations) != len(old.spec.tolerations):
            actions.append(ActionType.UPDATE_POD_TOLERATION)
    if not actions:
        actions.append(ActionType.UPDATE)
    return tuple(ClusterEvent(resource, action) for action in actions)


def _scaled_down(new: PodSpec, old: PodSpec) -> bool:
    before, after = amounts(pod_requests(old)), amounts(pod_requests(new))
    return any(name not in after or amount > after[name] for name, amount in before.items())


def node_changes(new: Node, old: Node) -> tuple[ClusterEvent, ...]:
    """The events that an update of a node amounts to; a heartbeat amounts to none."""
    actions = []
    if old.spec.unschedulable and not new.spec.unschedulable:
        actions.append(ActionType.UPDATE_NODE_TAINT)
    if new.status.allocatable != old.status.allocatable:
        actions.append(ActionType.UPDATE_NODE_ALLOCATABLE)
    if new.metadata.labels != old.metadata.labels:
        actions.append(ActionType.UPDATE_NODE_LABEL)
    if new.spec.taints != old.spec.taints:
        actions.append(ActionType.UPDATE_NODE_TAINT)
    if _condition_statuses(new) != _condition_statuses(old):
        actions.append(ActionType.UPDATE_NODE_CONDITION)
    if new.metadata.annotations != old.metadata.annotations:
        actions.append(ActionType.UPDATE_NODE_ANNOTATION)
    if new.status.declared_features != old.status.declared_features:
        actions.append(ActionType.UPDATE_NODE_DECLARED_FEATURE)
    return tuple(ClusterEvent(EventResource.NODE, action) for action in actions)


def _condition_statuses(node: Node) -> dict[str, str]:
    return {condition.type: condition.status for condition in node.status.conditions}
