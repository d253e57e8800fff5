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

from kubesim.controlplane.scheduler.columns import Columns, Ints
from kubesim.controlplane.scheduler.domains import REFUSALS as DOMAIN_REFUSALS
from kubesim.controlplane.scheduler.domains import Domains
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo, PodSignature
from kubesim.controlplane.scheduler.framework.scorers import Scorer
from kubesim.controlplane.scheduler.framework.status import Status
from kubesim.controlplane.scheduler.lacks import Lacks, Mask, Rows
from kubesim.controlplane.scheduler.nominator import PodNominator
from kubesim.controlplane.scheduler.victims import RefusedNodes, VictimTable

ALL = slice(None)
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
        balance: NodeResourcesBalancedAllocation for one node, likewise.
        balance_alone: Whether only the balance with the pod counts, and not what it changes.
        scores_best_effort: Whether there is a balance for pods without requests.
        ignored: Resources that others take care of.
        too_big_is_final: Whether evicting others is ruled out where the pod would never fit.
    """

    most_allocated: bool
    fit_weight: int
    balance_weight: int
    cpu_weight: int
    memory_weight: int
    fit: Scorer
    balance: Scorer
    balance_alone: bool
    scores_best_effort: bool
    ignored: frozenset[str]
    too_big_is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticVerdict:
    """What plugins say of the nodes whatever runs there.

    Attributes:
        ok: Whether a node passes the filters that look at the node only.
        kinds: Which of ``refusals`` a node got; of no meaning where ``ok``.
        refusals: What these filters said, each first refusal once.
        scores: The weighted scores that are the same whichever nodes are feasible.
        soft_taints: Raw TaintToleration scores; ``None`` when all are 0.
        preferences: Raw NodeAffinity scores; ``None`` when the plugin is skipped.
    """

    ok: Mask
    kinds: Ints
    refusals: tuple[Status, ...]
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
        nominator: Who waits for which node.
        domains: What depends on other pods in the same domain; ``None`` when nothing does.
    """

    def __init__(
        self,
        signature: PodSignature,
        *,
        columns: Columns,
        rules: ScoringRules,
        static: StaticVerdict,
        nominator: PodNominator,
        domains: Domains | None = None,
    ) -> None:
        self.structure = columns.structure
        self.domains = domains
        self.static = static
        self.victims: VictimTable | None = None
        self._columns = columns
        self._rules = rules
        self._nominator = nominator
        self._priority = signature.priority
        self._lacks = Lacks(
            signature, columns, ignored=rules.ignored, too_big_is_final=rules.too_big_is_final
        )
        self._scored_cpu = signature.score_amounts.get("cpu", 0)
        self._scored_memory = signature.score_amounts.get("memory", 0)
        has_requests = self._lacks.cpu or self._lacks.memory
        self._balanced = bool(has_requests or rules.scores_best_effort)
        self._plain = not self._lacks.scalars and not self._lacks.host_ports
        self._seen = len(columns.changes)
        self._crowded: dict[int, int] = {}
        self._own: int | None = None
        self.ok = static.ok & self._lacks.fits(ALL)
        self.totals = static.scores + self._dynamic(ALL)
        for name in nominator.nodes:
            row = columns.row(name)
            if row is not None:
                self._crowd(row, "")

    def mend(self, info: PodInfo) -> None:
        """Rewrite the rows of the nodes that changed since the last time.

        The pod's own nomination does not count, so the node for which it waits is its own case.
        """
        changes = self._columns.changes
        own = self._nominator.node_of(info.uid) if self._nominator else None
        if len(changes) == self._seen and own is None and self._own is None:
            return
        changed = dict.fromkeys(changes[self._seen :])
        self._seen = len(changes)
        if self._own is not None:
            changed[self._own] = None
        self._own = self._columns.row(own) if own is not None else None
        if self._own is not None:
            changed[self._own] = None
        if self.domains is not None:
            for row in changed:
                self.domains.mend(row, self._columns.node(row))
        if len(changed) <= FEW_ROWS:
            for row in changed:
                self._mend_row(row)
        else:
            rows = np.fromiter(changed, dtype=np.int64, count=len(changed))
            self.ok[rows] = self.static.ok[rows] & self._lacks.fits(rows)
            self.totals[rows] = self.static.scores[rows] + self._dynamic(rows)
        if self._nominator or self._crowded:
            for row in changed:
                self._crowd(row, info.uid)
        if self.victims is not None:
            self.victims.forget(changed)

    def refusals(self) -> RefusedNodes:
        """Why each node was turned down, when none fits."""
        lacks, static = self._lacks, self.static
        verdicts = lacks.of_all()
        for row, verdict in self._crowded.items():
            verdicts[row] = verdict
        verdicts = np.where(static.ok, verdicts, static.kinds + lacks.end)
        table = static.refusals
        if self.domains is not None:
            self.domains.refuse(verdicts, lacks.end + len(table))
            table = (*table, *DOMAIN_REFUSALS)
        return RefusedNodes(
            self._columns,
            verdicts,
            lambda code: lacks.status(code) if code < lacks.end else table[code - lacks.end],
            self._victim_table if self.domains is None else None,
        )

    def _victim_table(self) -> VictimTable:
        if self.victims is None:
            self.victims = VictimTable(self._columns)
        return self.victims

    def _crowd(self, row: int, uid: str) -> None:
        """Count those who wait for a node and are at least as important."""
        node = self._columns.node(row)
        waiting = self._nominator.waiting_for(node.name)
        others = [
            info
            for info in (waiting.values() if waiting else ())
            if info.priority >= self._priority and info.uid != uid
        ]
        verdict = self._lacks.of_node(node, others) if others else 0
        if verdict:
            self._crowded[row] = verdict
            self.ok[row] = False
        else:
            self._crowded.pop(row, None)

    def _mend_row(self, row: int) -> None:
        """The same for one node, in plain arithmetic: cheaper than arrays of length one."""
        node = self._columns.node(row)
        has, used, rules, lacks = node.allocatable, node.requested, self._rules, self._lacks
        if self._plain:
            self.ok[row] = (
                self.static.ok[row]
                and len(node.pods) < has.allowed_pod_number
                and (not lacks.cpu or used.milli_cpu + lacks.cpu <= has.milli_cpu)
                and (not lacks.memory or used.memory + lacks.memory <= has.memory)
                and (
                    not lacks.storage
                    or used.ephemeral_storage + lacks.storage <= has.ephemeral_storage
                )
            )
        else:
            self.ok[row] = self.static.ok[row] and not lacks.of_node(node)
        allocatable = (has.milli_cpu, has.memory)
        scored = (
            node.non_zero_milli_cpu + self._scored_cpu if has.milli_cpu else 0,
            node.non_zero_memory + self._scored_memory if has.memory else 0,
        )
        total = rules.fit(scored, scored, allocatable) * rules.fit_weight
        if self._balanced:
            before = (used.milli_cpu, used.memory)
            after = (used.milli_cpu + lacks.cpu, used.memory + lacks.memory)
            total += rules.balance(after, before, allocatable) * rules.balance_weight
        self.totals[row] = self.static.scores[row] + total

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
            wanted_cpu, wanted_memory = self._lacks.cpu, self._lacks.memory
            balance = _balance(used_cpu + wanted_cpu, cpu, used_memory + wanted_memory, memory)
            if not rules.balance_alone:
                change = 50 + balance - _balance(used_cpu, cpu, used_memory, memory)
                # Never negative beyond -50, and halves go towards zero.
                balance = 50 + np.where(change < 0, -(-change // 2), change // 2)
            scores += balance * rules.balance_weight
        return scores

    def _utilization(self, requested: Ints, capacity: Ints) -> Ints:
        """The score of one resource; 0 where the node has none of it."""
        counted = np.minimum(requested, capacity)
        amount = counted if self._rules.most_allocated else capacity - counted
        return amount * 100 // np.maximum(capacity, 1)


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
