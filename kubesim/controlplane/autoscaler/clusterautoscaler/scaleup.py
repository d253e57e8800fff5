"""Which group grows, and by how much, for the pods that fit nowhere. A decision, nothing done.

Mirrors: kubernetes/autoscaler cluster-autoscaler/core/scaleup/orchestrator/orchestrator.go (ScaleUp),
core/scaleup/equivalence/groups.go, processors/nodegroupset (FindSimilarNodeGroups,
BalanceScaleUpBetweenGroups).
Departs: limits are of nodes, cores and memory.
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
from kubesim.controlplane.autoscaler.clusterautoscaler.expander import (
    Circumstances,
    Option,
    best_option,
)
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options
from kubesim.controlplane.autoscaler.clusterautoscaler.priorities import Priorities, Warn
from kubesim.controlplane.autoscaler.clusterautoscaler.similar import similar
from kubesim.controlplane.autoscaler.simulator import ClusterSnapshot, daemon_pods
from kubesim.sim import Rng

MAX_SIZE_REACHED = "max node group size reached"
IN_BACKOFF = "in backoff after failed scale-up"
MAX_TOTAL_REACHED = "max cluster nodes limit reached"
CORES_REACHED = "max cluster cpu limit reached"
MEMORY_REACHED = "max cluster memory limit reached"


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
        cores: How many cores they have.
        memory: How much memory they have, in bytes.
        in_backoff: Whether a group is left alone.
        priorities: What the ConfigMap of the priority expander says.
        warn: Told of what is wrong with it.
    """

    snapshot: ClusterSnapshot
    states: Mapping[str, GroupState]
    daemon_sets: Sequence[DaemonSet]
    nodes: int
    cores: int
    memory: int
    in_backoff: Callable[[str], bool]
    priorities: Priorities | None = None
    warn: Warn = lambda _reason, _message: None


def decide(at: Situation, pods: Iterable[Pod], options: Options, rng: Rng) -> ScaleUp:
    """Decide which groups grow for some pods.

    Args:
        at: The situation.
        pods: The pods that fit on no node, present or upcoming.
        options: The flags.
        rng: Decides between equals.
    """
    equivalents = _equivalence_groups(pods)
    considered: list[Option] = []
    for state in at.states.values():
        template = cleaned(state.group.template(), options)
        room, limit = _room(at, template, options)
        reason = _not_now(at, state, room, limit)
        if reason is not None:
            for equivalent in equivalents:
                equivalent.refused[state.group.id] = (reason,)
            continue
        option = _option(at, state, template, equivalents, options)
        if option is not None:
            considered.append(option)
    if not considered:
        return ScaleUp(remaining=_remaining(equivalents))
    circumstances = Circumstances(
        nodes=sum(len(state.ready) for state in at.states.values()),
        priorities=at.priorities,
        warn=at.warn,
    )
    best = best_option(considered, options.expander, circumstances, rng)
    room, _ = _room(at, best.template, options)
    increases = _balanced(at, best, min(best.nodes, room), equivalents, options)
    return ScaleUp(increases=increases, pods=best.pods, remaining=_remaining(equivalents))


def cleaned(template: Node, options: Options) -> Node:
    """A new node of a group without the taints that it has only while it starts."""
    passing = (*options.startup_taints, *options.status_taint)
    if not any(taint.key in passing for taint in template.spec.taints):
        return template
    taints = tuple(taint for taint in template.spec.taints if taint.key not in passing)
    return template.replace(spec=template.spec.replace(taints=taints))


def _room(at: Situation, template: Node, options: Options) -> tuple[int, str]:
    """How many more such nodes the limits of the cluster allow, and which of them is the nearest."""
    capacity = template.status.capacity
    cores, memory = capacity["cpu"].value(), capacity["memory"].value()
    rooms = [
        ((options.cores_total[1] - at.cores) // max(cores, 1), CORES_REACHED),
        ((options.memory_total[1] - at.memory) // max(memory, 1), MEMORY_REACHED),
    ]
    if options.max_nodes_total:
        rooms.append((options.max_nodes_total - at.nodes, MAX_TOTAL_REACHED))
    return min(rooms, key=lambda room: room[0])


def _equivalence_groups(pods: Iterable[Pod]) -> list[_Equivalent]:
    groups: dict[object, _Equivalent] = {}
    for pod in pods:
        owner = controller_of(pod)
        key = pod.uid if owner is None else (owner.uid, pod.spec, pod.metadata.labels)
        groups.setdefault(key, _Equivalent([])).pods.append(pod)
    return list(groups.values())


def _not_now(at: Situation, state: GroupState, room: int, limit: str) -> str | None:
    """Why a group cannot grow at all."""
    if state.target >= state.group.max_size:
        return MAX_SIZE_REACHED
    if at.in_backoff(state.group.id):
        return IN_BACKOFF
    return limit if room <= 0 else None


def _option(
    at: Situation,
    state: GroupState,
    template: Node,
    equivalents: list[_Equivalent],
    options: Options,
) -> Option | None:
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
        groups += [
            state.group
            for state in at.states.values()
            if state.group.id != best.group.id
            and similar(best.template, cleaned(state.group.template(), options), options)
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
