"""Components: programs that say in types what they need and what they offer.

A component with ``wasi:cli/run`` is a command, one with ``wasi:http/incoming-handler`` answers
requests, and any other function that it exports can be called with plain values. Each run gets
fresh instances; what stays is in the ``SpinContext`` that the caller hands in.

Mirrors: runwasi's wasmtime shim (its target detection), Spin 3's HTTP trigger.
Departs: the memory limit holds for each memory of a component; how much it used is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kubesim.wasm.errors import WasmError
from kubesim.wasm.execution import (
    OUTBOUND,
    STORES,
    Execution,
    HttpExecution,
    Limits,
    Status,
    TimeModel,
    TrapInfo,
    WasiContext,
)
from kubesim.wasm.stores import NO_SPIN, SpinContext
from kubesim.wasm.values import Err
from kubesim.wasm.verdict import PROBE_FUEL, PROBE_MEMORY_BYTES, course, judge
from kubesim.wasm.wasip2 import http
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wire.filetree import restore, snapshot
from kubesim.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from kubesim.wasm.nativecomponent import (
        CompiledComponent,
        ComponentFunction,
        ComponentNative,
    )

COMMAND_INTERFACE = "wasi:cli/run"
HTTP_INTERFACE = "wasi:http/incoming-handler"

_STATEFUL = frozenset({STORES, OUTBOUND})


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """A component that can be run; equal components are one object within an engine.

    Attributes:
        digest: ``sha256:`` and the digest of the bytes.
        size_bytes: Length of the binary.
        imports: The interfaces it imports.
        exports: The interfaces and functions it exports.
        from_cache: Its machine code was taken from disk.
        compiled: Its machine code.
    """

    digest: str
    size_bytes: int
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    from_cache: bool
    compiled: CompiledComponent = field(repr=False)

    @property
    def is_command(self) -> bool:
        """It has a ``wasi:cli/run`` to run."""
        return self.entry(COMMAND_INTERFACE, "run") is not None

    @property
    def is_http_handler(self) -> bool:
        """It answers HTTP requests."""
        return self.entry(HTTP_INTERFACE, "handle") is not None

    @property
    def functions(self) -> dict[str, ComponentFunction]:
        """Its exported functions by name."""
        return self.compiled.functions

    def entry(self, interface: str, name: str) -> ComponentFunction | None:
        """The function of an exported interface, whatever the interface's version."""
        for full_name, function in self.compiled.functions.items():
            exported, _, inner = full_name.partition("#")
            if inner == name and exported.partition("@")[0] == interface:
                return function
        return None


@dataclass(frozen=True, slots=True)
class _Run:
    """Everything that decides what a run does."""

    component: Component
    function: ComponentFunction
    context: WasiContext
    limits: Limits
    time: TimeModel
    spin: SpinContext = NO_SPIN
    request: HttpRequest | None = None
    arguments: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class _Outcome:
    execution: Execution
    value: Any = None
    response: HttpResponse | None = None


