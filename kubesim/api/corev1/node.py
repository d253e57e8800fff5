"""Nodes: the machines of the cluster.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import Literal

from pydantic import Field

from kubesim.api.corev1.scheduling import Taint
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ConditionStatus, KubeObject, Time
from kubesim.api.model import Bool, Int32, Int64, KubeModel, Unsimulated
from kubesim.api.quantity import Quantity


class ConfigMapNodeConfigSource(KubeModel):
    """A ConfigMap with a kubelet configuration."""

    namespace: str
    name: str
    uid: str | None = None
    resource_version: str | None = None
    kubelet_config_key: str


class NodeConfigSource(KubeModel):
    """Where a node's kubelet configuration comes from."""

    config_map: ConfigMapNodeConfigSource | None = None


class NodeSpec(KubeModel):
    """What a node should be."""

    pod_cidr: str | None = None
    pod_cidrs: tuple[str, ...] = ()
    provider_id: str | None = None
    unschedulable: Bool | None = None
    taints: tuple[Taint, ...] = ()
    config_source: Unsimulated[NodeConfigSource | None] = None
    external_id: Unsimulated[str | None] = None


class NodeAddress(KubeModel):
    """An address or name of a node."""

    type: str
    address: str


class NodeCondition(KubeModel):
    """One yes-or-no fact about a node."""

    type: str
    status: ConditionStatus
    last_heartbeat_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class NodeConfigStatus(KubeModel):
    """Which kubelet configuration is in use."""

    assigned: NodeConfigSource | None = None
    active: NodeConfigSource | None = None
    last_known_good: NodeConfigSource | None = None
    error: str | None = None


class DaemonEndpoint(KubeModel):
    """A port of a daemon."""

    port: Int32 = Field(alias="Port")


class NodeDaemonEndpoints(KubeModel):
    """The daemons that run on a node."""

    kubelet_endpoint: DaemonEndpoint = DaemonEndpoint.zero()


class NodeFeatures(KubeModel):
    """What the container runtime of a node can do."""

    supplemental_groups_policy: Bool | None = None


class ContainerImage(KubeModel):
    """An image that is present on a node."""

    names: tuple[str, ...] = ()
    size_bytes: Int64 | None = None


class NodeSwapStatus(KubeModel):
    """The swap space of a node."""

    capacity: Int64 | None = None


class NodeSystemInfo(KubeModel):
    """The versions and ids of a node."""

    machine_id: str
    system_uuid: str
    boot_id: str
    kernel_version: str
    os_image: str
    container_runtime_version: str
    kubelet_version: str
    kube_proxy_version: str
    operating_system: str
    architecture: str
    swap: NodeSwapStatus | None = None


class NodeRuntimeHandlerFeatures(KubeModel):
    """What a runtime handler can do."""

    recursive_read_only_mounts: Bool | None = None
    user_namespaces: Bool | None = None


class NodeRuntimeHandler(KubeModel):
    """A runtime handler that a node offers."""

    name: str | None = None
    features: NodeRuntimeHandlerFeatures | None = None


class AttachedVolume(KubeModel):
    """A volume that is attached to a node."""

    name: str
    device_path: str


class NodeStatus(KubeModel):
    """What a node is, as the kubelet reports it."""

    capacity: FrozenMap[str, Quantity] = FrozenMap()
    allocatable: FrozenMap[str, Quantity] = FrozenMap()
    phase: str | None = None
    conditions: tuple[NodeCondition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    daemon_endpoints: NodeDaemonEndpoints = NodeDaemonEndpoints.zero()
    node_info: NodeSystemInfo = NodeSystemInfo.zero()
    images: tuple[ContainerImage, ...] = ()
    volumes_in_use: tuple[str, ...] = ()
    volumes_attached: tuple[AttachedVolume, ...] = ()
    config: NodeConfigStatus | None = None
    runtime_handlers: tuple[NodeRuntimeHandler, ...] = ()
    features: NodeFeatures | None = None
    declared_features: tuple[str, ...] = ()


class Node(KubeObject):
    """A machine of the cluster."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Node"] = "Node"
    spec: NodeSpec = NodeSpec.zero()
    status: NodeStatus = NodeStatus.zero()
