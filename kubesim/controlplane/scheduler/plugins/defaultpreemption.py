"""DefaultPreemption: a pod that fits nowhere may take the place of less important ones.

Mirrors: pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.api.podutil import get_pod_condition
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.scheduler.config import DefaultPreemptionArgs
from kubesim.controlplane.scheduler.diagnosis import Diagnosis, fit_error
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
    Handle,
    NodeToStatus,
    PostFilterPlugin,
    PostFilterResult,
    PreEnqueuePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.preemption import NO_VICTIMS, Evaluator
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.victims import Refusals, RefusedNodes

Found = tuple[PostFilterResult | None, Status | None]

NAME = "DefaultPreemption"
UNDER_WAY = Status.unresolvable("waiting for the preemption for this pod to be finished")
NOT_HELPFUL = Status.unresolvable("Preemption is not helpful for scheduling")


class DefaultPreemption(PostFilterPlugin, PreEnqueuePlugin, EnqueueExtensions):
    """Finds the node whose pods cost the least to evict.

    Args:
        args: How many candidates are enough.
        handle: What the plugin may see.
    """

    name: ClassVar[str] = NAME

    def __init__(self, args: DefaultPreemptionArgs, handle: Handle) -> None:
        self._args = args
        self._handle = handle

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        event = ClusterEvent(EventResource.POD, ActionType.DELETE)
        return (ClusterEventWithHint(event, after_pod_deletion),)

    @override
    def pre_enqueue(self, pod: Pod) -> Status | None:
        return UNDER_WAY if self._handle.preempting.is_running(pod.uid) else None

    @override
    def post_filter(
        self, state: CycleState, info: PodInfo, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        objection = self._objection(info, statuses)
        if objection:
            return None, Status.unschedulable(f"preemption: {objection}")
        pdbs = tuple(self._handle.lister.values(PodDisruptionBudget))
        if isinstance(statuses, RefusedNodes) and statuses.victims is not None:
            return self._from_columns(state, info, statuses, pdbs)
        return self._one_by_one(state, info, statuses, pdbs)

    def _one_by_one(
        self,
        state: CycleState,
        info: PodInfo,
        statuses: NodeToStatus,
        pdbs: tuple[PodDisruptionBudget, ...],
    ) -> Found:
        nodes = self._handle.snapshot.node_infos
        potential = [node for node in nodes if statuses.get(node.name).code is Code.UNSCHEDULABLE]
        offset = self._offset(len(potential))
        potential = potential[offset:] + potential[:offset]
        enough = self._num_candidates(len(potential))
        evaluator = self._evaluator()
        candidates, failures = evaluator.dry_run(state, info, potential, pdbs, enough)
        if not candidates:
            return _not_helpful(len(nodes), NodeToStatus(failures, NOT_HELPFUL))
        chosen = evaluator.pick_one_node(candidates, self._tie_break)
        return PostFilterResult(
            nominated_node_name=chosen, victims=candidates[chosen], candidates=candidates
        ), None

    def _from_columns(
        self,
        state: CycleState,
        info: PodInfo,
        statuses: RefusedNodes,
        pdbs: tuple[PodDisruptionBudget, ...],
    ) -> Found:
        """The same from what is remembered of each node."""
        rows = statuses.rows_of(Code.UNSCHEDULABLE)
        offset = self._offset(len(rows))
        if statuses.nobody_below(info.priority):
            failures = Refusals({NO_VICTIMS: len(rows)} if len(rows) else {}, NOT_HELPFUL)
            return _not_helpful(len(statuses), failures)
        assert statuses.victims is not None
        table, evaluator = statuses.victims(), self._evaluator()
        enough = self._num_candidates(len(rows))
        order = np.concatenate((rows[offset:], rows[:offset])) if offset else rows
        found = table.search(evaluator, state, info, order, pdbs, enough)
        if not len(found):
            return _not_helpful(len(statuses), table.refusals(rows, NOT_HELPFUL))
        row = table.pick(found, evaluator.now_ns, self._tie_break)
        return PostFilterResult(
            nominated_node_name=table.node_name(row),
            victims=table.victims(row),
            candidates=table.candidates(found),
        ), None

    def _evaluator(self) -> Evaluator:
        return Evaluator(self._handle.framework, now_ns=self._handle.now_ns)

    def _offset(self, num_nodes: int) -> int:
        """Where among the nodes the search for candidates begins."""
        return self._handle.luck.preemption_offset(num_nodes)

    def _tie_break(self, count: int) -> int:
        return self._handle.luck.preemption_winner(count)

    def _objection(self, info: PodInfo, statuses: NodeToStatus) -> str:
        """Why the pod may not evict others; empty when it may."""
        if info.pod.spec.preemption_policy == "Never":
            return "not eligible due to preemptionPolicy=Never."
        nominated = info.pod.status.nominated_node_name
        if not nominated or statuses.get(nominated).code is Code.UNSCHEDULABLE_AND_UNRESOLVABLE:
            return ""
        node = self._handle.snapshot.get(nominated)
        if node is not None and _has_terminating_victim(node, info):
            return "not eligible due to a terminating pod on the nominated node."
        return ""

    def _num_candidates(self, num_nodes: int) -> int:
        share = num_nodes * self._args.min_candidate_nodes_percentage // 100
        return min(max(share, self._args.min_candidate_nodes_absolute), num_nodes)


def _not_helpful(num_nodes: int, failures: NodeToStatus) -> Found:
    message = f"preemption: {fit_error(num_nodes, Diagnosis(node_to_status=failures))}"
    return PostFilterResult(nominated_node_name=""), Status.unschedulable(message)


def after_pod_deletion(
    _pod: Pod, _old: KubeObject | None, _new: KubeObject | None
) -> QueueingHint:
    """A deletion alone helps nobody here: it only makes the gate be looked at again."""
    return QueueingHint.SKIP


def _has_terminating_victim(node: NodeInfo, info: PodInfo) -> bool:
    return any(
        other.priority < info.priority and _terminates_by_preemption(other.pod)
        for other in node.pods
    )


def _terminates_by_preemption(pod: Pod) -> bool:
    if pod.metadata.deletion_timestamp is None:
        return False
    condition = get_pod_condition(pod.status, "DisruptionTarget")
    return (
        condition is not None
        and condition.status == "True"
        and condition.reason == "PreemptionByScheduler"
    )
