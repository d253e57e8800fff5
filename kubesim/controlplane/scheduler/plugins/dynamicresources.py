"""DynamicResources: claims on devices.

Mirrors: pkg/scheduler/framework/plugins/dynamicresources/dynamicresources.go.
Departs: device claims are not simulated. A pod without claims is treated as upstream treats it
(every node scores 0, and no claim can be given up to make room); one with claims is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from typing_extensions import override

from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
)
from kubesim.controlplane.scheduler.framework.interface import (
    EnqueueExtensions,
    NodeToStatus,
    PostFilterPlugin,
    PostFilterResult,
    PreFilterPlugin,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import SKIP, Status

NAME = "DynamicResources"
NOT_SIMULATED = Status.unresolvable("resource claims are not simulated", plugin=NAME)
NOT_FOUND = Status.error("not found", plugin=NAME)  # upstream's answer when PreFilter ended early
NO_CLAIMS = Status.unschedulable("no new claims to deallocate", plugin=NAME)


class StateData:
    """That the plugin has seen the pod."""

    def clone(self) -> StateData:
        """Itself: it never changes."""
        return self


STATE = StateData()


class DynamicResources(PreFilterPlugin, PostFilterPlugin, ScorePlugin, EnqueueExtensions):
    """Lets pods without claims pass."""

    name: ClassVar[str] = NAME

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        action = ActionType.UPDATE_POD_GENERATED_RESOURCE_CLAIM
        return (ClusterEventWithHint(ClusterEvent(EventResource.POD, action)),)

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        state.write(STATE)
        return None, NOT_SIMULATED if info.signature.spec.resource_claims else SKIP

    @override
    def post_filter(
        self, state: CycleState, info: PodInfo, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        return None, NO_CLAIMS if state.find(StateData) is not None else NOT_FOUND

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        return 0
