"""The engine: takes a module, runs it in a sandbox of its own, and says what became of it.

``load`` turns bytes into a ``Module``: looks at what they are, compiles them or takes the machine
code from the cache, and links them with WASI. ``run`` makes one fresh instance with its own
memory, fuel and output, calls ``_start``, and throws the instance away; nothing of a run is left
for the next one. Everything a guest can do wrong is a ``Status``.

The same module with the same context, limits and time model gives the same ``Execution``, byte for
byte and to the unit of fuel, in every process.

Mirrors: runwasi's Engine (crates/containerd-shim-wasm/src/sandbox), wasmtime run.
Departs: how deep a recursion gets before STACK_OVERFLOW depends on the machine; fuel after a trap
    is "at least". A refused memory.grow returns -1 to the guest, where a kernel would kill it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubesim.wasm.cache import ArtifactCache, default_directory
from kubesim.wasm.compiling import TRUSTED_BYTES_MAX, compile_guarded
from kubesim.wasm.component import Component, ComponentRunner
from kubesim.wasm.errors import WasmError
from kubesim.wasm.execution import (
    Called,
    Execution,
    HttpExecution,
    Limits,
    Status,
    TimeModel,
    TrapInfo,
    WasiContext,
)
from kubesim.wasm.exports import ExportedFunction
from kubesim.wasm.stores import NO_SPIN, SpinContext
from kubesim.wasm.verdict import PROBE_FUEL, PROBE_MEMORY_BYTES, course, judge
from kubesim.wasm.wasi.guest import Guest
from kubesim.wire.filetree import Snapshot, restore, snapshot
from kubesim.wire.http import HttpRequest

if TYPE_CHECKING:
    from kubesim.wasm.native import Compiled

COMMAND_ENTRY = "_start"
REACTOR_ENTRY = "_initialize"
MODULE_BYTES_MAX = 64 * 1024 * 1024

_MAGIC = b"\0asm"
_CORE_VERSION = b"\x01\0\0\0"
_COMPONENT_LAYER = b"\x01\0"

_DEFAULT_LIMITS = Limits()
_DEFAULT_TIME = TimeModel()


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """A module that can be run; equal modules are one object within an engine.

    Attributes:
        digest: ``sha256:`` and the digest of the bytes.
        size_bytes: Length of the binary.
        imports: What it imports, as ``module.name``.
        exports: Names of everything it exports.
        from_cache: Its machine code was taken from disk.
        compiled: Its machine code.
    """

    digest: str
    size_bytes: int
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    from_cache: bool
    compiled: Compiled = field(repr=False)

    @property
    def is_command(self) -> bool:
        """It has a ``_start`` to run."""
        return COMMAND_ENTRY in self.functions

    @property
    def functions(self) -> dict[str, ExportedFunction]:
        """Its exported functions by name, with their types."""
        return self.compiled.functions


class Engine:
    """Loads and runs modules; one a process is enough.

    Args:
        cache_directory: Where machine code is kept; the user's cache folder by default.
        use_cache: Whether it is kept at all.
        module_bytes_max: The largest module that is accepted.
        trusted_bytes_max: The largest module that is compiled in this very process, see
            ``compiling``.
        trusts_components: That holds for components, too.
        compile_seconds: How long a child process may compile; by default as long as is usual for a
            module of its size.
    """

    def __init__(
        self,
        *,
        cache_directory: Path | None = None,
        use_cache: bool = True,
        module_bytes_max: int = MODULE_BYTES_MAX,
        trusted_bytes_max: int = TRUSTED_BYTES_MAX,
        trusts_components: bool = False,
        compile_seconds: int | None = None,
    ) -> None:
        # Only here, so that a command which runs no module does not load 30 MB of engine.
        from kubesim.wasm import native, nativecomponent, nativeengine  # noqa: PLC0415

        self.native = native.Native()
        self.native_components = nativecomponent.ComponentNative()
        self._runner = ComponentRunner(self.native_components)
        self._new_session = native.Session
        self._module_bytes_max = module_bytes_max
        self._trusted_bytes_max = trusted_bytes_max
        self._trusts_components = trusts_components
        self._compile_seconds = compile_seconds
        self._modules: dict[str, Module | Component] = {}
        self._cache: ArtifactCache | None = None
        if use_cache:
            directory = cache_directory or default_directory()
            self._cache = ArtifactCache(directory, settings=nativeengine.settings_digest())
        self.version = f"wasmtime {nativeengine.VERSION}"

    def load(self, wasm: bytes) -> Module | Component:
        """Make a module or a component ready to run.

        Args:
            wasm: A core module or a component in its binary form.

        Raises:
            WasmError: The bytes are neither, or it imports what nobody offers.
        """
        digest = f"sha256:{sha256(wasm).hexdigest()}"
        known = self._modules.get(digest)
        if known is not None:
            return known
        is_component = _is_component(wasm, bytes_max=self._module_bytes_max)
        native = self.native_components if is_component else self.native
        cached = self._cache.read(digest) if self._cache else None
        binary = native.deserialize(cached) if cached is not None else None
        from_cache = binary is not None
        if binary is None:
            binary = self._compile(wasm, is_component=is_component)
        if is_component:
            loaded: Module | Component = self._component(digest, wasm, binary, from_cache)
        else:
            loaded = self._module(digest, wasm, binary, from_cache)
        if self._cache and not from_cache:
            self._cache.write(digest, bytes(binary.serialize()))
        self._modules[digest] = loaded
        return loaded

    def _compile(self, wasm: bytes, *, is_component: bool) -> Any:
        """Machine code of a module, made here or, if that might take long, in a child process."""
        native = self.native_components if is_component else self.native
        if len(wasm) <= self._trusted_bytes_max and (self._trusts_components or not is_component):
            return native.compile(wasm)
        artifact = compile_guarded(wasm, is_component=is_component, seconds=self._compile_seconds)
        binary = native.deserialize(artifact)
        assert binary is not None, "the child has other settings"
        return binary

    def _module(self, digest: str, wasm: bytes, binary: Any, from_cache: bool) -> Module:
        compiled = self.native.link(binary)
        return Module(
            digest=digest,
            size_bytes=len(wasm),
            imports=compiled.imports,
            exports=compiled.exports,
            from_cache=from_cache,
            compiled=compiled,
        )

    def _component(self, digest: str, wasm: bytes, binary: Any, from_cache: bool) -> Component:
        compiled = self.native_components.link(binary)
        return Component(
            digest=digest,
            size_bytes=len(wasm),
            imports=compiled.imports,
            exports=compiled.exports,
            from_cache=from_cache,
            compiled=compiled,
        )

    def run(
        self,
        module: Module | Component,
        context: WasiContext,
        limits: Limits = _DEFAULT_LIMITS,
        *,
        time: TimeModel = _DEFAULT_TIME,
        entry: str = COMMAND_ENTRY,
        spin: SpinContext = NO_SPIN,
    ) -> Execution:
        """Run a module or a command component once, in an instance of its own.

        Args:
            module: What ``load`` returned.
            context: What the module is given.
            limits: What it may use.
            time: What its work costs in virtual time.
            entry: The exported function to call; it takes and gives nothing. Components have one.
            spin: What a component is granted beside the context.
        """
        if isinstance(module, Component):
            return self._runner.run(module, context, limits, time=time, spin=spin)
        function = module.functions.get(entry)
        if function is None or function.parameters or function.results:
            return _not_started(module, entry)
        run = _Run(module, context, limits, time, entry)
        return self._execute(run).execution

    def handle(
        self,
        component: Component,
        request: HttpRequest,
        context: WasiContext,
        limits: Limits = _DEFAULT_LIMITS,
        *,
        time: TimeModel = _DEFAULT_TIME,
        spin: SpinContext = NO_SPIN,
    ) -> HttpExecution:
        """Let a fresh instance of a ``wasi:http`` component answer one request.

        Args:
            component: What ``load`` returned.
            request: The request.
            context: What the component is given beside it.
            limits: What it may use.
            time: What its work costs in virtual time.
            spin: Its stores, variables and outbound hosts.
        """
        return self._runner.handle(component, request, context, limits, time=time, spin=spin)

    def call_component(
        self,
        component: Component,
        export: str,
        *arguments: Any,
        limits: Limits = _DEFAULT_LIMITS,
    ) -> tuple[Any, Execution]:
        """Call an exported function of a component with values; its result, and how it went.

        Raises:
            WasmError: There is no such function, or it takes other arguments.
        """
        return self._runner.call(
            component, export, arguments, context=WasiContext(), limits=limits, time=_DEFAULT_TIME
        )

    def call(
        self,
        module: Module,
        export: str,
        *arguments: float,
        context: WasiContext | None = None,
        limits: Limits = _DEFAULT_LIMITS,
        time: TimeModel = _DEFAULT_TIME,
    ) -> Called:
        """Call an exported function with numbers in a fresh instance, such as ``add`` with 2, 3.

        Args:
            module: What ``load`` returned.
            export: The name of the function.
            *arguments: One number for each parameter. Integers may be given signed or unsigned.
            context: What the module is given beside them; nothing by default.
            limits: What it may use.
            time: What its work costs in virtual time.

        Raises:
            WasmError: There is no such function, or it takes other arguments.
        """
        function = module.functions.get(export)
        if function is None:
            raise WasmError(_no_such_function(module, export))
        if len(arguments) != len(function.parameters):
            takes = f"takes {len(function.parameters)} arguments, not {len(arguments)}"
            raise WasmError(f"function {export} {takes}")
        if function.other_types:
            kinds = ", ".join(function.other_types)
            raise WasmError(f"function {export} uses {kinds}, not only numbers")
        given = context if context is not None else WasiContext()
        return self._execute(_Run(module, given, limits, time, export, arguments))

    def _execute(self, run: _Run) -> Called:
        files = snapshot(run.context.preopens.values())
        called = self._once(run)
        execution = called.execution
        failed = execution.status is Status.TRAPPED or (
            execution.status is Status.EXITED and execution.exit_code != 0
        )
        if not failed or not self._lacked_memory(run, execution, files):
            return called
        message = f"the module needs more than {run.limits.memory_bytes} bytes of memory"
        trap = replace(execution.trap or TrapInfo(message=""), message=message)
        verdict = replace(execution, status=Status.OUT_OF_MEMORY, trap=trap)
        return Called(values=(), execution=verdict)

    def _lacked_memory(self, run: _Run, execution: Execution, files: Snapshot) -> bool:
        """Whether a failed run had been refused memory.

        The engine does not tell. But runs are deterministic: if the same run with more memory goes
        another way, and be it by a unit of fuel, then it was refused some. It may use no more fuel
        than the first one did, so that it cannot fill much of what it is given. It finds the files as
        the first run found them, and leaves them as that one left them.
        """
        if run.limits.memory_bytes >= PROBE_MEMORY_BYTES:
            return False
        fuel = min(run.limits.fuel, execution.fuel + run.module.size_bytes + PROBE_FUEL)
        roomy = replace(run.limits, memory_bytes=PROBE_MEMORY_BYTES, fuel=fuel)
        written = snapshot(run.context.preopens.values())
        restore(files)
        probe = self._once(replace(run, limits=roomy)).execution
        restore(written)
        return course(probe) != course(execution)

    def _once(self, run: _Run) -> Called:
        context, limits = run.context, run.limits
        fuel = limits.fuel
        if context.deadline_ns is not None:
            fuel = max(0, min(fuel, run.time.fuel_within(context.deadline_ns, 0)))
        is_reactor = REACTOR_ENTRY in run.module.functions
        is_reactor = is_reactor and run.entry not in {COMMAND_ENTRY, REACTOR_ENTRY}
        names = [REACTOR_ENTRY, run.entry] if is_reactor else [run.entry]
        with self._new_session(self.native, limits, fuel) as session:
            guest = Guest(context, limits, run.time, memory=session.memory, meter=session)
            session.guest = guest
            ending = session.call(run.module.compiled, names, run.arguments)
            execution = judge(ending, guest, session, memory_bytes=session.memory.size_bytes)
        return Called(values=ending.values, execution=execution)


@dataclass(frozen=True, slots=True)
class _Run:
    """Everything that decides what a run does."""

    module: Module
    context: WasiContext
    limits: Limits
    time: TimeModel
    entry: str
    arguments: Sequence[float] = ()


def _is_component(wasm: bytes, *, bytes_max: int) -> bool:
    """Whether the bytes claim to be a component; or else a core module.

    Raises:
        WasmError: They are neither, or too many.
    """
    if len(wasm) > bytes_max:
        message = f"is too large: {len(wasm)} bytes, at most {bytes_max} are accepted"
        raise WasmError(message)
    if not wasm.startswith(_MAGIC):
        raise WasmError(f"is not a WebAssembly module: {_what_else(wasm)}")
    version = wasm[4:8]
    if version == _CORE_VERSION:
        return False
    if version[2:] == _COMPONENT_LAYER:
        return True
    raise WasmError(f"is not a WebAssembly module: unknown version {version.hex()}")


def _what_else(content: bytes) -> str:
    if not content:
        return "it is empty"
    if content.lstrip().startswith((b"(module", b"(component", b";;")):
        return "it is WebAssembly text; translate it to the binary form first"
    if content.startswith(b"\x1f\x8b"):
        return "it is a gzip archive"
    if content.startswith(b"\x7fELF"):
        return "it is a machine program (ELF)"
    return f"it begins with {content[:4].hex()} instead of {_MAGIC.hex()}"


def _no_such_function(module: Module, name: str) -> str:
    offered = ", ".join(sorted(module.functions)) or "none"
    return f"exports no function {name}; exported functions: {offered}"


def _not_started(module: Module, entry: str) -> Execution:
    message = f"the module {_no_such_function(module, entry)}"
    if entry in module.functions:
        message = f"the function {entry} takes or gives values and cannot be an entry point"
    return Execution(status=Status.START_FAILED, trap=TrapInfo(message=message))
