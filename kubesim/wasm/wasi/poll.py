"""Waiting: the one call of preview 1 in which time passes while nothing is computed.

A guest subscribes to clocks and descriptors. Descriptors are always ready (input is all there,
output never blocks); if it waits for clocks only, virtual time moves on to the first that is due,
and all that are due then are reported.

Mirrors: poll_oneoff of wasi_snapshot_preview1.witx.
"""

from __future__ import annotations

from struct import Struct

from kubesim.wasm.wasi import clock
from kubesim.wasm.wasi.descriptors import Input, OpenFile
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Guest

SUBSCRIPTIONS_MAX = 1024

_CLOCK = 0
_FD_READ = 1
_FD_WRITE = 2
_ABSOLUTE = 1

_SUBSCRIPTION = Struct("<QB39x")
_CLOCK_SUBSCRIPTION = Struct("<16xI4xQ8xH6x")
_FD_SUBSCRIPTION = Struct("<16xI28x")
_EVENT = Struct("<QHB5xQH6x")


def poll_oneoff(guest: Guest, subscriptions: int, events: int, count: int, written: int) -> int:
    """Wait until something of what the guest subscribed to has happened."""
    if not 0 < count <= SUBSCRIPTIONS_MAX:
        return Errno.EINVAL
    guest.take_entries(count)
    raw = guest.memory.read(subscriptions, count * _SUBSCRIPTION.size)
    waits: list[tuple[int, bytes]] = []
    for at in range(0, len(raw), _SUBSCRIPTION.size):
        one = raw[at : at + _SUBSCRIPTION.size]
        userdata, kind = _SUBSCRIPTION.unpack(one)
        if kind == _CLOCK:
            waits.append(_clock_wait(guest, userdata, one))
        elif kind in {_FD_READ, _FD_WRITE}:
            waits.append((0, _descriptor_event(guest, userdata, kind, one)))
        else:
            return Errno.EINVAL
    wait_ns = min(due_ns for due_ns, _ in waits)
    if wait_ns:
        guest.sleep(wait_ns)
    due = [event for due_ns, event in waits if due_ns == wait_ns]
    guest.memory.write(events, b"".join(due))
    guest.memory.write_u32(written, len(due))
    return Errno.SUCCESS


def _clock_wait(guest: Guest, userdata: int, subscription: bytes) -> tuple[int, bytes]:
    """Nanoseconds until a clock is due, and the event that tells it."""
    clock_id, timeout_ns, flags = _CLOCK_SUBSCRIPTION.unpack(subscription)
    if clock_id not in {clock.REALTIME_ID, clock.MONOTONIC_ID}:
        return 0, _EVENT.pack(userdata, Errno.ENOTSUP, _CLOCK, 0, 0)
    if flags & _ABSOLUTE:
        timeout_ns = max(0, timeout_ns - clock.read(guest, clock_id))
    return timeout_ns, _EVENT.pack(userdata, Errno.SUCCESS, _CLOCK, 0, 0)


def _descriptor_event(guest: Guest, userdata: int, kind: int, subscription: bytes) -> bytes:
    (fd,) = _FD_SUBSCRIPTION.unpack(subscription)
    descriptor = guest.descriptors.get(fd)
    if descriptor is None:
        return _EVENT.pack(userdata, Errno.EBADF, kind, 0, 0)
    available = 0
    if kind == _FD_READ:
        if isinstance(descriptor, Input):
            available = len(descriptor.data) - descriptor.position
        elif isinstance(descriptor, OpenFile):
            available = max(0, len(descriptor.node.data) - descriptor.position)
    return _EVENT.pack(userdata, Errno.SUCCESS, kind, available, 0)
