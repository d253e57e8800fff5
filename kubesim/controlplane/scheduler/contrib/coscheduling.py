"""Coscheduling: a gang of pods is placed together, or not at all.

Pods of one gang have the same label ``scheduling.x-k8s.io/pod-group``. How many are needed says the
annotation ``scheduling.x-k8s.io/min-available`` of its pods, or ``minMember`` by group in the plugin's
arguments. Each member that finds a node waits at Permit until there are enough; when one of them
finds none, those that wait are sent back, and nobody holds on to nodes that the gang cannot use.

Mirrors: kubernetes-sigs/scheduler-plugins, pkg/coscheduling.
Departs: there is no PodGroup object; pods of a gang are not brought together in the queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Pod
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
)
from kubesim.controlplane.scheduler.framework.interface import (
    EnqueueExtensions,
    Handle,
    NodeToStatus,
    PermitPlugin,
    PostFilterPlugin,
    PostFilterResult,
    PreFilterPlugin,
    ReservePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.framework.waiting import WaitingPod
from kubesim.sim.time import SECOND

NAME = "Coscheduling"
GROUP = "scheduling.x-k8s.io/pod-group"
MIN_AVAILABLE = "scheduling.x-k8s.io/min-available"
DEFAULT_WAIT_SECONDS = 60  # permitWaitingTimeSeconds


class Coscheduling(
    PreFilterPlugin, PostFilterPlugin, PermitPlugin, ReservePlugin, EnqueueExtensions
):
    """Holds members back until their gang is complete.

    Args:
        args: ``permitWaitingTimeSeconds``; ``minMember`` by group.
        handle: What the plugin may see.
    """

    name: ClassVar[str] = NAME

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        self._handle = handle
        self._wait_ns = int(args.get("permitWaitingTimeSeconds", DEFAULT_WAIT_SECONDS)) * SECOND
        self._min_member: Mapping[str, int] = args.get("minMember", {})

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        pod = ActionType.ADD | ActionType.DELETE
        return (
            ClusterEventWithHint(ClusterEvent(EventResource.POD, pod)),
            ClusterEventWithHint(ClusterEvent(EventResource.NODE, ActionType.ADD)),
        )

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        return None, None

    @override
    def post_filter(
        self, state: CycleState, info: PodInfo, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        """A member found no node: those that wait for it need not wait any longer."""
        gang = gang_of(info.pod)
        if gang is None:
            return None, Status.unschedulable()
        for waiting in self._waiting(gang):
            waiting.reject(NAME, f"gang {gang[1]} has a member that fits nowhere: {info.pod.key}")
        return None, Status.unschedulable(f"gang {gang[1]} is sent back")

    @override
    def permit(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> tuple[Status | None, int]:
        gang = gang_of(info.pod)
        if gang is None:
            return None, 0
        if self._members(gang, besides=info.uid) + 1 < self._needed(info.pod, gang):
            return Status(Code.WAIT, plugin=NAME), self._wait_ns
        for waiting in self._waiting(gang):
            waiting.allow(NAME)
        return None, 0

    @override
    def reserve(self, state: CycleState, info: PodInfo, node_name: str) -> Status | None:
        return None

    @override
    def unreserve(self, state: CycleState, info: PodInfo, node_name: str) -> None:
        """A member lost its node: the gang starts again."""
        gang = gang_of(info.pod)
        if gang is None:
            return
        for waiting in self._waiting(gang):
            if waiting.info.uid != info.uid:
                waiting.reject(NAME, f"gang {gang[1]} lost a member: {info.pod.key}")

    def _needed(self, pod: Pod, gang: tuple[str, str]) -> int:
        text = pod.metadata.annotations.get(MIN_AVAILABLE, "")
        return int(text) if text.isdecimal() else self._min_member.get(gang[1], 1)

    def _members(self, gang: tuple[str, str], *, besides: str) -> int:
        """How many members have a node, bound or held back."""
        return sum(
            gang_of(info.pod) == gang and info.uid != besides
            for node in self._handle.snapshot.node_infos
            for info in node.pods
        )

    def _waiting(self, gang: tuple[str, str]) -> list[WaitingPod]:
        return [pod for pod in self._handle.waiting_pods if gang_of(pod.info.pod) == gang]


def gang_of(pod: Pod) -> tuple[str, str] | None:
    """A pod's gang: namespace and name."""
    name = pod.metadata.labels.get(GROUP)
    return (pod.namespace, name) if name else None
