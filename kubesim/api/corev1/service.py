"""Services: one name and address for a changing set of pods.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import Literal

from kubesim.api.corev1.enums import Protocol, ServiceAffinity, ServiceType, TrafficPolicy
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.intstr import IntOrString
from kubesim.api.metav1 import Condition, KubeObject
from kubesim.api.model import Bool, Int32, KubeModel, Unsimulated


class ServicePort(KubeModel):
    """A port of a service and the pods' port behind it."""

    name: str | None = None
    protocol: Protocol | None = None
    app_protocol: str | None = None
    port: Int32
    target_port: IntOrString | None = None
    node_port: Unsimulated[Int32 | None] = None


class ClientIPConfig(KubeModel):
    """How long a client sticks to a pod."""

    timeout_seconds: Int32 | None = None


class SessionAffinityConfig(KubeModel):
    """The settings of session affinity."""

    client_ip: ClientIPConfig | None = None


class ServiceSpec(KubeModel):
    """What a service should be."""

    ports: tuple[ServicePort, ...] = ()
    selector: FrozenMap[str, str] = FrozenMap()
    cluster_ip: str | None = None
    cluster_ips: tuple[str, ...] = ()
    type: ServiceType | None = None
    external_ips: Unsimulated[tuple[str, ...]] = ()
    session_affinity: ServiceAffinity | None = None
    load_balancer_ip: Unsimulated[str | None] = None
    load_balancer_source_ranges: Unsimulated[tuple[str, ...]] = ()
    external_name: Unsimulated[str | None] = None
    external_traffic_policy: TrafficPolicy | None = None
    health_check_node_port: Unsimulated[Int32 | None] = None
    publish_not_ready_addresses: Bool | None = None
    session_affinity_config: SessionAffinityConfig | None = None
    ip_families: Unsimulated[tuple[str, ...]] = ()
    ip_family_policy: Unsimulated[str | None] = None
    allocate_load_balancer_node_ports: Unsimulated[Bool | None] = None
    load_balancer_class: Unsimulated[str | None] = None
    internal_traffic_policy: TrafficPolicy | None = None
    traffic_distribution: str | None = None


class PortStatus(KubeModel):
    """The state of a port of a load balancer."""

    port: Int32
    protocol: Protocol
    error: str | None = None


class LoadBalancerIngress(KubeModel):
    """An address of a load balancer."""

    ip: str | None = None
    hostname: str | None = None
    ip_mode: str | None = None
    ports: tuple[PortStatus, ...] = ()


class LoadBalancerStatus(KubeModel):
    """The load balancer in front of a service."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(KubeModel):
    """What a service is."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus.zero()
    conditions: tuple[Condition, ...] = ()


class Service(KubeObject):
    """A stable name and address for the pods that a selector picks."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Service"] = "Service"
    spec: ServiceSpec = ServiceSpec.zero()
    status: ServiceStatus = ServiceStatus.zero()
