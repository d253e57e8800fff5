"""The engine room for components: links them with the host's interfaces and makes instances.

A component says what it imports as interfaces of typed functions. When it is linked, every
function gets a bridge that converts the arguments, calls the host's Python function and converts
the answer. Any 0.2.x is served: what counts is the interface's name without its version, and the
types are those that the component itself declares.

Invariant: everything that could fail on the way into the engine is checked before; a panic in there
    ends the process.

Mirrors: wasmtime/component/{linker,instance,func}.h.
Departs: the memory limit holds for each memory of a component; there may be ``MEMORIES_MAX``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from ctypes import byref, c_char_p, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import wasmtime
from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi
from wasmtime.component import (
    ComponentInstanceType,
    ExportIndex,
    FuncType,
    Linker,
    LinkerInstance,
    ResourceType,
)

from kubesim.wasm.errors import WasmError
from kubesim.wasm.execution import Limits, TrapInfo
from kubesim.wasm.interfaces import Interface, interface, resource_number
from kubesim.wasm.native import (
    FRAMES_MAX,
    Ending,
    _address,
    _foreign,
    _one_line,
)
from kubesim.wasm.nativeengine import COMPONENT_SETTINGS, NEEDS_TASKS, ComponentBinary, new_engine
from kubesim.wasm.nativevalues import VALUE_BYTES, Converters, Lift, Lower, Value
from kubesim.wasm.wasi.guest import Exit, Stop
from kubesim.wasm.wasip2.guest import ComponentGuest

# A component is several core instances: the guest, its C library, adapters.
INSTANCES_MAX = 100
MEMORIES_MAX = 8
COMPONENT_TABLES_MAX = 100

_store_new = _foreign("wasmtime_store_new", c_void_p, c_void_p, c_void_p, c_void_p)
_store_context = _foreign("wasmtime_store_context", c_void_p, c_void_p)
_store_delete = _foreign("wasmtime_store_delete", None, c_void_p)
_store_limiter = _foreign("wasmtime_store_limiter", None, c_void_p, *[c_int64] * 5)
_set_fuel = _foreign("wasmtime_context_set_fuel", c_void_p, c_void_p, c_uint64)
_get_fuel = _foreign("wasmtime_context_get_fuel", c_void_p, c_void_p, c_void_p)
_instantiate = _foreign("wasmtime_component_linker_instantiate", c_void_p, *[c_void_p] * 4)
_get_func = _foreign("wasmtime_component_instance_get_func", ctypes.c_bool, *[c_void_p] * 4)
_call = _foreign(
    "wasmtime_component_func_call",
    c_void_p,
    *[c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t],
)
_value_delete = _foreign("wasmtime_component_val_delete", None, c_void_p)
_error_new = _foreign("wasmtime_error_new", c_void_p, c_char_p)
_add_function = _foreign(
    "wasmtime_component_linker_instance_add_func",
    c_void_p,
    *[c_void_p, c_char_p, c_size_t, c_void_p, c_void_p, c_void_p],
)
_add_resource = _foreign(
    "wasmtime_component_linker_instance_add_resource",
    c_void_p,
    *[c_void_p, c_char_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p],
)
_HostCallback = ctypes.CFUNCTYPE(
    c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t
)
_Destructor = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_uint32)
_Finalizer = ctypes.CFUNCTYPE(None, c_void_p)
_nothing_to_free = _Finalizer(lambda _data: None)


@dataclass(frozen=True, slots=True)
class ComponentFunction:
    """An exported function of a component.

    Attributes:
        name: Its name, with its interface and a ``#`` before it when it lies in one.
        parameters: Names of what it takes.
        lowers: The converters of its arguments.
        lift: The converter of its result; ``None`` when it gives none.
    """

    name: str
    parameters: tuple[str, ...]
    lowers: tuple[Lower, ...] = field(repr=False)
    lift: Lift | None = field(repr=False)
    index: ExportIndex = field(repr=False)


@dataclass(frozen=True, slots=True)
class CompiledComponent:
    """A component as machine code, linked with the host.

    Attributes:
        imports: Names of the interfaces that it imports.
        exports: Names of everything that it exports.
        functions: Its exported functions by name.
        stubs: Imported functions that are not provided: calling one ends the run.
    """

    component: ComponentBinary
    linker: Linker
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    functions: dict[str, ComponentFunction]
    stubs: tuple[str, ...]
    # The library keeps only addresses of these, so someone has to keep them alive.
    callbacks: tuple[Any, ...] = field(repr=False)


class ComponentNative:
    """The engines of wasmtime for components, with all of the host's interfaces.

    WASI 0.2 has no tasks, and a component that has none is run without them; there is another engine for
    those whose toolchain uses a built-in of the component model's asynchronous half.
    """

    def __init__(self) -> None:
        self._plain = new_engine(COMPONENT_SETTINGS)
        self._session: ComponentSession | None = None
        self._converters = Converters(self._resource_type)
        self._destroy = _Destructor(self._destroyed)

    def compile(self, wasm: bytes) -> ComponentBinary:
        """Make machine code of a binary component; a ``WasmError`` says what is wrong with it."""
        try:
            try:
                return ComponentBinary.of(self._plain, wasm)
            except wasmtime.WasmtimeError as error:
                if NEEDS_TASKS not in str(error):
                    raise
                return ComponentBinary.of(self._with_tasks, wasm)
        except wasmtime.WasmtimeError as error:
            raise WasmError(f"is not a valid WebAssembly component: {_one_line(error)}") from None

    def deserialize(self, artifact: bytes) -> ComponentBinary | None:
        """Take up machine code that this very user's kubesim wrote; ``None`` if it does not fit."""
        try:
            return ComponentBinary.taken_up(self._plain, artifact)
        except wasmtime.WasmtimeError:
            pass
        try:
            return ComponentBinary.taken_up(self._with_tasks, artifact)
        except wasmtime.WasmtimeError:
            return None

    @cached_property
    def _with_tasks(self) -> wasmtime.Engine:
        return new_engine(COMPONENT_SETTINGS, tasks=True)

    def link(self, component: ComponentBinary) -> CompiledComponent:
        """Bind a component's imports to the host; a ``WasmError`` names those nobody offers."""
        kind = component.type
        imports = kind.imports(component.engine)
        offered = _offered(imports)
        linker = Linker(component.engine)
        callbacks: list[Any] = []
        stubs: list[str] = []
        with linker.root() as root:
            for name, found in offered.items():
                declared: Any = imports[name].ty
                with root.add_instance(name) as instance:
                    self._define(instance, found, declared, callbacks, stubs)
        exports = kind.exports(component.engine)
        functions = {
            function.name: function
            for name, export in exports.items()
            for function in self._functions(component, name, export.ty)
        }
        return CompiledComponent(
            component=component,
            linker=linker,
            imports=tuple(imports),
            exports=tuple(exports),
            functions=functions,
            stubs=tuple(stubs),
            callbacks=tuple(callbacks),
        )

    def enter(self, session: ComponentSession) -> None:
        """Let host calls reach this session, until ``leave``."""
        assert self._session is None, "a guest is already running"
        self._session = session

    def leave(self) -> None:
        """Let host calls reach nobody."""
        self._session = None

    def _define(
        self,
        instance: LinkerInstance,
        found: Interface,
        declared: ComponentInstanceType,
        callbacks: list[Any],
        stubs: list[str],
    ) -> None:
        """Give the linker everything that the component expects in one interface."""
        address = _address(instance.ptr())
        for name, extern in declared.exports(self._plain).items():
            kind, encoded = extern.ty, name.encode()
            error = None
            if isinstance(kind, ResourceType):
                host = ResourceType.host(resource_number(name))
                error = _add_resource(
                    *(address, encoded, len(encoded), _address(host.ptr())),
                    *(ctypes.cast(self._destroy, c_void_p), None),
                    ctypes.cast(_nothing_to_free, c_void_p),
                )
            elif isinstance(kind, FuncType):
                call = found.functions.get(name)
                if call is None:
                    stubs.append(f"{found.name}#{name}")
                    call = _stub(f"{found.name}#{name}")
                callback = _HostCallback(self._bridge(call, kind))
                callbacks.append(callback)
                error = _add_function(
                    *(address, encoded, len(encoded), ctypes.cast(callback, c_void_p), None),
                    ctypes.cast(_nothing_to_free, c_void_p),
                )
            assert not error, name

    def _bridge(
        self, call: Callable[..., Any], kind: FuncType
    ) -> Callable[[Any, int, Any, int, int, int, int], int | None]:
        """What the engine calls: arguments lifted, the host's function, its answer lowered."""
        lifts = [self._converters.of(parameter)[0] for _, parameter in kind.params]
        result = kind.result
        lower = None if result is None else self._converters.of(result)[1]
        value_at = Value.from_address

        def bridge(
            _data: Any, context: int, _type: Any, args: int, _nargs: int, results: int, _n: int
        ) -> int | None:
            session = self._session
            assert session is not None
            try:
                guest = session.guest
                guest.begin_call()
                at, given = args, []
                for lift in lifts:
                    given.append(lift(value_at(at), context))
                    at += VALUE_BYTES
                answer = call(guest, *given)
                if lower is not None:
                    lower(value_at(results), answer, context)
            except BaseException as error:
                session.raised = error
                return _error_new(b"stopped by the host")  # type: ignore[no-any-return]
            return None

        return bridge

    def _destroyed(self, _data: Any, _context: int, number: int) -> int | None:
        if self._session is not None:
            self._session.guest.resources.pop(number, None)
        return None

    def _resource_type(self, number: int) -> int:
        assert self._session is not None
        return self._session.guest.resources[number][0]

    def _functions(
        self, component: ComponentBinary, name: str, kind: Any
    ) -> list[ComponentFunction]:
        """The functions of one export: itself, or all of an interface."""
        if isinstance(kind, FuncType):
            index = component.get_export_index(name)
            assert index is not None, name
            return [self._function(name, kind, index)]
        if not isinstance(kind, ComponentInstanceType):
            return []
        outer = component.get_export_index(name)
        found = []
        for inner, extern in kind.exports(component.engine).items():
            index = component.get_export_index(inner, outer)
            if isinstance(extern.ty, FuncType) and index is not None:
                found.append(self._function(f"{name}#{inner}", extern.ty, index))
        return found

    def _function(self, name: str, kind: FuncType, index: ExportIndex) -> ComponentFunction:
        parameters = kind.params
        result = kind.result
        return ComponentFunction(
            name=name,
            parameters=tuple(parameter for parameter, _ in parameters),
            lowers=tuple(self._converters.of(parameter)[1] for _, parameter in parameters),
            lift=None if result is None else self._converters.of(result)[0],
            index=index,
        )


