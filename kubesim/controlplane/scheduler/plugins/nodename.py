"""NodeName: a pod that names its node runs nowhere else.

Mirrors: pkg/scheduler/framework/plugins/nodename/node_name.go.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
)
from kubesim.controlplane.scheduler.framework.interface import EnqueueExtensions, FilterPlugin
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import Status

NAME = "NodeName"
REFUSAL = Status.unresolvable("node(s) didn't match the requested node name", plugin=NAME)


class NodeName(FilterPlugin, EnqueueExtensions):
    """Refuses all nodes but the one that the pod names."""

    name: ClassVar[str] = NAME

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        event = ClusterEvent(EventResource.NODE, ActionType.ADD)
        return (ClusterEventWithHint(event),)

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        wanted = info.pod.spec.node_name
        return REFUSAL if wanted and wanted != node.name else None
