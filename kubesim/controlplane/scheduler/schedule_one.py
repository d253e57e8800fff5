"""One scheduling attempt: find the nodes that fit, score them, take the best.

A pure decision over a snapshot: nothing here waits, writes or remembers, except for the index of
the node at which the next search begins.

Mirrors: pkg/scheduler/schedule_one.go (schedulePod, findNodesThatFitPod, prioritizeNodes).
Departs: no extenders. With parallelism 16 upstream finds feasible nodes in a racing order; the race
is modelled in ``luck``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from typing_extensions import override

from kubesim.controlplane.scheduler.columns import Ints
from kubesim.controlplane.scheduler.diagnosis import NO_NODES_AVAILABLE, Diagnosis, fit_error
from kubesim.controlplane.scheduler.fastpath import Choice, FastPath
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import PostFilterResult, Snapshot
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.runtime import Framework, ScoreTable
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.luck import Luck

MIN_FEASIBLE_NODES_TO_FIND = 100
MIN_FEASIBLE_NODES_PERCENTAGE_TO_FIND = 5


@dataclass(slots=True, kw_only=True)
class Attempt:
    """Everything that was found out in one scheduling attempt.

    Attributes:
        info: The pod.
        state: What the plugins remember of it.
        start_index: Where in the list of nodes the search began.
        num_all_nodes: How many nodes there were.
        diagnosis: Who was turned down, and why.
        feasible: The nodes that fit, in the order in which they were found.
        scores: Their scores; ``None`` when there was nothing to choose.
        selected: The node that was chosen; empty when none fits.
        error: What broke, if something did.
        post_filter: What was done to make room.
        num_rejected: How many nodes were turned down without the reason being kept.
        fast: What the fast path found, if it took the attempt.
    """

    info: PodInfo
    state: CycleState
    start_index: int
    num_all_nodes: int
    diagnosis: Diagnosis
    feasible: Sequence[str]
    scores: ScoreTable | None = None
    selected: str = ""
    error: Status | None = None
    post_filter: PostFilterResult | None = None
    num_rejected: int | None = None
    fast: Choice | None = None

    @property
    def evaluated_nodes(self) -> int:
        """How many nodes were looked at."""
        if self.num_rejected is not None:
            return len(self.feasible) + self.num_rejected
        return len(self.feasible) + len(self.diagnosis.node_to_status.statuses)

    @property
    def reason(self) -> str:
        """The reason of the pod's condition: ``Unschedulable`` or ``SchedulerError``."""
        return "SchedulerError" if self.error is not None else "Unschedulable"

    @property
    def message(self) -> str:
        """The message of the pod's condition; empty when a node was chosen."""
        if self.selected:
            return ""
        if self.error is not None:
            return self.error.message
        if not self.num_all_nodes:
            return NO_NODES_AVAILABLE
        return fit_error(self.num_all_nodes, self.diagnosis)

    def refused_after_all(self, status: Status) -> Attempt:
        """The attempt as it looks when the chosen node was refused before it was bound."""
        diagnosis = Diagnosis()
        if status.rejected:
            diagnosis.node_to_status.statuses[self.selected] = status
            diagnosis.add_plugin_status(status)
        return Attempt(
            info=self.info,
            state=self.state,
            start_index=self.start_index,
            num_all_nodes=1,
            diagnosis=diagnosis,
            feasible=[],
            error=None if status.rejected else status,
        )


class FeasibleNames(Sequence[str]):
    """The names of feasible nodes, looked up when somebody asks."""

    def __init__(self, nodes: Sequence[NodeInfo], rows: Ints) -> None:
        self._nodes = nodes
        self._rows = rows

    @override
    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    @override
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._nodes[row].name for row in self._rows[index].tolist()]
        return self._nodes[int(self._rows[index])].name


