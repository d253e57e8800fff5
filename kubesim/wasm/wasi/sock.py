"""Sockets: preview 1 can only use sockets that the host has opened, and this host opens none.

Mirrors: sock_* of wasi_snapshot_preview1.witx.
"""

from __future__ import annotations

from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Guest


def sock_accept(guest: Guest, fd: int, _flags: int, _accepted: int) -> int:
    """Accept a connection: refused."""
    return _refuse(guest, "sock_accept", fd)


def sock_recv(
    guest: Guest, fd: int, _iovs: int, _count: int, _flags: int, _received: int, _out_flags: int
) -> int:
    """Receive from a socket: refused."""
    return _refuse(guest, "sock_recv", fd)


def sock_send(guest: Guest, fd: int, _iovs: int, _count: int, _flags: int, _sent: int) -> int:
    """Send to a socket: refused."""
    return _refuse(guest, "sock_send", fd)


def sock_shutdown(guest: Guest, fd: int, _how: int) -> int:
    """Shut a socket down: refused."""
    return _refuse(guest, "sock_shutdown", fd)


def _refuse(guest: Guest, function: str, fd: int) -> int:
    errno = Errno.ENOTSOCK if fd in guest.descriptors else Errno.EBADF
    return guest.deny(function, f"fd {fd}", errno)
