"""Scheduler guests in the sandbox: an instance that stays, called again and again.

A program runs once and is thrown away; a scheduler plugin keeps what it learned at one extension
point for the next, so its instance lives on. Every call has fuel of its own, memory is limited, and
a guest that traps is replaced by a fresh instance, as upstream replaces it.

Mirrors: kube-scheduler-wasm-extension, scheduler/plugin/guest.go.
Departs: wasmtime's public API, which takes some microseconds more a host call than ``native`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any

import wasmtime

from kubesim.wasm.cache import ArtifactCache, default_directory
from kubesim.wasm.errors import WasmError
from kubesim.wasm.execution import Limits, TimeModel, WasiContext
from kubesim.wasm.exports import ExportedFunction
from kubesim.wasm.nativeengine import SETTINGS, settings_digest
from kubesim.wasm.schedulerguest import IMPORTS, Call, GuestError, require_points
from kubesim.wasm.schedulerguest import HostFunction as SchedulerFunction
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Exit, Fault, Guest, Stop
from kubesim.wasm.wasi.table import FUNCTIONS, MODULE, HostFunction

ENTRIES = ("_initialize", "_start")
TIME = TimeModel()
LIMITS = Limits(memory_bytes=256 * 1024 * 1024, fuel=2_000_000_000)
"""For one call: a quarter of a second of an unshared core, and the memory of a Go program."""


class SchedulerGuest:
    """One plugin: its module, and the instance that is called.

    Args:
        wasm: The module, built for kube-scheduler-wasm-extension.
        config: The plugin's arguments as JSON; the guest reads them when it starts.
        cached: Whether machine code is taken from and kept on disk.

    Raises:
        WasmError: If it is no module, is no plugin, or imports what nobody offers.
    """

    def __init__(self, wasm: bytes, *, config: str = "", cached: bool = True) -> None:
        settings = wasmtime.Config()
        for name, value in SETTINGS.items():
            setattr(settings, name, value)
        self._engine = wasmtime.Engine(settings)
        self._module = _compiled(self._engine, wasm, cached=cached)
        self._config = config
        self._offered = {
            **{(MODULE, function.name): function for function in FUNCTIONS},
            **{(function.module, function.name): function for function in IMPORTS},
        }
        _require_known(self._module, self._offered)
        self.points = require_points(_functions(self._module))
        self._instance: _Instance | None = None

    def call(self, point: str, call: Call) -> int:
        """Call an extension point; returns its raw result, 0 where there is none.

        Raises:
            GuestError: If the guest does not return.
        """
        call.config = self._config
        if self._instance is None:
            self._instance = _Instance(self._engine, self._module, self._offered, call)
        try:
            return self._instance.invoke(point, call)
        except GuestError:
            self._instance = None
            raise


class _Instance:
    """A store with one instance in it.

    Attributes:
        memory: The guest's memory.
        call: What the call under way is about.
    """

    def __init__(
        self, engine: wasmtime.Engine, module: wasmtime.Module, offered: Any, call: Call
    ) -> None:
        self._store = wasmtime.Store(engine)
        self._store.set_limits(
            memory_size=LIMITS.memory_bytes, table_elements=LIMITS.table_elements, instances=1
        )
        self._store.set_fuel(LIMITS.fuel)
        self.call = call
        self.memory = _Memory(self._store)
        self._raised: BaseException | None = None
        self._begin(call)
        linker = wasmtime.Linker(engine)
        for entry in module.imports:
            function = offered[entry.module, entry.name]
            kind = entry.type
            assert isinstance(kind, wasmtime.FuncType), entry.name
            linker.define_func(entry.module, entry.name or "", kind, self._bridge(function))
        self._instance = self._guarded(lambda: linker.instantiate(self._store, module))
        exports = self._instance.exports(self._store)
        memory = exports.get("memory")
        if not isinstance(memory, wasmtime.Memory):
            raise WasmError("guest doesn't export memory[memory]")
        self.memory.bind(memory)
        self._exports = exports
        for name in ENTRIES:
            entry_point = exports.get(name)
            if isinstance(entry_point, wasmtime.Func):
                self._guarded(partial(entry_point, self._store), may_exit=True)

    def invoke(self, point: str, call: Call) -> int:
        """Call an exported function."""
        self._begin(call)
        function = self._exports[point]
        assert isinstance(function, wasmtime.Func), point
        result = self._guarded(lambda: function(self._store))
        return int(result) & 0xFFFFFFFFFFFFFFFF if result is not None else 0

    def used(self) -> int:
        """Units of fuel that this call used so far."""
        return LIMITS.fuel - self._store.get_fuel()

    def restrict(self, total: int) -> None:
        """Let the call use no more than ``total``; there is no deadline here."""

    def exhausted(self) -> bool:
        """Whether all fuel of this call is used."""
        return self._store.get_fuel() == 0

    def _begin(self, call: Call) -> None:
        self.call = call
        self._raised = None
        self._store.set_fuel(LIMITS.fuel)
        context = WasiContext(args=("plugin",))
        self._guest = Guest(context, LIMITS, TIME, memory=self.memory, meter=self)

    def _guarded(self, work: Callable[[], Any], *, may_exit: bool = False) -> Any:
        """Run guest code; whatever ends it before it returns is a ``GuestError``."""
        try:
            return work()
        except (wasmtime.Trap, wasmtime.WasmtimeError, Exit, Stop) as error:
            raised = self._raised
            if isinstance(raised, Exit) and raised.code == 0 and may_exit:
                return None
            said = b"".join(chunk.data for chunk in self._guest.output).decode("utf-8", "replace")
            why = f"exit code {raised.code}" if isinstance(raised, Exit) else str(raised or error)
            detail = said.strip() or why.strip().splitlines()[-1].strip()
            raise GuestError(detail) from None

    def _bridge(self, function: SchedulerFunction | HostFunction) -> Callable[..., Any]:
        def bridge(*arguments: int) -> int | None:
            try:
                # The Python API gives signed numbers; addresses and sizes are not.
                return self._host_call(function, [value & 0xFFFFFFFF for value in arguments])
            except BaseException as error:
                self._raised = error
                raise

        def wide_bridge(*arguments: int) -> int | None:
            assert isinstance(function, HostFunction)
            masks = {"i": 0xFFFFFFFF, "l": 0xFFFFFFFFFFFFFFFF}
            pairs = zip(arguments, function.parameters, strict=True)
            try:
                return self._host_call(function, [value & masks[kind] for value, kind in pairs])
            except BaseException as error:
                self._raised = error
                raise

        return wide_bridge if isinstance(function, HostFunction) else bridge

    def _host_call(
        self, function: SchedulerFunction | HostFunction, arguments: list[int]
    ) -> int | None:
        self._guest.begin_call()
        if isinstance(function, SchedulerFunction):
            try:
                return function.work(self, *arguments)
            except Fault:
                raise GuestError(f"out of memory in {function.name}") from None
        try:
            errno = function.call(self._guest, *arguments)
        except Fault:
            errno = Errno.EFAULT
        return int(errno) if function.returns else None


class _Memory:
    """The guest's memory through wasmtime's own interface."""

    def __init__(self, store: wasmtime.Store) -> None:
        self._store = store
        self._memory: wasmtime.Memory | None = None

    def bind(self, memory: wasmtime.Memory) -> None:
        """The memory is known from now on."""
        self._memory = memory

    def read(self, address: int, length: int) -> bytes:
        """Copy bytes out of the guest."""
        memory = self._checked(address + length)
        return bytes(memory.read(self._store, address, address + length))

    def write(self, address: int, data: bytes) -> None:
        """Copy bytes into the guest."""
        self._checked(address + len(data)).write(self._store, data, address)

    def write_u32(self, address: int, value: int) -> None:
        """Store a 32-bit number."""
        self.write(address, value.to_bytes(4, "little"))

    def write_u64(self, address: int, value: int) -> None:
        """Store a 64-bit number."""
        self.write(address, value.to_bytes(8, "little"))

    def _checked(self, end: int) -> wasmtime.Memory:
        if self._memory is None:
            raise Fault
        if end > self._memory.data_len(self._store):
            raise Fault
        return self._memory


def _compiled(engine: wasmtime.Engine, wasm: bytes, *, cached: bool) -> wasmtime.Module:
    """The machine code of a module, from disk if it is there."""
    cache = ArtifactCache(default_directory(), settings=settings_digest()) if cached else None
    digest = f"sha256:{sha256(wasm).hexdigest()}"
    artifact = cache.read(digest) if cache else None
    try:
        if artifact is not None:
            return wasmtime.Module.deserialize(engine, artifact)
    except wasmtime.WasmtimeError:
        pass
    try:
        module = wasmtime.Module(engine, wasm)
    except wasmtime.WasmtimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise WasmError(f"is not a valid WebAssembly module: {reason}") from None
    if cache:
        cache.write(digest, bytes(module.serialize()))
    return module


def _functions(module: wasmtime.Module) -> dict[str, ExportedFunction]:
    return {
        export.name: ExportedFunction(
            export.name,
            tuple(str(kind) for kind in export.type.params),
            tuple(str(kind) for kind in export.type.results),
        )
        for export in module.exports
        if isinstance(export.type, wasmtime.FuncType)
    }


def _require_known(module: wasmtime.Module, offered: Any) -> None:
    unknown = [
        f"{entry.module}.{entry.name}"
        for entry in module.imports
        if (entry.module, entry.name) not in offered
    ]
    if unknown:
        raise WasmError(f"imports {', '.join(unknown[:5])}, which nothing here provides")
