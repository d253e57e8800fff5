"""The volumes of a pod.

Mirrors: staging/src/k8s.io/api/core/v1/types.go (Volume and the sources in use today;
those of single vendors are in ``volumedrivers``).
"""

from kubesim.api.corev1.enums import PullPolicy
from kubesim.api.corev1.env import ObjectFieldSelector, ResourceFieldSelector
from kubesim.api.corev1.references import (
    KeyToPath,
    LocalObjectReference,
    TypedLocalObjectReference,
    TypedObjectReference,
)
from kubesim.api.corev1.resources import VolumeResourceRequirements
from kubesim.api.corev1.volumedrivers import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    AzureFileVolumeSource,
    CephFSVolumeSource,
    CinderVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    GlusterfsVolumeSource,
    ISCSIVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
    StorageOSVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import LabelSelector, ObjectMeta
from kubesim.api.model import Bool, Int32, Int64, KubeModel, Unsimulated
from kubesim.api.quantity import Quantity


class EmptyDirVolumeSource(KubeModel):
    """A directory that lives as long as the pod."""

    medium: Unsimulated[str | None] = None
    size_limit: Quantity | None = None


class HostPathVolumeSource(KubeModel):
    """A path of the node."""

    path: str
    type: str | None = None


class ConfigMapVolumeSource(KubeModel):
    """The keys of a ConfigMap as files."""

    name: str | None = None
    items: tuple[KeyToPath, ...] = ()
    default_mode: Int32 | None = None
    optional: Bool | None = None


class SecretVolumeSource(KubeModel):
    """The keys of a Secret as files."""

    secret_name: str | None = None
    items: tuple[KeyToPath, ...] = ()
    default_mode: Int32 | None = None
    optional: Bool | None = None


class DownwardAPIVolumeFile(KubeModel):
    """A fact about the pod as a file."""

    path: str
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: Int32 | None = None


class DownwardAPIVolumeSource(KubeModel):
    """Facts about the pod as files."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()
    default_mode: Int32 | None = None


class ClusterTrustBundleProjection(KubeModel):
    """Trust anchors as a file."""

    name: str | None = None
    signer_name: str | None = None
    label_selector: LabelSelector | None = None
    optional: Bool | None = None
    path: str


class ConfigMapProjection(KubeModel):
    """Keys of a ConfigMap in a projected volume."""

    name: str | None = None
    items: tuple[KeyToPath, ...] = ()
    optional: Bool | None = None


class DownwardAPIProjection(KubeModel):
    """Facts about the pod in a projected volume."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()


class PodCertificateProjection(KubeModel):
    """A key and a certificate of the pod in a projected volume."""

    signer_name: str
    key_type: str
    max_expiration_seconds: Int32 | None = None
    credential_bundle_path: str | None = None
    key_path: str | None = None
    certificate_chain_path: str | None = None
    user_annotations: FrozenMap[str, str] = FrozenMap()


class SecretProjection(KubeModel):
    """Keys of a Secret in a projected volume."""

    name: str | None = None
    items: tuple[KeyToPath, ...] = ()
    optional: Bool | None = None


class ServiceAccountTokenProjection(KubeModel):
    """A service account token in a projected volume."""

    audience: str | None = None
    expiration_seconds: Int64 | None = None
    path: str


class VolumeProjection(KubeModel):
    """One of the sources of a projected volume."""

    secret: SecretProjection | None = None
    downward_api: DownwardAPIProjection | None = None
    config_map: ConfigMapProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None
    cluster_trust_bundle: ClusterTrustBundleProjection | None = None
    pod_certificate: PodCertificateProjection | None = None


class ProjectedVolumeSource(KubeModel):
    """Several sources in one directory."""

    sources: tuple[VolumeProjection, ...] = ()
    default_mode: Int32 | None = None


class ImageVolumeSource(KubeModel):
    """An OCI image as a read-only volume."""

    reference: str | None = None
    pull_policy: PullPolicy | None = None


class PersistentVolumeClaimVolumeSource(KubeModel):
    """The volume that a claim is bound to."""

    claim_name: str
    read_only: Bool | None = None


class PersistentVolumeClaimSpec(KubeModel):
    """What a claim asks for."""

    access_modes: tuple[str, ...] = ()
    selector: LabelSelector | None = None
    resources: VolumeResourceRequirements = VolumeResourceRequirements.zero()
    volume_name: str | None = None
    storage_class_name: str | None = None
    volume_mode: str | None = None
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    volume_attributes_class_name: str | None = None


class PersistentVolumeClaimTemplate(KubeModel):
    """The claim to create for the pod."""

    metadata: ObjectMeta = ObjectMeta.zero()
    spec: PersistentVolumeClaimSpec


class EphemeralVolumeSource(KubeModel):
    """A volume that is claimed and deleted with the pod."""

    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class CSIVolumeSource(KubeModel):
    """An ephemeral volume of a CSI driver."""

    driver: str
    read_only: Bool | None = None
    fs_type: str | None = None
    volume_attributes: FrozenMap[str, str] = FrozenMap()
    node_publish_secret_ref: LocalObjectReference | None = None


class NFSVolumeSource(KubeModel):
    """A directory of an NFS server."""

    server: str
    path: str
    read_only: Bool | None = None


class Volume(KubeModel):
    """A named volume of a pod."""

    name: str
    host_path: HostPathVolumeSource | None = None
    empty_dir: EmptyDirVolumeSource | None = None
    gce_persistent_disk: Unsimulated[GCEPersistentDiskVolumeSource | None] = None
    aws_elastic_block_store: Unsimulated[AWSElasticBlockStoreVolumeSource | None] = None
    git_repo: Unsimulated[GitRepoVolumeSource | None] = None
    secret: SecretVolumeSource | None = None
    nfs: Unsimulated[NFSVolumeSource | None] = None
    iscsi: Unsimulated[ISCSIVolumeSource | None] = None
    glusterfs: Unsimulated[GlusterfsVolumeSource | None] = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    rbd: Unsimulated[RBDVolumeSource | None] = None
    flex_volume: Unsimulated[FlexVolumeSource | None] = None
    cinder: Unsimulated[CinderVolumeSource | None] = None
    cephfs: Unsimulated[CephFSVolumeSource | None] = None
    flocker: Unsimulated[FlockerVolumeSource | None] = None
    downward_api: DownwardAPIVolumeSource | None = None
    fc: Unsimulated[FCVolumeSource | None] = None
    azure_file: Unsimulated[AzureFileVolumeSource | None] = None
    config_map: ConfigMapVolumeSource | None = None
    vsphere_volume: Unsimulated[VsphereVirtualDiskVolumeSource | None] = None
    quobyte: Unsimulated[QuobyteVolumeSource | None] = None
    azure_disk: Unsimulated[AzureDiskVolumeSource | None] = None
    photon_persistent_disk: Unsimulated[PhotonPersistentDiskVolumeSource | None] = None
    projected: ProjectedVolumeSource | None = None
    portworx_volume: Unsimulated[PortworxVolumeSource | None] = None
    scale_io: Unsimulated[ScaleIOVolumeSource | None] = None
    storageos: Unsimulated[StorageOSVolumeSource | None] = None
    csi: Unsimulated[CSIVolumeSource | None] = None
    ephemeral: EphemeralVolumeSource | None = None
    image: Unsimulated[ImageVolumeSource | None] = None
