"""PodTopologySpread: keeps the numbers of a pod's siblings in the domains of a topology close.

Hard constraints refuse a node whose domain would get ahead of the emptiest one by more than
``maxSkew``; soft ones prefer the emptier domains.

Mirrors: pkg/scheduler/framework/plugins/podtopologyspread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Node, Pod, TopologySpreadConstraint
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.scheduler.config import PodTopologySpreadArgs
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
    Handle,
    PreFilterExtensions,
    PreFilterPlugin,
    PreScorePlugin,
    ScoreExtensions,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.normalize import truncated_division
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo, PodSignature
from kubesim.controlplane.scheduler.framework.scorers import round_half_away
from kubesim.controlplane.scheduler.framework.spreading import (
    HOSTNAME,
    ZONE,
    Constraint,
    constraints_of,
    count_matching,
    default_selector,
    has_all_keys,
)
from kubesim.controlplane.scheduler.framework.status import MAX_NODE_SCORE, SKIP, Status
from kubesim.sim.elementary import log

NAME = "PodTopologySpread"
REFUSAL = Status.unschedulable("node(s) didn't match pod topology spread constraints", plugin=NAME)
NO_LABEL = Status.unresolvable(
    "node(s) didn't match pod topology spread constraints (missing required label)", plugin=NAME
)
SYSTEM_DEFAULTS = (
    TopologySpreadConstraint(
        topology_key=HOSTNAME, when_unsatisfiable="ScheduleAnyway", max_skew=3
    ),
    TopologySpreadConstraint(topology_key=ZONE, when_unsatisfiable="ScheduleAnyway", max_skew=5),
)
_NO_DOMAIN = 2**31 - 1  # what counts as the smallest number of siblings when there is no domain


@dataclass(slots=True)
class PreFilterState:
    """The hard constraints and, for each, how many siblings its domains have."""

    constraints: tuple[Constraint, ...]
    counts: list[dict[str, int]]
    paths: list[CriticalPaths]

    def clone(self) -> PreFilterState:
        """A copy for a what-if evaluation."""
        return PreFilterState(
            self.constraints,
            [dict(counts) for counts in self.counts],
            [path.clone() for path in self.paths],
        )

    def min_match(self, index: int) -> int:
        """How many siblings the emptiest domain has; 0 while there are too few domains."""
        if len(self.counts[index]) < self.constraints[index].min_domains:
            return 0
        return self.paths[index].least


@dataclass(slots=True)
class CriticalPaths:
    """The two emptiest domains of a constraint, the emptiest first.

    Two are enough for upstream, because it puts a removed pod back before it looks elsewhere.
    """

    value: str | None = None
    least: int = _NO_DOMAIN
    second_value: str | None = None
    second: int = _NO_DOMAIN

    def clone(self) -> CriticalPaths:
        """A copy."""
        return CriticalPaths(self.value, self.least, self.second_value, self.second)

    def update(self, value: str, count: int) -> None:
        """The number of siblings in a domain is now ``count``."""
        if value == self.value:
            self.least = count
        elif value == self.second_value:
            self.second = count
        elif count < self.least:
            self.second_value, self.second = self.value, self.least
            self.value, self.least = value, count
            return
        elif count < self.second:
            self.second_value, self.second = value, count
            return
        else:
            return
        if self.least > self.second:
            self.value, self.second_value = self.second_value, self.value
            self.least, self.second = self.second, self.least


@dataclass(slots=True)
class PreScoreState:
    """The soft constraints, their weights, and how many siblings their domains have."""

    constraints: tuple[Constraint, ...]
    ignored: set[str] = field(default_factory=set)
    counts: list[dict[str, int]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def clone(self) -> PreScoreState:
        """Itself: it never changes once made."""
        return self


class PodTopologySpread(
    PreFilterPlugin,
    PreFilterExtensions,
    FilterPlugin,
    PreScorePlugin,
    ScorePlugin,
    ScoreExtensions,
    EnqueueExtensions,
):
    """Spreads siblings.

    Args:
        args: The constraints of pods that have none.
        handle: What the plugin may see.
    """

    name: ClassVar[str] = NAME

    def __init__(self, args: PodTopologySpreadArgs, handle: Handle) -> None:
        self._handle = handle
        self.system_defaulted = args.defaulting_type == "System"
        self.defaults = SYSTEM_DEFAULTS if self.system_defaulted else args.default_constraints

    def constraints(self, signature: PodSignature, action: str) -> tuple[Constraint, ...]:
        """The pod's constraints of one kind, or the defaults if it has none of either kind."""
        own = signature.spec.topology_spread_constraints
        if own:
            return constraints_of(own, signature.labels, action)
        defaults = constraints_of(self.defaults, signature.labels, action)
        if not defaults:
            return ()
        selector = default_selector(signature, self._handle.lister)
        if selector.empty:
            return ()
        return tuple(replace(item, selector=selector) for item in defaults)

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        pod = ClusterEvent(
            EventResource.POD,
            ActionType.ADD
            | ActionType.UPDATE_POD_LABEL
            | ActionType.UPDATE_POD_TOLERATION
            | ActionType.DELETE,
        )
        node = ClusterEvent(
            EventResource.NODE,
            ActionType.ADD
            | ActionType.DELETE
            | ActionType.UPDATE_NODE_LABEL
            | ActionType.UPDATE_NODE_TAINT,
        )
        return (
            ClusterEventWithHint(pod, self._after_pod_change),
            ClusterEventWithHint(node, self._after_node_change),
        )

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        signature = info.signature
        constraints = self.constraints(signature, "DoNotSchedule")
        if not constraints:
            return None, SKIP
        counts: list[dict[str, int]] = [{} for _constraint in constraints]
        for node in nodes:
            labels = node.node.metadata.labels
            if not has_all_keys(labels, constraints):
                continue
            for domains, item in zip(counts, constraints, strict=True):
                if item.includes(signature, node.node):
                    value = labels[item.topology_key]
                    found = count_matching(node, item.selector, signature.namespace)
                    domains[value] = domains.get(value, 0) + found
        paths = [CriticalPaths() for _constraint in constraints]
        for path, domains in zip(paths, counts, strict=True):
            for value, count in domains.items():
                path.update(value, count)
        state.write(PreFilterState(constraints, counts, paths))
        return None, None

    @override
    def add_pod(self, state: CycleState, info: PodInfo, added: PodInfo, node: NodeInfo) -> None:
        _mend(state.read(PreFilterState), info, added, node, 1)

    @override
    def remove_pod(self, state: CycleState, info: PodInfo, gone: PodInfo, node: NodeInfo) -> None:
        _mend(state.read(PreFilterState), info, gone, node, -1)

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        known = state.read(PreFilterState)
        labels = node.node.metadata.labels
        for i, item in enumerate(known.constraints):
            value = labels.get(item.topology_key)
            if value is None:
                return NO_LABEL
            own = item.selector.matches(info.signature.labels)
            if known.counts[i].get(value, 0) + own - known.min_match(i) > item.max_skew:
                return REFUSAL
        return None

    @override
    def pre_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        signature = info.signature
        constraints = self.constraints(signature, "ScheduleAnyway")
        if not constraints:
            return SKIP
        need_all = bool(signature.spec.topology_spread_constraints) or not self.system_defaulted
        known = _domains(constraints, nodes, need_all=need_all)
        for node in self._handle.snapshot.node_infos:
            labels = node.node.metadata.labels
            if need_all and not has_all_keys(labels, constraints):
                continue
            for domains, item in zip(known.counts, constraints, strict=True):
                value = labels.get(item.topology_key, "")
                if value in domains and item.includes(signature, node.node):
                    domains[value] += count_matching(node, item.selector, signature.namespace)
        state.write(known)
        return None

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        known = state.read(PreScoreState)
        if node.name in known.ignored:
            return 0
        labels = node.node.metadata.labels
        total = 0.0
        for i, item in enumerate(known.constraints):
            value = labels.get(item.topology_key)
            if value is None:
                continue
            if item.topology_key == HOSTNAME:
                count = count_matching(node, item.selector, info.signature.namespace)
            else:
                count = known.counts[i][value]
            total += float(count) * known.weights[i] + float(item.max_skew - 1)
        return round_half_away(total)

    @override
    def normalize_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]
    ) -> list[int]:
        ignored = state.read(PreScoreState).ignored
        counted = [
            score for node, score in zip(nodes, scores, strict=True) if node.name not in ignored
        ]
        highest, lowest = max(counted, default=0), min(counted, default=0)
        return [
            0
            if node.name in ignored
            else MAX_NODE_SCORE
            if highest == 0
            else truncated_division(MAX_NODE_SCORE * (highest + lowest - score), highest)
            for node, score in zip(nodes, scores, strict=True)
        ]

    def _after_pod_change(
        self, pod: Pod, old: KubeObject | None, new: KubeObject | None
    ) -> QueueingHint:
        """A sibling came, went or changed its labels, or the pod itself changed."""
        assert old is None or isinstance(old, Pod)
        assert new is None or isinstance(new, Pod)
        if any(other is not None and not _is_involved(other, pod) for other in (old, new)):
            return QueueingHint.SKIP
        constraints = self.constraints(PodSignature(pod, -1), "DoNotSchedule")
        if old is not None and new is not None:
            changed = _tolerates_more(pod, old, new, constraints) or any(
                item.selector.matches(old.metadata.labels)
                != item.selector.matches(new.metadata.labels)
                for item in constraints
            )
            return QueueingHint.QUEUE if changed else QueueingHint.SKIP
        other = old if new is None else new
        assert other is not None
        labels = other.metadata.labels
        is_sibling = any(item.selector.matches(labels) for item in constraints)
        return QueueingHint.QUEUE if is_sibling else QueueingHint.SKIP

    def _after_node_change(
        self, pod: Pod, old: KubeObject | None, new: KubeObject | None
    ) -> QueueingHint:
        """A node that counts came, went, or changed its domain."""
        assert old is None or isinstance(old, Node)
        assert new is None or isinstance(new, Node)
        constraints = self.constraints(PodSignature(pod, -1), "DoNotSchedule")
        counted = old is not None and has_all_keys(old.metadata.labels, constraints)
        counts = new is not None and has_all_keys(new.metadata.labels, constraints)
        if old is None or new is None:
            return QueueingHint.QUEUE if counted or counts else QueueingHint.SKIP
        if counted != counts:
            return QueueingHint.QUEUE
        before, after = old.metadata.labels, new.metadata.labels
        moved = any(
            before.get(item.topology_key) != after.get(item.topology_key) for item in constraints
        )
        differs = moved or old.spec.taints != new.spec.taints
        return QueueingHint.QUEUE if counts and differs else QueueingHint.SKIP


