"""The engine room: the only file that touches wasmtime, its private parts included.

wasmtime's public Python API makes every host call cost about nine microseconds and every request
about 250, most of it in conversions. Here the same C functions are called with plain numbers
instead, which makes it about 90. The price is the use of two private modules (``_bindings`` for
the layouts, ``_ffi`` for the library), so the exact version is asserted, and nothing of it leaves
this file: what goes out are ``Compiled`` modules and ``Session`` runs.

Invariant: settings never come from a user. An impossible combination aborts the whole process.
Invariant: a memory never moves (the whole 4 GiB are reserved), so its address is asked for once a
    run.

Mirrors: wasmtime's C API (wasmtime/{store,linker,instance,func,memory,trap}.h).
Departs: no pooling allocator (saves 2 of 13 us), no epochs (a wall clock), no WASI of its own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from ctypes import byref, c_bool, c_char_p, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from struct import Struct
from typing import Any, Self

import wasmtime
from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi

from kubesim.wasm.errors import WasmError
from kubesim.wasm.execution import Limits, Status, TrapInfo
from kubesim.wasm.exports import RAW_BYTES, ExportedFunction
from kubesim.wasm.nativeengine import SETTINGS, new_engine
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Exit, Fault, Guest, Stop
from kubesim.wasm.wasi.table import FUNCTIONS, MODULE, HostFunction

# A C compiler makes one table, a linker of several languages a few.
TABLES_MAX = 16
FRAMES_MAX = 32


@dataclass(frozen=True, slots=True)
class Compiled:
    """A module as machine code, linked with the host and ready to be instantiated.

    Attributes:
        imports: What it imports, as ``module.name``.
        exports: Everything it exports, by name.
        functions: Its exported functions by name.
    """

    module: wasmtime.Module
    prepared: wasmtime.InstancePre
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    functions: dict[str, ExportedFunction]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended; all empty when the guest returned by itself.

    Attributes:
        exit: The guest asked to end.
        stop: The host ended the run.
        trap: The engine ended it.
        refused: The instance could not be made, and why.
        values: What the called function gave back.
    """

    exit: Exit | None = None
    stop: Stop | None = None
    trap: TrapInfo | None = None
    refused: str = ""
    values: tuple[int | float, ...] = ()

    @property
    def returned(self) -> bool:
        """The guest returned by itself."""
        return not (self.exit or self.stop or self.trap or self.refused)


def translate(text: str) -> bytes:
    """The binary form of WebAssembly text; a ``WasmError`` says what is wrong with it."""
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise WasmError(f"is not valid WebAssembly text: {_one_line(error)}") from None


def _foreign(name: str, result: Any, *parameters: Any) -> Callable[..., Any]:
    """A function of the C library with plain types; the one wasmtime declares is slower."""
    return ctypes.CFUNCTYPE(result, *parameters)((name, ffi.dll))


_store_new = _foreign("wasmtime_store_new", c_void_p, c_void_p, c_void_p, c_void_p)
_store_context = _foreign("wasmtime_store_context", c_void_p, c_void_p)
_store_delete = _foreign("wasmtime_store_delete", None, c_void_p)
_store_limiter = _foreign("wasmtime_store_limiter", None, c_void_p, *[c_int64] * 5)
_set_fuel = _foreign("wasmtime_context_set_fuel", c_void_p, c_void_p, c_uint64)
_get_fuel = _foreign("wasmtime_context_get_fuel", c_void_p, c_void_p, c_void_p)
_instantiate = _foreign("wasmtime_instance_pre_instantiate", c_void_p, *[c_void_p] * 4)
_instance_export = _foreign(
    "wasmtime_instance_export_get", c_bool, c_void_p, c_void_p, c_char_p, c_size_t, c_void_p
)
_caller_export = _foreign(
    "wasmtime_caller_export_get", c_bool, c_void_p, c_char_p, c_size_t, c_void_p
)
_memory_data = _foreign("wasmtime_memory_data", c_void_p, c_void_p, c_void_p)
_memory_size = _foreign("wasmtime_memory_data_size", c_size_t, c_void_p, c_void_p)
_call = _foreign(
    "wasmtime_func_call_unchecked", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p
)
_trap_new = _foreign("wasmtime_trap_new", c_void_p, c_char_p, c_size_t)
_define = _foreign(
    "wasmtime_linker_define_func_unchecked",
    c_void_p,
    *[c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p],
)
_HostCallback = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_void_p, c_size_t)

