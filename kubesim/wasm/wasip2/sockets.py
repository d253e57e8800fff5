"""wasi:sockets: every attempt to open one is refused and recorded.

Mirrors: wasi:sockets@0.2, as a host without a granted network answers.
Departs: no network can be granted; what a component may reach it reaches by wasi:http.
"""

from __future__ import annotations

from kubesim.wasm.values import Err
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wasm.wasip2.resources import Functions, resource_number

_NETWORK = resource_number("network")


def instance_network(guest: ComponentGuest) -> int:
    """A network on which nothing can be done."""
    return guest.own(_NETWORK, "network")


def create_tcp_socket(guest: ComponentGuest, family: str) -> Err:
    """Refused."""
    return _refused(guest, "create-tcp-socket", family)


def create_udp_socket(guest: ComponentGuest, family: str) -> Err:
    """Refused."""
    return _refused(guest, "create-udp-socket", family)


def resolve_addresses(guest: ComponentGuest, _network: int, name: str) -> Err:
    """Refused."""
    return _refused(guest, "resolve-addresses", name)


def _refused(guest: ComponentGuest, function: str, target: str) -> Err:
    guest.deny(function, target, Errno.ENOTCAPABLE)
    return Err("access-denied")


INSTANCE_NETWORK: Functions = {"instance-network": instance_network}
TCP_CREATE: Functions = {"create-tcp-socket": create_tcp_socket}
UDP_CREATE: Functions = {"create-udp-socket": create_udp_socket}
NAME_LOOKUP: Functions = {"resolve-addresses": resolve_addresses}