def _tolerates_more(pod: Pod, old: Pod, new: Pod, constraints: tuple[Constraint, ...]) -> bool:
    """Whether the pod itself was given tolerations, and a constraint heeds them."""
    if pod.uid != new.uid or new.spec.tolerations == old.spec.tolerations:
        return False
    return any(item.honor_taints for item in constraints)


def _is_involved(other: Pod, pod: Pod) -> bool:
    """Whether another pod can matter: it is the pod itself, or is on (or for) a node near it."""
    if other.uid == pod.uid:
        return True
    placed = other.spec.node_name or other.status.nominated_node_name
    return bool(placed) and other.namespace == pod.namespace


def _mend(
    known: PreFilterState, info: PodInfo, other: PodInfo, node: NodeInfo, delta: int
) -> None:
    if other.signature.namespace != info.signature.namespace:
        return
    labels = node.node.metadata.labels
    if not has_all_keys(labels, known.constraints):
        return
    for i, item in enumerate(known.constraints):
        if not item.selector.matches(other.signature.labels):
            continue
        if not item.includes(info.signature, node.node):
            continue
        value = labels[item.topology_key]
        count = known.counts[i].get(value, 0) + delta
        known.counts[i][value] = count
        known.paths[i].update(value, count)


def _domains(
    constraints: tuple[Constraint, ...], nodes: Sequence[NodeInfo], *, need_all: bool
) -> PreScoreState:
    """The domains of the nodes that passed, still without siblings, and the weights."""
    known = PreScoreState(constraints, counts=[{} for _constraint in constraints])
    for node in nodes:
        labels = node.node.metadata.labels
        if need_all and not has_all_keys(labels, constraints):
            known.ignored.add(node.name)
            continue
        for domains, item in zip(known.counts, constraints, strict=True):
            if item.topology_key != HOSTNAME:
                domains.setdefault(labels.get(item.topology_key, ""), 0)
    for domains, item in zip(known.counts, constraints, strict=True):
        size = len(domains)
        if item.topology_key == HOSTNAME:
            size = len(nodes) - len(known.ignored)
        known.weights.append(log(float(size + 2)))
    return known