_FUNCTION_KIND = ffi.WASMTIME_EXTERN_FUNC.value
_MEMORY_KIND = ffi.WASMTIME_EXTERN_MEMORY.value

InstanceSlot = bindings.wasmtime_instance_t

_RAW_LAYOUT = {"i": "I12x", "l": "Q8x"}


class Native:
    """One engine of wasmtime with all of WASI preview 1 linked to our own functions."""

    def __init__(self) -> None:
        self.engine = new_engine(SETTINGS)
        self.engine_address = _address(self.engine.ptr())
        self._linker = wasmtime.Linker(self.engine)
        self._session: Session | None = None
        # The library keeps only addresses of these, so someone has to keep them alive.
        self._callbacks = [self._link(function) for function in FUNCTIONS]

    def compile(self, wasm: bytes) -> wasmtime.Module:
        """Make machine code of a binary module; a ``WasmError`` says what is wrong with it."""
        try:
            return wasmtime.Module(self.engine, wasm)
        except wasmtime.WasmtimeError as error:
            message = f"is not a valid WebAssembly module: {_one_line(error)}"
            raise WasmError(message) from None

    def deserialize(self, artifact: bytes) -> wasmtime.Module | None:
        """Take up machine code made earlier; ``None`` if it does not fit this engine.

        Args:
            artifact: Bytes that this very user's kubesim wrote: they are executed as they are.
        """
        try:
            return wasmtime.Module.deserialize(self.engine, artifact)
        except wasmtime.WasmtimeError:
            return None

    def link(self, module: wasmtime.Module) -> Compiled:
        """Bind a module's imports to the host; a ``WasmError`` names those that nobody offers."""
        offered = {function.name for function in FUNCTIONS}
        imports = [(entry.module, entry.name or "") for entry in module.imports]
        unknown = [pair for pair in imports if pair[0] != MODULE or pair[1] not in offered]
        if unknown:
            raise WasmError(_unknown_imports(unknown))
        try:
            prepared = self._linker.instantiate_pre(module)
        except wasmtime.WasmtimeError as error:
            message = f"does not fit WASI preview 1: {_one_line(error)}"
            raise WasmError(message) from None
        functions = {}
        names = []
        for export in module.exports:
            names.append(export.name)
            if isinstance(export.type, wasmtime.FuncType):
                parameters = tuple(str(kind) for kind in export.type.params)
                results = tuple(str(kind) for kind in export.type.results)
                functions[export.name] = ExportedFunction(export.name, parameters, results)
        imported = tuple(f"{module_name}.{name}" for module_name, name in imports)
        return Compiled(module, prepared, imported, tuple(names), functions)

    def enter(self, session: Session) -> None:
        """Let host calls reach this session, until ``leave``."""
        assert self._session is None, "a guest is already running"
        self._session = session

    def leave(self) -> None:
        """Let host calls reach nobody."""
        self._session = None

    def _link(self, function: HostFunction) -> Any:
        kinds = {"i": wasmtime.ValType.i32(), "l": wasmtime.ValType.i64()}
        parameters = [kinds[letter] for letter in function.parameters]
        results = [wasmtime.ValType.i32()] if function.returns else []
        signature = wasmtime.FuncType(parameters, results)
        callback = _HostCallback(self._bridge(function))
        module, name = MODULE.encode(), function.name.encode()
        error = _define(
            _address(self._linker.ptr()),
            *(module, len(module), name, len(name)),
            *(_address(signature.ptr()), ctypes.cast(callback, c_void_p), None, None),
        )
        assert error is None, function.name
        return callback

    def _bridge(self, function: HostFunction) -> Callable[[Any, int, int, int], int | None]:
        """What the engine calls: raw values in, plain numbers on, the error number back."""
        layout = Struct("<" + "".join(_RAW_LAYOUT[letter] for letter in function.parameters))
        call, unpack, size = function.call, layout.unpack, layout.size
        string_at, result_at = ctypes.string_at, c_int32.from_address

        def bridge(_data: Any, caller: int, raw: int, _count: int) -> int | None:
            session = self._session
            assert session is not None
            try:
                if not session.memory.handle:
                    session.memory.bind(caller)
                guest = session.guest
                guest.begin_call()
                try:
                    errno = call(guest, *unpack(string_at(raw, size)))
                except Fault:
                    errno = Errno.EFAULT
            except BaseException as error:
                session.raised = error
                return _trap_new(b"stopped by the host", 19)  # type: ignore[no-any-return]
            result_at(raw).value = errno
            return None

        return bridge


