"""Between the component model's values in C and in Python: one converter a type, made once.

wasmtime's own conversion asks for the structure of a type at each call, which makes a host call
cost about 80 us. Here a type becomes two closures when a component is linked: ``lift`` reads a
value that the engine owns and frees, ``lower`` writes one that the engine will free.

Invariant: text goes out as valid UTF-8. Anything else would abort the process.

Mirrors: wasmtime/component/val.h.
Departs: futures, streams and error contexts (WASI 0.3) have no converter; a component that uses
    them is refused when it is linked.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from ctypes import byref, c_size_t, c_void_p
from typing import Any

from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi
from wasmtime.component import _types as types

from kubesim.wasm.errors import WasmError
from kubesim.wasm.values import Case, Err, Ok

Lift = Callable[[Any, int], Any]
"""From a C value and the store's context to a Python value."""

Lower = Callable[[Any, Any, int], None]
"""From a Python value, into a C value, within the store's context."""

ResourceTypeOf = Callable[[int], int]
"""The number of the resource type of one of the host's objects."""

Value = bindings.wasmtime_component_val
VALUE_BYTES = ctypes.sizeof(Value)

_VALUE_OFFSET: int = Value.of.offset

_NUMBERS: dict[type, tuple[str, str]] = {
    types.Bool: ("BOOL", "boolean"),
    types.S8: ("S8", "s8"),
    types.S16: ("S16", "s16"),
    types.S32: ("S32", "s32"),
    types.S64: ("S64", "s64"),
    types.U8: ("U8", "u8"),
    types.U16: ("U16", "u16"),
    types.U32: ("U32", "u32"),
    types.U64: ("U64", "u64"),
    types.F32: ("F32", "f32"),
    types.F64: ("F64", "f64"),
}


def _kind(name: str) -> int:
    return int(getattr(ffi, f"WASMTIME_COMPONENT_{name}").value)


def _foreign(name: str, result: Any, *parameters: Any) -> Callable[..., Any]:
    return ctypes.CFUNCTYPE(result, *parameters)((name, ffi.dll))


_bytes_new = _foreign("wasm_byte_vec_new", None, c_void_p, c_size_t, ctypes.c_char_p)
_list_new = _foreign("wasmtime_component_vallist_new_uninit", None, c_void_p, c_size_t)
_tuple_new = _foreign("wasmtime_component_valtuple_new_uninit", None, c_void_p, c_size_t)
_record_new = _foreign("wasmtime_component_valrecord_new_uninit", None, c_void_p, c_size_t)
_flags_new = _foreign("wasmtime_component_valflags_new_uninit", None, c_void_p, c_size_t)
_value_new = _foreign("wasmtime_component_val_new", ctypes.POINTER(Value), ctypes.POINTER(Value))
_any_to_host = _foreign(
    "wasmtime_component_resource_any_to_host", c_void_p, c_void_p, c_void_p, c_void_p
)
_host_rep = _foreign("wasmtime_component_resource_host_rep", ctypes.c_uint32, c_void_p)
_host_delete = _foreign("wasmtime_component_resource_host_delete", None, c_void_p)
_host_new = _foreign(
    "wasmtime_component_resource_host_new", c_void_p, ctypes.c_bool, *[ctypes.c_uint32] * 2
)
_host_to_any = _foreign(
    "wasmtime_component_resource_host_to_any", c_void_p, c_void_p, c_void_p, c_void_p
)
_error_delete = _foreign("wasmtime_error_delete", None, c_void_p)


def _text(vector: Any) -> str:
    return ctypes.string_at(vector.data, vector.size).decode("utf-8", "replace")


def _put_text(vector: Any, text: str) -> None:
    encoded = text.encode("utf-8", "replace")
    _bytes_new(byref(vector), len(encoded), encoded)


