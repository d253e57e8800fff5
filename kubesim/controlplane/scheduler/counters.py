"""Counting pods by domain: spreading and affinity between pods, in columns.

Both ask the same question: how much do the pods that run in a domain of a topology (a zone, a
host) count for this pod? What one running pod counts for depends on its signature alone, so a
counter keeps one number a node, one sum a domain, and rewrites those of the nodes that changed.

Invariant: ``values[row]`` is the sum over the pods of that node now, and ``totals[code]`` the sum
of ``values`` over the counted nodes of that domain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kubesim.controlplane.scheduler.columns import Ints
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodSignature
from kubesim.controlplane.scheduler.framework.spreading import HOSTNAME, Constraint
from kubesim.sim.elementary import log

Mask = NDArray[np.bool_]
Contribution = Callable[[PodSignature], int]

NO_DOMAIN = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """Which domain each node is in.

    Attributes:
        key: The label.
        codes: By row, the number of the domain; ``size`` for nodes without the label.
        size: How many domains there are.
        has: Whether a node has the label.
    """

    key: str
    codes: Ints
    size: int
    has: Mask

    @classmethod
    def of(cls, key: str, nodes: Sequence[NodeInfo]) -> Topology:
        """The domains of a label, numbered in the order of their first nodes."""
        numbers: dict[str, int] = {}
        found = [node.node.metadata.labels.get(key) for node in nodes]
        rows = [-1 if v is None else numbers.setdefault(v, len(numbers)) for v in found]
        codes = np.array(rows, dtype=np.int64)
        has = codes >= 0
        return cls(key, np.where(has, codes, len(numbers)), len(numbers), has)


class Counter:
    """One number a node and one sum a domain.

    Args:
        topology: The domains.
        contribution: What a running pod of a signature counts for.
        counted: The nodes that count in the sums; ``None`` for all.
        with_deleted: Whether pods that are being deleted count.
    """

    def __init__(
        self,
        topology: Topology,
        contribution: Contribution,
        *,
        counted: Mask | None = None,
        with_deleted: bool = True,
    ) -> None:
        self.topology = topology
        self.values = np.zeros(len(topology.codes), dtype=np.int64)
        self.totals = np.zeros(topology.size + 1, dtype=np.int64)
        self._contribution = contribution
        self._counted = counted
        self._with_deleted = with_deleted
        self._known: dict[int, int] = {}

    def worth(self, signature: PodSignature) -> int:
        """What a running pod of a signature counts for."""
        value = self._known.get(signature.index)
        if value is None:
            value = self._known[signature.index] = self._contribution(signature)
        return value

    def mend(self, row: int, node: NodeInfo) -> None:
        """The pods of a node changed."""
        known = self._known
        new = 0
        for info in node.pods:
            value = known.get(info.signature.index)
            if value is None:
                value = self.worth(info.signature)
            if value and (self._with_deleted or info.pod.metadata.deletion_timestamp is None):
                new += value
        delta = new - int(self.values[row])
        if delta:
            self.values[row] = new
            if self._counted is None or self._counted[row]:
                self.totals[self.topology.codes[row]] += delta

    @property
    def by_node(self) -> Ints:
        """For each node the sum of its domain; 0 without the label."""
        self.totals[-1] = 0
        by_node: Ints = self.totals[self.topology.codes]
        return by_node


@dataclass(slots=True, eq=False)
class HardSpread:
    """One constraint that refuses nodes.

    Attributes:
        constraint: The constraint.
        counter: The pod's siblings.
        present: The domains that count.
        own: 1 if the pod is a sibling of itself.
    """

    constraint: Constraint
    counter: Counter
    present: Ints
    own: int

    def mask(self) -> Mask:
        """The nodes whose domain does not get ahead too far."""
        totals, item = self.counter.totals, self.constraint
        least = NO_DOMAIN
        if len(self.present):
            least = int(totals[self.present].min())
        if len(self.present) < item.min_domains:
            least = 0
        allowed = totals + (self.own - least) <= item.max_skew
        allowed[-1] = False
        mask: Mask = allowed[self.counter.topology.codes]
        return mask


@dataclass(slots=True, eq=False)
class SoftSpread:
    """The constraints that prefer nodes.

    Attributes:
        items: Each constraint with the counter of the pod's siblings.
        ignored: Nodes that lack a label of a constraint; ``None`` when that does not matter.
    """

    items: list[tuple[Constraint, Counter]]
    ignored: Mask | None

    def scores(self, rows: Ints) -> Ints:
        """The normalized scores of feasible nodes."""
        skip = self.ignored[rows] if self.ignored is not None else None
        counted = rows if skip is None else rows[~skip]
        raw = np.zeros(len(rows), dtype=np.float64)
        for item, counter in self.items:
            topology = counter.topology
            if item.topology_key == HOSTNAME:
                size = len(counted)
                counts = counter.values[rows]
            else:
                size = len(np.unique(topology.codes[counted]))
                counts = counter.totals[topology.codes[rows]]
            part = counts * log(float(size + 2)) + float(item.max_skew - 1)
            raw += np.where(topology.has[rows], part, 0.0)
        scores = np.floor(raw + 0.5).astype(np.int64)
        considered = scores if skip is None else scores[~skip]
        highest = int(considered.max(initial=0))
        if highest == 0:
            normalized: Ints = np.full(len(rows), 100, dtype=np.int64)
        else:
            normalized = 100 * (highest + int(considered.min()) - scores) // highest
        if skip is not None:
            normalized[skip] = 0
        return normalized


@dataclass(slots=True, eq=False)
class Affinity:
    """What the pod and the running pods want of each other.

    Attributes:
        near: For each topology of the pod's required terms, the pods that match all of them.
        near_itself: Whether the pod matches its own required terms.
        apart: For each topology of the pod's required anti-affinity, the pods that it refuses.
        apart_from: For each topology, the pods that refuse the pod.
        preferred: For each topology, what its domains are worth.
    """

    near: list[Counter]
    near_itself: bool
    apart: list[Counter]
    apart_from: list[Counter]
    preferred: list[Counter]

    def mask(self) -> Mask | None:
        """The nodes that nobody refuses; ``None`` for all."""
        free = _free_of((*self.apart, *self.apart_from))
        near = self._near_mask()
        if free is None or near is None:
            return free if near is None else near
        return near & free

    def refused_by(self) -> tuple[Mask | None, Mask | None, Mask | None]:
        """The nodes that are far, those with pods that the pod refuses, those that refuse it."""
        near, free, free_from = self._near_mask(), _free_of(self.apart), _free_of(self.apart_from)
        return _inverse(near), _inverse(free), _inverse(free_from)

    def _near_mask(self) -> Mask | None:
        if not self.near:
            return None
        nobody = self.near_itself
        near: Mask | None = None
        for counter in self.near:
            nobody = nobody and not counter.totals[:-1].any()
            found = counter.by_node > 0
            near = found if near is None else near & found
        if nobody:
            near = None
            for counter in self.near:
                has = counter.topology.has
                near = has if near is None else near & has
        assert near is not None
        return near

    def scores(self, rows: Ints) -> Ints | None:
        """The normalized scores of feasible nodes; ``None`` when all are 0."""
        raw: Ints | None = None
        for counter in self.preferred:
            if counter.totals.any():
                part = counter.by_node[rows]
                raw = part if raw is None else raw + part
        if raw is None:
            return None
        lowest = int(raw.min())
        spread = int(raw.max()) - lowest
        if spread <= 0:
            return None
        scores: Ints = (100.0 * ((raw - lowest) / spread)).astype(np.int64)
        return scores


def _free_of(counters: Sequence[Counter]) -> Mask | None:
    """The nodes in whose domains nobody is counted; ``None`` for all."""
    allowed: Mask | None = None
    for counter in counters:
        if counter.totals.any():
            free = counter.by_node <= 0
            allowed = free if allowed is None else allowed & free
    return allowed


def _inverse(mask: Mask | None) -> Mask | None:
    return None if mask is None else ~mask
