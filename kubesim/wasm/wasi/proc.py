"""The end of a run by its own will, and giving way to others.

Mirrors: proc_* and sched_yield of wasi_snapshot_preview1.witx.
Departs: proc_raise is refused, as in wasmtime: there are no signals.
"""

from __future__ import annotations

from typing import NoReturn

from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Exit, Guest


def proc_exit(_guest: Guest, code: int) -> NoReturn:
    """End the run with an exit code."""
    raise Exit(code)


def proc_raise(guest: Guest, signal: int) -> int:
    """Send the own process a signal: refused."""
    return guest.deny("proc_raise", f"signal {signal}", Errno.ENOSYS)


def sched_yield(_guest: Guest) -> int:
    """Give way to other threads, of which there are none."""
    return Errno.SUCCESS
