"""What is known about one class of equal pods: for every node, whether it fits, and how well.

Pods of one signature are the same to every plugin. So the verdicts and scores are kept with the
class, and mended for those nodes only that changed since a pod of the class was last placed. What
depends on the node alone (taints, labels, images) is computed once; what depends on the pods there
(what is left, the balance) is arithmetic on columns.

Invariant: rows in ``ok`` and ``dynamic`` equal what the plugins would say of these nodes now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kubesim.controlplane.scheduler.columns import Columns, Ints
from kubesim.controlplane.scheduler.domains import Domains
from kubesim.controlplane.scheduler.framework.podinfo import PodSignature
from kubesim.controlplane.scheduler.framework.scorers import Scorer, balanced_allocation
from kubesim.controlplane.scheduler.framework.status import Code, Status

Rows = Ints | slice
Mask = NDArray[np.bool_]

ALL = slice(None)
LACKS = (
    (1, "Too many pods"),
    (2, "Insufficient cpu"),
    (4, "Insufficient memory"),
    (8, "Insufficient ephemeral-storage"),
)
FOR_GOOD = 16  # added once for each resource that the node does not have at all
FEW_ROWS = 6  # up to here plain arithmetic is faster than numpy


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRules:
    """How a profile scores, as far as columns can do it.

    Attributes:
        most_allocated: Whether fuller nodes are better.
        fit_weight: Weight of NodeResourcesFit.
        balance_weight: Weight of NodeResourcesBalancedAllocation.
        cpu_weight: Weight of cpu within NodeResourcesFit.
        memory_weight: Weight of memory within NodeResourcesFit.
        fit: The same score for one node, given cpu and memory in this order.
    """

    most_allocated: bool
    fit_weight: int
    balance_weight: int
    cpu_weight: int
    memory_weight: int
    fit: Scorer


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticVerdict:
    """What plugins say of the nodes whatever runs there.

    Attributes:
        ok: Whether a node passes the filters that look at the node only.
        refusals: The first refusal of these filters; ``None`` where there is none.
        scores: The weighted scores that are the same whichever nodes are feasible.
        soft_taints: Raw TaintToleration scores; ``None`` when all are 0.
        preferences: Raw NodeAffinity scores; ``None`` when the plugin is skipped.
    """

    ok: Mask
    refusals: tuple[Status | None, ...]
    scores: Ints
    soft_taints: Ints | None
    preferences: Ints | None


class EquivalenceClass:
    """The mask and the scores of one signature.

    Args:
        signature: What the pods have in common.
        columns: The nodes.
        rules: How the profile scores.
        static: What depends on the nodes alone.
        domains: What depends on other pods in the same domain; ``None`` when nothing does.
    """

    def __init__(
        self,
        signature: PodSignature,
        *,
        columns: Columns,
        rules: ScoringRules,
        static: StaticVerdict,
        domains: Domains | None = None,
    ) -> None:
        self.structure = columns.structure
        self.domains = domains
        self.static = static
        self._columns = columns
        self._rules = rules
        wanted = signature.requests
        self._cpu, self._memory = wanted.milli_cpu, wanted.memory
        self._storage = wanted.ephemeral_storage
        self._scored_cpu = signature.score_amounts.get("cpu", 0)
        self._scored_memory = signature.score_amounts.get("memory", 0)
        self._balanced = bool(self._cpu or self._memory)
        self._seen = len(columns.changes)
        self.ok = static.ok & self._fits(ALL)
        self.totals = static.scores + self._dynamic(ALL)

    def mend(self) -> None:
        """Rewrite the rows of the nodes that changed since the last time."""
        changes = self._columns.changes
        new = len(changes) - self._seen
        if not new:
            return
        changed = dict.fromkeys(changes[self._seen :])
        if self.domains is not None:
            for row in changed:
                self.domains.mend(row, self._columns.node(row))
        if new <= FEW_ROWS:
            for row in changed:
                self._mend_row(row)
            self._seen = len(changes)
            return
        rows: Rows = np.fromiter(changed, dtype=np.int64, count=len(changed))
        self._seen = len(changes)
        self.ok[rows] = self.static.ok[rows] & self._fits(rows)
        self.totals[rows] = self.static.scores[rows] + self._dynamic(rows)

    def refusals(self) -> list[Status]:
        """Why each node was turned down, when none fits and no domain matters."""
        columns = self._columns
        lacks = (columns.pods >= columns.allowed_pods).astype(np.int64)
        for bit, wanted, used, has in (
            (2, self._cpu, columns.used_cpu, columns.cpu),
            (4, self._memory, columns.used_memory, columns.memory),
            (8, self._storage, columns.used_storage, columns.storage),
        ):
            if wanted:
                lacks += bit * (used + wanted > has) + FOR_GOOD * (wanted > has)
        table: dict[int, Status] = {}
        refused = []
        for static, bits in zip(self.static.refusals, lacks.tolist(), strict=True):
            if static is not None:
                refused.append(static)
                continue
            status = table.get(bits)
            if status is None:
                status = table[bits] = _lacking(bits)
            refused.append(status)
        return refused

    def _mend_row(self, row: int) -> None:
        """The same for one node, in plain arithmetic: cheaper than arrays of length one."""
        node = self._columns.node(row)
        has, used, rules = node.allocatable, node.requested, self._rules
        self.ok[row] = (
            self.static.ok[row]
            and len(node.pods) < has.allowed_pod_number
            and (not self._cpu or used.milli_cpu + self._cpu <= has.milli_cpu)
            and (not self._memory or used.memory + self._memory <= has.memory)
            and (
                not self._storage
                or used.ephemeral_storage + self._storage <= has.ephemeral_storage
            )
        )
        allocatable = (has.milli_cpu, has.memory)
        scored = (
            node.non_zero_milli_cpu + self._scored_cpu if has.milli_cpu else 0,
            node.non_zero_memory + self._scored_memory if has.memory else 0,
        )
        total = rules.fit(scored, scored, allocatable) * rules.fit_weight
        if self._balanced:
            before = (used.milli_cpu, used.memory)
            after = (used.milli_cpu + self._cpu, used.memory + self._memory)
            total += balanced_allocation(after, before, allocatable) * rules.balance_weight
        self.totals[row] = self.static.scores[row] + total

    def _fits(self, rows: Rows) -> Mask:
        columns = self._columns
        fits: Mask = columns.pods[rows] < columns.allowed_pods[rows]
        if self._cpu:
            fits &= columns.used_cpu[rows] + self._cpu <= columns.cpu[rows]
        if self._memory:
            fits &= columns.used_memory[rows] + self._memory <= columns.memory[rows]
        if self._storage:
            fits &= columns.used_storage[rows] + self._storage <= columns.storage[rows]
        return fits

    def _dynamic(self, rows: Rows) -> Ints:
        columns, rules = self._columns, self._rules
        cpu, memory = columns.cpu[rows], columns.memory[rows]
        left = rules.cpu_weight * self._utilization(
            columns.scored_cpu[rows] + self._scored_cpu, cpu
        )
        left += rules.memory_weight * self._utilization(
            columns.scored_memory[rows] + self._scored_memory, memory
        )
        weights = rules.cpu_weight * (cpu != 0) + rules.memory_weight * (memory != 0)
        scores: Ints = left // np.maximum(weights, 1) * rules.fit_weight
        if self._balanced:
            used_cpu, used_memory = columns.used_cpu[rows], columns.used_memory[rows]
            after = _balance(used_cpu + self._cpu, cpu, used_memory + self._memory, memory)
            before = _balance(used_cpu, cpu, used_memory, memory)
            change = 50 + after - before  # never negative beyond -50, so halves go towards zero
            scores += (50 + np.where(change < 0, -(-change // 2), change // 2)) * (
                rules.balance_weight
            )
        return scores

    def _utilization(self, requested: Ints, capacity: Ints) -> Ints:
        """The score of one resource; 0 where the node has none of it."""
        counted = np.minimum(requested, capacity)
        amount = counted if self._rules.most_allocated else capacity - counted
        return amount * 100 // np.maximum(capacity, 1)


def _lacking(bits: int) -> Status:
    assert bits, "a node that lacks nothing fits"
    reasons = tuple(reason for bit, reason in LACKS if bits & bit)
    code = Code.UNSCHEDULABLE_AND_UNRESOLVABLE if bits >= FOR_GOOD else Code.UNSCHEDULABLE
    return Status(code, reasons, "NodeResourcesFit")


def _balance(used_a: Ints, has_a: Ints, used_b: Ints, has_b: Ints) -> Ints:
    """100 where both resources are equally used, or the node has only one of them."""
    a = np.minimum(used_a / np.maximum(has_a, 1), 1.0)
    b = np.minimum(used_b / np.maximum(has_b, 1), 1.0)
    std = np.abs((a - b) / 2)
    std[(has_a == 0) | (has_b == 0)] = 0.0
    scores: Ints = ((1 - std) * 100).astype(np.int64)
    return scores


def preorder_ranks(size: int) -> Ints:
    """For each index of a binary heap of that size, when a walk in preorder comes to it."""
    ranks = np.empty(size, dtype=np.int64)
    stack, rank = [0], 0
    while stack:
        index = stack.pop()
        ranks[index] = rank
        rank += 1
        stack.extend(child for child in (2 * index + 2, 2 * index + 1) if child < size)
    return ranks