class SchedulingAlgorithm:
    """The search, with its moving start.

    Args:
        snapshot: The nodes.
        percentage_of_nodes_to_score: How many feasible nodes are enough, for profiles that do not
            say; 0 lets the size of the cluster decide.
        fast_paths: By profile, what can take an attempt off the reference path.
        luck: What is left to chance; nothing by default.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        percentage_of_nodes_to_score: int,
        fast_paths: Mapping[str, FastPath] | None = None,
        luck: Luck | None = None,
    ) -> None:
        self._luck = luck or Luck()
        self.next_start_node_index = 0
        self._fast_paths = fast_paths or {}
        self._snapshot = snapshot
        self._percentage = percentage_of_nodes_to_score

    def schedule(self, framework: Framework, info: PodInfo) -> Attempt:
        """Decide where a pod should run, and if nowhere, what could be done about it."""
        attempt = self.schedule_pod(framework, info)
        if attempt.selected or attempt.error is not None or not attempt.num_all_nodes:
            return attempt
        if framework.plugins.post_filter:
            statuses = attempt.diagnosis.node_to_status
            result, status = framework.run_post_filter_plugins(attempt.state, info, statuses)
            attempt.post_filter = result
            attempt.diagnosis.post_filter_msg = status.message if status is not None else ""
        return attempt

    def schedule_pod(self, framework: Framework, info: PodInfo) -> Attempt:
        """Decide where a pod should run."""
        nodes = self._snapshot.node_infos
        fast_path = self._fast_paths.get(framework.profile_name)
        if fast_path is not None and nodes:
            chosen = self._choose(framework, fast_path, info, nodes)
            if chosen is not None:
                return chosen
        state = CycleState()
        attempt = Attempt(
            info=info,
            state=state,
            start_index=self.next_start_node_index,
            num_all_nodes=len(nodes),
            diagnosis=Diagnosis(),
            feasible=[],
        )
        if not nodes:
            return attempt
        feasible = self._find_nodes_that_fit(framework, attempt, nodes)
        attempt.feasible = [node.name for node in feasible]
        if attempt.error is not None or not feasible:
            return attempt
        if len(feasible) == 1:
            attempt.selected = feasible[0].name
            return attempt
        attempt.error = framework.run_pre_score_plugins(state, info, feasible)
        if attempt.error is None:
            attempt.scores = framework.run_score_plugins(state, info, feasible)
            attempt.selected = attempt.feasible[self._select_host(attempt.scores.totals)]
        return attempt

    def _select_host(self, totals: Sequence[int]) -> int:
        if not self._luck.random_ties:
            return select_host(totals)
        best = max(totals)
        ties = [index for index, total in enumerate(totals) if total == best]
        return ties[self._luck.winner(len(ties))]

    def _choose(
        self,
        framework: Framework,
        fast_path: FastPath,
        info: PodInfo,
        nodes: Sequence[NodeInfo],
    ) -> Attempt | None:
        start, count = self.next_start_node_index, len(nodes)
        wanted = self._num_feasible_nodes_to_find(framework, count)
        choice = fast_path.choose(info, start=start, wanted=wanted)
        if choice is None:
            return None
        if choice.searched:
            self.next_start_node_index = (start + choice.processed) % count
        attempt = Attempt(
            info=info,
            state=CycleState(),
            start_index=start,
            num_all_nodes=count,
            diagnosis=Diagnosis(),
            feasible=FeasibleNames(nodes, choice.rows),
            selected=choice.selected,
            num_rejected=choice.processed - choice.num_feasible,
            fast=choice,
        )
        if choice.refusals is not None:
            # What plugins remember is asked for again when room is to be made.
            framework.run_pre_filter_plugins(attempt.state, info, nodes)
            attempt.diagnosis.node_to_status = choice.refusals
            attempt.diagnosis.unschedulable_plugins = dict.fromkeys(
                status.plugin for status in choice.refusals.distinct
            )
        return attempt

    def _find_nodes_that_fit(
        self, framework: Framework, attempt: Attempt, nodes: Sequence[NodeInfo]
    ) -> list[NodeInfo]:
        info, diagnosis = attempt.info, attempt.diagnosis
        outcome = framework.run_pre_filter_plugins(attempt.state, info, nodes)
        diagnosis.unschedulable_plugins = dict.fromkeys(sorted(outcome.plugins))
        if outcome.status is not None:
            if not outcome.status.rejected:
                attempt.error = outcome.status
                return []
            diagnosis.node_to_status.absent = outcome.status
            diagnosis.pre_filter_msg = outcome.status.message
            diagnosis.add_plugin_status(outcome.status)
            return []
        nominated = self._nominated_node(framework, attempt)
        if nominated:
            return nominated
        candidates = nodes
        if outcome.node_names is not None:
            named = (self._snapshot.get(name) for name in sorted(outcome.node_names))
            candidates = [node for node in named if node is not None]
            reason = f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(outcome.plugins))}]"
            diagnosis.node_to_status.absent = Status.unresolvable(reason)
        feasible = self._find_nodes_that_pass_filters(framework, attempt, candidates)
        processed = len(feasible) + len(diagnosis.node_to_status.statuses)
        self.next_start_node_index = (self.next_start_node_index + processed) % len(nodes)
        return feasible

    def _nominated_node(self, framework: Framework, attempt: Attempt) -> list[NodeInfo]:
        """The node for which the pod waited, if it fits there now; others are not looked at."""
        name = attempt.info.pod.status.nominated_node_name
        node = self._snapshot.get(name) if name else None
        if node is None:
            return []
        return self._find_nodes_that_pass_filters(framework, attempt, [node])

    def _find_nodes_that_pass_filters(
        self, framework: Framework, attempt: Attempt, nodes: Sequence[NodeInfo]
    ) -> list[NodeInfo]:
        count = len(nodes)
        wanted = self._num_feasible_nodes_to_find(framework, count)
        if not framework.plugins.score:
            wanted = 1
        feasible: list[NodeInfo] = []
        diagnosis, state, info = attempt.diagnosis, attempt.state, attempt.info
        start = self.next_start_node_index
        order = self._luck.order(count)
        for i in range(count) if order is None else order.tolist():
            node = nodes[(start + i) % count]
            status = framework.run_filter_plugins_with_nominated_pods(state, info, node)
            if status is None:
                # One node more than wanted is looked at, and then left out again.
                if len(feasible) == wanted:
                    break
                feasible.append(node)
            elif status.code is Code.ERROR:
                attempt.error = status
                break
            else:
                diagnosis.node_to_status.statuses[node.name] = status
                diagnosis.add_plugin_status(status)
        return feasible

    def _num_feasible_nodes_to_find(self, framework: Framework, num_all_nodes: int) -> int:
        percentage = framework.percentage_of_nodes_to_score
        if percentage is None:
            percentage = self._percentage
        return num_feasible_nodes_to_find(num_all_nodes, percentage)


def num_feasible_nodes_to_find(num_all_nodes: int, percentage: int) -> int:
    """How many feasible nodes end the search; percentage 0 adapts to the size of the cluster."""
    if num_all_nodes < MIN_FEASIBLE_NODES_TO_FIND:
        return num_all_nodes
    if percentage == 0:
        percentage = max(50 - num_all_nodes // 125, MIN_FEASIBLE_NODES_PERCENTAGE_TO_FIND)
    return max(num_all_nodes * percentage // 100, MIN_FEASIBLE_NODES_TO_FIND)


def select_host(totals: Sequence[int]) -> int:
    """The index of the winner: the root of a binary heap built from the list, best on top.

    Building a heap compares each node with its better child, the left one on a draw, and keeps the
    node on a draw. So among equals the winner is the first in preorder: the node, its left
    subtree, its right subtree.
    """
    best = max(totals)
    stack = [0]
    while stack:
        index = stack.pop()
        if totals[index] == best:
            return index
        stack.extend(child for child in (2 * index + 2, 2 * index + 1) if child < len(totals))
    raise AssertionError(totals)