class LinearMemory:
    """The guest's memory, read and written at its real address after a look at the bounds."""

    __slots__ = ("_context", "_extern", "_known_bytes", "base", "handle")

    def __init__(self, context: int) -> None:
        self._context = context
        self._extern = bindings.wasmtime_extern_t()
        self._known_bytes = 0
        self.base = 0
        self.handle = 0

    def bind(self, caller: int) -> None:
        """Find the memory of the instance that is calling the host."""
        found = _caller_export(caller, b"memory", 6, byref(self._extern))
        self._bound(found)

    def bind_instance(self, instance: Any) -> None:
        """Find the memory of an instance."""
        found = _instance_export(self._context, byref(instance), b"memory", 6, byref(self._extern))
        self._bound(found)

    @property
    def size_bytes(self) -> int:
        """How large it is now; 0 when the module does not export a memory."""
        return _memory_size(self._context, self.handle) if self.handle else 0

    def read(self, address: int, length: int) -> bytes:
        """Copy bytes out of the guest."""
        if address + length > self._known_bytes:
            self._look_again(address + length)
        return ctypes.string_at(self.base + address, length)

    def write(self, address: int, data: bytes) -> None:
        """Copy bytes into the guest."""
        length = len(data)
        if address + length > self._known_bytes:
            self._look_again(address + length)
        ctypes.memmove(self.base + address, data, length)

    def write_u32(self, address: int, value: int) -> None:
        """Store a 32-bit number."""
        self.write(address, value.to_bytes(4, "little"))

    def write_u64(self, address: int, value: int) -> None:
        """Store a 64-bit number."""
        self.write(address, value.to_bytes(8, "little"))

    def _bound(self, found: bool) -> None:
        # A structure of ctypes gives its fields as plain numbers, whatever their declaration says.
        kind: Any = self._extern.kind
        if found and kind == _MEMORY_KIND:
            offset = type(self._extern).of.offset
            self.handle = ctypes.addressof(self._extern) + offset
            self.base = _memory_data(self._context, self.handle) or 0
            self._known_bytes = _memory_size(self._context, self.handle)

    def _look_again(self, end: int) -> None:
        """A memory only grows: what was inside once is inside for ever, the rest is looked up."""
        if not self.handle:
            raise Stop(Status.TRAPPED, "the module exports no memory for WASI to work on")
        self._known_bytes = _memory_size(self._context, self.handle)
        if end > self._known_bytes:
            raise Fault


