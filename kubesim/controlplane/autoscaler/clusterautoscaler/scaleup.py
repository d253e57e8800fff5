"""Which group grows, and by how much, for the pods that fit nowhere. A decision, nothing done.

Mirrors: kubernetes/autoscaler cluster-autoscaler/core/scaleup/orchestrator/orchestrator.go (ScaleUp),
core/scaleup/equivalence/groups.go, processors/nodegroupset (FindSimilarNodeGroups,
BalanceScaleUpBetweenGroups).
Departs: similar groups have equal capacity and equal labels but for zone, host name and pool; no
resource limits beyond ``max-nodes-total``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubesim.api.appsv1 import DaemonSet
from kubesim.api.corev1 import Node, Pod
from kubesim.api.metav1 import controller_of
from kubesim.controlplane.autoscaler.cloudprovider import NodeGroup
from kubesim.controlplane.autoscaler.clusterautoscaler.clusterstate import GroupState
from kubesim.controlplane.autoscaler.clusterautoscaler.estimator import estimate, new_node
from kubesim.controlplane.autoscaler.clusterautoscaler.expander import Option, best_option
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options
from kubesim.controlplane.autoscaler.simulator import ClusterSnapshot, daemon_pods
from kubesim.sim import Rng

MAX_SIZE_REACHED = "max node group size reached"
IN_BACKOFF = "in backoff after failed scale-up"
MAX_TOTAL_REACHED = "max cluster nodes limit reached"
_UNLIKE_LABELS = (
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "kubesim.dev/pool",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Increase:
    """A group that is to grow."""

    group: NodeGroup
    current: int
    new: int

    @property
    def text(self) -> str:
        """As events show it."""
        return f"{{{self.group.id} {self.current}->{self.new} (max: {self.group.max_size})}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUp:
    """What was decided.

    Attributes:
        increases: The groups that are to grow; empty when nothing would help.
        pods: The pods for which.
        remaining: The pods that no group could take, and why not, counted.
    """

    increases: tuple[Increase, ...] = ()
    pods: tuple[Pod, ...] = ()
    remaining: tuple[tuple[Pod, str], ...] = ()


@dataclass(slots=True)
class _Equivalent:
    """Pods that are alike, and why groups did not take them."""

    pods: list[Pod]
    taken: bool = False
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a scale-up is decided upon.

    Attributes:
        snapshot: The cluster, upcoming nodes included.
        states: The groups.
        daemon_sets: The DaemonSets.
        nodes: How many nodes there are, or are to come.
        in_backoff: Whether a group is left alone.
    """

    snapshot: ClusterSnapshot
    states: Mapping[str, GroupState]
    daemon_sets: Sequence[DaemonSet]
    nodes: int
    in_backoff: Callable[[str], bool]


def decide(at: Situation, pods: Iterable[Pod], options: Options, rng: Rng) -> ScaleUp:
    """Decide which groups grow for some pods.

    Args:
        at: The situation.
        pods: The pods that fit on no node, present or upcoming.
        options: The flags.
        rng: Decides between equals.
    """
    equivalents = _equivalence_groups(pods)
    room = options.max_nodes_total - at.nodes if options.max_nodes_total else None
    considered: list[Option] = []
    for state in at.states.values():
        reason = _not_now(at, state, room)
        if reason is not None:
            for equivalent in equivalents:
                equivalent.refused[state.group.id] = (reason,)
            continue
        option = _option(at, state, equivalents, options)
        if option is not None:
            considered.append(option)
    if not considered:
        return ScaleUp(remaining=_remaining(equivalents))
    best = best_option(considered, options.expander, rng)
    count = best.nodes if room is None else min(best.nodes, room)
    increases = _balanced(at, best, count, equivalents, options)
    return ScaleUp(increases=increases, pods=best.pods, remaining=_remaining(equivalents))


def _equivalence_groups(pods: Iterable[Pod]) -> list[_Equivalent]:
    groups: dict[object, _Equivalent] = {}
    for pod in pods:
        owner = controller_of(pod)
        key = pod.uid if owner is None else (owner.uid, pod.spec, pod.metadata.labels)
        groups.setdefault(key, _Equivalent([])).pods.append(pod)
    return list(groups.values())


def _not_now(at: Situation, state: GroupState, room: int | None) -> str | None:
    """Why a group cannot grow at all."""
    if state.target >= state.group.max_size:
        return MAX_SIZE_REACHED
    if at.in_backoff(state.group.id):
        return IN_BACKOFF
    return MAX_TOTAL_REACHED if room is not None and room <= 0 else None


def _option(
    at: Situation, state: GroupState, equivalents: list[_Equivalent], options: Options
) -> Option | None:
    template = state.group.template()
    daemons = tuple(daemon_pods(at.daemon_sets, template))
    fitting = []
    for equivalent in equivalents:
        refusals = would_refuse(at.snapshot, template, daemons, equivalent.pods[0])
        if refusals:
            equivalent.refused[state.group.id] = refusals
        else:
            equivalent.taken = True
            fitting.append(equivalent.pods)
    if not fitting:
        return None
    limit = min(state.group.max_size - state.target, options.max_nodes_per_scaleup)
    found = estimate(at.snapshot, template, daemons, fitting, max_nodes=limit)
    if not found.nodes:
        return None
    return Option(group=state.group, nodes=found.nodes, pods=found.pods, template=template)


def would_refuse(
    snapshot: ClusterSnapshot, template: Node, daemons: Sequence[Pod], pod: Pod
) -> tuple[str, ...]:
    """Why a pod would not fit on a new node of a group; nothing if it would."""
    snapshot.fork()
    name = f"template-node-for-{template.name}"
    snapshot.add_node(*new_node(template, daemons, name))
    refusals = snapshot.refusals(pod, name)
    snapshot.revert()
    return refusals


def _balanced(
    at: Situation, best: Option, count: int, equivalents: list[_Equivalent], options: Options
) -> tuple[Increase, ...]:
    """Spread new nodes over the groups that are like the best one, the smallest first."""
    groups = [best.group]
    if options.balance_similar_node_groups:
        wanted = _likeness(best.template)
        groups += [
            state.group
            for state in at.states.values()
            if state.group.id != best.group.id
            and _likeness(state.group.template()) == wanted
            and not any(state.group.id in e.refused for e in equivalents if e.taken)
        ]
    sizes = {group.id: at.states[group.id].target for group in groups}
    for _ in range(count):
        growing = [group for group in groups if sizes[group.id] < group.max_size]
        if not growing:
            break
        smallest = min(growing, key=lambda group: sizes[group.id])
        sizes[smallest.id] += 1
    return tuple(
        Increase(group=group, current=at.states[group.id].target, new=sizes[group.id])
        for group in groups
        if sizes[group.id] > at.states[group.id].target
    )


def _likeness(node: Node) -> object:
    labels = {k: v for k, v in node.metadata.labels.items() if k not in _UNLIKE_LABELS}
    return sorted(labels.items()), node.status.capacity, node.spec.taints


def _remaining(equivalents: Iterable[_Equivalent]) -> tuple[tuple[Pod, str], ...]:
    """The pods that no group would take, and the reasons of the groups, counted."""
    remaining = []
    for equivalent in equivalents:
        if equivalent.taken:
            continue
        counts: dict[str, int] = {}
        for reasons in equivalent.refused.values():
            for reason in reasons:
                counts[reason] = counts.get(reason, 0) + 1
        message = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        remaining += [(pod, message) for pod in equivalent.pods]
    return tuple(remaining)
