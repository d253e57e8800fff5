"""ImageLocality: prefers nodes that already have the pod's images, the big ones above all.

An image counts the more, the more nodes have it, so that pods do not all pile up on the one node
that happened to pull it first.

Mirrors: pkg/scheduler/framework/plugins/imagelocality/image_locality.go.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import PodSpec
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import Handle, ScorePlugin
from kubesim.controlplane.scheduler.framework.nodeinfo import ImageState, NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import MAX_NODE_SCORE

MEBIBYTE = 1024 * 1024
MIN_THRESHOLD_BYTES = 23 * MEBIBYTE
MAX_CONTAINER_THRESHOLD_BYTES = 1000 * MEBIBYTE


class ImageLocality(ScorePlugin):
    """Scores by the images that a node has.

    Args:
        handle: What the plugin may see.
    """

    name: ClassVar[str] = "ImageLocality"

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        spec = info.signature.spec
        num_containers = len(spec.init_containers) + len(spec.containers)
        states = node.image_states
        if not states:
            return image_priority(0, num_containers)
        num_nodes = len(self._handle.snapshot.node_infos)
        found = (states[name] for name in image_names(spec) if name in states)
        total = sum(scaled_image_bytes(image, num_nodes) for image in found)
        return image_priority(total, num_containers)


def image_names(spec: PodSpec) -> list[str]:
    """The images of all containers and image volumes, with their tags."""
    images = [item.image or "" for item in (*spec.init_containers, *spec.containers)]
    images += [volume.image.reference or "" for volume in spec.volumes if volume.image is not None]
    return [normalized_image_name(image) for image in images]


def normalized_image_name(name: str) -> str:
    """The name with a tag: ``:latest`` when it has none."""
    return name if name.rfind(":") > name.rfind("/") else f"{name}:latest"


def scaled_image_bytes(image: ImageState, num_nodes: int) -> int:
    """The size of an image times the share of the nodes that have it."""
    return int(float(image.size_bytes) * (len(image.nodes) / num_nodes))


def image_priority(total_bytes: int, num_containers: int) -> int:
    """0 up to 23 MiB, 100 from 1000 MiB a container on, linear in between."""
    highest = MAX_CONTAINER_THRESHOLD_BYTES * num_containers
    total_bytes = min(max(total_bytes, MIN_THRESHOLD_BYTES), highest)
    return MAX_NODE_SCORE * (total_bytes - MIN_THRESHOLD_BYTES) // (highest - MIN_THRESHOLD_BYTES)
