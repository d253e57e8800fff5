"""The nouns of this room: what a module is given, what it may use up, and what became of it.

Comes in: a ``WasiContext`` (arguments, environment, input, clock, seed, granted directories),
``Limits`` (how much of everything) and a ``TimeModel`` (what the work costs in virtual time). Goes
out: an ``Execution``, a plain value that says how the run ended, what it printed and when, and
what it used. Nothing here knows of an engine, so that every other room can speak of executions
without loading one.

Mirrors: WASI preview 1 (the arguments of a command), wasmtime's ``StoreLimits``.
Departs: virtual time is charged by fuel and host calls; real code has no such constant, its speed
    per unit of fuel varied by 2.7x between workloads when it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from kubesim.wire.filetree import Directory
from kubesim.wire.http import HttpResponse

WASM_PAGE_BYTES = 65_536
NS_PER_US = 1_000

# The slot of a clock, of the random stream, ... in ``Execution.touched``.
CLOCK = "clock"
MONOTONIC = "monotonic"
RANDOM = "random"
FILES = "fs"
STORES = "stores"
OUTBOUND = "outbound"


class Status(Enum):
    """How a run ended.

    Only ``EXITED`` has an exit code of the module's own. ``RUNNING`` is the run that was still
    going when the simulation ended; it is no failure.
    """

    EXITED = "exited"
    TRAPPED = "trapped"
    OUT_OF_FUEL = "out of fuel"
    OUT_OF_MEMORY = "out of memory"
    OUTPUT_LIMIT = "output limit"
    HOST_CALL_LIMIT = "host call limit"
    STACK_OVERFLOW = "stack overflow"
    START_FAILED = "start failed"
    RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of everything one run may use; each limit has its own ``Status``.

    The defaults contained 25 hostile modules in under 250 ms each on two cores at 2e8 fuel. Fuel
    alone is not
    enough: six units of it buy a host call that costs 5 to 20 us of Python.

    Attributes:
        memory_bytes: Linear memory, grown pages included. A refused ``memory.grow`` returns -1.
        table_elements: Entries of all tables together.
        fuel: Units of work; about 8 to a nanosecond of this engine's machine code.
        output_bytes: Standard output and standard error together.
        host_calls: Calls of WASI functions.
        host_bytes: Bytes that WASI functions copy into the guest or look through for it: input,
            files, random bytes, paths, lists of buffers and subscriptions at 64 bytes an entry.
    """

    memory_bytes: int = 64 * 1024 * 1024
    table_elements: int = 10_000
    fuel: int = 10_000_000_000
    output_bytes: int = 1024 * 1024
    host_calls: int = 100_000
    host_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        assert self.memory_bytes >= 0, self.memory_bytes
        assert self.fuel > 0, self.fuel


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeModel:
    """What a run costs in virtual time; a modelling choice to state, not a law of nature.

    Attributes: fuel_per_us: Units of fuel that one microsecond of an unshared core executes.
        Measured natively: 6,500 to 17,700, by workload. host_call_ns: Nanoseconds that a WASI call
        takes; at least 1, so that every look at the clock sees a later time and a guest that spins
        on it comes to an end.
    """

    fuel_per_us: int = 8_000
    host_call_ns: int = 2_000

    def __post_init__(self) -> None:
        assert self.fuel_per_us > 0, self.fuel_per_us
        assert self.host_call_ns > 0, self.host_call_ns

    def cpu_ns(self, fuel: int, host_calls: int) -> int:
        """Nanoseconds of a core that this much work takes."""
        return fuel * NS_PER_US // self.fuel_per_us + host_calls * self.host_call_ns

    def elapsed_ns(self, fuel: int, host_calls: int, sleep_ns: int) -> int:
        """Nanoseconds from the start of a run until it has used this much."""
        return self.cpu_ns(fuel, host_calls) + sleep_ns

    def fuel_within(self, cpu_ns: int, host_calls: int) -> int:
        """The most fuel that leaves work and host calls within ``cpu_ns``; may be negative."""
        return (cpu_ns - host_calls * self.host_call_ns) * self.fuel_per_us // NS_PER_US


