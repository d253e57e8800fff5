"""From a pod's constraints and terms to the counters that answer for them.

Mirrors: pkg/scheduler/framework/plugins/{podtopologyspread,interpodaffinity}, for all nodes at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kubesim.controlplane.scheduler.columns import Ints
from kubesim.controlplane.scheduler.counters import (
    Affinity,
    Counter,
    HardSpread,
    Mask,
    SoftSpread,
    Topology,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import (
    AffinityTerm,
    PodSignature,
    WeightedAffinityTerm,
)
from kubesim.controlplane.scheduler.framework.spreading import Constraint
from kubesim.controlplane.scheduler.plugins import interpodaffinity, podtopologyspread

Topologies = Callable[[str], Topology]

REFUSALS = (
    podtopologyspread.NO_LABEL,
    podtopologyspread.REFUSAL,
    interpodaffinity.AFFINITY,
    interpodaffinity.ANTI_AFFINITY,
    interpodaffinity.EXISTING_ANTI_AFFINITY,
)
"""Why a node is refused for other pods in its domain, in the order of the filters."""

_NO_LABELS: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Constraints:
    """How a pod spreads.

    Attributes:
        hard: Constraints that refuse nodes.
        soft: Constraints that prefer nodes.
        need_all: Whether only nodes with the labels of all soft constraints count.
    """

    hard: tuple[Constraint, ...] = ()
    soft: tuple[Constraint, ...] = ()
    need_all: bool = True


@dataclass(slots=True, eq=False)
class Domains:
    """Everything about one class of pods that depends on other pods in the same domain."""

    hard: list[HardSpread]
    soft: SoftSpread | None
    affinity: Affinity
    counters: list[Counter]

    def mend(self, row: int, node: NodeInfo) -> None:
        """The pods of a node changed."""
        for counter in self.counters:
            counter.mend(row, node)

    def counts(self, signature: PodSignature) -> bool:
        """Whether a pod of that signature matters to which nodes are refused."""
        hard = (item.counter for item in self.hard)
        affinity = self.affinity
        counters = (*hard, *affinity.near, *affinity.apart, *affinity.apart_from)
        return any(counter.worth(signature) for counter in counters)

    def refuse(self, codes: Ints, first: int) -> None:
        """Say which of ``REFUSALS`` each node gets that nobody refused yet (code 0).

        Args:
            codes: The codes by row, to be changed.
            first: The code of the first of ``REFUSALS``.
        """

        def give(code: int, refused: Mask | None) -> None:
            if refused is not None:
                codes[refused & (codes == 0)] = first + code

        for spread in self.hard:
            give(0, ~spread.counter.topology.has)
            give(1, ~spread.mask())
        for code, refused in enumerate(self.affinity.refused_by(), start=2):
            give(code, refused)

    def mask(self) -> Mask | None:
        """The nodes that no constraint and no term refuses; ``None`` for all."""
        allowed = self.affinity.mask()
        for spread in self.hard:
            mask = spread.mask()
            allowed = mask if allowed is None else allowed & mask
        return allowed


def domains_of(
    signature: PodSignature,
    *,
    nodes: Sequence[NodeInfo],
    topologies: Topologies,
    constraints: Constraints,
    affinity: Affinity,
) -> Domains:
    """The counters of one signature, filled.

    Args:
        signature: The pod.
        nodes: All nodes, in order.
        topologies: The domains by label.
        constraints: How the pod spreads.
        affinity: The pod's affinity counters, still empty.
    """
    hard_rules = _hard(signature, nodes, topologies, constraints.hard)
    soft_rules = _soft(signature, nodes, topologies, constraints) if constraints.soft else None
    counters = [item.counter for item in hard_rules]
    if soft_rules is not None:
        counters += [counter for _item, counter in soft_rules.items]
    counters += [*affinity.near, *affinity.apart, *affinity.apart_from, *affinity.preferred]
    domains = Domains(hard_rules, soft_rules, affinity, counters)
    for row, node in enumerate(nodes):
        if node.pods:
            domains.mend(row, node)
    return domains


def _hard(
    signature: PodSignature,
    nodes: Sequence[NodeInfo],
    topologies: Topologies,
    constraints: tuple[Constraint, ...],
) -> list[HardSpread]:
    has_all = _has_all(nodes, topologies, constraints)
    rules = []
    for item in constraints:
        topology = topologies(item.topology_key)
        counted = has_all & _included(signature, nodes, item)
        present = np.unique(topology.codes[counted])
        counter = Counter(
            topology, _siblings(signature, item), counted=counted, with_deleted=False
        )
        rules.append(HardSpread(item, counter, present, item.selector.matches(signature.labels)))
    return rules


def _soft(
    signature: PodSignature,
    nodes: Sequence[NodeInfo],
    topologies: Topologies,
    constraints: Constraints,
) -> SoftSpread:
    has_all = _has_all(nodes, topologies, constraints.soft)
    need_all = constraints.need_all
    items = []
    for item in constraints.soft:
        counted = _included(signature, nodes, item)
        if need_all:
            counted &= has_all
        topology = topologies(item.topology_key)
        siblings = _siblings(signature, item)
        items.append((item, Counter(topology, siblings, counted=counted, with_deleted=False)))
    return SoftSpread(items, ~has_all if need_all and not has_all.all() else None)


def affinity_of(
    signature: PodSignature,
    *,
    topologies: Topologies,
    others: Iterable[PodSignature],
    hard_weight: int,
) -> Affinity:
    """The counters of what a pod and others want of each other, still empty.

    Args:
        signature: The pod.
        topologies: The domains by label.
        others: The signatures with any affinity that are known.
        hard_weight: What a running pod's required affinity is worth to the pod it wants.
    """
    near, apart = signature.required_affinity_terms, signature.required_anti_affinity_terms
    others = tuple(others)
    apart_keys = dict.fromkeys(term.topology_key for term in apart)
    apart_from_keys = dict.fromkeys(
        term.topology_key for other in others for term in other.required_anti_affinity_terms
    )
    preferred_keys = dict.fromkeys(
        key for one in (signature, *others) for key in _preferred_keys(one)
    )
    return Affinity(
        near=[
            Counter(topologies(key), _matches_all(near))
            for key in dict.fromkeys(term.topology_key for term in near)
        ],
        near_itself=_matches_all(near)(signature) > 0,
        apart=[Counter(topologies(key), _refused(signature, key)) for key in apart_keys],
        apart_from=[
            Counter(topologies(key), _refusing(signature, key)) for key in apart_from_keys
        ],
        preferred=[
            Counter(topologies(key), _worth(signature, key, hard_weight)) for key in preferred_keys
        ],
    )


def _preferred_keys(signature: PodSignature) -> Iterable[str]:
    yield from (term.topology_key for term in signature.required_affinity_terms)
    for item in (
        *signature.preferred_affinity_terms,
        *signature.preferred_anti_affinity_terms,
    ):
        yield item.term.topology_key


def _has_all(
    nodes: Sequence[NodeInfo], topologies: Topologies, constraints: tuple[Constraint, ...]
) -> Mask:
    has_all: Mask = np.ones(len(nodes), dtype=np.bool_)
    for item in constraints:
        has_all &= topologies(item.topology_key).has
    return has_all


def _included(signature: PodSignature, nodes: Sequence[NodeInfo], item: Constraint) -> Mask:
    included = (item.includes(signature, node.node) for node in nodes)
    return np.fromiter(included, dtype=np.bool_, count=len(nodes))


def _siblings(signature: PodSignature, item: Constraint) -> Callable[[PodSignature], int]:
    def count(other: PodSignature) -> int:
        if item.selector.empty or other.namespace != signature.namespace:
            return 0
        return int(item.selector.matches(other.labels))

    return count


def _matches(term: AffinityTerm, other: PodSignature) -> bool:
    return term.matches(other.namespace, other.labels, _NO_LABELS)


def _matches_all(terms: tuple[AffinityTerm, ...]) -> Callable[[PodSignature], int]:
    return lambda other: int(bool(terms) and all(_matches(term, other) for term in terms))


def _refused(signature: PodSignature, key: str) -> Callable[[PodSignature], int]:
    terms = [term for term in signature.required_anti_affinity_terms if term.topology_key == key]
    return lambda other: sum(_matches(term, other) for term in terms)


def _refusing(signature: PodSignature, key: str) -> Callable[[PodSignature], int]:
    return lambda other: sum(
        term.topology_key == key and _matches(term, signature)
        for term in other.required_anti_affinity_terms
    )


def _worth(signature: PodSignature, key: str, hard_weight: int) -> Callable[[PodSignature], int]:
    def of_terms(terms: Iterable[WeightedAffinityTerm], other: PodSignature) -> int:
        return sum(
            weight for weight, term in terms if term.topology_key == key and _matches(term, other)
        )

    def count(other: PodSignature) -> int:
        required = (
            WeightedAffinityTerm(hard_weight, term) for term in other.required_affinity_terms
        )
        return (
            of_terms(signature.preferred_affinity_terms, other)
            - of_terms(signature.preferred_anti_affinity_terms, other)
            + of_terms(required, signature)
            + of_terms(other.preferred_affinity_terms, signature)
            - of_terms(other.preferred_anti_affinity_terms, signature)
        )

    return count
