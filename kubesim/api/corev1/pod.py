"""Pods, and the templates they are made from.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import Literal

from kubesim.api.corev1.affinity import Affinity
from kubesim.api.corev1.container import Container, EphemeralContainer
from kubesim.api.corev1.containerstatus import ContainerStatus
from kubesim.api.corev1.enums import (
    DNSPolicy,
    PodPhase,
    PodQOSClass,
    PreemptionPolicy,
    RestartPolicy,
)
from kubesim.api.corev1.references import LocalObjectReference, ObjectReference
from kubesim.api.corev1.resources import (
    NodeAllocatableResourceClaimStatus,
    PodExtendedResourceClaimStatus,
    PodResourceClaim,
    PodResourceClaimStatus,
    ResourceRequirements,
)
from kubesim.api.corev1.scheduling import (
    PodReadinessGate,
    PodSchedulingGate,
    PodSchedulingGroup,
    Toleration,
    TopologySpreadConstraint,
)
from kubesim.api.corev1.security import PodSecurityContext
from kubesim.api.corev1.volume import Volume
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ConditionStatus, KubeObject, ObjectMeta, Time
from kubesim.api.model import Bool, Int32, Int64, KubeModel, Unsimulated
from kubesim.api.quantity import Quantity


class HostAlias(KubeModel):
    """A line of the pod's hosts file."""

    ip: str
    hostnames: tuple[str, ...] = ()


class PodDNSConfigOption(KubeModel):
    """An option of the resolver."""

    name: str | None = None
    value: str | None = None


class PodDNSConfig(KubeModel):
    """DNS settings of the pod."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class PodOS(KubeModel):
    """The operating system the pod is made for."""

    name: str


class PodSpec(KubeModel):
    """What a pod should be."""

    volumes: tuple[Volume, ...] = ()
    init_containers: tuple[Container, ...] = ()
    containers: tuple[Container, ...]
    ephemeral_containers: Unsimulated[tuple[EphemeralContainer, ...]] = ()
    restart_policy: RestartPolicy | None = None
    termination_grace_period_seconds: Int64 | None = None
    active_deadline_seconds: Int64 | None = None
    dns_policy: Unsimulated[DNSPolicy | None] = None
    node_selector: FrozenMap[str, str] = FrozenMap()
    service_account_name: str | None = None
    service_account: Unsimulated[str | None] = None
    automount_service_account_token: Unsimulated[Bool | None] = None
    node_name: str | None = None
    host_network: Unsimulated[Bool | None] = None
    host_pid: Unsimulated[Bool | None] = None
    host_ipc: Unsimulated[Bool | None] = None
    share_process_namespace: Unsimulated[Bool | None] = None
    security_context: Unsimulated[PodSecurityContext | None] = None
    image_pull_secrets: Unsimulated[tuple[LocalObjectReference, ...]] = ()
    hostname: Unsimulated[str | None] = None
    subdomain: Unsimulated[str | None] = None
    affinity: Affinity | None = None
    scheduler_name: str | None = None
    tolerations: tuple[Toleration, ...] = ()
    host_aliases: Unsimulated[tuple[HostAlias, ...]] = ()
    priority_class_name: str | None = None
    priority: Int32 | None = None
    dns_config: Unsimulated[PodDNSConfig | None] = None
    readiness_gates: tuple[PodReadinessGate, ...] = ()
    runtime_class_name: str | None = None
    enable_service_links: Unsimulated[Bool | None] = None
    preemption_policy: PreemptionPolicy | None = None
    overhead: FrozenMap[str, Quantity] = FrozenMap()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    set_hostname_as_fqdn: Unsimulated[Bool | None] = None
    os: Unsimulated[PodOS | None] = None
    host_users: Unsimulated[Bool | None] = None
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    resource_claims: Unsimulated[tuple[PodResourceClaim, ...]] = ()
    resources: ResourceRequirements | None = None
    hostname_override: Unsimulated[str | None] = None
    scheduling_group: Unsimulated[PodSchedulingGroup | None] = None


class PodCondition(KubeModel):
    """One yes-or-no fact about a pod."""

    type: str
    observed_generation: Int64 | None = None
    status: ConditionStatus
    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class HostIP(KubeModel):
    """An address of the pod's node."""

    ip: str


class PodIP(KubeModel):
    """An address of the pod."""

    ip: str


class PodStatus(KubeModel):
    """What a pod is, as the control plane and the kubelet see it."""

    observed_generation: Int64 | None = None
    phase: PodPhase | None = None
    conditions: tuple[PodCondition, ...] = ()
    message: str | None = None
    reason: str | None = None
    nominated_node_name: str | None = None
    host_ip: str | None = None
    host_ips: tuple[HostIP, ...] = ()
    pod_ip: str | None = None
    pod_ips: tuple[PodIP, ...] = ()
    start_time: Time | None = None
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    qos_class: PodQOSClass | None = None
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    resize: str | None = None
    resource_claim_statuses: tuple[PodResourceClaimStatus, ...] = ()
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    allocated_resources: FrozenMap[str, Quantity] = FrozenMap()
    resources: ResourceRequirements | None = None
    node_allocatable_resource_claim_statuses: tuple[NodeAllocatableResourceClaimStatus, ...] = ()


class Pod(KubeObject):
    """Containers which run together on one node: the unit of scheduling."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Pod"] = "Pod"
    spec: PodSpec = PodSpec.zero()
    status: PodStatus = PodStatus.zero()


class PodTemplateSpec(KubeModel):
    """The pod that a controller creates."""

    metadata: ObjectMeta = ObjectMeta.zero()
    spec: PodSpec = PodSpec.zero()


class Binding(KubeObject):
    """The order to bind a pod to a node."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Binding"] = "Binding"
    target: ObjectReference
