"""Clocks: the simulation's wall clock, and three that begin with the run.

Every reading is later than the one before, because asking takes time, too: a guest that spins
until a time has come does come to its end.

Mirrors: clock_* of wasi_snapshot_preview1.witx.
Departs: wasmtime's own host has no CPU-time clocks; here they count fuel and host calls.
"""

from __future__ import annotations

from kubesim.wasm.execution import CLOCK, MONOTONIC
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Guest

REALTIME_ID = 0
MONOTONIC_ID = 1
PROCESS_CPU_ID = 2
THREAD_CPU_ID = 3
CLOCK_IDS = (REALTIME_ID, MONOTONIC_ID, PROCESS_CPU_ID, THREAD_CPU_ID)

RESOLUTION_NS = 1
U64_MASK = (1 << 64) - 1


def clock_res_get(guest: Guest, clock: int, resolution: int) -> int:
    """How fine the clock is, in nanoseconds."""
    if clock not in CLOCK_IDS:
        return Errno.EINVAL
    guest.memory.write_u64(resolution, RESOLUTION_NS)
    return Errno.SUCCESS


def clock_time_get(guest: Guest, clock: int, _precision: int, time: int) -> int:
    """The time of a clock, in nanoseconds."""
    if clock not in CLOCK_IDS:
        return Errno.EINVAL
    guest.memory.write_u64(time, read(guest, clock) & U64_MASK)
    return Errno.SUCCESS


def read(guest: Guest, clock: int) -> int:
    """The time of a clock, in nanoseconds; remembers that the guest has seen it."""
    if clock == REALTIME_ID:
        guest.touched.add(CLOCK)
        return guest.context.start_ns + guest.elapsed_ns()
    guest.touched.add(MONOTONIC)
    if clock == MONOTONIC_ID:
        return guest.elapsed_ns()
    return guest.cpu_ns()
