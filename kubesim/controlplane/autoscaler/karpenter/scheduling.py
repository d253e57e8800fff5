"""Which new nodes would take some pods: Karpenter's simulation, with the scheduler's own plugins.

The largest pods come first. Each goes to a node that is there, else to a node that is already to be
made, if some machine type would still hold everything, else to a new one of the first pool that has
a type for it. In the end a new node is the cheapest type of those that hold all its pods.

Mirrors: kubernetes-sigs/karpenter pkg/controllers/provisioning/scheduling (scheduler.go,
nodeclaim.go, queue.go).
Departs: requirements are not merged as sets; every machine type, zone and way to buy is tried as a
node of its own with the real Filter plugins, so preferences are not relaxed one by one and a node's
zone is that of the cheapest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kubesim.api.appsv1 import DaemonSet
from kubesim.api.corev1 import Node, NodeSpec, Pod
from kubesim.api.karpenterv1 import NodePool
from kubesim.api.podutil import pod_requests
from kubesim.controlplane.autoscaler.karpenter.cloudprovider import Offering
from kubesim.controlplane.autoscaler.karpenter.drift import suits
from kubesim.controlplane.autoscaler.simulator import ClusterSnapshot, daemon_pods

POOL_LABEL = "karpenter.sh/nodepool"


@dataclass(slots=True)
class NewNode:
    """A node that is to be made.

    Attributes:
        pool: Its pool.
        name: What it is called in the simulation.
        options: The offerings that would hold its pods, the cheapest first.
        pods: Its pods.
    """

    pool: NodePool
    name: str
    options: list[Offering]
    pods: list[Pod] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        new: The nodes that are to be made.
        failed: The pods for which there is none.
    """

    new: tuple[NewNode, ...]
    failed: tuple[Pod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What can be had.

    Attributes:
        pools: The pools, those with the most weight first.
        offerings: By pool, the offerings that suit it, the cheapest first.
        room: By pool and resource, how much more its limits allow, in billionths.
    """

    pools: tuple[NodePool, ...]
    offerings: Mapping[str, Sequence[Offering]]
    room: Mapping[str, Mapping[str, int]]


def market(
    pools: Iterable[NodePool], offerings: Sequence[Offering], nodes: Iterable[Node]
) -> Market:
    """What can be had.

    Args:
        pools: The pools.
        offerings: Everything there is, the cheapest first.
        nodes: The nodes that there are or are to come.
    """
    ordered = tuple(sorted(pools, key=lambda pool: (-(pool.spec.weight or 0), pool.name)))
    nodes = tuple(nodes)
    room: dict[str, dict[str, int]] = {}
    for pool in ordered:
        own = [n for n in nodes if n.metadata.labels.get(POOL_LABEL) == pool.name]
        room[pool.name] = {
            name: limit.nanos
            - sum(n.status.capacity[name].nanos for n in own if name in n.status.capacity)
            for name, limit in pool.spec.limits.items()
        }
    suiting = {
        pool.name: [o for o in offerings if suits(pool, dressed(pool, o, "any"))]
        for pool in ordered
    }
    return Market(pools=ordered, offerings=suiting, room=room)


def dressed(pool: NodePool, offering: Offering, name: str) -> Node:
    """The node that an offering is in a pool, once it is initialized."""
    template = pool.spec.template
    labels = offering.node.metadata.labels.merge(
        {**template.metadata.labels, POOL_LABEL: pool.name, "kubernetes.io/hostname": name}
    )
    metadata = offering.node.metadata.replace(
        name=name, labels=labels, annotations=template.metadata.annotations
    )
    return offering.node.replace(metadata=metadata, spec=NodeSpec(taints=template.spec.taints))


def schedule(
    snapshot: ClusterSnapshot,
    pods: Iterable[Pod],
    available: Market,
    daemon_sets: Sequence[DaemonSet],
    *,
    usable: Sequence[str],
) -> Outcome:
    """Find places for pods; the snapshot is changed, so fork it before.

    Args:
        snapshot: The cluster.
        pods: The pods.
        available: What can be had.
        daemon_sets: The DaemonSets, whose pods a new node has from the beginning.
        usable: The nodes that may take pods.
    """
    room = {pool: dict(left) for pool, left in available.room.items()}
    there = dict.fromkeys(usable)
    new: list[NewNode] = []
    failed: list[Pod] = []
    for pod in sorted(pods, key=_size, reverse=True):
        name = snapshot.fits_any(pod, there.__contains__)
        if name is not None:
            snapshot.place(pod, name)
            continue
        if any(_added(snapshot, node, pod, daemon_sets) for node in new):
            continue
        made = _opened(snapshot, pod, available, room, daemon_sets, len(new))
        if made is None:
            failed.append(pod)
            continue
        new.append(made)
        largest = made.options[-1].node.status.capacity
        for resource in room[made.pool.name]:
            if resource in largest:
                room[made.pool.name][resource] -= largest[resource].nanos
    return Outcome(tuple(new), tuple(failed))


def _size(pod: Pod) -> tuple[int, int]:
    requests = pod_requests(pod.spec)
    cpu, memory = (requests[n].nanos if n in requests else 0 for n in ("cpu", "memory"))
    return cpu, memory


def _opened(  # noqa: PLR0917  # what there is
    snapshot: ClusterSnapshot,
    pod: Pod,
    available: Market,
    room: Mapping[str, Mapping[str, int]],
    daemon_sets: Sequence[DaemonSet],
    number: int,
) -> NewNode | None:
    """A new node for a pod, of the first pool that has one."""
    for pool in available.pools:
        options = [
            offering
            for offering in available.offerings[pool.name]
            if all(
                offering.node.status.capacity[name].nanos <= left
                for name, left in room[pool.name].items()
                if name in offering.node.status.capacity
            )
        ]
        made = NewNode(pool, f"new-{pool.name}-{number}", options)
        if _added(snapshot, made, pod, daemon_sets):
            return made
    return None


def _added(
    snapshot: ClusterSnapshot, node: NewNode, pod: Pod, daemon_sets: Sequence[DaemonSet]
) -> bool:
    """Add a pod to a new node, if some offering would hold it with the others."""
    left = list(_holding(snapshot, node, pod, daemon_sets))
    if not left or not satisfies_min_values(node.pool, left):
        return False
    node.options = left
    node.pods.append(pod)
    snapshot.remove_node(node.name)
    template = dressed(node.pool, left[0], node.name)
    snapshot.add_node(template, [*daemon_pods(daemon_sets, template), *node.pods])
    return True


def satisfies_min_values(pool: NodePool, offerings: Iterable[Offering]) -> bool:
    """Whether offerings are as various as a pool's requirements want them (``minValues``)."""
    offerings = tuple(offerings)
    for requirement in pool.spec.template.spec.requirements:
        if requirement.min_values is not None:
            labels = (offering.node.metadata.labels for offering in offerings)
            values = {own[requirement.key] for own in labels if requirement.key in own}
            if len(values) < requirement.min_values:
                return False
    return True


def _holding(
    snapshot: ClusterSnapshot, node: NewNode, pod: Pod, daemon_sets: Sequence[DaemonSet]
) -> Iterator[Offering]:
    wanted = [_size(p) for p in (*node.pods, pod)]
    cpu, memory = sum(w[0] for w in wanted), sum(w[1] for w in wanted)
    for offering in node.options:
        allocatable = offering.node.status.allocatable
        if cpu > allocatable["cpu"].nanos or memory > allocatable["memory"].nanos:
            continue
        template = dressed(node.pool, offering, node.name)
        snapshot.fork()
        snapshot.remove_node(node.name)
        snapshot.add_node(template, [*daemon_pods(daemon_sets, template), *node.pods])
        fits = not snapshot.refusals(pod, node.name)
        snapshot.revert()
        if fits:
            yield offering
