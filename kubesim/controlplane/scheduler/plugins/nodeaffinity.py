"""NodeAffinity: the nodes that a pod requires and prefers, by their labels and names.

Mirrors: pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import (
    Node,
    NodeSelector,
    NodeSelectorTerm,
    Pod,
    PodSpec,
    PreferredSchedulingTerm,
)
from kubesim.api.labels import (
    node_selector_matches,
    preferred_terms_score,
    required_node_affinity_matches,
)
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.scheduler.config import NodeAffinityArgs
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
    PreScorePlugin,
    ScoreExtensions,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.normalize import default_normalize_score
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import SKIP, Status

NAME = "NodeAffinity"
REFUSAL = Status.unresolvable("node(s) didn't match Pod's node affinity/selector", plugin=NAME)
ENFORCED = Status.unresolvable(
    "node(s) didn't match scheduler-enforced node affinity", plugin=NAME
)
CONFLICT = Status.unresolvable("pod affinity terms conflict", plugin=NAME)


@dataclass(frozen=True, slots=True)
class PreScoreState:
    """The terms that earn points."""

    preferred: tuple[PreferredSchedulingTerm, ...]

    def clone(self) -> PreScoreState:
        """Itself: it never changes."""
        return self


class NodeAffinity(
    PreFilterPlugin, FilterPlugin, PreScorePlugin, ScorePlugin, ScoreExtensions, EnqueueExtensions
):
    """Refuses nodes that the pod does not select; scores those that it prefers.

    Args:
        args: May add an affinity to every pod of the profile.
    """

    name: ClassVar[str] = NAME

    def __init__(self, args: NodeAffinityArgs) -> None:
        added = args.added_affinity
        self.added_required: NodeSelector | None = None
        self.added_preferred: tuple[PreferredSchedulingTerm, ...] = ()
        if added is not None:
            self.added_required = added.required_during_scheduling_ignored_during_execution
            self.added_preferred = added.preferred_during_scheduling_ignored_during_execution

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        event = ClusterEvent(EventResource.NODE, ActionType.ADD | ActionType.UPDATE_NODE_LABEL)
        return (ClusterEventWithHint(event, self._after_node_change),)

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        spec = info.signature.spec
        required = required_terms(spec)
        if required is None and self.added_required is None and not spec.node_selector:
            return None, SKIP
        if not required:
            return None, None
        names = named_nodes(required)
        if names is not None and not names:
            return None, CONFLICT
        return names, None

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        if self.added_required is not None and not node_selector_matches(
            self.added_required, node.node
        ):
            return ENFORCED
        spec = info.signature.spec
        return None if required_node_affinity_matches(spec, node.node) else REFUSAL

    @override
    def pre_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        preferred = preferred_terms(info.signature.spec)
        if not preferred and not self.added_preferred:
            return SKIP
        state.write(PreScoreState((*self.added_preferred, *preferred)))
        return None

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        return preferred_terms_score(state.read(PreScoreState).preferred, node.node)

    @override
    def normalize_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]
    ) -> list[int]:
        return default_normalize_score(scores)

    def _after_node_change(
        self, pod: Pod, old: KubeObject | None, new: KubeObject | None
    ) -> QueueingHint:
        """A node that matches came, or began to match."""
        assert isinstance(new, Node)
        if self.added_required is not None and not node_selector_matches(self.added_required, new):
            return QueueingHint.SKIP
        if not required_node_affinity_matches(pod.spec, new):
            return QueueingHint.SKIP
        matched = isinstance(old, Node) and required_node_affinity_matches(pod.spec, old)
        return QueueingHint.SKIP if matched else QueueingHint.QUEUE


def required_terms(spec: PodSpec) -> tuple[NodeSelectorTerm, ...] | None:
    """The terms of the required node affinity; ``None`` when there is none."""
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    if affinity is None:
        return None
    required = affinity.required_during_scheduling_ignored_during_execution
    return required.node_selector_terms if required is not None else None


def preferred_terms(spec: PodSpec) -> tuple[PreferredSchedulingTerm, ...]:
    """The terms of the preferred node affinity."""
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    return affinity.preferred_during_scheduling_ignored_during_execution if affinity else ()


def named_nodes(terms: tuple[NodeSelectorTerm, ...]) -> frozenset[str] | None:
    """The nodes that the terms name, if every term names some; ``None`` otherwise."""
    names: frozenset[str] = frozenset()
    for term in terms:
        of_term: frozenset[str] | None = None
        for requirement in term.match_fields:
            if requirement.key == "metadata.name" and requirement.operator == "In":
                values = frozenset(requirement.values)
                of_term = values if of_term is None else of_term & values
        if of_term is None:
            return None
        names |= of_term
    return names
