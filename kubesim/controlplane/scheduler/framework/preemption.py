"""Which pods would have to leave which node, and which node costs the least.

Pure evaluation: every node that was turned down only for now is tried without its less important
pods, and then each of these is let back in, the most important first, if the pod still fits.

Mirrors: pkg/scheduler/framework/preemption/preemption.go, plugins/defaultpreemption
(SelectVictimsOnNode, filterPodsWithPDBViolation), pkg/scheduler/util/utils.go.
Departs: upstream meets the nodes in the order of a Go map, and from a random offset on; here the
order is the scheduler's, and the offset a draw. Among candidates of equal cost upstream takes the
first of another map; here it is a draw, too. Without random numbers the offset is 0 and the first
candidate wins. The nodes are tried one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kubesim.api.labels import label_selector_matches
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import FilterRunner, Victims
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import Status

NO_VICTIMS = Status.unresolvable("No preemption victims found for incoming pod")
TieBreak = Callable[[int], int]
"""Given how many are equally good: which one."""

_PRIORITY_OFFSET = 1 << 31  # makes every priority positive, so that fewer victims weigh less


class Evaluator:
    """Tries what eviction would bring.

    Args:
        runner: The framework whose filters decide.
        now_ns: What counts as the start of a pod that has not started.
    """

    def __init__(self, runner: FilterRunner, *, now_ns: int) -> None:
        self._runner = runner
        self.now_ns = now_ns

    def dry_run(
        self,
        state: CycleState,
        info: PodInfo,
        nodes: Sequence[NodeInfo],
        pdbs: Sequence[PodDisruptionBudget],
        num_candidates: int,
    ) -> tuple[dict[str, Victims], dict[str, Status]]:
        """The nodes where eviction helps, with their victims, and why it does not elsewhere.

        Nodes whose victims no disruption budget protects come first.
        """
        clean: dict[str, Victims] = {}
        violating: dict[str, Victims] = {}
        statuses: dict[str, Status] = {}
        for node in nodes:
            if all(other.priority >= info.priority for other in node.pods):
                statuses[node.name] = NO_VICTIMS  # known before anything is copied
                continue
            found = self.select_victims_on_node(state.clone(), info, node.clone(), pdbs)
            if isinstance(found, Status):
                statuses[node.name] = found
                continue
            (violating if found.num_pdb_violations else clean)[node.name] = found
            if clean and len(clean) + len(violating) >= num_candidates:
                break
        return {**clean, **violating}, statuses

    def select_victims_on_node(
        self,
        state: CycleState,
        info: PodInfo,
        node: NodeInfo,
        pdbs: Sequence[PodDisruptionBudget],
    ) -> Victims | Status:
        """The fewest and least important pods that have to leave, or why that does not help.

        Args:
            state: A notebook that may be changed.
            info: The pod that needs room.
            node: A copy of the node that may be changed.
            pdbs: All disruption budgets.
        """
        potential = [other for other in node.pods if other.priority < info.priority]
        for other in potential:
            self._remove(state, info, other, node)
        if not potential:
            return NO_VICTIMS
        status = self._runner.run_filter_plugins_with_nominated_pods(state, info, node)
        if status is not None:
            return status
        potential.sort(key=self._importance)
        violating, clean = split_by_pdb_violation(potential, pdbs)
        stay_out = self._reprieve(state, info, node, violating)
        num_violating = len(stay_out)
        stay_out += self._reprieve(state, info, node, clean)
        if violating and clean:
            stay_out.sort(key=self._importance)
        assert stay_out, (info.pod.key, node.name)
        return Victims(pods=tuple(stay_out), num_pdb_violations=num_violating)

    def pick_one_node(self, candidates: Mapping[str, Victims], tie_break: TieBreak) -> str:
        """The candidate that costs the least."""
        names = list(candidates)
        for cost in self.costs:
            costs = {name: cost(candidates[name]) for name in names}
            cheapest = min(costs.values())
            names = [name for name in names if costs[name] == cheapest]
            if len(names) == 1:
                break
        return names[tie_break(len(names))]

    @property
    def costs(self) -> tuple[Callable[[Victims], int], ...]:
        """What a candidate costs: the first that differs decides."""
        return (
            lambda victims: victims.num_pdb_violations,
            lambda victims: victims.pods[0].priority,
            lambda victims: sum(pod.priority + _PRIORITY_OFFSET for pod in victims.pods),
            lambda victims: len(victims.pods),
            lambda victims: -self._earliest_start_of_most_important(victims),
        )

    def _earliest_start_of_most_important(self, victims: Victims) -> int:
        highest = max(pod.priority for pod in victims.pods)
        return min(self._start_ns(pod) for pod in victims.pods if pod.priority == highest)

    def _importance(self, info: PodInfo) -> tuple[int, int]:
        """Sorts the most important pod first: by priority, then by who runs longest."""
        return (-info.priority, self._start_ns(info))

    def _start_ns(self, info: PodInfo) -> int:
        start_ns = info.pod.status.start_time
        return self.now_ns if start_ns is None else start_ns

    def _reprieve(
        self, state: CycleState, info: PodInfo, node: NodeInfo, pods: Sequence[PodInfo]
    ) -> list[PodInfo]:
        """Let the pods back in, as far as ``info`` still fits; returns those that stay out."""
        stay_out = []
        for other in pods:
            node.add_pod(other)
            self._runner.run_pre_filter_extension_add_pod(state, info, other, node)
            if self._runner.run_filter_plugins_with_nominated_pods(state, info, node) is not None:
                self._remove(state, info, other, node)
                stay_out.append(other)
        return stay_out

    def _remove(self, state: CycleState, info: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        node.remove_pod(other.uid)
        self._runner.run_pre_filter_extension_remove_pod(state, info, other, node)


def split_by_pdb_violation(
    pods: Sequence[PodInfo], pdbs: Sequence[PodDisruptionBudget]
) -> tuple[list[PodInfo], list[PodInfo]]:
    """The pods whose eviction would break a budget, and those whose eviction would not.

    Budgets are used up in the order of ``pods``; a pod that is already being disrupted is not
    charged again.
    """
    allowed = [pdb.status.disruptions_allowed or 0 for pdb in pdbs]
    violating: list[PodInfo] = []
    clean: list[PodInfo] = []
    for info in pods:
        is_violated = False
        for i, pdb in enumerate(pdbs):
            if protects(pdb, info) and info.pod.name not in pdb.status.disrupted_pods:
                allowed[i] -= 1
                is_violated |= allowed[i] < 0
        (violating if is_violated else clean).append(info)
    return violating, clean


def protects(pdb: PodDisruptionBudget, info: PodInfo) -> bool:
    """Whether a budget is about a pod."""
    selector = pdb.spec.selector
    labels = info.pod.metadata.labels
    if not labels or pdb.namespace != info.pod.namespace or selector is None:
        return False
    if not selector.match_labels and not selector.match_expressions:
        return False
    return label_selector_matches(selector, labels)
