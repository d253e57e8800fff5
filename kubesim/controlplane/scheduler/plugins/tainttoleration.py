"""TaintToleration: taints keep pods off that do not tolerate them; the soft ones cost points.

Mirrors: pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Node, Pod, Taint, Toleration
from kubesim.api.metav1 import KubeObject
from kubesim.api.taints import find_matching_untolerated_taint, tolerations_tolerate_taint
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
    PreScorePlugin,
    ScoreExtensions,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.normalize import default_normalize_score
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import Status
from kubesim.controlplane.scheduler.versions import Version

NAME = "TaintToleration"
REFUSAL = Status.unresolvable("node(s) had untolerated taint(s)", plugin=NAME)


@dataclass(frozen=True, slots=True)
class PreScoreState:
    """The tolerations that can excuse a soft taint."""

    tolerations: tuple[Toleration, ...]

    def clone(self) -> PreScoreState:
        """Itself: it never changes."""
        return self


class TaintToleration(
    FilterPlugin, PreScorePlugin, ScorePlugin, ScoreExtensions, EnqueueExtensions
):
    """Refuses nodes with a hard taint, prefers those with fewer soft ones.

    Args:
        version: Whether a refusal says which taint.
    """

    name: ClassVar[str] = NAME

    def __init__(self, version: Version = Version()) -> None:  # noqa: B008  # frozen
        self._names_taints = version.names_taints

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
        taints = node.node.spec.taints
        if not taints:
            return None
        tolerations = info.signature.spec.tolerations
        taint = find_matching_untolerated_taint(taints, tolerations, is_hard)
        if taint is None:
            return None
        if self._names_taints:
            named = f"node(s) had untolerated taint {{{taint.key}: {taint.value or ''}}}"
            return Status.unresolvable(named, plugin=NAME)
        return REFUSAL

    @override
    def pre_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        state.write(PreScoreState(soft_tolerations(info.signature.spec.tolerations)))
        return None

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        taints = node.node.spec.taints
        return count_soft_taints(state.read(PreScoreState).tolerations, taints) if taints else 0

    @override
    def normalize_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]
    ) -> list[int]:
        return default_normalize_score(scores, reverse=True)


def tolerates_hard_taints(tolerations: tuple[Toleration, ...], taints: tuple[Taint, ...]) -> bool:
    """Whether all taints that keep pods off are tolerated."""
    return find_matching_untolerated_taint(taints, tolerations, is_hard) is None


def is_hard(taint: Taint) -> bool:
    """Whether a taint keeps pods off."""
    return taint.effect in ("NoSchedule", "NoExecute")


def soft_tolerations(tolerations: tuple[Toleration, ...]) -> tuple[Toleration, ...]:
    """The tolerations that can excuse a soft taint."""
    return tuple(item for item in tolerations if item.effect in (None, "", "PreferNoSchedule"))


def count_soft_taints(tolerations: tuple[Toleration, ...], taints: tuple[Taint, ...]) -> int:
    """How many soft taints nothing excuses."""
    return sum(
        taint.effect == "PreferNoSchedule" and not tolerations_tolerate_taint(tolerations, taint)
        for taint in taints
    )


def after_node_change(pod: Pod, old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """A node came that the pod tolerates, or lost the taint that kept it off."""
    assert isinstance(new, Node)
    tolerations = pod.spec.tolerations
    was_tolerated = isinstance(old, Node) and tolerates_hard_taints(tolerations, old.spec.taints)
    is_tolerated = tolerates_hard_taints(tolerations, new.spec.taints)
    return QueueingHint.QUEUE if is_tolerated and not was_tolerated else QueueingHint.SKIP


def after_pod_toleration_change(
    pod: Pod, _old: KubeObject | None, new: KubeObject | None
) -> QueueingHint:
    """The pod itself was given a toleration."""
    return QueueingHint.QUEUE if new is not None and new.uid == pod.uid else QueueingHint.SKIP
