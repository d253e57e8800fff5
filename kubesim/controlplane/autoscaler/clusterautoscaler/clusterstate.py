"""What the autoscaler knows of its groups: who is ready, who is on the way, who failed to come.

Mirrors: kubernetes/autoscaler cluster-autoscaler/clusterstate/clusterstate.go.
Departs: a node that is being deleted does not count as upcoming; there is no health of a single
group beyond its backoff.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from kubesim.api.corev1 import Node
from kubesim.api.podutil import get_node_condition
from kubesim.controlplane.autoscaler.cloudprovider import NodeGroup
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options

TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"
DELETION_CANDIDATE = "DeletionCandidateOfClusterAutoscaler"


@dataclass(slots=True, kw_only=True)
class GroupState:
    """One group at one instant; the names of its nodes by what they are."""

    group: NodeGroup
    target: int
    ready: list[str] = field(default_factory=list)
    not_started: list[str] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    unregistered: list[str] = field(default_factory=list)

    @property
    def upcoming(self) -> int:
        """How many nodes are still to come, or to become ready."""
        there = len(self.ready) + len(self.unready) + len(self.deleted)
        return max(self.target - there, 0)

    @property
    def registered(self) -> int:
        """How many nodes there are."""
        return sum(map(len, (self.ready, self.not_started, self.unready, self.deleted)))


def survey(
    groups: Iterable[NodeGroup], nodes: Iterable[Node], options: Options, wall_ns: int
) -> dict[str, GroupState]:
    """The state of all groups.

    Args:
        groups: The groups.
        nodes: The nodes, as heard of.
        options: The flags.
        wall_ns: Nanoseconds since the epoch.
    """
    by_provider = {node.spec.provider_id: node for node in nodes if node.spec.provider_id}
    states: dict[str, GroupState] = {}
    for group in groups:
        state = states[group.id] = GroupState(group=group, target=group.target_size())
        for instance in group.instances():
            node = by_provider.get(instance.provider_id)
            if node is None:
                state.unregistered.append(instance.node)
            else:
                _bucket(state, node, options, wall_ns).append(node.name)
    return states


def _bucket(state: GroupState, node: Node, options: Options, wall_ns: int) -> list[str]:
    if has_taint(node, TO_BE_DELETED):
        return state.deleted
    if is_ready(node, options.startup_taints):
        return state.ready
    age_ns = wall_ns - (node.metadata.creation_timestamp or 0)
    return state.not_started if age_ns < options.max_node_startup_time else state.unready


def is_healthy(
    states: Mapping[str, GroupState], *, ok_unready: int, max_unready_percent: int
) -> bool:
    """Whether few enough nodes are broken for the autoscaler to trust what it sees."""
    unready = sum(len(state.unready) for state in states.values())
    total = sum(state.registered for state in states.values())
    return unready <= ok_unready or unready * 100 <= max_unready_percent * total


def is_ready(node: Node, startup_taints: Collection[str] = ()) -> bool:
    """Whether a node is ready, and may take pods as far as its own kubelet is concerned.

    Args:
        node: The node.
        startup_taints: Keys of taints that a node has while it is not yet ready.
    """
    ready = get_node_condition(node.status, "Ready")
    if ready is None or ready.status != "True":
        return False
    if any(has_taint(node, key) for key in startup_taints):
        return False
    return not has_taint(node, "node.kubernetes.io/not-ready")


def has_taint(node: Node, key: str) -> bool:
    """Whether a node has a taint of that key."""
    return any(taint.key == key for taint in node.spec.taints)
