"""What the API server gives a Service: an address inside the cluster, and ports on every node.

Mirrors: pkg/registry/core/service/{storage/alloc.go,ipallocator,portallocator}.
Departs: addresses are given out in order (upstream: at random from the upper part of the range); an
address or port is free again when its Service is gone, there is no allocation to repair.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection

from kubesim.api.corev1 import Service
from kubesim.api.fielderrors import FieldError, invalid

SERVICE_CIDR = ipaddress.IPv4Network("10.96.0.0/12")  # kubeadm's default
RESERVED = 256
"""By convention .1 is the API server's own Service and .10 the cluster's DNS."""
NODE_PORTS = range(30_000, 32_768)  # --service-node-port-range
STATIC_PORTS = 86
"""The lower end of the range is left to those who choose a port themselves."""
ON_NODES = ("NodePort", "LoadBalancer")

Choose = Callable[[int, int], int]


def allocated(
    service: Service, others: Collection[Service], *, first: int, choose: Choose
) -> tuple[Service, list[FieldError]]:
    """The Service with what it did not choose itself, and what is wrong with what it did.

    Args:
        service: A new Service, or one that changes.
        others: All others.
        first: From which address on a free one is looked for.
        choose: A number between two, for a port.
    """
    service, errors = _with_address(service, others, first)
    if errors or service.spec.type not in ON_NODES:
        return service, errors
    if service.spec.type == "LoadBalancer" and (
        service.spec.allocate_load_balancer_node_ports is False
    ):
        return service, errors
    return _with_ports(service, others, choose)


def _with_address(
    service: Service, others: Collection[Service], first: int
) -> tuple[Service, list[FieldError]]:
    spec = service.spec
    if spec.type == "ExternalName" or spec.cluster_ip == "None":
        return service, []
    taken = {other.spec.cluster_ip for other in others}
    if spec.cluster_ip:
        problem = _address_problem(spec.cluster_ip, taken)
        text = f"failed to allocate IP {spec.cluster_ip}: {problem}"
        path = ("spec", "clusterIPs")
        return service, [invalid(path, [spec.cluster_ip], text)] if problem else []
    number = RESERVED + first
    while str(SERVICE_CIDR.network_address + number) in taken:
        number += 1
    address = str(SERVICE_CIDR.network_address + number)
    return service.replace(spec=spec.replace(cluster_ip=address, cluster_ips=(address,))), []


def _address_problem(address: str, taken: Collection[str | None]) -> str:
    try:
        if ipaddress.IPv4Address(address) not in SERVICE_CIDR:
            return (
                f"the provided IP ({address}) is not in the valid range. "
                f"The range of valid IPs is {SERVICE_CIDR}"
            )
    except ValueError:
        return f"the provided IP ({address}) is no IPv4 address"
    return "provided IP is already allocated" if address in taken else ""


def _with_ports(
    service: Service, others: Collection[Service], choose: Choose
) -> tuple[Service, list[FieldError]]:
    taken = {(p.protocol, p.node_port) for other in others for p in other.spec.ports}
    errors: list[FieldError] = []
    for index, port in enumerate(service.spec.ports):
        if not port.node_port:
            continue
        path = ("spec", "ports", index, "nodePort")
        if port.node_port not in NODE_PORTS:
            text = (
                "provided port is not in the valid range. "
                f"The range of valid ports is {NODE_PORTS[0]}-{NODE_PORTS[-1]}"
            )
            errors.append(invalid(path, port.node_port, text))
        elif (port.protocol, port.node_port) in taken:
            errors.append(invalid(path, port.node_port, "provided port is already allocated"))
        taken.add((port.protocol, port.node_port))
    ports = []
    for port in service.spec.ports:
        number = port.node_port
        while not number or (not port.node_port and (port.protocol, number) in taken):
            number = choose(NODE_PORTS[STATIC_PORTS], NODE_PORTS[-1])
        taken.add((port.protocol, number))
        ports.append(port.replace(node_port=number) if number != port.node_port else port)
    return service.replace(spec=service.spec.replace(ports=tuple(ports))), errors
