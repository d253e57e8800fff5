"""Endpoint slices: the addresses behind a service.

Mirrors: staging/src/k8s.io/api/discovery/v1/types.go.
"""

from typing import Literal

from kubesim.api.corev1.enums import Protocol
from kubesim.api.corev1.references import ObjectReference
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import Bool, Int32, KubeModel

AddressType = Literal["IPv4", "IPv6", "FQDN"]


class EndpointConditions(KubeModel):
    """Whether an endpoint takes traffic."""

    ready: Bool | None = None
    serving: Bool | None = None
    terminating: Bool | None = None


class ForZone(KubeModel):
    """A zone that should use an endpoint."""

    name: str


class ForNode(KubeModel):
    """A node that should use an endpoint."""

    name: str


class EndpointHints(KubeModel):
    """Who should use an endpoint."""

    for_zones: tuple[ForZone, ...] = ()
    for_nodes: tuple[ForNode, ...] = ()


class Endpoint(KubeModel):
    """One backend of a service."""

    addresses: tuple[str, ...]
    conditions: EndpointConditions = EndpointConditions.zero()
    hostname: str | None = None
    target_ref: ObjectReference | None = None
    deprecated_topology: FrozenMap[str, str] = FrozenMap()
    node_name: str | None = None
    zone: str | None = None
    hints: EndpointHints | None = None


class EndpointPort(KubeModel):
    """A port that all endpoints of a slice have."""

    name: str | None = None
    protocol: Protocol | None = None
    port: Int32 | None = None
    app_protocol: str | None = None


class EndpointSlice(KubeObject):
    """Some of the backends of a service."""

    api_version: Literal["discovery.k8s.io/v1"] = "discovery.k8s.io/v1"
    kind: Literal["EndpointSlice"] = "EndpointSlice"
    address_type: AddressType
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()
