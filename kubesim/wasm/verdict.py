"""What became of a run: from how a session ended to the status of an execution.

Shared by core modules and components. Pure, but for a last look at the gauges.

Mirrors: nothing; runwasi knows only an exit code and an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubesim.wasm.execution import Execution, Status, TrapInfo
from kubesim.wasm.wasi.guest import Guest, Meter

if TYPE_CHECKING:
    from kubesim.wasm.native import Ending

# To see whether a refused memory.grow broke a run, it is run again with this much memory.
PROBE_MEMORY_BYTES = 1 << 30
PROBE_FUEL = 100_000


def judge(ending: Ending, guest: Guest, meter: Meter, *, memory_bytes: int) -> Execution:
    """Turn how a session ended into what became of the run."""
    fuel = meter.used()
    elapsed_ns = guest.time.elapsed_ns(fuel, guest.host_calls, guest.sleep_ns)
    status, trap = _status_of(ending)
    deadline_ns = guest.context.deadline_ns
    cut = meter.exhausted() and fuel < guest.limits.fuel
    if deadline_ns is not None and (cut or elapsed_ns >= deadline_ns):
        # Its fuel was less than its limit, because a deadline comes first.
        status = Status.RUNNING
    if status is Status.RUNNING:
        assert deadline_ns is not None
        trap = None
        elapsed_ns = deadline_ns
    return Execution(
        status=status,
        exit_code=ending.exit.code if ending.exit else 0,
        output=tuple(guest.output),
        fuel=fuel,
        host_calls=guest.host_calls,
        sleep_ns=guest.sleep_ns,
        elapsed_ns=elapsed_ns,
        memory_bytes=memory_bytes,
        trap=trap,
        touched=frozenset(guest.touched),
        denied=tuple(guest.denied),
    )


_TRAP_STATUS = {
    "OUT_OF_FUEL": Status.OUT_OF_FUEL,
    "STACK_OVERFLOW": Status.STACK_OVERFLOW,
    "ALLOCATION_TOO_LARGE": Status.OUT_OF_MEMORY,
}


def _status_of(ending: Ending) -> tuple[Status, TrapInfo | None]:
    if ending.exit is not None:
        return Status.EXITED, None
    if ending.stop is not None:
        frames = ending.trap.frames if ending.trap else ()
        return ending.stop.status, TrapInfo(message=ending.stop.message, frames=frames)
    if ending.trap is not None:
        return _TRAP_STATUS.get(ending.trap.code, Status.TRAPPED), ending.trap
    if ending.refused:
        too_large = "memory minimum size" in ending.refused
        status = Status.OUT_OF_MEMORY if too_large else Status.START_FAILED
        return status, TrapInfo(message=ending.refused)
    return Status.EXITED, None


def course(execution: Execution) -> tuple[object, ...]:
    """Everything by which two runs can be told apart."""
    return (
        execution.status,
        execution.exit_code,
        execution.fuel,
        execution.host_calls,
        execution.output,
    )
