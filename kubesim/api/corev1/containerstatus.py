"""What the kubelet reports about containers.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from kubesim.api.corev1.resources import ResourceRequirements, ResourceStatus
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import Time
from kubesim.api.model import Bool, Int32, Int64, KubeModel
from kubesim.api.quantity import Quantity


class ContainerStateWaiting(KubeModel):
    """The container has not started, and why."""

    reason: str | None = None
    message: str | None = None


class ContainerStateRunning(KubeModel):
    """The container runs, and since when."""

    started_at: Time | None = None


class ContainerStateTerminated(KubeModel):
    """The container has ended, when and how."""

    exit_code: Int32
    signal: Int32 | None = None
    reason: str | None = None
    message: str | None = None
    started_at: Time | None = None
    finished_at: Time | None = None
    container_id: str | None = None


class ContainerState(KubeModel):
    """What a container is doing: waiting, running or terminated."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ImageVolumeStatus(KubeModel):
    """The image that backs a volume."""

    image_ref: str


class VolumeStatus(KubeModel):
    """What is known of a mounted volume."""

    image: ImageVolumeStatus | None = None


class VolumeMountStatus(KubeModel):
    """How a volume is mounted in a container."""

    name: str
    mount_path: str
    read_only: Bool | None = None
    recursive_read_only: str | None = None
    volume_status: VolumeStatus | None = None


class LinuxContainerUser(KubeModel):
    """The user ids that a container really has."""

    uid: Int64
    gid: Int64
    supplemental_groups: tuple[Int64, ...] = ()


class ContainerUser(KubeModel):
    """The user that a container really runs as."""

    linux: LinuxContainerUser | None = None


class ContainerStatus(KubeModel):
    """One container, as the kubelet sees it."""

    name: str
    state: ContainerState = ContainerState.zero()
    last_state: ContainerState = ContainerState.zero()
    ready: Bool
    restart_count: Int32
    image: str
    image_id: str
    container_id: str | None = None
    started: Bool | None = None
    allocated_resources: FrozenMap[str, Quantity] = FrozenMap()
    resources: ResourceRequirements | None = None
    volume_mounts: tuple[VolumeMountStatus, ...] = ()
    user: ContainerUser | None = None
    allocated_resources_status: tuple[ResourceStatus, ...] = ()
    stop_signal: str | None = None
