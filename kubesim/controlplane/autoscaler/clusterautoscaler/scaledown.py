"""Which nodes are not needed, and since when. Nothing is done here.

A node is not needed when it is little used, all its pods may be moved, and there is room for them on
the nodes that stay. What could not be moved is not looked at again for a while.

Mirrors: kubernetes/autoscaler cluster-autoscaler/core/scaledown (planner, eligibility, unneeded,
unremovable, pdb/basic.go), simulator/cluster.go (SimulateNodeRemoval).
Departs: pods that were evicted a moment ago are not counted again; no limits of time; destinations
are tried in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kubesim.api.corev1 import Node, Pod
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.autoscaler.clusterautoscaler.clusterstate import (
    TO_BE_DELETED,
    GroupState,
    has_taint,
    is_ready,
)
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options
from kubesim.controlplane.autoscaler.simulator import (
    ClusterSnapshot,
    Drainability,
    Replicas,
    drainability,
    gpu_of,
    utilization,
)
from kubesim.controlplane.autoscaler.simulator.drainability import protects
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo

SCALE_DOWN_DISABLED = "cluster-autoscaler.kubernetes.io/scale-down-disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unneeded:
    """A node that is not needed.

    Attributes:
        node: Its name.
        since_ns: Since when that is known.
        pods: The pods that have to move.
        utilization: How full it is.
        ready: Whether it is ready.
    """

    node: str
    since_ns: int
    pods: tuple[Pod, ...]
    utilization: Fraction
    ready: bool

    def due_ns(self, options: Options) -> int:
        """When it may go."""
        if self.ready:
            return self.since_ns + options.scale_down_unneeded_time
        return self.since_ns + options.scale_down_unready_time


class Planner:
    """Remembers which nodes are not needed.

    Args:
        options: The flags.
        snapshot: The cluster.
        replicas: How many replicas a pod's controller wants.
    """

    def __init__(self, options: Options, snapshot: ClusterSnapshot, replicas: Replicas) -> None:
        self._options = options
        self._replicas = replicas
        self._snapshot = snapshot
        self._until: dict[str, tuple[int, int]] = {}
        self.unneeded: dict[str, Unneeded] = {}
        self.unremovable: dict[str, str] = {}
        """Why nodes have to stay, by upstream's names of the reasons."""

    def update(
        self,
        candidates: Iterable[Node],
        destinations: Sequence[str],
        budgets: Sequence[PodDisruptionBudget],
        *,
        now_ns: int,
        wall_ns: int,
        changes: int,
    ) -> None:
        """Look at the nodes.

        Args:
            candidates: The nodes that might go.
            destinations: The nodes to which pods may move.
            budgets: The disruption budgets.
            now_ns: Nanoseconds since the run began.
            wall_ns: Nanoseconds since the epoch.
            changes: How often the cluster changed; looking again at the same is of no use.
        """
        left = dict.fromkeys(destinations)
        allowed = {budget.key: budget.status.disruptions_allowed or 0 for budget in budgets}
        unneeded: dict[str, Unneeded] = {}
        self.unremovable = {}
        self._until = {n: entry for n, entry in self._until.items() if entry[0] > now_ns}
        self._snapshot.fork()
        for node in candidates:
            info = self._snapshot.node(node.name)
            full = Fraction(0) if info is None else self._utilization(info, wall_ns)
            reason = self._ineligible(node, info, full)
            pods: tuple[Pod, ...] = ()
            if reason is None:
                reason, pods = self._removal(node, left, budgets, allowed, wall_ns)
                if reason is not None:
                    until_ns = now_ns + self._options.unremovable_node_recheck_timeout
                    self._until[node.name] = (until_ns, changes)
            if reason is not None:
                self.unremovable[node.name] = reason
                continue
            left.pop(node.name, None)
            known = self.unneeded.get(node.name)
            unneeded[node.name] = Unneeded(
                node=node.name,
                since_ns=now_ns if known is None else known.since_ns,
                pods=pods,
                utilization=full,
                ready=is_ready(node, self._options.startup_taints),
            )
        self._snapshot.revert()
        self.unneeded = unneeded

    def removable(
        self, states: Mapping[str, GroupState], going: Mapping[str, bool], *, now_ns: int
    ) -> list[Unneeded]:
        """The nodes that may go now, within the minimum sizes and the allowed parallelism.

        Args:
            states: The groups.
            going: The nodes that are going already, and whether they are being drained.
            now_ns: Nanoseconds since the run began.
        """
        options = self._options
        group_of = {name: s for s in states.values() for name in (*s.ready, *s.unready)}
        spare = {key: s.target - len(s.deleted) - s.group.min_size for key, s in states.items()}
        parallel = options.max_scale_down_parallelism - len(going)
        drains = options.max_drain_parallelism - sum(going.values())
        chosen: list[Unneeded] = []
        # Empty nodes go first: upstream gives them the budget before those to be drained.
        for entry in sorted(self.unneeded.values(), key=lambda entry: bool(entry.pods)):
            state = group_of.get(entry.node)
            if state is None or entry.due_ns(options) > now_ns or spare[state.group.id] <= 0:
                continue
            if parallel <= 0 or (entry.pods and drains <= 0):
                continue
            parallel -= 1
            drains -= bool(entry.pods)
            spare[state.group.id] -= 1
            chosen.append(entry)
        return chosen

    def next_due_ns(self, now_ns: int, changes: int) -> int | None:
        """When the passing of time alone changes what is known here."""
        due = [entry.due_ns(self._options) for entry in self.unneeded.values()]
        due += [until for until, seen in self._until.values() if seen != changes]
        later = [at_ns for at_ns in due if at_ns > now_ns]
        return min(later, default=None)

    def forget(self) -> None:
        """The cluster cannot be trusted: begin anew."""
        self.unneeded = {}

    def _utilization(self, info: NodeInfo, wall_ns: int) -> Fraction:
        return utilization(
            info,
            wall_ns,
            ignore_daemon_sets=self._options.ignore_daemonsets_utilization,
            ignore_mirror_pods=self._options.ignore_mirror_pods_utilization,
        )

    def _ineligible(self, node: Node, info: NodeInfo | None, full: Fraction) -> str | None:
        """Why a node is out of the question before its pods are looked at."""
        if has_taint(node, TO_BE_DELETED):
            return "CurrentlyBeingDeleted"
        if node.metadata.annotations.get(SCALE_DOWN_DISABLED) == "true":
            return "ScaleDownDisabledAnnotation"
        if node.name in self._until:
            return "RecentlyUnremovable"
        options = self._options
        if not (options.scale_down_unready_enabled or is_ready(node, options.startup_taints)):
            return "ScaleDownUnreadyDisabled"
        threshold = options.scale_down_utilization_threshold
        if info is not None and gpu_of(info) is not None:
            threshold = options.scale_down_gpu_utilization_threshold
        if full > threshold:
            return "NotUnderutilized"
        return None

    def _removal(
        self,
        node: Node,
        destinations: Mapping[str, None],
        budgets: Sequence[PodDisruptionBudget],
        allowed: dict[str, int],
        wall_ns: int,
    ) -> tuple[str | None, tuple[Pod, ...]]:
        """Why a node cannot go, or the pods that move when it does (and are then imagined there)."""
        rules = self._options.drain_rules
        moving: list[Pod] = []
        for pod in self._snapshot.pods_on(node.name):
            verdict = drainability(pod, budgets, rules, wall_ns, self._replicas)
            if verdict.blocks:
                return f"BlockedByPod: {verdict.value}", ()
            if verdict is Drainability.DRAIN:
                moving.append(pod)
        spent: dict[str, int] = {}
        for pod in moving:
            for budget in budgets:
                if protects(budget, pod):
                    spent[budget.key] = spent.get(budget.key, 0) + 1
        if any(count > allowed[key] for key, count in spent.items()):
            return "BlockedByPod: NotEnoughPdb", ()
        self._snapshot.fork()
        for pod in moving:
            self._snapshot.take_away(pod)
            if pod.metadata.deletion_timestamp is not None:
                continue  # its successor is looked for elsewhere
            successor = pod.replace(spec=pod.spec.replace(node_name=None))
            target = self._snapshot.fits_any(
                successor, lambda name: name in destinations and name != node.name
            )
            if target is None:
                self._snapshot.revert()
                return "NoPlaceToMovePods", ()
            self._snapshot.place(successor, target)
        self._snapshot.keep()
        for key, count in spent.items():
            allowed[key] -= count
        return None, tuple(moving)
