"""The state of one run, as the WASI functions see it: clock, descriptors, what it has used.

Virtual time is not kept, it is computed: fuel used so far, host calls so far and nanoseconds slept
make the time since the start. So a guest that only computes moves the clock, and one that asks for
the time moves it, too.

Invariant: the clock never goes back, and no two host calls see the same time.
Invariant: a run that is cut at a deadline has printed exactly what an uncut one prints before that
time. That is why fuel is withdrawn as soon as host calls and sleeps have used up the time that it
stood for.

Mirrors: wasmtime's ``WasiCtx`` and ``Store`` data.
Departs: host calls take a constant time, whatever they do.
"""

from __future__ import annotations

from typing import Protocol

from kubesim.wasm.execution import Denied, Limits, OutputChunk, Status, TimeModel, WasiContext
from kubesim.wasm.wasi.descriptors import Descriptor, first_descriptors
from kubesim.wasm.wasi.errno import Errno

# No sleep is longer than 146 years: so that times fit into 64 bits wherever they end up.
SLEEP_NS_MAX = 1 << 62
# A guest that is refused over and over again needs no endless list of it.
DENIED_MAX = 100
# A call that brings a list of a thousand buffers takes a thousand times as long as one with one.
ENTRY_BYTES = 64


class Fault(Exception):  # noqa: N818 - it is the guest's fault, and becomes its EFAULT
    """The guest named memory that it does not have."""


class Exit(Exception):  # noqa: N818 - leaving is no error
    """The guest asked to end."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Stop(Exception):  # noqa: N818 - a verdict, not an error
    """The host ends the run."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Memory(Protocol):
    """The guest's linear memory; addresses are unsigned, one outside raises ``Fault``."""

    def read(self, address: int, length: int) -> bytes:
        """Copy bytes out of the guest."""

    def write(self, address: int, data: bytes) -> None:
        """Copy bytes into the guest."""

    def write_u32(self, address: int, value: int) -> None:
        """Store a 32-bit number."""

    def write_u64(self, address: int, value: int) -> None:
        """Store a 64-bit number."""


class Meter(Protocol):
    """The engine's fuel gauge of this run."""

    def used(self) -> int:
        """Units of fuel used so far."""

    def restrict(self, total: int) -> None:
        """Let the whole run use no more than ``total``."""

    def exhausted(self) -> bool:
        """Whether all fuel is used; the guest is stopped at its next check at the latest."""


class Guest:
    """One run from the inside.

    Args:
        context: What the module is given.
        limits: What it may use.
        time: What its work costs.
        memory: Its memory.
        meter: Its fuel gauge.
    """

    __slots__ = (
        "_horizon_ns",
        "args",
        "context",
        "denied",
        "descriptors",
        "env",
        "host_bytes",
        "host_calls",
        "limits",
        "memory",
        "meter",
        "output",
        "output_bytes",
        "random_draws",
        "sleep_ns",
        "time",
        "touched",
    )

    def __init__(
        self,
        context: WasiContext,
        limits: Limits,
        time: TimeModel,
        *,
        memory: Memory,
        meter: Meter,
    ) -> None:
        self.context = context
        self.limits = limits
        self.time = time
        self.memory = memory
        self.meter = meter
        self.args = [arg.encode("utf-8", "surrogateescape") + b"\0" for arg in context.args]
        self.env = [f"{k}={v}".encode("utf-8", "surrogateescape") + b"\0" for k, v in context.env]
        self.descriptors: dict[int, Descriptor] = first_descriptors(
            context.stdin, context.preopens
        )
        self.output: list[OutputChunk] = []
        self.output_bytes = 0
        self.host_calls = 0
        self.host_bytes = 0
        self.sleep_ns = 0
        self.random_draws = 0
        self.touched: set[str] = set()
        self.denied: list[Denied] = []
        # With less time than this in host calls and sleeps, no fuel can miss the deadline.
        deadline_ns = context.deadline_ns
        self._horizon_ns = (
            None if deadline_ns is None else deadline_ns - time.cpu_ns(limits.fuel, 0)
        )

    def begin_call(self) -> None:
        """Count a host call; stop the run if it was one too many or comes too late."""
        self.host_calls += 1
        if self.host_calls > self.limits.host_calls:
            message = f"more than {self.limits.host_calls} host calls"
            raise Stop(Status.HOST_CALL_LIMIT, message)
        horizon_ns = self._horizon_ns
        if horizon_ns is not None:
            spent_ns = self.host_calls * self.time.host_call_ns + self.sleep_ns
            if spent_ns >= horizon_ns:
                self._keep_deadline()

    def elapsed_ns(self) -> int:
        """Virtual nanoseconds since the start of the run."""
        return self.time.elapsed_ns(self.meter.used(), self.host_calls, self.sleep_ns)

    def cpu_ns(self) -> int:
        """Virtual nanoseconds this run kept a core busy."""
        return self.time.cpu_ns(self.meter.used(), self.host_calls)

    def sleep(self, duration_ns: int) -> None:
        """Let virtual time pass."""
        assert duration_ns >= 0, duration_ns
        self.sleep_ns = min(self.sleep_ns + duration_ns, SLEEP_NS_MAX)
        deadline_ns = self.context.deadline_ns
        if deadline_ns is None:
            return
        late_ns = self.elapsed_ns() - deadline_ns
        if late_ns >= 0:
            self.sleep_ns -= min(late_ns, duration_ns)
        self._keep_deadline()

    def put(self, stream: str, data: bytes) -> None:
        """Record output; stops the run at the limit, after what still fits."""
        room = self.limits.output_bytes - self.output_bytes
        kept = data[:room]
        if kept:
            self.output_bytes += len(kept)
            self.output.append(OutputChunk(stream, self.elapsed_ns(), kept))
        if len(data) > room:
            message = f"more than {self.limits.output_bytes} bytes of output"
            raise Stop(Status.OUTPUT_LIMIT, message)

    def take_entries(self, count: int) -> None:
        """Account for a list that the host is about to go through."""
        self.take(count * ENTRY_BYTES)

    def take(self, length: int) -> None:
        """Account for bytes that the host is about to make or copy for the guest."""
        self.host_bytes += length
        if self.host_bytes > self.limits.host_bytes:
            message = f"host calls handled more than {self.limits.host_bytes} bytes"
            raise Stop(Status.HOST_CALL_LIMIT, message)

    def deny(self, function: str, target: str, errno: Errno) -> Errno:
        """Record an access that was not granted, and return the error for the guest."""
        if len(self.denied) < DENIED_MAX:
            denial = Denied(function, target, errno.name)
            if denial not in self.denied:
                self.denied.append(denial)
        return errno

    def _keep_deadline(self) -> None:
        deadline_ns = self.context.deadline_ns
        assert deadline_ns is not None
        # The engine checks fuel now and then. All of it used means that the deadline has passed.
        if self.elapsed_ns() >= deadline_ns or self.meter.exhausted():
            raise Stop(Status.RUNNING, "the simulation ended first")
        self.meter.restrict(self.time.fuel_within(deadline_ns - self.sleep_ns, self.host_calls))