class ComponentSession:
    """One run of a component: a store, its instances, its fuel gauge. A context manager.

    Args:
        native: What host calls go through.
        binary: The component's machine code.
        limits: What the run may use.
        fuel: The fuel it starts with.
    """

    def __init__(
        self, native: ComponentNative, binary: ComponentBinary, limits: Limits, fuel: int
    ) -> None:
        self._native = native
        self._store = _store_new(binary.engine_address, None, None)
        self._context: int = _store_context(self._store)
        self._granted = fuel
        self._left = c_uint64()
        error = _set_fuel(self._context, fuel)
        assert error is None
        _store_limiter(
            self._store,
            *(limits.memory_bytes, limits.table_elements),
            *(INSTANCES_MAX, COMPONENT_TABLES_MAX, MEMORIES_MAX),
        )
        self.guest: ComponentGuest
        self.raised: BaseException | None = None

    def __enter__(self) -> Self:
        self._native.enter(self)
        return self

    def __exit__(self, *_: object) -> None:
        _store_delete(self._store)
        self._native.leave()

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
        self, compiled: CompiledComponent, function: ComponentFunction, arguments: Sequence[Any]
    ) -> tuple[Ending, Any]:
        """Make an instance and call an exported function of it; returns its result, too."""
        instance = bindings.wasmtime_component_instance_t()
        error = _instantiate(
            _address(compiled.linker.ptr()),
            self._context,
            _address(compiled.component.ptr()),
            byref(instance),
        )
        if error is not None:
            return self._ending(error), None
        found = bindings.wasmtime_component_func_t()
        known = _get_func(
            byref(instance), self._context, _address(function.index.ptr()), byref(found)
        )
        assert known, function.name
        given = (Value * len(arguments))()
        for value, lower, argument in zip(given, function.lowers, arguments, strict=True):
            lower(value, argument, self._context)
        result = Value()
        error = _call(
            *(byref(found), self._context, given, len(arguments)),
            *((None, 0) if function.lift is None else (byref(result), 1)),
        )
        for value in given:
            _value_delete(byref(value))
        if error is not None:
            return self._ending(error), None
        if function.lift is None:
            return Ending(), None
        answer = function.lift(result, self._context)
        _value_delete(byref(result))
        return Ending(), answer

    def _ending(self, error: int) -> Ending:
        """Why a call into the engine failed. A trap has no code here, only words."""
        cause = ctypes.cast(error, ctypes.POINTER(bindings.wasmtime_error_t))
        failure = wasmtime.WasmtimeError._from_ptr(cause)  # noqa: SLF001
        raised = self.raised
        if isinstance(raised, Exit):
            return Ending(exit=raised)
        trap = _trap_info(failure)
        if isinstance(raised, Stop):
            return Ending(stop=raised, trap=trap)
        if raised is not None:
            raise raised
        if trap is not None:
            return Ending(trap=trap)
        return Ending(refused=_one_line(failure))


