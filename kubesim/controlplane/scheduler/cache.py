"""The scheduler's memory of the cluster: nodes, the pods on them, and the pods it just promised.

A pod that was given a node is *assumed* there at once, long before the API server has heard of it,
so that the next pod is placed knowing it. The informer's news confirms the promise; a failed
binding takes it back.

Nodes are kept in upstream's order: round robin over the zones, in each zone by arrival.

Mirrors: pkg/scheduler/backend/cache (cache.go, node_tree.go, snapshot.go).
Departs: an attempt looks at the cache itself and not at a copy, because nothing else happens at
the instant of a decision; assumed pods do not expire.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubesim.api.corev1 import Node, Pod
from kubesim.controlplane.scheduler.framework.nodeinfo import ImageState, NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo, PodInfos

_ZONE_LABELS = ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone")
_REGION_LABELS = ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region")


class NodeTree:
    """The names of the nodes by zone, zones in the order of their first node."""

    def __init__(self) -> None:
        self._zones: dict[tuple[str, str], dict[str, None]] = {}

    def add(self, node: Node) -> None:
        """Add a node at the end of its zone."""
        self._zones.setdefault(zone_key(node), {})[node.name] = None

    def remove(self, node: Node) -> None:
        """Remove a node; a zone without nodes loses its place."""
        key = zone_key(node)
        names = self._zones.get(key, {})
        names.pop(node.name, None)
        if not names:
            self._zones.pop(key, None)

    def list(self) -> list[str]:
        """One node of each zone in turn, until all zones are exhausted."""
        zones = [tuple(names) for names in self._zones.values()]
        longest = max(map(len, zones), default=0)
        return [names[i] for i in range(longest) for names in zones if i < len(names)]


def zone_key(node: Node) -> tuple[str, str]:
    """Region and zone of a node; the beta labels win over the current ones."""
    labels = node.metadata.labels
    zone = next((labels[name] for name in _ZONE_LABELS if name in labels), "")
    region = next((labels[name] for name in _REGION_LABELS if name in labels), "")
    return (region, zone)


class Cache:
    """Nodes and pods.

    Args:
        pod_infos: The maker of ``PodInfo``.

    Attributes:
        generation: Rises with every change of a node or of its pods.
        structure: Rises when nodes come, go, or change in anything but their conditions.
        touched: The nodes that changed since somebody cleared this.
    """

    def __init__(self, pod_infos: PodInfos) -> None:
        self.pod_infos = pod_infos
        self.generation = 0
        self.structure = 0
        self.touched: dict[str, None] = {}
        self._nodes: dict[str, NodeInfo] = {}
        self._tree = NodeTree()
        self._ordered: list[NodeInfo] | None = []
        self._places: dict[str, tuple[PodInfo, str]] = {}
        self._assumed: dict[str, None] = {}
        self._with_affinity: dict[str, None] = {}
        self._with_required_anti_affinity: dict[str, None] = {}
        self._images: dict[str, ImageState] = {}

    @property
    def node_infos(self) -> list[NodeInfo]:
        """All known nodes, in the scheduler's order."""
        if self._ordered is None:
            self._ordered = [self._nodes[name] for name in self._tree.list()]
        return self._ordered

    @property
    def have_pods_with_affinity(self) -> Sequence[NodeInfo]:
        """The known nodes with pods that have any affinity to pods."""
        return [info for name in self._with_affinity if (info := self._nodes[name]).known]

    @property
    def have_pods_with_required_anti_affinity(self) -> Sequence[NodeInfo]:
        """The known nodes with pods that must be apart from others."""
        return [
            info for name in self._with_required_anti_affinity if (info := self._nodes[name]).known
        ]

    def get(self, node_name: str) -> NodeInfo | None:
        """A known node."""
        info = self._nodes.get(node_name)
        return info if info is not None and info.known else None

    def add_node(self, node: Node) -> NodeInfo:
        """Hear of a new node."""
        info = self._info(node.name)
        if info.known:
            return self.update_node(node)
        self._tree.add(node)
        self._ordered = None
        self._set_node(info, node)
        return info

    def update_node(self, node: Node) -> NodeInfo:
        """Hear of a new version of a node."""
        info = self._info(node.name)
        if not info.known:
            return self.add_node(node)
        if zone_key(info.node) != zone_key(node):
            self._tree.remove(info.node)
            self._tree.add(node)
            self._ordered = None
        self._set_node(info, node)
        return info

    def remove_node(self, name: str) -> None:
        """Hear that a node is gone; its pods stay until they are gone too."""
        info = self._nodes.get(name)
        if info is None or not info.known:
            return
        self._tree.remove(info.node)
        self._ordered = None
        self._forget_images(info)
        info.forget_node()
        self.structure += 1
        self._touch(info)
        self._drop_if_empty(info)

    def add_pod(self, pod: Pod) -> None:
        """Hear that a pod has a node; confirms an assumed pod."""
        assert pod.spec.node_name, pod.key
        self._assumed.pop(pod.uid, None)
        place = self._places.get(pod.uid)
        if place is not None and place[1] == pod.spec.node_name:
            self._replace(place, pod)
            return
        if place is not None:
            self.remove_pod(pod.uid)
        self._place(self.pod_infos.of(pod), pod.spec.node_name)

    def update_pod(self, pod: Pod) -> None:
        """Hear of a new version of a pod with a node."""
        self.add_pod(pod)

    def remove_pod(self, uid: str) -> None:
        """Hear that a pod is gone, or take back a promise."""
        place = self._places.pop(uid, None)
        self._assumed.pop(uid, None)
        if place is None:
            return
        info = self._nodes[place[1]]
        info.remove_pod(uid)
        self._index(info)
        self._touch(info)
        self._drop_if_empty(info)

    def assume_pod(self, info: PodInfo, node_name: str) -> None:
        """Promise a pod that node."""
        assert info.uid not in self._places, info.pod.key
        self._place(info, node_name)
        self._assumed[info.uid] = None

    def forget_pod(self, uid: str) -> None:
        """Take back the promise to an assumed pod."""
        if uid in self._assumed:
            self.remove_pod(uid)

    def is_assumed(self, uid: str) -> bool:
        """Whether the pod was promised a node that nobody confirmed yet."""
        return uid in self._assumed

    def node_name_of(self, uid: str) -> str | None:
        """Where a pod is, assumed or confirmed."""
        place = self._places.get(uid)
        return place[1] if place is not None else None

    def _info(self, name: str) -> NodeInfo:
        info = self._nodes.get(name)
        if info is None:
            info = self._nodes[name] = NodeInfo(name)
        return info

    def _place(self, pod: PodInfo, node_name: str) -> None:
        info = self._info(node_name)
        info.add_pod(pod)
        self._places[pod.uid] = (pod, node_name)
        self._index(info)
        self._touch(info)

    def _replace(self, place: tuple[PodInfo, str], pod: Pod) -> None:
        """A new version of a placed pod; most change nothing that matters here."""
        old, node_name = place
        new = self.pod_infos.of(pod)
        info = self._nodes[node_name]
        if new.signature is old.signature:
            # A status changes nothing that is counted, so the pod keeps its position. Whether a
            # pod is going and since when it runs matter to spreading and to preemption.
            started = pod.status.start_time != old.pod.status.start_time
            old.pod = pod
            if started or pod.metadata.deletion_timestamp is not None:
                self._touch(info)
            return
        info.remove_pod(old.uid)
        del self._places[old.uid]
        self._place(new, node_name)

    def _index(self, info: NodeInfo) -> None:
        for index, pods in (
            (self._with_affinity, info.pods_with_affinity),
            (self._with_required_anti_affinity, info.pods_with_required_anti_affinity),
        ):
            if pods:
                index[info.name] = None
            else:
                index.pop(info.name, None)

    def _touch(self, info: NodeInfo) -> None:
        self.generation += 1
        info.generation = self.generation
        self.touched[info.name] = None

    def _drop_if_empty(self, info: NodeInfo) -> None:
        if not info.known and not info.pods:
            del self._nodes[info.name]

    def _set_node(self, info: NodeInfo, node: Node) -> None:
        if not info.known or _differs(info.node, node):
            self.structure += 1
        if not info.known or info.node.status.images != node.status.images:
            self._forget_images(info)
            for image in node.status.images:
                for name in image.names:
                    state = self._images.get(name)
                    if state is None:
                        state = self._images[name] = ImageState(image.size_bytes or 0)
                    state.nodes[node.name] = None
                    info.image_states[name] = state
        info.set_node(node)
        self._touch(info)

    def _forget_images(self, info: NodeInfo) -> None:
        for name, state in info.image_states.items():
            state.nodes.pop(info.name, None)
            if not state.nodes:
                del self._images[name]
        info.image_states = {}


def _differs(old: Node, new: Node) -> bool:
    """Whether two versions of a node differ in anything that plugins look at."""
    return (
        old.spec != new.spec
        or old.metadata.labels != new.metadata.labels
        or old.status.allocatable != new.status.allocatable
        or old.status.images != new.status.images
    )
