"""Remembering what a module answered: what makes a million requests affordable.

A run that looked at no wall clock, drew no random bytes, read no file, used no store and called
nobody is a function of what it was given. So its ``Execution`` may be replayed for the same
module, arguments, environment, input, limits and time model, whatever the clock and the seed are by
then. A run that did look is never replayed, with one exception: when the caller says that the seed
itself follows from the input, a run that drew random bytes is remembered together with the seed.

Sound by construction, since the key holds everything else: had the run read anything that is not
in the key, it would be in ``Execution.touched``. A deadline is not in the key either: a run that
ended before the deadline of another one goes there just the same, and only such a run is replayed.

Mirrors: nothing in a cluster; real hosts execute every request.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import blake2b

from kubesim.wasm.component import Component
from kubesim.wasm.engine import COMMAND_ENTRY, Engine, Module
from kubesim.wasm.execution import (
    CLOCK,
    FILES,
    OUTBOUND,
    RANDOM,
    STORES,
    Execution,
    HttpExecution,
    Limits,
    Status,
    TimeModel,
    WasiContext,
)
from kubesim.wasm.interfaces import COMPONENT_ABI_VERSION
from kubesim.wasm.stores import NO_SPIN, SpinContext
from kubesim.wasm.wasi.table import HOST_ABI_VERSION
from kubesim.wire.http import HttpRequest, HttpResponse

Key = tuple[object, ...]

NEVER_REPLAYED = frozenset({CLOCK, FILES, STORES, OUTBOUND})


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
        remembers: Whether it remembers at all; without, everything is executed.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        entries_max: int = 10_000,
        bytes_max: int = 64 * 1024 * 1024,
        remembers: bool = True,
    ) -> None:
        self._engine = engine
        self._remembers = remembers
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._known: OrderedDict[Key, _Entry] = OrderedDict()
        self._bytes = 0
        self.statistics = MemoStatistics()

    def __len__(self) -> int:
        return len(self._known)

    def run(
        self,
        module: Module | Component,
        context: WasiContext,
        limits: Limits,
        *,
        time: TimeModel,
        entry: str = COMMAND_ENTRY,
        spin: SpinContext = NO_SPIN,
    ) -> Execution:
        """Run a module, or replay what an equal run gave; parameters as for ``Engine.run``."""
        key = (self._key(module, context, limits, time, spin), entry)
        remembered = self._recall(key, context)
        if remembered is not None:
            return remembered.execution
        execution = self._engine.run(module, context, limits, time=time, entry=entry, spin=spin)
        self._keep(key, context, _Entry(execution))
        return execution

    def handle(
        self,
        component: Component,
        request: HttpRequest,
        context: WasiContext,
        limits: Limits,
        *,
        time: TimeModel,
        spin: SpinContext = NO_SPIN,
    ) -> HttpExecution:
        """Answer a request, or replay an equal answer; parameters as for ``Engine.handle``."""
        key = (self._key(component, context, limits, time, spin), request)
        remembered = self._recall(key, context)
        if remembered is not None:
            assert remembered.response is not None
            return HttpExecution(response=remembered.response, execution=remembered.execution)
        handled = self._engine.handle(component, request, context, limits, time=time, spin=spin)
        entry = _Entry(handled.execution, handled.response, len(request.body))
        self._keep(key, context, entry)
        return handled

    def _key(
        self,
        module: Module | Component,
        context: WasiContext,
        limits: Limits,
        time: TimeModel,
        spin: SpinContext,
    ) -> Key:
        common = (
            module.digest,
            context.args,
            context.env,
            context.stdin,
            # The names are seen by every program, the contents only by one that reads files.
            tuple(context.preopens),
            limits,
            time,
            self._engine.version,
        )
        if isinstance(module, Module):
            return (*common, HOST_ABI_VERSION)
        # What is in the stores is seen only by a run that touches them.
        return (*common, HOST_ABI_VERSION, COMPONENT_ABI_VERSION, *spin.grants)

    def _recall(self, key: Key, context: WasiContext) -> _Entry | None:
        """What an equal run gave, if it would have given it in this context, too."""
        candidates = (key, (*key, context.seed)) if context.seed_is_input else (key,)
        deadline_ns = context.deadline_ns
        for candidate in candidates:
            entry = self._known.get(candidate)
            if entry is not None:
                if deadline_ns is not None and entry.execution.elapsed_ns >= deadline_ns:
                    break
                self._known.move_to_end(candidate)
                self.statistics.hits += 1
                return entry
        self.statistics.misses += 1
        return None

    def _keep(self, key: Key, context: WasiContext, entry: _Entry) -> None:
        size = _size_bytes(context, entry)
        if not self._remembers or size > self._bytes_max or not _replayable(context, entry):
            self.statistics.unreplayable += 1
            return
        entry.size_bytes = size
        drew = RANDOM in entry.execution.touched
        self._known[(*key, context.seed) if drew else key] = entry
        self._bytes += size
        while len(self._known) > self._entries_max or self._bytes > self._bytes_max:
            _, forgotten = self._known.popitem(last=False)
            self._bytes -= forgotten.size_bytes


@dataclass(slots=True)
class _Entry:
    """A remembered run.

    Attributes:
        execution: How it went.
        response: What it answered, of a component that answers requests.
        size_bytes: How much it takes; the size of the request before it is kept.
    """

    execution: Execution
    response: HttpResponse | None = None
    size_bytes: int = 0


def _replayable(context: WasiContext, entry: _Entry) -> bool:
    """Whether a run is a function of its key."""
    execution = entry.execution
    if execution.status is Status.RUNNING or execution.touched & NEVER_REPLAYED:
        return False
    if RANDOM in execution.touched and not context.seed_is_input:
        return False
    # How deep the stack gets is the machine's business, not the input's.
    return execution.status is not Status.STACK_OVERFLOW


def with_input_seed(
    context: WasiContext, *, run_seed: bytes, module: Module | Component
) -> WasiContext:
    """The same context, its seed made of the run's seed, the module and the input alone.

    Most modules draw random bytes only to seed their hash tables. With this seed such a run is a
    function of its input again, and can be replayed.
    """
    digest = blake2b(run_seed, digest_size=32)
    given = (module.digest, context.args, context.env, context.stdin, tuple(context.preopens))
    digest.update(repr(given).encode("utf-8", "surrogateescape"))
    return replace(context, seed=digest.digest(), seed_is_input=True)


def _size_bytes(context: WasiContext, entry: _Entry) -> int:
    given = sum(len(name) + len(value) for name, value in context.env) + sum(
        map(len, context.args)
    )
    answered = len(entry.response.body) if entry.response is not None else 0
    printed = sum(len(chunk.data) for chunk in entry.execution.output)
    return entry.size_bytes + given + len(context.stdin) + printed + answered