# What the engine says of a trap, and its code; core modules get the code itself.
_TRAP_WORDS = (
    ("all fuel consumed", "OUT_OF_FUEL"),
    ("call stack exhausted", "STACK_OVERFLOW"),
    ("allocation size too large", "ALLOCATION_TOO_LARGE"),
    ("`unreachable` instruction", "UNREACHABLE"),
    ("out of bounds memory access", "MEMORY_OUT_OF_BOUNDS"),
    ("integer divide by zero", "INTEGER_DIVISION_BY_ZERO"),
    ("wasm trap", ""),
)


def _trap_info(failure: wasmtime.WasmtimeError) -> TrapInfo | None:
    """The trap behind an error; ``None`` when no instance ran at all."""
    text = str(failure)
    frames = _frames(failure)
    for words, code in _TRAP_WORDS:
        if words in text:
            lines = [line.strip() for line in text.splitlines() if words in line]
            message = lines[-1].rpartition("wasm trap: ")[2].removeprefix("0: ")
            return TrapInfo(code=code, message=message.removeprefix("1: "), frames=frames)
    said = text.strip().splitlines()[-1].strip()
    return TrapInfo(message=said, frames=frames) if frames else None


def _frames(failure: wasmtime.WasmtimeError) -> tuple[str, ...]:
    vector = bindings.wasm_frame_vec_t()
    bindings.wasmtime_error_wasm_trace(failure.ptr(), byref(vector))
    names = []
    for index in range(min(vector.size, FRAMES_MAX)):
        name: Any = bindings.wasmtime_frame_func_name(vector.data[index])
        number = bindings.wasm_frame_func_index(vector.data[index])
        known = ffi.to_str(name.contents) if name else f"func[{number}]"
        names.append(known)
    bindings.wasm_frame_vec_delete(byref(vector))
    return tuple(names)


def _offered(imports: dict[str, Any]) -> dict[str, Interface]:
    """The interfaces behind the imports.

    Raises:
        WasmError: Some are not interfaces, or nobody offers them.
    """
    offered = {}
    unknown = []
    for name, extern in imports.items():
        found = interface(name)
        if found is None or not isinstance(extern.ty, ComponentInstanceType):
            unknown.append(name)
        else:
            offered[name] = found
    if unknown:
        names = ", ".join(unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        hint = "WASI 0.2 and fermyon:spin@2 are offered"
        if any("@0.3" in name for name in unknown):
            hint = "WASI 0.3 is not; build it for 0.2"
        raise WasmError(f"imports {names}{more}, which nothing here provides: {hint}")
    return offered


def _stub(name: str) -> Callable[..., Any]:
    """A function that is not provided: a guest may import it, and ends when it calls it."""

    def stub(guest: ComponentGuest, *_: Any) -> Any:
        guest.fail(f"called {name}, which is not provided")

    return stub