class Converters:
    """Makes converters; the types of resources are looked up in the host.

    Args:
        resource_type: The type number of one of the host's objects.
    """

    def __init__(self, resource_type: ResourceTypeOf) -> None:
        self._resource_type = resource_type

    def of(self, kind: Any) -> tuple[Lift, Lower]:
        """The two converters of a type.

        Raises:
            WasmError: There is none for it.
        """
        numeric = _NUMBERS.get(type(kind))
        if numeric is not None:
            return _number(*numeric)
        maker = _MAKERS.get(type(kind))
        if maker is None:
            name = type(kind).__name__.removesuffix("Type").lower()
            raise WasmError(f"uses the type {name}, which WASI 0.2 does not have")
        return maker(self, kind)

    def optional(self, kind: Any) -> tuple[Lift, Lower] | None:
        """The converters of the payload of a case, which may have none."""
        return None if kind is None else self.of(kind)

    def resource(self, _declared: Any) -> tuple[Lift, Lower]:
        """A resource of the host's; one that the guest defines cannot come out."""
        resource_type = self._resource_type
        code = _kind("RESOURCE")

        def lift(value: Any, context: int) -> int:
            host = c_void_p()
            error = _any_to_host(context, value.of.resource, byref(host))
            if error:
                _error_delete(error)
                raise WasmError("a resource that the guest defines cannot be handed to the host")
            number = _host_rep(host)
            _host_delete(host)
            return int(number)

        def lower(value: Any, number: int, context: int) -> None:
            host = _host_new(True, number, resource_type(number))
            found = c_void_p()
            error = _host_to_any(context, host, byref(found))
            assert not error
            _host_delete(host)
            value.kind = code
            c_void_p.from_address(ctypes.addressof(value) + _VALUE_OFFSET).value = found.value

        return lift, lower


def _number(kind: str, field: str) -> tuple[Lift, Lower]:
    code = _kind(kind)

    def lift(value: Any, _context: int) -> Any:
        return getattr(value.of, field)

    def lower(value: Any, given: Any, _context: int) -> None:
        value.kind = code
        setattr(value.of, field, given)

    return lift, lower


def _character(_converters: Converters, _kind_of: Any) -> tuple[Lift, Lower]:
    code = _kind("CHAR")

    def lower(value: Any, given: str, _context: int) -> None:
        value.kind = code
        value.of.character = ord(given)

    return (lambda value, _context: chr(value.of.character)), lower


def _string(_converters: Converters, _kind_of: Any) -> tuple[Lift, Lower]:
    code = _kind("STRING")

    def lower(value: Any, given: str, _context: int) -> None:
        value.kind = code
        _put_text(value.of.string, given)

    return (lambda value, _context: _text(value.of.string)), lower


def _enum(_converters: Converters, _kind_of: Any) -> tuple[Lift, Lower]:
    code = _kind("ENUM")

    def lower(value: Any, given: str, _context: int) -> None:
        value.kind = code
        _put_text(value.of.enumeration, given)

    return (lambda value, _context: _text(value.of.enumeration)), lower


def _flags(_converters: Converters, _kind_of: Any) -> tuple[Lift, Lower]:
    code = _kind("FLAGS")

    def lift(value: Any, _context: int) -> frozenset[str]:
        flags = value.of.flags
        return frozenset(_text(flags.data[index]) for index in range(flags.size))

    def lower(value: Any, given: frozenset[str], _context: int) -> None:
        value.kind = code
        names = sorted(given)
        _flags_new(byref(value.of.flags), len(names))
        for index, name in enumerate(names):
            _put_text(value.of.flags.data[index], name)

    return lift, lower


def _bytes() -> tuple[Lift, Lower]:
    """A list of bytes: 32 bytes of C for each, so they are taken all at once."""
    code, element = _kind("LIST"), _kind("U8")

    def lift(value: Any, _context: int) -> bytes:
        size = value.of.list.size
        if not size:
            return b""
        return ctypes.string_at(value.of.list.data, size * VALUE_BYTES)[_VALUE_OFFSET::VALUE_BYTES]

    def lower(value: Any, given: bytes, _context: int) -> None:
        value.kind = code
        _list_new(byref(value.of.list), len(given))
        if given:
            packed = bytearray(len(given) * VALUE_BYTES)
            packed[::VALUE_BYTES] = bytes([element]) * len(given)
            packed[_VALUE_OFFSET::VALUE_BYTES] = given
            ctypes.memmove(value.of.list.data, bytes(packed), len(packed))

    return lift, lower


def _list(converters: Converters, kind: Any) -> tuple[Lift, Lower]:
    element = kind.element
    if isinstance(element, types.U8):
        return _bytes()
    lift_one, lower_one = converters.of(element)
    code = _kind("LIST")

    def lift(value: Any, context: int) -> list[Any]:
        found = value.of.list
        return [lift_one(found.data[index], context) for index in range(found.size)]

    def lower(value: Any, given: Sequence[Any], context: int) -> None:
        value.kind = code
        _list_new(byref(value.of.list), len(given))
        for index, one in enumerate(given):
            lower_one(value.of.list.data[index], one, context)

    return lift, lower


