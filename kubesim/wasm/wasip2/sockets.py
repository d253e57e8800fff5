"""wasi:sockets: names are looked up and TCP connections opened where that was granted.

What is granted stands among the hosts that may be called, as ``tcp://db:5432`` or ``*://db:*``; without
any such entry no socket can be made. A connection leads through the pod's network to a Service, whose
programs speak HTTP: a request that the guest writes is sent when it reads, and what it reads is the
answer. The n-th exchange costs n runs, as ``stores`` says of other calls.

Mirrors: wasi:sockets@0.2 {network, ip-name-lookup, tcp, tcp-create-socket, udp-create-socket}; Spin
    crates/factor-outbound-networking (``tcp`` as the scheme of a connection, no listening).
Departs: a name may be granted, where Spin wants addresses; an exchange is one HTTP/1.1 request with a
    Content-Length and its answer, and who speaks otherwise is answered 400 and closed; nobody can
    listen; UDP is refused; connecting takes no time of its own; options are accepted and change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubesim.wasm.execution import OUTBOUND
from kubesim.wasm.stores import Reply
from kubesim.wasm.values import OK, Case, Err, Ok
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wasm.wasip2.http1 import BAD_REQUEST, parse_request, response_bytes
from kubesim.wasm.wasip2.io import InputStream, OutputStream, Pollable
from kubesim.wasm.wasip2.resources import Functions, resource_number
from kubesim.wire.http import CONNECT_SCHEME, LOOKUP_SCHEME, HttpRequest

_NETWORK, _TCP = resource_number("network"), resource_number("tcp-socket")
_ADDRESSES = resource_number("resolve-address-stream")
_INPUT, _OUTPUT = resource_number("input-stream"), resource_number("output-stream")
_POLLABLE = resource_number("pollable")

_DENIED = Err("access-denied")
_INVALID = Err("invalid-state")
_ERRORS = {
    "connection-refused": "connection-refused",
    "connection-timeout": "timeout",
    "connection-terminated": "connection-reset",
}


@dataclass(slots=True)
class Addresses:
    """What a name stands for, as far as it was not read yet."""

    left: list[str]


@dataclass(slots=True)
class TcpSocket:
    """A socket.

    Attributes:
        family: ``ipv4`` or ``ipv6``.
        remote: Address and port that it is, or is to be, connected to.
        is_connected: Whether it is.
        sent: What the guest has written and nobody has read.
    """

    family: str
    remote: tuple[str, int] | None = None
    is_connected: bool = False
    sent: bytearray = field(default_factory=bytearray)


def instance_network(guest: ComponentGuest) -> int:
    """The network; what can be done on it is decided later."""
    return guest.own(_NETWORK, "network")


def resolve_addresses(guest: ComponentGuest, _network: int, name: str) -> Ok | Err:
    """Look up a name, if a socket to it was granted."""
    guest.take(len(name))
    if not guest.spin.allows_name(name):
        return _refused(guest, "resolve-addresses", name)
    reply = _asked(guest, HttpRequest(host=name), LOOKUP_SCHEME)
    if reply.response is None:
        return Err("name-unresolvable")
    address = reply.response.body.decode("ascii")
    guest.spin.stores.names[address] = name
    return Ok(guest.own(_ADDRESSES, Addresses([address])))


def resolve_next_address(guest: ComponentGuest, number: int) -> Ok | Err:
    """The next address of a name, if there is one."""
    left = guest.get(number, Addresses).left
    return Ok(Case("ipv4", _numbers(left.pop(0))) if left else None)


def create_tcp_socket(guest: ComponentGuest, family: str) -> Ok | Err:
    """A socket, if anything at all may be connected to."""
    if not guest.spin.has_sockets:
        return _refused(guest, "create-tcp-socket", family)
    return Ok(guest.own(_TCP, TcpSocket(family)))


def create_udp_socket(guest: ComponentGuest, family: str) -> Err:
    """Refused."""
    return _refused(guest, "create-udp-socket", family)


def start_connect(guest: ComponentGuest, number: int, _network: int, address: Case) -> Ok | Err:
    """Begin to connect, if that was granted."""
    socket = guest.get(number, TcpSocket)
    if socket.remote is not None:
        return _INVALID
    if address.tag != socket.family:
        return Err("invalid-argument")
    if address.tag != "ipv4":
        return Err("remote-unreachable")
    port, numbers = address.value
    ip = ".".join(map(str, numbers))
    hosts = (ip, guest.spin.stores.names.get(ip, ip))
    if not any(guest.spin.allows("tcp", f"{host}:{port}") for host in hosts):
        return _refused(guest, "tcp-socket.start-connect", f"tcp://{ip}:{port}")
    socket.remote = (ip, port)
    return OK


def finish_connect(guest: ComponentGuest, number: int) -> Ok | Err:
    """The streams of the connection, or why there is none."""
    socket = guest.get(number, TcpSocket)
    if socket.remote is None or socket.is_connected:
        return Err("not-in-progress")
    host = "{}:{}".format(*socket.remote)
    reply = _asked(guest, HttpRequest(method="CONNECT", host=host), CONNECT_SCHEME)
    if reply.response is None:
        socket.remote = None
        return Err(_ERRORS.get(reply.error.tag, "remote-unreachable"))
    socket.is_connected = True

    def write(writer: ComponentGuest, data: bytes) -> None:
        writer.take(len(socket.sent))
        socket.sent.extend(data)

    def fill(reader: ComponentGuest, stream: InputStream) -> None:
        stream.data, stream.position = _exchanged(reader, socket, host), 0

    streams = (InputStream(b"", fill=fill), OutputStream(write))
    return Ok((guest.own(_INPUT, streams[0]), guest.own(_OUTPUT, streams[1])))


def _exchanged(guest: ComponentGuest, socket: TcpSocket, host: str) -> bytes:
    """What the peer answers to what it was sent; nothing when it closes the connection."""
    found = parse_request(bytes(socket.sent), host)
    if found is None:
        return b""
    request, length = found
    if request is None:
        socket.sent.clear()
        return BAD_REQUEST
    del socket.sent[:length]
    reply = _asked(guest, request, "http")
    return b"" if reply.response is None else response_bytes(reply.response, request.method)


def _asked(guest: ComponentGuest, request: HttpRequest, scheme: str) -> Reply:
    """What the world outside of the pod says; the guest waits for it."""
    guest.touched.add(OUTBOUND)
    if guest.spin.outbound is None:
        return Reply(None, 0, Case("destination-not-found"))
    reply = guest.spin.outbound(request, scheme)
    guest.sleep(reply.took_ns)
    return reply


def remote_address(guest: ComponentGuest, number: int) -> Ok | Err:
    """Whom it is connected to."""
    socket = guest.get(number, TcpSocket)
    if not socket.is_connected or socket.remote is None:
        return _INVALID
    ip, port = socket.remote
    return Ok(Case("ipv4", (port, _numbers(ip))))


def address_family(guest: ComponentGuest, number: int) -> str:
    """IPv4 or IPv6."""
    return guest.get(number, TcpSocket).family


def shutdown(guest: ComponentGuest, number: int, _how: str) -> Ok | Err:
    """No more is sent, or read."""
    return OK if guest.get(number, TcpSocket).is_connected else _INVALID


def subscribe(guest: ComponentGuest, _number: int) -> int:
    """Something that is always ready: whatever is asked for waits by itself."""
    return guest.own(_POLLABLE, Pollable())


def start_bind(guest: ComponentGuest, number: int, _network: int, _address: Case) -> Err:
    """Refused: a component does not listen."""
    guest.get(number, TcpSocket)
    return _refused(guest, "tcp-socket.start-bind", f"resource {number}")


def not_listening(_guest: ComponentGuest, _number: int) -> bool:
    """No socket listens here."""
    return False


def out_of_order(guest: ComponentGuest, number: int, *_: Any) -> Err:
    """What only a socket can do that is bound or listens."""
    guest.get(number, TcpSocket)
    return _INVALID


def set_option(guest: ComponentGuest, number: int, _value: Any) -> Ok:
    """Accepted."""
    guest.get(number, TcpSocket)
    return OK


def _refused(guest: ComponentGuest, function: str, target: str) -> Err:
    guest.deny(function, target, Errno.ENOTCAPABLE)
    return _DENIED


def _numbers(address: str) -> tuple[int, ...]:
    return tuple(map(int, address.split(".")))


_OPTIONS = ("keep-alive-enabled", "keep-alive-idle-time", "keep-alive-interval", "keep-alive-count",
            "hop-limit", "receive-buffer-size", "send-buffer-size", "listen-backlog-size")  # fmt: skip

INSTANCE_NETWORK: Functions = {"instance-network": instance_network}
TCP_CREATE: Functions = {"create-tcp-socket": create_tcp_socket}
UDP_CREATE: Functions = {"create-udp-socket": create_udp_socket}
NAME_LOOKUP: Functions = {
    "resolve-addresses": resolve_addresses,
    "[method]resolve-address-stream.resolve-next-address": resolve_next_address,
    "[method]resolve-address-stream.subscribe": subscribe,
}
TCP: Functions = {
    "[method]tcp-socket.start-connect": start_connect,
    "[method]tcp-socket.finish-connect": finish_connect,
    "[method]tcp-socket.remote-address": remote_address,
    "[method]tcp-socket.address-family": address_family,
    "[method]tcp-socket.shutdown": shutdown,
    "[method]tcp-socket.subscribe": subscribe,
    "[method]tcp-socket.start-bind": start_bind,
    "[method]tcp-socket.is-listening": not_listening,
    **{
        f"[method]tcp-socket.{name}": out_of_order
        for name in ("finish-bind", "start-listen", "finish-listen", "accept", "local-address")
    },
    **{f"[method]tcp-socket.set-{name}": set_option for name in _OPTIONS},
}
