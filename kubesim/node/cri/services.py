"""The two CRI services as the kubelet sees them.

Mirrors: k8s.io/cri-api pkg/apis/runtime/v1/api.proto, services RuntimeService and ImageService.
Departs: ``subscribe`` stands for GetContainerEvents; the kubelet uses it to know at which tick of its
one-second relist there is something to see, never to learn of it earlier than the relist would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from kubesim.node.cri.messages import (
    ContainerConfig,
    ContainerStatus,
    ExecSyncResponse,
    Image,
    LinuxContainerResources,
    PodSandboxConfig,
    PodSandboxStatus,
)
from kubesim.node.cri.stats import ContainerStats, PodSandboxStats
from kubesim.sim import SimProcess
from kubesim.wire.http import Outlook

PodListener = Callable[[str], None]
"""Called with a pod's UID when something about its sandbox or containers changed."""


class RuntimeService(Protocol):
    """Sandboxes and containers. Every call raises ``CriError`` when the runtime refuses."""

    def run_pod_sandbox(self, config: PodSandboxConfig, runtime_handler: str) -> SimProcess[str]:
        """Create and start a sandbox; returns its id."""
        ...

    def stop_pod_sandbox(self, pod_sandbox_id: str) -> SimProcess[None]:
        """Stop the sandbox and everything in it; idempotent."""
        ...

    def remove_pod_sandbox(self, pod_sandbox_id: str) -> SimProcess[None]:
        """Forget a stopped sandbox and its containers; idempotent."""
        ...

    def pod_sandbox_status(self, pod_sandbox_id: str) -> SimProcess[PodSandboxStatus]:
        """The state of one sandbox."""
        ...

    def create_container(
        self, pod_sandbox_id: str, config: ContainerConfig, sandbox_config: PodSandboxConfig
    ) -> SimProcess[str]:
        """Create a container in a sandbox; returns its id."""
        ...

    def start_container(self, container_id: str) -> SimProcess[None]:
        """Start a created container."""
        ...

    def stop_container(self, container_id: str, timeout_ns: int) -> SimProcess[None]:
        """SIGTERM, then SIGKILL after ``timeout_ns``; idempotent."""
        ...

    def remove_container(self, container_id: str) -> SimProcess[None]:
        """Forget a container, killing it if it runs; idempotent."""
        ...

    def update_container_resources(
        self, container_id: str, linux: LinuxContainerResources
    ) -> SimProcess[None]:
        """Give a running container other limits."""
        ...

    def update_pod_sandbox_resources(
        self, pod_sandbox_id: str, resources: LinuxContainerResources
    ) -> SimProcess[None]:
        """Give a whole pod other limits."""
        ...

    def exec_sync(
        self, container_id: str, cmd: tuple[str, ...], timeout_ns: int
    ) -> SimProcess[ExecSyncResponse]:
        """Run a command in a container to its end; ``timeout_ns`` 0 means none."""
        ...

    def checkpoint_container(self, container_id: str) -> SimProcess[None]:
        """Freeze a running container into an image."""
        ...

    def exec_outlook(self, container_id: str) -> Outlook | None:
        """Until when a command would end alike (not CRI's: what lets the kubelet skip probes)."""
        ...

    def list_containers(self, pod_uid: str) -> tuple[ContainerStatus, ...]:
        """The containers of a pod, oldest first (ListContainers and ContainerStatus in one)."""
        ...

    def list_container_stats(self, pod_sandbox_id: str = "") -> tuple[ContainerStats, ...]:
        """What every running container (of one sandbox) has used up to this instant."""
        ...

    def list_pod_sandbox_stats(self) -> tuple[PodSandboxStats, ...]:
        """What every ready sandbox has used up to this instant."""
        ...

    def container_disk(self, pod_uid: str) -> Mapping[str, int]:
        """Bytes of the writable layer and of the log of a pod's containers, by name.

        ContainerStats.writable_layer; a log is the kubelet's own to measure.
        """
        ...

    def watch_disk(self, pod_uid: str, changed: Callable[[], None]) -> None:
        """Tell somebody of what containers of a pod write (not CRI's: spares the kubelet looks)."""
        ...

    def subscribe(self, listener: PodListener) -> None:
        """Tell ``listener`` of every change from now on."""
        ...


class ImageService(Protocol):
    """Images. Every call raises ``CriError`` when the runtime refuses."""

    def image_status(self, image: str, *, pod_uid: str = "") -> SimProcess[Image | None]:
        """The image if it is on the node; the pod is not CRI's, it says whose call log this is in."""
        ...

    def pull_image(self, image: str, sandbox_config: PodSandboxConfig) -> SimProcess[str]:
        """Bring an image to the node; returns its reference."""
        ...

    def remove_image(self, image_id: str) -> SimProcess[None]:
        """Take an image off the node, by its id; idempotent."""
        ...

    def image_fs_info(self) -> int:
        """Bytes that are taken of the file system which images are on."""
        ...

    def list_images(self) -> tuple[Image, ...]:
        """All images on the node, largest first."""
        ...
