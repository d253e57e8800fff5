"""Executions that take as long as they really took: this machine's clock in place of fuel.

The engine runs everything as always and says what it used; then the time on the wall takes the place
of what the time model made of it. Nothing is remembered, since a replayed run takes no time. What a
guest sleeps stays virtual, and so does the clock that it sees while it runs: that one still goes by
fuel. Such a run is another one each time it is made.

Mirrors: nothing; it is what a stopwatch beside a real shim would show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from kubesim.wasm.component import Component
from kubesim.wasm.engine import COMMAND_ENTRY, Module
from kubesim.wasm.execution import (
    Execution,
    HttpExecution,
    Limits,
    Status,
    TimeModel,
    WasiContext,
)
from kubesim.wasm.stores import NO_SPIN, SpinContext
from kubesim.wire.http import HttpRequest

Clock = Callable[[], int]
"""Nanoseconds on the wall; only differences mean something."""


class Runner(Protocol):
    """Whoever runs modules: an engine, a memo, a stopwatch."""

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
        """Run a module once; see ``Engine.run``."""
        ...

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
        """Let a component answer a request; see ``Engine.handle``."""
        ...


class Stopwatch:
    """A runner whose executions take as long as they took.

    Args:
        runner: Who runs them; it must remember nothing.
        clock: The clock on the wall.
    """

    def __init__(self, runner: Runner, clock: Clock) -> None:
        self._runner = runner
        self._clock = clock

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
        """Run a module once, and take the time."""
        began_ns = self._clock()
        execution = self._runner.run(module, context, limits, time=time, entry=entry, spin=spin)
        return measured(execution, self._clock() - began_ns)

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
        """Let a component answer a request, and take the time."""
        began_ns = self._clock()
        handled = self._runner.handle(component, request, context, limits, time=time, spin=spin)
        took_ns = self._clock() - began_ns
        return replace(handled, execution=measured(handled.execution, took_ns))


def measured(execution: Execution, took_ns: int) -> Execution:
    """The execution as if it had kept a core busy for so long; its output is spread alike."""
    if execution.status is Status.RUNNING:  # it was cut where the simulation ends
        return execution
    elapsed_ns = max(1, took_ns) + execution.sleep_ns
    before_ns = max(1, execution.elapsed_ns)
    output = tuple(
        replace(chunk, at_ns=chunk.at_ns * elapsed_ns // before_ns) for chunk in execution.output
    )
    return replace(execution, elapsed_ns=elapsed_ns, output=output)
