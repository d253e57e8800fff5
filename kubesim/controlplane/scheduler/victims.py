"""Whom to evict, remembered: refusals and victims of one class of equal pods, node by node.

What an eviction would bring on a node depends, for pods that look at nothing beyond the node, on
that node alone: its pods, who waits for it, and the disruption budgets that protect its pods. So
the reference evaluator's answer for a node is kept until one of these changes, together with its
costs in columns; searching for candidates and choosing among them are then a few operations on
arrays.

Invariant: a remembered answer equals what the evaluator would say now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from typing_extensions import override

from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.scheduler.columns import Columns, Ints
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import NodeToStatus, Victims
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.preemption import (
    NO_VICTIMS,
    Evaluator,
    TieBreak,
    protects,
)
from kubesim.controlplane.scheduler.framework.status import Code, Status

UNKNOWN, REFUSED, CLEAN, VIOLATING = range(4)
NOW = 2**63 - 1
"""Stands for the start of a pod that has not started."""

CHUNK = 256  # answers that are looked for at a time, when none is known yet


class RefusedNodes(NodeToStatus):
    """Why every node was turned down, as one number a node.

    Args:
        columns: The nodes.
        codes: By row, which refusal it got.
        status_of: The refusal of a code.
        victims: Where answers about eviction are kept; ``None`` when they depend on other nodes.
    """

    def __init__(
        self,
        columns: Columns,
        codes: Ints,
        status_of: Callable[[int], Status],
        victims: Callable[[], VictimTable] | None,
    ) -> None:
        super().__init__()
        self._columns = columns
        self._codes = codes
        counts = np.bincount(codes)
        self._counts = {int(code): int(counts[code]) for code in np.flatnonzero(counts)}
        self._table = {code: status_of(code) for code in self._counts}
        self._listed = False
        self.victims = victims

    @override
    def __len__(self) -> int:
        return len(self._codes)

    @property
    @override
    def statuses(self) -> dict[str, Status]:
        if not self._listed:
            self._listed = True
            table, node = self._table, self._columns.node
            self._statuses.update(
                (node(row).name, table[code]) for row, code in enumerate(self._codes.tolist())
            )
        return self._statuses

    @override
    def get(self, node_name: str) -> Status:
        row = self._columns.row(node_name)
        return self.absent if row is None else self._table[int(self._codes[row])]

    @override
    def counted(self) -> Iterable[tuple[Status, int]]:
        return ((self._table[code], count) for code, count in self._counts.items())

    @property
    def distinct(self) -> Iterable[Status]:
        """The refusals, each once."""
        return self._table.values()

    def nobody_below(self, priority: int) -> bool:
        """Whether no pod anywhere is less important."""
        return priority <= self._columns.lowest_priority

    def rows_of(self, wanted: Code) -> Ints:
        """The nodes that were refused in this way."""
        codes = [code for code, status in self._table.items() if status.code is wanted]
        if len(codes) == len(self._table):
            return np.arange(len(self._codes))
        return np.flatnonzero(np.isin(self._codes, codes))


class Refusals(NodeToStatus):
    """Why eviction does not help on any node."""

    def __init__(self, counts: Mapping[Status, int], absent: Status) -> None:
        super().__init__(absent=absent)
        self._counts = counts

    @override
    def __len__(self) -> int:
        return sum(self._counts.values())

    @override
    def counted(self) -> Iterable[tuple[Status, int]]:
        return self._counts.items()


class Candidates(Mapping[str, Victims]):
    """Nodes with their victims, by name when somebody asks."""

    def __init__(
        self, nodes: Sequence[NodeInfo], rows: Sequence[int], victims: Sequence[Victims]
    ) -> None:
        self._nodes = nodes
        self._rows = rows
        self._victims = victims

    @cached_property
    def _by_name(self) -> dict[str, Victims]:
        names = (self._nodes[row].name for row in self._rows)
        return dict(zip(names, self._victims, strict=True))

    @override
    def __getitem__(self, node_name: str) -> Victims:
        return self._by_name[node_name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    @override
    def __len__(self) -> int:
        return len(self._rows)


class VictimTable:
    """The evaluator's answers for one signature.

    Args:
        columns: The nodes.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        count = columns.count
        self._verdicts = np.zeros(count, dtype=np.int8)
        self._costs = np.zeros((5, count), dtype=np.int64)
        self._found: dict[int, Victims] = {}
        self._failed: dict[int, Status] = {}
        self._protected: set[int] = set()
        self._unsettled: dict[int, int] = {}
        self._pdbs: tuple[PodDisruptionBudget, ...] = ()

    def forget(self, rows: Iterable[int]) -> None:
        """Nodes changed."""
        for row in rows:
            self._verdicts[row] = UNKNOWN

    def search(  # noqa: PLR0917  # what a dry run needs
        self,
        evaluator: Evaluator,
        state: CycleState,
        info: PodInfo,
        order: Ints,
        pdbs: tuple[PodDisruptionBudget, ...],
        num_candidates: int,
    ) -> Ints:
        """The candidates among ``order``: first those that break no budget.

        Nodes are looked at in that order, until there are enough.
        """
        self._follow(pdbs, evaluator.now_ns)
        while True:
            verdicts = self._verdicts[order]
            clean, found = verdicts == CLEAN, verdicts >= CLEAN
            enough = (np.cumsum(found) >= num_candidates) & (np.cumsum(clean) > 0)
            end = int(enough.argmax()) + 1 if enough.any() else len(order)
            unknown = np.flatnonzero(verdicts[:end] == UNKNOWN)
            if not len(unknown):
                break
            for row in order[unknown[:CHUNK]].tolist():
                self._evaluate(evaluator, state, info, row)
        rows = order[:end]
        return np.concatenate((rows[clean[:end]], rows[verdicts[:end] == VIOLATING]))

    def pick(self, rows: Ints, now_ns: int, tie_break: TieBreak) -> int:
        """The candidate that costs the least."""
        for i, column in enumerate(self._costs):
            costs = column[rows]
            if i == len(self._costs) - 1:
                costs = np.where(costs == -NOW, -now_ns, costs)
            rows = rows[costs == costs.min()]
            if len(rows) == 1:
                break
        return int(rows[tie_break(len(rows))])

    def refusals(self, rows: Ints, absent: Status) -> Refusals:
        """Why eviction helps on none of ``rows``."""
        counts: dict[Status, int] = {}
        for row in rows.tolist():
            status = self._failed[row]
            counts[status] = counts.get(status, 0) + 1
        return Refusals(counts, absent)

    def victims(self, row: int) -> Victims:
        """Who would have to leave the node."""
        return self._found[row]

    def candidates(self, rows: Ints) -> Candidates:
        """The nodes by name with their victims."""
        numbers = rows.tolist()
        return Candidates(self._columns.nodes, numbers, [self._found[row] for row in numbers])

    def node_name(self, row: int) -> str:
        """The name of a node."""
        return self._columns.node(row).name

    def _follow(self, pdbs: tuple[PodDisruptionBudget, ...], now_ns: int) -> None:
        """Forget what other budgets or a later time make wrong."""
        if pdbs != self._pdbs:
            rules = [(pdb.namespace, pdb.spec.selector) for pdb in pdbs]
            if rules == [(pdb.namespace, pdb.spec.selector) for pdb in self._pdbs]:
                self.forget(self._protected)
            else:
                self._verdicts[:] = UNKNOWN
            self._pdbs = pdbs
        if self._unsettled:
            self.forget(row for row, at_ns in self._unsettled.items() if at_ns != now_ns)

    def _evaluate(self, evaluator: Evaluator, state: CycleState, info: PodInfo, row: int) -> None:
        node = self._columns.node(row)
        potential = [other for other in node.pods if other.priority < info.priority]
        answer: Victims | Status = NO_VICTIMS
        if potential:
            answer = evaluator.select_victims_on_node(
                state.clone(), info, node.clone(), self._pdbs
            )
        self._protected.discard(row)
        self._unsettled.pop(row, None)
        if self._pdbs and any(protects(pdb, pod) for pdb in self._pdbs for pod in potential):
            self._protected.add(row)
        if not _settled(potential, evaluator.now_ns):
            self._unsettled[row] = evaluator.now_ns
        if isinstance(answer, Status):
            self._verdicts[row] = REFUSED
            self._failed[row] = answer
            return
        self._found[row] = answer
        self._verdicts[row] = VIOLATING if answer.num_pdb_violations else CLEAN
        costs = [cost(answer) for cost in evaluator.costs[:-1]]
        self._costs[:, row] = [*costs, -_earliest_start(answer.pods, evaluator.now_ns)]


def _settled(pods: Sequence[PodInfo], now_ns: int) -> bool:
    """Whether the order of the pods stays as it is when time passes."""
    starts = [info.pod.status.start_time for info in pods]
    if None not in starts:
        return True
    return all(start is None or start < now_ns for start in starts)


def _earliest_start(pods: Sequence[PodInfo], now_ns: int) -> int:
    """When the first of the most important pods started; ``NOW`` if none has."""
    highest = max(info.priority for info in pods)
    starts = [info.pod.status.start_time for info in pods if info.priority == highest]
    known = [start for start in starts if start is not None]
    if not known:
        return NOW
    return min(known) if len(known) == len(starts) else min(*known, now_ns)
