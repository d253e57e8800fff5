"""Nodes as the scheduler sees them: what is there, what is taken, and by whom.

Mirrors: pkg/scheduler/framework/types.go (NodeInfo), kube-scheduler/framework/types.go
(HostPortInfo).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kubesim.api.corev1 import Node
from kubesim.controlplane.scheduler.framework.podinfo import ANY_HOST_IP, HostPort, PodInfo
from kubesim.controlplane.scheduler.framework.resources import Resource

_NO_NODE = Node()


class ImageState:
    """An image that some nodes have.

    Attributes:
        size_bytes: Its size, as the first node that had it reported.
        nodes: The nodes that have it.
    """

    __slots__ = ("nodes", "size_bytes")

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.nodes: dict[str, None] = {}


class NodeInfo:
    """One node with its pods.

    The pods are in the order in which they came; when one leaves, the last takes its place, as
    upstream's list does. Some tie breaks of preemption follow that order.

    Attributes:
        node: The node as last heard of.
        known: Whether there is such a node (pods may arrive before their node, or outlive it).
        pods: The pods that run here or were promised this node.
        requested: The sum of their requests.
        non_zero_milli_cpu: The same for scores, where no request counts as a small one.
        non_zero_memory: Likewise.
        generation: Rises with every change; unique among all nodes.
    """

    __slots__ = (
        "_positions",
        "allocatable",
        "claims",
        "generation",
        "image_states",
        "known",
        "name",
        "node",
        "non_zero_memory",
        "non_zero_milli_cpu",
        "pods",
        "pods_with_affinity",
        "pods_with_required_anti_affinity",
        "requested",
        "used_ports",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.node = _NO_NODE
        self.known = False
        self.allocatable = Resource()
        self.requested = Resource()
        self.non_zero_milli_cpu = 0
        self.non_zero_memory = 0
        self.pods: list[PodInfo] = []
        self.pods_with_affinity: dict[str, PodInfo] = {}
        self.pods_with_required_anti_affinity: dict[str, PodInfo] = {}
        self.used_ports: set[HostPort] = set()
        self.claims: dict[str, int] = {}
        self.image_states: dict[str, ImageState] = {}
        self.generation = 0
        self._positions: dict[str, int] = {}

    def set_node(self, node: Node) -> None:
        """Hear of a new version of the node."""
        if node.status.allocatable is not self.node.status.allocatable or not self.known:
            self.allocatable = Resource(node.status.allocatable)
        self.node = node
        self.known = True

    def forget_node(self) -> None:
        """Hear that the node is gone; its pods may still be here."""
        self.node = _NO_NODE
        self.known = False

    def add_pod(self, info: PodInfo) -> None:
        """A pod was promised this node, or runs here."""
        assert info.uid not in self._positions, (self.name, info.pod.key)
        self._positions[info.uid] = len(self.pods)
        self.pods.append(info)
        if info.signature.has_affinity:
            self.pods_with_affinity[info.uid] = info
        if info.signature.required_anti_affinity_terms:
            self.pods_with_required_anti_affinity[info.uid] = info
        self._count(info, 1)

    def remove_pod(self, uid: str) -> PodInfo:
        """A pod left."""
        position = self._positions.pop(uid)
        info = self.pods[position]
        last = self.pods.pop()
        if last is not info:
            self.pods[position] = last
            self._positions[last.uid] = position
        self.pods_with_affinity.pop(uid, None)
        self.pods_with_required_anti_affinity.pop(uid, None)
        self._count(info, -1)
        return info

    def has_pod(self, uid: str) -> bool:
        """Whether that pod is here."""
        return uid in self._positions

    def conflicts_with(self, ports: Iterable[HostPort]) -> bool:
        """Whether one of ``ports`` is taken; the wildcard address conflicts with every address."""
        used = self.used_ports
        return bool(used) and ports_conflict(used, ports)

    def clone(self) -> NodeInfo:
        """A copy for a what-if evaluation."""
        copy = NodeInfo(self.name)
        copy.node = self.node
        copy.known = self.known
        copy.allocatable = self.allocatable
        copy.requested = self.requested.clone()
        copy.non_zero_milli_cpu = self.non_zero_milli_cpu
        copy.non_zero_memory = self.non_zero_memory
        copy.pods = list(self.pods)
        copy.pods_with_affinity = dict(self.pods_with_affinity)
        copy.pods_with_required_anti_affinity = dict(self.pods_with_required_anti_affinity)
        copy.used_ports = set(self.used_ports)
        copy.claims = dict(self.claims)
        copy.image_states = self.image_states
        copy.generation = self.generation
        copy._positions = dict(self._positions)
        return copy

    def _count(self, info: PodInfo, sign: int) -> None:
        signature = info.signature
        self.requested.add(signature.requests, sign)
        self.non_zero_milli_cpu += sign * signature.non_zero_milli_cpu
        self.non_zero_memory += sign * signature.non_zero_memory
        for port in signature.host_ports:
            if sign > 0:
                self.used_ports.add(port)
            else:
                self.used_ports.discard(port)
        for name in signature.claim_names:
            key = f"{signature.namespace}/{name}"
            count = self.claims.get(key, 0) + sign
            if count > 0:
                self.claims[key] = count
            else:
                self.claims.pop(key, None)


def ports_conflict(used: Collection[HostPort], ports: Iterable[HostPort]) -> bool:
    """Whether one of ``ports`` is among ``used``, as far as their addresses overlap."""
    for wanted in ports:
        if wanted in used or wanted._replace(host_ip=ANY_HOST_IP) in used:
            return True
        if wanted.host_ip == ANY_HOST_IP and any(port[1:] == wanted[1:] for port in used):
            return True
    return False
