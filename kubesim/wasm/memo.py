"""Remembering what a module answered: what makes a million requests affordable.

A run that looked at no wall clock, drew no random bytes and read no file is a function of what it
was given. So its ``Execution`` may be replayed for the same module, arguments, environment, input,
limits and time model, whatever the clock and the seed are by then. A run that did look is never
replayed, with one exception: when the caller says that the seed itself follows from the input, a
run that drew random bytes is remembered together with the seed.

Sound by construction, since the key holds everything else: had the run read anything that is not
in the key, it would be in ``Execution.touched``. A deadline is not in the key either: a run that
ended before the deadline of another one goes there just the same, and only such a run is replayed.

Mirrors: nothing in a cluster; real hosts execute every request.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import blake2b

from kubesim.wasm.engine import COMMAND_ENTRY, Engine, Module
from kubesim.wasm.execution import (
    CLOCK,
    FILES,
    RANDOM,
    Execution,
    Limits,
    Status,
    TimeModel,
    WasiContext,
)
from kubesim.wasm.wasi.table import HOST_ABI_VERSION

Key = tuple[object, ...]

_NEVER_REPLAYED = frozenset({CLOCK, FILES})


@dataclass(slots=True)
class MemoStatistics:
    """How often it helped.

    Attributes:
        hits: Runs that were replayed.
        misses: Runs that were executed.
        unreplayable: Those of the misses whose result could not be kept.
    """

    hits: int = 0
    misses: int = 0
    unreplayable: int = 0


class Memo:
    """An engine's ``run`` that remembers; what it returns is what the engine would return.

    Args:
        engine: The engine that executes.
        entries_max: How many results are kept; the least recently used is forgotten first.
        bytes_max: How many bytes of input and output are kept with them.
    """

    def __init__(
        self, engine: Engine, *, entries_max: int = 10_000, bytes_max: int = 64 * 1024 * 1024
    ) -> None:
        self._engine = engine
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._known: OrderedDict[Key, tuple[Execution, int]] = OrderedDict()
        self._bytes = 0
        self.statistics = MemoStatistics()

    def __len__(self) -> int:
        return len(self._known)

    def run(
        self,
        module: Module,
        context: WasiContext,
        limits: Limits,
        *,
        time: TimeModel,
        entry: str = COMMAND_ENTRY,
    ) -> Execution:
        """Run a module, or replay what an equal run gave; parameters as for ``Engine.run``."""
        key = self._key(module, context, limits, time, entry)
        remembered = self._recall(key, context)
        if remembered is not None:
            self.statistics.hits += 1
            return remembered
        self.statistics.misses += 1
        execution = self._engine.run(module, context, limits, time=time, entry=entry)
        if not self._keep(key, context, execution):
            self.statistics.unreplayable += 1
        return execution

    def _key(
        self, module: Module, context: WasiContext, limits: Limits, time: TimeModel, entry: str
    ) -> Key:
        return (
            module.digest,
            context.args,
            context.env,
            context.stdin,
            # The names are seen by every program, the contents only by one that reads files.
            tuple(context.preopens),
            limits,
            time,
            entry,
            self._engine.version,
            HOST_ABI_VERSION,
        )

    def _recall(self, key: Key, context: WasiContext) -> Execution | None:
        """What an equal run gave, if it would have given it in this context, too."""
        candidates = (key, (*key, context.seed)) if context.seed_is_input else (key,)
        for candidate in candidates:
            entry = self._known.get(candidate)
            if entry is not None:
                execution = entry[0]
                deadline_ns = context.deadline_ns
                if deadline_ns is not None and execution.elapsed_ns >= deadline_ns:
                    return None
                self._known.move_to_end(candidate)
                return execution
        return None

    def _keep(self, key: Key, context: WasiContext, execution: Execution) -> bool:
        drew = RANDOM in execution.touched
        if execution.status is Status.RUNNING or execution.touched & _NEVER_REPLAYED:
            return False
        if drew and not context.seed_is_input:
            return False
        if execution.status is Status.STACK_OVERFLOW:
            return False  # how deep the stack gets is the machine's business, not the input's
        kept_as = (*key, context.seed) if drew else key
        size = _size_bytes(context, execution)
        if size > self._bytes_max:
            return False
        self._known[kept_as] = (execution, size)
        self._bytes += size
        while len(self._known) > self._entries_max or self._bytes > self._bytes_max:
            _, (_, forgotten) = self._known.popitem(last=False)
            self._bytes -= forgotten
        return True


def with_input_seed(context: WasiContext, *, run_seed: bytes, module: Module) -> WasiContext:
    """The same context, its seed made of the run's seed, the module and the input alone.

    Most modules draw random bytes only to seed their hash tables. With this seed such a run is a
    function of its input again, and can be replayed.
    """
    digest = blake2b(run_seed, digest_size=32)
    given = (module.digest, context.args, context.env, context.stdin, tuple(context.preopens))
    digest.update(repr(given).encode("utf-8", "surrogateescape"))
    return replace(context, seed=digest.digest(), seed_is_input=True)


def _size_bytes(context: WasiContext, execution: Execution) -> int:
    given = sum(len(name) + len(value) for name, value in context.env) + sum(
        map(len, context.args)
    )
    return given + len(context.stdin) + sum(len(chunk.data) for chunk in execution.output)
