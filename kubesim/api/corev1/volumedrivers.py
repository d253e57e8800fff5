"""Volume sources of single vendors: declared in full, simulated by none.

Most of them have been moved to CSI drivers or removed upstream; their fields are still official.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from kubesim.api.corev1.references import LocalObjectReference, ObjectReference, SecretReference
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.model import Bool, Int32, KubeModel


class AWSElasticBlockStoreVolumeSource(KubeModel):
    """An AWS EBS disk."""

    volume_id: str
    fs_type: str | None = None
    partition: Int32 | None = None
    read_only: Bool | None = None


class AzureDiskVolumeSource(KubeModel):
    """An Azure data disk."""

    disk_name: str
    disk_uri: str
    caching_mode: str | None = None
    fs_type: str | None = None
    read_only: Bool | None = None
    kind: str | None = None


class AzureFileVolumeSource(KubeModel):
    """An Azure file share."""

    secret_name: str
    share_name: str
    read_only: Bool | None = None


class AzureFilePersistentVolumeSource(KubeModel):
    """An Azure file share, as a persistent volume."""

    secret_name: str
    share_name: str
    read_only: Bool | None = None
    secret_namespace: str | None = None


class CephFSVolumeSource(KubeModel):
    """A Ceph file system."""

    monitors: tuple[str, ...]
    path: str | None = None
    user: str | None = None
    secret_file: str | None = None
    secret_ref: LocalObjectReference | None = None
    read_only: Bool | None = None


class CephFSPersistentVolumeSource(KubeModel):
    """A Ceph file system, as a persistent volume."""

    monitors: tuple[str, ...]
    path: str | None = None
    user: str | None = None
    secret_file: str | None = None
    secret_ref: SecretReference | None = None
    read_only: Bool | None = None


class CinderVolumeSource(KubeModel):
    """An OpenStack Cinder disk."""

    volume_id: str
    fs_type: str | None = None
    read_only: Bool | None = None
    secret_ref: LocalObjectReference | None = None


class CinderPersistentVolumeSource(KubeModel):
    """An OpenStack Cinder disk, as a persistent volume."""

    volume_id: str
    fs_type: str | None = None
    read_only: Bool | None = None
    secret_ref: SecretReference | None = None


class FCVolumeSource(KubeModel):
    """A Fibre Channel disk."""

    target_wwns: tuple[str, ...] = ()
    lun: Int32 | None = None
    fs_type: str | None = None
    read_only: Bool | None = None
    wwids: tuple[str, ...] = ()


class FlexVolumeSource(KubeModel):
    """A volume of a FlexVolume driver."""

    driver: str
    fs_type: str | None = None
    secret_ref: LocalObjectReference | None = None
    read_only: Bool | None = None
    options: FrozenMap[str, str] = FrozenMap()


class FlexPersistentVolumeSource(KubeModel):
    """A volume of a FlexVolume driver, as a persistent volume."""

    driver: str
    fs_type: str | None = None
    secret_ref: SecretReference | None = None
    read_only: Bool | None = None
    options: FrozenMap[str, str] = FrozenMap()


class FlockerVolumeSource(KubeModel):
    """A Flocker dataset."""

    dataset_name: str | None = None
    dataset_uuid: str | None = None


class GCEPersistentDiskVolumeSource(KubeModel):
    """A Google Compute Engine disk."""

    pd_name: str
    fs_type: str | None = None
    partition: Int32 | None = None
    read_only: Bool | None = None


class GitRepoVolumeSource(KubeModel):
    """A git repository, cloned into an empty directory."""

    repository: str
    revision: str | None = None
    directory: str | None = None


class GlusterfsVolumeSource(KubeModel):
    """A Gluster volume."""

    endpoints: str
    path: str
    read_only: Bool | None = None


class GlusterfsPersistentVolumeSource(KubeModel):
    """A Gluster volume, as a persistent volume."""

    endpoints: str
    path: str
    read_only: Bool | None = None
    endpoints_namespace: str | None = None


class ISCSIVolumeSource(KubeModel):
    """An iSCSI disk."""

    target_portal: str
    iqn: str
    lun: Int32
    iscsi_interface: str | None = None
    fs_type: str | None = None
    read_only: Bool | None = None
    portals: tuple[str, ...] = ()
    chap_auth_discovery: Bool | None = None
    chap_auth_session: Bool | None = None
    secret_ref: LocalObjectReference | None = None
    initiator_name: str | None = None


class ISCSIPersistentVolumeSource(KubeModel):
    """An iSCSI disk, as a persistent volume."""

    target_portal: str
    iqn: str
    lun: Int32
    iscsi_interface: str | None = None
    fs_type: str | None = None
    read_only: Bool | None = None
    portals: tuple[str, ...] = ()
    chap_auth_discovery: Bool | None = None
    chap_auth_session: Bool | None = None
    secret_ref: SecretReference | None = None
    initiator_name: str | None = None


class PhotonPersistentDiskVolumeSource(KubeModel):
    """A Photon Controller disk."""

    pd_id: str
    fs_type: str | None = None


class PortworxVolumeSource(KubeModel):
    """A Portworx volume."""

    volume_id: str
    fs_type: str | None = None
    read_only: Bool | None = None


class QuobyteVolumeSource(KubeModel):
    """A Quobyte volume."""

    registry: str
    volume: str
    read_only: Bool | None = None
    user: str | None = None
    group: str | None = None
    tenant: str | None = None


class RBDVolumeSource(KubeModel):
    """A Ceph block device."""

    monitors: tuple[str, ...]
    image: str
    fs_type: str | None = None
    pool: str | None = None
    user: str | None = None
    keyring: str | None = None
    secret_ref: LocalObjectReference | None = None
    read_only: Bool | None = None


class RBDPersistentVolumeSource(KubeModel):
    """A Ceph block device, as a persistent volume."""

    monitors: tuple[str, ...]
    image: str
    fs_type: str | None = None
    pool: str | None = None
    user: str | None = None
    keyring: str | None = None
    secret_ref: SecretReference | None = None
    read_only: Bool | None = None


class ScaleIOVolumeSource(KubeModel):
    """A ScaleIO volume."""

    gateway: str
    system: str
    secret_ref: LocalObjectReference
    ssl_enabled: Bool | None = None
    protection_domain: str | None = None
    storage_pool: str | None = None
    storage_mode: str | None = None
    volume_name: str | None = None
    fs_type: str | None = None
    read_only: Bool | None = None


class ScaleIOPersistentVolumeSource(KubeModel):
    """A ScaleIO volume, as a persistent volume."""

    gateway: str
    system: str
    secret_ref: SecretReference
    ssl_enabled: Bool | None = None
    protection_domain: str | None = None
    storage_pool: str | None = None
    storage_mode: str | None = None
    volume_name: str | None = None
    fs_type: str | None = None
    read_only: Bool | None = None


class StorageOSVolumeSource(KubeModel):
    """A StorageOS volume."""

    volume_name: str | None = None
    volume_namespace: str | None = None
    fs_type: str | None = None
    read_only: Bool | None = None
    secret_ref: LocalObjectReference | None = None


class StorageOSPersistentVolumeSource(KubeModel):
    """A StorageOS volume, as a persistent volume."""

    volume_name: str | None = None
    volume_namespace: str | None = None
    fs_type: str | None = None
    read_only: Bool | None = None
    secret_ref: ObjectReference | None = None


class VsphereVirtualDiskVolumeSource(KubeModel):
    """A vSphere disk."""

    volume_path: str
    fs_type: str | None = None
    storage_policy_name: str | None = None
    storage_policy_id: str | None = None