class ComponentRunner:
    """Runs components on an engine.

    Args:
        native: The engine.
    """

    def __init__(self, native: ComponentNative) -> None:
        from kubesim.wasm.nativecomponent import ComponentSession  # noqa: PLC0415 - see Engine

        self._native = native
        self._new_session = ComponentSession

    def run(
        self,
        component: Component,
        context: WasiContext,
        limits: Limits,
        *,
        time: TimeModel,
        spin: SpinContext,
    ) -> Execution:
        """Run a command."""
        function = component.entry(COMMAND_INTERFACE, "run")
        if function is None:
            return _not_started(COMMAND_INTERFACE)
        outcome = self._judged(_Run(component, function, context, limits, time, spin))
        execution = outcome.execution
        if execution.status is Status.EXITED and isinstance(outcome.value, Err):
            return replace(execution, exit_code=1)
        return execution

    def handle(
        self,
        component: Component,
        request: HttpRequest,
        context: WasiContext,
        limits: Limits,
        *,
        time: TimeModel,
        spin: SpinContext,
    ) -> HttpExecution:
        """Let a handler answer one request."""
        function = component.entry(HTTP_INTERFACE, "handle")
        failed = HttpResponse(status=500)
        if function is None:
            return HttpExecution(response=failed, execution=_not_started(HTTP_INTERFACE))
        outcome = self._judged(_Run(component, function, context, limits, time, spin, request))
        response = outcome.response if outcome.execution.succeeded else None
        return HttpExecution(response=response or failed, execution=outcome.execution)

    def call(
        self,
        component: Component,
        export: str,
        arguments: Sequence[Any],
        *,
        context: WasiContext,
        limits: Limits,
        time: TimeModel,
    ) -> tuple[Any, Execution]:
        """Call an exported function with values of the component model.

        Raises:
            WasmError: There is no such function, or it takes other arguments.
        """
        function = component.functions.get(export)
        if function is None:
            offered = ", ".join(sorted(component.functions)) or "none"
            raise WasmError(f"exports no function {export}; exported functions: {offered}")
        if len(arguments) != len(function.parameters):
            takes = ", ".join(function.parameters) or "nothing"
            raise WasmError(f"function {export} takes {takes}, not {len(arguments)} arguments")
        run = _Run(component, function, context, limits, time, arguments=arguments)
        outcome = self._judged(run)
        return outcome.value, outcome.execution

    def _judged(self, run: _Run) -> _Outcome:
        """Run once; and once more with more memory, if it may have lacked some."""
        files = snapshot(run.context.preopens.values())
        try:
            outcome = self._once(run)
        except BaseException:
            run.spin.stores.rollback()
            raise
        run.spin.stores.commit()
        execution = outcome.execution
        failed = execution.status is Status.TRAPPED or (
            execution.status is Status.EXITED and isinstance(outcome.value, Err)
        )
        # A run that changed something cannot be tried again.
        if not failed or execution.touched & _STATEFUL:
            return outcome
        if run.limits.memory_bytes >= PROBE_MEMORY_BYTES:
            return outcome
        fuel = min(run.limits.fuel, execution.fuel + run.component.size_bytes + PROBE_FUEL)
        roomy = replace(run.limits, memory_bytes=PROBE_MEMORY_BYTES, fuel=fuel)
        written = snapshot(run.context.preopens.values())
        restore(
            files
        )  # the second run finds what the first one found, and leaves what that one left
        probe = self._once(replace(run, limits=roomy, spin=NO_SPIN)).execution
        restore(written)
        if course(probe) == course(execution):
            return outcome
        message = f"the component needs more than {run.limits.memory_bytes} bytes of memory"
        trap = replace(execution.trap or TrapInfo(message=""), message=message)
        return _Outcome(replace(execution, status=Status.OUT_OF_MEMORY, trap=trap))

    def _once(self, run: _Run) -> _Outcome:
        context, limits = run.context, run.limits
        fuel = limits.fuel
        if context.deadline_ns is not None:
            fuel = max(0, min(fuel, run.time.fuel_within(context.deadline_ns, 0)))
        with self._new_session(
            self._native, run.component.compiled.component, limits, fuel
        ) as session:
            guest = ComponentGuest(
                context, limits, run.time, meter=session, spin=run.spin, request=run.request
            )
            session.guest = guest
            arguments = run.arguments
            if run.request is not None:
                arguments = http.admit(guest, run.request)
            ending, value = session.call(run.component.compiled, run.function, arguments)
            execution = judge(ending, guest, session, memory_bytes=0)
        response = guest.answer.response() if guest.answer is not None else None
        return _Outcome(execution, value, response)


def _not_started(interface: str) -> Execution:
    message = f"the component does not export {interface}"
    return Execution(status=Status.START_FAILED, trap=TrapInfo(message=message))
