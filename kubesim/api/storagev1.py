"""Storage classes and CSI.

Mirrors: staging/src/k8s.io/api/storage/v1/types.go.
"""

from typing import ClassVar, Literal

from kubesim.api.corev1.persistentvolume import PersistentVolumeSpec
from kubesim.api.corev1.references import TopologySelectorTerm
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject, LabelSelector, Time
from kubesim.api.model import Bool, Int32, Int64, KubeModel
from kubesim.api.quantity import Quantity


class StorageClass(KubeObject):
    """A kind of storage, and who provides it."""

    simulated: ClassVar[bool] = False

    api_version: Literal["storage.k8s.io/v1"] = "storage.k8s.io/v1"
    kind: Literal["StorageClass"] = "StorageClass"
    provisioner: str
    parameters: FrozenMap[str, str] = FrozenMap()
    reclaim_policy: str | None = None
    mount_options: tuple[str, ...] = ()
    allow_volume_expansion: Bool | None = None
    volume_binding_mode: str | None = None
    allowed_topologies: tuple[TopologySelectorTerm, ...] = ()


class VolumeNodeResources(KubeModel):
    """How many volumes of a driver fit a node."""

    count: Int32 | None = None


class CSINodeDriver(KubeModel):
    """A CSI driver on a node."""

    name: str
    node_id: str
    topology_keys: tuple[str, ...] = ()
    allocatable: VolumeNodeResources | None = None


class CSINodeSpec(KubeModel):
    """The CSI drivers of a node."""

    drivers: tuple[CSINodeDriver, ...]


class CSINode(KubeObject):
    """What CSI drivers say about a node."""

    simulated: ClassVar[bool] = False

    api_version: Literal["storage.k8s.io/v1"] = "storage.k8s.io/v1"
    kind: Literal["CSINode"] = "CSINode"
    spec: CSINodeSpec


class TokenRequest(KubeModel):
    """A service account token that a driver wants."""

    audience: str
    expiration_seconds: Int64 | None = None


class CSIDriverSpec(KubeModel):
    """How a CSI driver wants to be called."""

    attach_required: Bool | None = None
    pod_info_on_mount: Bool | None = None
    volume_lifecycle_modes: tuple[str, ...] = ()
    storage_capacity: Bool | None = None
    fs_group_policy: str | None = None
    token_requests: tuple[TokenRequest, ...] = ()
    requires_republish: Bool | None = None
    se_linux_mount: Bool | None = None
    node_allocatable_update_period_seconds: Int64 | None = None
    service_account_token_in_secrets: Bool | None = None
    prevent_pod_scheduling_if_missing: Bool | None = None


class CSIDriver(KubeObject):
    """A CSI driver of the cluster."""

    simulated: ClassVar[bool] = False

    api_version: Literal["storage.k8s.io/v1"] = "storage.k8s.io/v1"
    kind: Literal["CSIDriver"] = "CSIDriver"
    spec: CSIDriverSpec


class CSIStorageCapacity(KubeObject):
    """How much storage a topology segment has left."""

    simulated: ClassVar[bool] = False

    api_version: Literal["storage.k8s.io/v1"] = "storage.k8s.io/v1"
    kind: Literal["CSIStorageCapacity"] = "CSIStorageCapacity"
    node_topology: LabelSelector | None = None
    storage_class_name: str
    capacity: Quantity | None = None
    maximum_volume_size: Quantity | None = None


class VolumeAttachmentSource(KubeModel):
    """The volume to attach."""

    persistent_volume_name: str | None = None
    inline_volume_spec: PersistentVolumeSpec | None = None


class VolumeAttachmentSpec(KubeModel):
    """What to attach where."""

    attacher: str
    source: VolumeAttachmentSource
    node_name: str


class VolumeError(KubeModel):
    """What went wrong, and when."""

    time: Time | None = None
    message: str | None = None
    error_code: Int32 | None = None


class VolumeAttachmentStatus(KubeModel):
    """Whether a volume is attached."""

    attached: Bool
    attachment_metadata: FrozenMap[str, str] = FrozenMap()
    attach_error: VolumeError | None = None
    detach_error: VolumeError | None = None


class VolumeAttachment(KubeObject):
    """The wish to attach a volume to a node."""

    simulated: ClassVar[bool] = False

    api_version: Literal["storage.k8s.io/v1"] = "storage.k8s.io/v1"
    kind: Literal["VolumeAttachment"] = "VolumeAttachment"
    spec: VolumeAttachmentSpec
    status: VolumeAttachmentStatus = VolumeAttachmentStatus.zero()
