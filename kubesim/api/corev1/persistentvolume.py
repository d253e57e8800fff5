"""Persistent volumes and the claims on them.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import ClassVar, Literal

from kubesim.api.corev1.affinity import NodeSelector
from kubesim.api.corev1.references import ObjectReference, SecretReference
from kubesim.api.corev1.volume import (
    HostPathVolumeSource,
    NFSVolumeSource,
    PersistentVolumeClaimSpec,
)
from kubesim.api.corev1.volumedrivers import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    AzureFilePersistentVolumeSource,
    CephFSPersistentVolumeSource,
    CinderPersistentVolumeSource,
    FCVolumeSource,
    FlexPersistentVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GlusterfsPersistentVolumeSource,
    ISCSIPersistentVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    RBDPersistentVolumeSource,
    ScaleIOPersistentVolumeSource,
    StorageOSPersistentVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ConditionStatus, KubeObject, Time
from kubesim.api.model import Bool, KubeModel
from kubesim.api.quantity import Quantity


class CSIPersistentVolumeSource(KubeModel):
    """A volume of a CSI driver."""

    driver: str
    volume_handle: str
    read_only: Bool | None = None
    fs_type: str | None = None
    volume_attributes: FrozenMap[str, str] = FrozenMap()
    controller_publish_secret_ref: SecretReference | None = None
    node_stage_secret_ref: SecretReference | None = None
    node_publish_secret_ref: SecretReference | None = None
    controller_expand_secret_ref: SecretReference | None = None
    node_expand_secret_ref: SecretReference | None = None


class LocalVolumeSource(KubeModel):
    """A disk that is part of one node."""

    path: str
    fs_type: str | None = None


class VolumeNodeAffinity(KubeModel):
    """The nodes that can reach a volume."""

    required: NodeSelector | None = None


class PersistentVolumeSpec(KubeModel):
    """What a volume is and offers."""

    capacity: FrozenMap[str, Quantity] = FrozenMap()
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    iscsi: ISCSIPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    cephfs: CephFSPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    flex_volume: FlexPersistentVolumeSource | None = None
    azure_file: AzureFilePersistentVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    scale_io: ScaleIOPersistentVolumeSource | None = None
    local: LocalVolumeSource | None = None
    storageos: StorageOSPersistentVolumeSource | None = None
    csi: CSIPersistentVolumeSource | None = None
    access_modes: tuple[str, ...] = ()
    claim_ref: ObjectReference | None = None
    persistent_volume_reclaim_policy: str | None = None
    storage_class_name: str | None = None
    mount_options: tuple[str, ...] = ()
    volume_mode: str | None = None
    node_affinity: VolumeNodeAffinity | None = None
    volume_attributes_class_name: str | None = None


class PersistentVolumeStatus(KubeModel):
    """Whether a volume is free, bound, released or failed."""

    phase: str | None = None
    message: str | None = None
    reason: str | None = None
    last_phase_transition_time: Time | None = None


class PersistentVolume(KubeObject):
    """A piece of storage of the cluster."""

    simulated: ClassVar[bool] = False

    api_version: Literal["v1"] = "v1"
    kind: Literal["PersistentVolume"] = "PersistentVolume"
    spec: PersistentVolumeSpec = PersistentVolumeSpec.zero()
    status: PersistentVolumeStatus = PersistentVolumeStatus.zero()


class PersistentVolumeClaimCondition(KubeModel):
    """One yes-or-no fact about a claim."""

    type: str
    status: ConditionStatus
    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class ModifyVolumeStatus(KubeModel):
    """A change of a volume's attributes that is under way."""

    target_volume_attributes_class_name: str | None = None
    status: str


class PersistentVolumeClaimStatus(KubeModel):
    """What a claim has got."""

    phase: str | None = None
    access_modes: tuple[str, ...] = ()
    capacity: FrozenMap[str, Quantity] = FrozenMap()
    conditions: tuple[PersistentVolumeClaimCondition, ...] = ()
    allocated_resources: FrozenMap[str, Quantity] = FrozenMap()
    allocated_resource_statuses: FrozenMap[str, str] = FrozenMap()
    current_volume_attributes_class_name: str | None = None
    modify_volume_status: ModifyVolumeStatus | None = None


class PersistentVolumeClaim(KubeObject):
    """A request for storage."""

    simulated: ClassVar[bool] = False

    api_version: Literal["v1"] = "v1"
    kind: Literal["PersistentVolumeClaim"] = "PersistentVolumeClaim"
    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec.zero()
    status: PersistentVolumeClaimStatus = PersistentVolumeClaimStatus.zero()
