"""InterPodAffinity: pods that want to be near, or apart from, other pods.

Required terms refuse nodes: by what the pod wants, and by what the pods that already run want of
it. Preferred terms of both sides earn or cost points.

Mirrors: pkg/scheduler/framework/plugins/interpodaffinity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Namespace, Node, Pod
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.scheduler.config import InterPodAffinityArgs
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
from kubesim.controlplane.scheduler.framework.podinfo import (
    AffinityTerm,
    PodInfo,
    PodSignature,
    WeightedAffinityTerm,
)
from kubesim.controlplane.scheduler.framework.status import MAX_NODE_SCORE, SKIP, Status

NAME = "InterPodAffinity"
AFFINITY = Status.unresolvable("node(s) didn't match pod affinity rules", plugin=NAME)
ANTI_AFFINITY = Status.unschedulable("node(s) didn't match pod anti-affinity rules", plugin=NAME)
EXISTING_ANTI_AFFINITY = Status.unschedulable(
    "node(s) didn't satisfy existing pods anti-affinity rules", plugin=NAME
)

Labels = Mapping[str, str]
Counts = dict[tuple[str, str], int]
"""How many matches a domain (topology key and value) has; domains without any are left out."""

_NO_LABELS: Labels = FrozenMap()


@dataclass(slots=True)
class PreFilterState:
    """The matches that forbid or allow domains.

    Attributes:
        existing_anti_affinity: Running pods that want to be apart from the pod.
        affinity: Running pods that the pod wants to be near.
        anti_affinity: Running pods that the pod wants to be apart from.
        affinity_terms: What the pod requires.
        anti_affinity_terms: What the pod refuses.
        namespace_labels: The labels of the pod's namespace.
    """

    existing_anti_affinity: Counts
    affinity: Counts
    anti_affinity: Counts
    affinity_terms: tuple[AffinityTerm, ...]
    anti_affinity_terms: tuple[AffinityTerm, ...]
    namespace_labels: Labels

    def clone(self) -> PreFilterState:
        """A copy for a what-if evaluation."""
        return PreFilterState(
            dict(self.existing_anti_affinity),
            dict(self.affinity),
            dict(self.anti_affinity),
            self.affinity_terms,
            self.anti_affinity_terms,
            self.namespace_labels,
        )

    def count(self, info: PodInfo, other: PodInfo, node: NodeInfo, delta: int) -> None:
        """Take a running pod into account, or out of it."""
        labels = node.node.metadata.labels
        self.count_existing(info.signature, other.signature, labels, delta)
        self.count_incoming(other.signature, labels, delta)

    def count_existing(
        self, signature: PodSignature, other: PodSignature, node_labels: Labels, delta: int
    ) -> None:
        """What a running pod has against the pod."""
        for term in other.required_anti_affinity_terms:
            if term.matches(signature.namespace, signature.labels, self.namespace_labels):
                _add(self.existing_anti_affinity, node_labels, term.topology_key, delta)

    def count_incoming(self, other: PodSignature, node_labels: Labels, delta: int) -> None:
        """What the pod thinks of a running pod."""
        if matches_all(self.affinity_terms, other.namespace, other.labels):
            for term in self.affinity_terms:
                _add(self.affinity, node_labels, term.topology_key, delta)
        for term in self.anti_affinity_terms:
            if term.matches(other.namespace, other.labels, _NO_LABELS):
                _add(self.anti_affinity, node_labels, term.topology_key, delta)


@dataclass(frozen=True, slots=True)
class PreScoreState:
    """What each domain is worth."""

    scores: Mapping[str, Mapping[str, int]]

    def clone(self) -> PreScoreState:
        """Itself: it never changes."""
        return self


class InterPodAffinity(
    PreFilterPlugin,
    PreFilterExtensions,
    FilterPlugin,
    PreScorePlugin,
    ScorePlugin,
    ScoreExtensions,
    EnqueueExtensions,
):
    """Keeps pods near and apart.

    Args:
        args: What the required terms of running pods are worth to newcomers.
        handle: What the plugin may see.
    """

    name: ClassVar[str] = NAME

    def __init__(self, args: InterPodAffinityArgs, handle: Handle) -> None:
        self.args = args
        self._handle = handle

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        pod = ClusterEvent(
            EventResource.POD, ActionType.ADD | ActionType.UPDATE_POD_LABEL | ActionType.DELETE
        )
        node = ClusterEvent(EventResource.NODE, ActionType.ADD | ActionType.UPDATE_NODE_LABEL)
        return (
            ClusterEventWithHint(pod, after_pod_change),
            ClusterEventWithHint(node, after_node_change),
        )

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        signature = info.signature
        known = PreFilterState(
            {},
            {},
            {},
            self.resolved(signature.required_affinity_terms),
            self.resolved(signature.required_anti_affinity_terms),
            self.namespace_labels(signature.namespace),
        )
        for node in self._handle.snapshot.have_pods_with_required_anti_affinity:
            labels = node.node.metadata.labels
            for other in node.pods_with_required_anti_affinity.values():
                known.count_existing(signature, other.signature, labels, 1)
        if known.affinity_terms or known.anti_affinity_terms:
            for node in nodes:
                labels = node.node.metadata.labels
                for other in node.pods:
                    known.count_incoming(other.signature, labels, 1)
        elif not known.existing_anti_affinity:
            return None, SKIP
        state.write(known)
        return None, None

    @override
    def add_pod(self, state: CycleState, info: PodInfo, added: PodInfo, node: NodeInfo) -> None:
        state.read(PreFilterState).count(info, added, node, 1)

    @override
    def remove_pod(self, state: CycleState, info: PodInfo, gone: PodInfo, node: NodeInfo) -> None:
        state.read(PreFilterState).count(info, gone, node, -1)

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        known = state.read(PreFilterState)
        labels = node.node.metadata.labels
        if not _affinity_satisfied(known, info.signature, labels):
            return AFFINITY
        for term in known.anti_affinity_terms:
            value = labels.get(term.topology_key)
            if value is not None and known.anti_affinity.get((term.topology_key, value), 0) > 0:
                return ANTI_AFFINITY
        existing = known.existing_anti_affinity
        if existing and any(existing.get(pair, 0) > 0 for pair in labels.items()):
            return EXISTING_ANTI_AFFINITY
        return None

    @override
    def pre_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        signature = info.signature
        near = self.resolved_weighted(signature.preferred_affinity_terms)
        apart = self.resolved_weighted(signature.preferred_anti_affinity_terms)
        if self.args.ignore_preferred_terms_of_existing_pods and not near and not apart:
            return SKIP
        namespace_labels = self.namespace_labels(signature.namespace)
        scores: dict[str, Counter[str]] = {}
        if near or apart:
            for node in self._handle.snapshot.node_infos:
                labels = node.node.metadata.labels
                for other in node.pods:
                    seen = other.signature
                    _earn(scores, near, 1, seen.namespace, seen.labels, _NO_LABELS, labels)
                    _earn(scores, apart, -1, seen.namespace, seen.labels, _NO_LABELS, labels)
        for node in self._handle.snapshot.have_pods_with_affinity:
            labels = node.node.metadata.labels
            for other in node.pods_with_affinity.values():
                for terms, sign in self._terms_of_existing(other.signature):
                    _earn(
                        scores,
                        terms,
                        sign,
                        signature.namespace,
                        signature.labels,
                        namespace_labels,
                        labels,
                    )
        if not scores:
            return SKIP
        state.write(PreScoreState(scores))
        return None

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        labels = node.node.metadata.labels
        return sum(
            domains.get(labels[key], 0)
            for key, domains in state.read(PreScoreState).scores.items()
            if key in labels
        )

    @override
    def normalize_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]
    ) -> list[int]:
        lowest, highest = min(scores), max(scores)
        spread = highest - lowest
        if spread <= 0:
            return [0] * len(scores)
        return [int(float(MAX_NODE_SCORE) * ((score - lowest) / spread)) for score in scores]

    def resolved(self, terms: tuple[AffinityTerm, ...]) -> tuple[AffinityTerm, ...]:
        """The terms with the namespaces that their selectors pick now."""
        return tuple(self._resolved(term) for term in terms)

    def resolved_weighted(
        self, terms: tuple[WeightedAffinityTerm, ...]
    ) -> tuple[WeightedAffinityTerm, ...]:
        """The same for preferred terms."""
        return tuple(WeightedAffinityTerm(weight, self._resolved(term)) for weight, term in terms)

    def namespace_labels(self, name: str) -> Labels:
        """The labels of a namespace; none when it is not known."""
        namespace = self._handle.lister.get(Namespace, name)
        return namespace.metadata.labels if namespace is not None else _NO_LABELS

    def _resolved(self, term: AffinityTerm) -> AffinityTerm:
        selector = term.namespace_selector
        if selector is None or not (selector.match_labels or selector.match_expressions):
            return term
        picked = frozenset(
            namespace.name
            for namespace in self._handle.lister.values(Namespace)
            if label_selector_matches(selector, namespace.metadata.labels)
        )
        return AffinityTerm(term.namespaces | picked, term.selector, term.topology_key, None)

    def _terms_of_existing(
        self, other: PodSignature
    ) -> Iterable[tuple[tuple[WeightedAffinityTerm, ...], int]]:
        weight = self.args.hard_pod_affinity_weight
        if weight > 0:
            required = other.required_affinity_terms
            yield tuple(WeightedAffinityTerm(weight, term) for term in required), 1
        yield other.preferred_affinity_terms, 1
        yield other.preferred_anti_affinity_terms, -1


def matches_all(terms: tuple[AffinityTerm, ...], namespace: str, labels: Labels) -> bool:
    """Whether a pod is meant by every term; by no terms nobody is meant."""
    return bool(terms) and all(term.matches(namespace, labels, _NO_LABELS) for term in terms)


def _affinity_satisfied(known: PreFilterState, own: PodSignature, labels: Labels) -> bool:
    found = True
    for term in known.affinity_terms:
        value = labels.get(term.topology_key)
        if value is None:
            return False
        found = found and known.affinity.get((term.topology_key, value), 0) > 0
    if found:
        return True
    # The first pod of a group that wants to be near itself has to begin somewhere.
    alone = not known.affinity
    return alone and matches_all(known.affinity_terms, own.namespace, own.labels)


def _add(counts: Counts, labels: Labels, key: str, delta: int) -> None:
    value = labels.get(key)
    if value is None:
        return
    count = counts.get((key, value), 0) + delta
    if count:
        counts[key, value] = count
    else:
        del counts[key, value]


def _earn(  # noqa: PLR0913, PLR0917  # the two sides of a term, spelled out
    scores: dict[str, Counter[str]],
    terms: tuple[WeightedAffinityTerm, ...],
    sign: int,
    namespace: str,
    labels: Labels,
    namespace_labels: Labels,
    node_labels: Labels,
) -> None:
    for weight, term in terms:
        if term.matches(namespace, labels, namespace_labels):
            value = node_labels.get(term.topology_key)
            if value is not None:
                scores.setdefault(term.topology_key, Counter())[value] += sign * weight


def after_pod_change(pod: Pod, old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """A pod came that this one needs, or went that stood in its way."""
    assert old is None or isinstance(old, Pod)
    assert new is None or isinstance(new, Pod)
    if old is not None and new is not None and new.uid == pod.uid:
        return QueueingHint.QUEUE
    if any(other is not None and not _is_placed(other) for other in (old, new)):
        return QueueingHint.SKIP
    own = PodSignature(pod, -1)
    wanted, refused = own.required_affinity_terms, own.required_anti_affinity_terms
    before = _matched(old, wanted), _matched(old, refused)
    after = _matched(new, wanted), _matched(new, refused)
    if old is not None and new is not None:
        helps = (after[0] and not before[0]) or (before[1] and not after[1])
    elif new is not None:
        helps = after[0]
    else:
        assert old is not None
        theirs = PodSignature(old, -1).required_anti_affinity_terms
        helps = before[1] or matches_all(theirs, own.namespace, own.labels)
    return QueueingHint.QUEUE if helps else QueueingHint.SKIP


def after_node_change(pod: Pod, old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """A node came into, or moved between, the domains that the pod's terms speak about."""
    assert old is None or isinstance(old, Node)
    assert isinstance(new, Node)
    own = PodSignature(pod, -1)
    before = old.metadata.labels if old is not None else None
    after = new.metadata.labels
    for term in own.required_affinity_terms:
        value = after.get(term.topology_key)
        if value is not None and (before is None or before.get(term.topology_key) != value):
            return QueueingHint.QUEUE
    for term in own.required_anti_affinity_terms:
        if before is None:
            return QueueingHint.QUEUE
        was = before.get(term.topology_key)
        if was is not None and was != after.get(term.topology_key):
            return QueueingHint.QUEUE
    return QueueingHint.SKIP


def _matched(pod: Pod | None, terms: tuple[AffinityTerm, ...]) -> bool:
    return pod is not None and matches_all(terms, pod.namespace, pod.metadata.labels)


def _is_placed(pod: Pod) -> bool:
    return bool(pod.spec.node_name or pod.status.nominated_node_name)