def _tuple(converters: Converters, kind: Any) -> tuple[Lift, Lower]:
    pairs = [converters.of(element) for element in kind.elements]
    code = _kind("TUPLE")

    def lift(value: Any, context: int) -> tuple[Any, ...]:
        data = value.of.tuple.data
        return tuple(lift_one(data[at], context) for at, (lift_one, _) in enumerate(pairs))

    def lower(value: Any, given: Sequence[Any], context: int) -> None:
        value.kind = code
        _tuple_new(byref(value.of.tuple), len(pairs))
        for at, ((_, lower_one), one) in enumerate(zip(pairs, given, strict=True)):
            lower_one(value.of.tuple.data[at], one, context)

    return lift, lower


def _record(converters: Converters, kind: Any) -> tuple[Lift, Lower]:
    fields = [(name, *converters.of(field)) for name, field in kind.fields]
    code = _kind("RECORD")

    def lift(value: Any, context: int) -> tuple[Any, ...]:
        data = value.of.record.data
        return tuple(lift_one(data[at].val, context) for at, (_, lift_one, _) in enumerate(fields))

    def lower(value: Any, given: Sequence[Any], context: int) -> None:
        value.kind = code
        _record_new(byref(value.of.record), len(fields))
        for at, ((name, _, lower_one), one) in enumerate(zip(fields, given, strict=True)):
            entry = value.of.record.data[at]
            _put_text(entry.name, name)
            lower_one(entry.val, one, context)

    return lift, lower


def _boxed(pair: tuple[Lift, Lower] | None, payload: Any, context: int) -> Any:
    """A value on the engine's heap; null for a case without one."""
    if pair is None:
        return None
    inner = Value()
    pair[1](inner, payload, context)
    return _value_new(byref(inner))


def _unboxed(pair: tuple[Lift, Lower] | None, pointer: Any, context: int) -> Any:
    return None if pair is None else pair[0](pointer.contents, context)


def _option(converters: Converters, kind: Any) -> tuple[Lift, Lower]:
    pair = converters.of(kind.payload)
    code = _kind("OPTION")

    def lift(value: Any, context: int) -> Any:
        pointer = value.of.option
        return pair[0](pointer.contents, context) if pointer else None

    def lower(value: Any, given: Any, context: int) -> None:
        boxed = None if given is None else _boxed(pair, given, context)
        value.kind = code
        value.of.option = boxed

    return lift, lower


def _result(converters: Converters, kind: Any) -> tuple[Lift, Lower]:
    good, bad = converters.optional(kind.ok), converters.optional(kind.err)
    code = _kind("RESULT")

    def lift(value: Any, context: int) -> Ok | Err:
        result = value.of.result
        if result.is_ok:
            return Ok(_unboxed(good, result.val, context))
        return Err(_unboxed(bad, result.val, context))

    def lower(value: Any, given: Ok | Err, context: int) -> None:
        if isinstance(given, Ok):
            boxed = _boxed(good, given.value, context)
        else:
            boxed = _boxed(bad, given.error, context)
        value.kind = code
        value.of.result.is_ok = isinstance(given, Ok)
        value.of.result.val = boxed

    return lift, lower


def _variant(converters: Converters, kind: Any) -> tuple[Lift, Lower]:
    cases = {name: converters.optional(payload) for name, payload in kind.cases}
    code = _kind("VARIANT")

    def lift(value: Any, context: int) -> Case:
        tag = _text(value.of.variant.discriminant)
        return Case(tag, _unboxed(cases[tag], value.of.variant.val, context))

    def lower(value: Any, given: Case, context: int) -> None:
        boxed = _boxed(cases[given.tag], given.value, context)
        value.kind = code
        _put_text(value.of.variant.discriminant, given.tag)
        value.of.variant.val = boxed

    return lift, lower


_MAKERS: dict[type, Callable[[Converters, Any], tuple[Lift, Lower]]] = {
    types.Char: _character,
    types.String: _string,
    types.EnumType: _enum,
    types.FlagsType: _flags,
    types.ListType: _list,
    types.TupleType: _tuple,
    types.RecordType: _record,
    types.OptionType: _option,
    types.ResultType: _result,
    types.VariantType: _variant,
    types.OwnType: Converters.resource,
    types.BorrowType: Converters.resource,
}