class Session:
    """One run: a store, an instance in it, and its fuel gauge. Use as a context manager.

    Args:
        native: The engine.
        limits: What the run may use.
        fuel: The fuel it starts with; less than the limit when a deadline comes first.
    """

    __slots__ = ("_context", "_granted", "_left", "_native", "_store", "guest", "memory", "raised")

    def __init__(self, native: Native, limits: Limits, fuel: int) -> None:
        self._native = native
        self._store = _store_new(native.engine_address, None, None)
        self._context: int = _store_context(self._store)
        self._granted = fuel
        self._left = c_uint64()
        error = _set_fuel(self._context, fuel)
        assert error is None
        _store_limiter(self._store, limits.memory_bytes, limits.table_elements, 1, TABLES_MAX, 1)
        self.memory = LinearMemory(self._context)
        self.guest: Guest
        self.raised: BaseException | None = None

    def __enter__(self) -> Self:
        self._native.enter(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._native.leave()
        _store_delete(self._store)

    def used(self) -> int:
        """Units of fuel used so far."""
        _get_fuel(self._context, byref(self._left))
        return self._granted - self._left.value

    def restrict(self, total: int) -> None:
        """Let the whole run use no more than ``total`` units of fuel."""
        if total < self._granted:
            used = self.used()
            self._granted = max(total, used)
            _set_fuel(self._context, self._granted - used)

    def exhausted(self) -> bool:
        """Whether all fuel is used; the guest is stopped at its next check at the latest."""
        return self.used() >= self._granted

    def call(
        self, compiled: Compiled, names: Sequence[str], arguments: Sequence[int | float]
    ) -> Ending:
        """Make an instance and call exported functions of it, one after the other.

        Args:
            compiled: The module.
            names: The functions; those before the last take and give nothing.
            arguments: What the last one is called with.
        """
        instance = bindings.wasmtime_instance_t()
        trap = c_void_p()
        prepared = _address(compiled.prepared.ptr())
        error = _instantiate(prepared, self._context, byref(instance), byref(trap))
        ending = self._ending(error, trap)
        made = ending.returned
        for name in names:
            if ending.returned:
                given = arguments if name == names[-1] else ()
                ending = self._invoke(instance, compiled.functions[name], given)
        if made and not self.memory.handle:
            self.memory.bind_instance(instance)
        return ending

    def _invoke(
        self, instance: Any, function: ExportedFunction, arguments: Sequence[int | float]
    ) -> Ending:
        extern = bindings.wasmtime_extern_t()
        name = function.name.encode()
        found = _instance_export(self._context, byref(instance), name, len(name), byref(extern))
        assert found, function.name
        kind: Any = extern.kind
        assert kind == _FUNCTION_KIND, function.name
        slots = max(len(function.parameters), len(function.results))
        packed = function.pack(arguments)
        raw = ctypes.create_string_buffer(packed, slots * RAW_BYTES or 1)
        trap = c_void_p()
        handle = ctypes.addressof(extern) + type(extern).of.offset
        error = _call(self._context, handle, raw, slots, byref(trap))
        ending = self._ending(error, trap)
        if ending.returned and function.results:
            return Ending(values=function.unpack(raw.raw))
        return ending

    def _ending(self, error: int | None, trap: c_void_p) -> Ending:
        """Why a call into the engine came back, with all that it left behind disposed of."""
        info = None
        refused = ""
        if trap.value is not None:
            pointer = ctypes.cast(trap, ctypes.POINTER(bindings.wasm_trap_t))
            info = _trap_info(wasmtime.Trap._from_ptr(pointer))  # noqa: SLF001
        if error is not None:
            cause = ctypes.cast(error, ctypes.POINTER(bindings.wasmtime_error_t))
            refused = _one_line(wasmtime.WasmtimeError._from_ptr(cause))  # noqa: SLF001
        raised = self.raised
        if isinstance(raised, Exit):
            return Ending(exit=raised)
        if isinstance(raised, Stop):
            return Ending(stop=raised, trap=info)
        if raised is not None:
            raise raised
        if info is None and not refused:
            return _RETURNED
        return Ending(trap=info, refused=refused)


_RETURNED = Ending()


def _address(pointer: Any) -> int:
    address = ctypes.cast(pointer, c_void_p).value
    assert address is not None
    return address


def _trap_info(trap: wasmtime.Trap) -> TrapInfo:
    code = trap.trap_code
    frames = tuple(
        frame.func_name or f"func[{frame.func_index}]" for frame in trap.frames[:FRAMES_MAX]
    )
    message = trap.message.strip().rpartition("wasm trap: ")[2].splitlines()[0].strip()
    return TrapInfo(code=code.name if code else "", message=message, frames=frames)


def _one_line(error: Exception) -> str:
    """The last cause of an error chain, without its indentation and numbers."""
    lines = [line.strip() for line in str(error).splitlines()]
    causes = [line.removeprefix("0: ").removeprefix("1: ") for line in lines if line]
    said = {"Caused by:", "failed to parse WebAssembly module"}
    return "; ".join(line for line in causes if line not in said) or "it cannot be parsed"


def _unknown_imports(unknown: Sequence[tuple[str, str]]) -> str:
    names = ", ".join(f"{module}.{name}" for module, name in unknown[:5])
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    hint = f"only {MODULE} is offered"
    if any(module == "wasi_unstable" for module, _ in unknown):
        hint = "it was built for the older WASI snapshot 0; rebuild it for wasm32-wasip1"
    return f"imports {names}{more}, which nothing here provides: {hint}"