@dataclass(frozen=True, slots=True, kw_only=True)
class WasiContext:
    """What a module is given. Nothing is granted that is not in here.

    Attributes: args: The arguments, the program's own name first. env: Environment variables in
        the order in which the guest sees them. stdin: All of standard input. start_ns: The virtual
        wall clock when the run starts, in nanoseconds since 1970. seed: Key of the stream that
        ``random_get`` reads. seed_is_input: The seed was derived from nothing but the run's seed
        and the other inputs here, so that a run which reads random bytes is still a function of
        its input, and worth remembering. deadline_ns: Nanoseconds after the start at which the
        simulation ends and with it the run; ``None`` when it never does. preopens: Directories
        that the guest may read, by the path under which it finds them.
    """

    args: tuple[str, ...] = ("module",)
    env: tuple[tuple[str, str], ...] = ()
    stdin: bytes = b""
    start_ns: int = 0
    seed: bytes = b""
    seed_is_input: bool = False
    deadline_ns: int | None = None
    preopens: Mapping[str, Directory] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.start_ns >= 0, self.start_ns
        assert self.deadline_ns is None or self.deadline_ns >= 0, self.deadline_ns


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """What one write of the guest put out.

    Attributes:
        stream: ``stdout`` or ``stderr``.
        at_ns: Virtual nanoseconds since the start of the run.
        data: The bytes.
    """

    stream: str
    at_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Denied:
    """An access that the guest tried and was not granted.

    Attributes:
        function: The WASI function, such as ``path_open``.
        target: What it was about: a path, or ``fd 7``.
        errno: The name of the error that the guest got, such as ``ENOTCAPABLE``.
    """

    function: str
    target: str
    errno: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrapInfo:
    """Why the guest was stopped.

    Attributes: code: The engine's name for the trap in capitals, such as ``UNREACHABLE``; empty
        when the host stopped it. message: One sentence. frames: Names of the guest's functions,
        innermost first; ``func[7]`` where the module has no names.
    """

    code: str = ""
    message: str
    frames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What became of one run.

    Attributes: status: How it ended. exit_code: The module's exit code; 0 when it returned.
        Meaningful only for ``EXITED``. output: Everything it wrote, in the order and at the
        virtual times it wrote it. fuel: Units of work; after a trap the engine knows only what had
        been counted, so "at least". host_calls: Calls of WASI functions. sleep_ns: Virtual
        nanoseconds it slept. elapsed_ns: Virtual nanoseconds from start to end. memory_bytes:
        Linear memory at the end, which is its peak as memories never shrink; 0 when the module
        does not export its memory. trap: Why it was stopped; ``None`` when it ended by itself.
        touched: What its result may depend on beside its input: ``clock`` (wall time), ``random``,
        ``fs``, ``stores``, ``outbound``; ``monotonic`` is in it for the reader's sake, it depends
        on nothing. denied: What it tried and was not granted.
    """

    status: Status
    exit_code: int = 0
    output: tuple[OutputChunk, ...] = ()
    fuel: int = 0
    host_calls: int = 0
    sleep_ns: int = 0
    elapsed_ns: int = 0
    memory_bytes: int = 0
    trap: TrapInfo | None = None
    touched: frozenset[str] = frozenset()
    denied: tuple[Denied, ...] = ()

    @property
    def succeeded(self) -> bool:
        """It ended by itself with exit code 0."""
        return self.status is Status.EXITED and self.exit_code == 0

    @property
    def cpu_ns(self) -> int:
        """Virtual nanoseconds it kept a core busy."""
        return self.elapsed_ns - self.sleep_ns

    @property
    def stdout(self) -> bytes:
        """Standard output as one piece."""
        return b"".join(chunk.data for chunk in self.output if chunk.stream == "stdout")

    @property
    def stderr(self) -> bytes:
        """Standard error as one piece."""
        return b"".join(chunk.data for chunk in self.output if chunk.stream == "stderr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What an exported function gave back.

    Attributes:
        values: Its results; empty when it did not return.
        execution: How the call went.
    """

    values: tuple[int | float, ...]
    execution: Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpExecution:
    """What a component answered to a request.

    Attributes:
        response: The response; an empty 500 when the handler failed or set none.
        execution: How the handler went.
    """

    response: HttpResponse
    execution: Execution
