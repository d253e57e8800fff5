"""Headers of wasi:http: names and values that can be changed until they are sent.

Mirrors: wasi:http@0.2 types.fields; the forbidden names are wasmtime-wasi-http's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kubesim.wasm.execution import Status
from kubesim.wasm.values import OK, Case, Err, Ok
from kubesim.wasm.wasi.guest import Stop
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wasm.wasip2.resources import Functions, resource_number

_FIELDS = resource_number("fields")

FIELDS_MAX = 1_000
METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NAME = METHOD
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_FORBIDDEN = frozenset(
    {"connection", "keep-alive", "host", "http2-settings", "proxy-connection"}
    | {"transfer-encoding", "upgrade"}
)


@dataclass(slots=True)
class Fields:
    """Headers; those of something that came in cannot be changed."""

    pairs: list[tuple[str, bytes]] = field(default_factory=list)
    is_fixed: bool = False


def fields_new(guest: ComponentGuest) -> int:
    """No headers yet."""
    return guest.own(_FIELDS, Fields())


def fields_from_list(guest: ComponentGuest, pairs: list[tuple[str, bytes]]) -> Ok | Err:
    """Headers from a list."""
    guest.take_entries(len(pairs))
    for name, value in pairs:
        wrong = _wrong(name, value)
        if wrong:
            return wrong
    return Ok(guest.own(_FIELDS, Fields(list(pairs))))


def fields_get(guest: ComponentGuest, number: int, name: str) -> list[bytes]:
    """All values of a name."""
    pairs = guest.get(number, Fields).pairs
    return [value for known, value in pairs if known.lower() == name.lower()]


def fields_has(guest: ComponentGuest, number: int, name: str) -> bool:
    """Whether a name has a value."""
    return bool(fields_get(guest, number, name))


def fields_append(guest: ComponentGuest, number: int, name: str, value: bytes) -> Ok | Err:
    """One more value for a name."""
    return _change(guest, number, name, [value], replaces=False)


def fields_set(guest: ComponentGuest, number: int, name: str, values: list[bytes]) -> Ok | Err:
    """The values of a name, instead of those that it has."""
    return _change(guest, number, name, values, replaces=True)


def fields_delete(guest: ComponentGuest, number: int, name: str) -> Ok | Err:
    """Forget a name."""
    return _change(guest, number, name, [], replaces=True)


def fields_entries(guest: ComponentGuest, number: int) -> list[tuple[str, bytes]]:
    """All names and values."""
    return guest.get(number, Fields).pairs


def fields_clone(guest: ComponentGuest, number: int) -> int:
    """The same headers, to be changed."""
    return guest.own(_FIELDS, Fields(list(guest.get(number, Fields).pairs)))


def _change(
    guest: ComponentGuest, number: int, name: str, values: list[bytes], *, replaces: bool
) -> Ok | Err:
    fields = guest.get(number, Fields)
    if fields.is_fixed:
        return Err(Case("immutable"))
    for value in values or [b""]:
        wrong = _wrong(name, value)
        if wrong:
            return wrong
    if len(fields.pairs) + len(values) > FIELDS_MAX:
        raise Stop(Status.HOST_CALL_LIMIT, f"more than {FIELDS_MAX} headers")
    if replaces:
        fields.pairs = [pair for pair in fields.pairs if pair[0].lower() != name.lower()]
    fields.pairs.extend((name, value) for value in values)
    return OK


def _wrong(name: str, value: bytes) -> Err | None:
    """What is wrong with a header."""
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        return Err(Case("invalid-syntax"))
    return Err(Case("forbidden")) if name.lower() in _FORBIDDEN else None


FIELDS: Functions = {
    "[constructor]fields": fields_new,
    "[static]fields.from-list": fields_from_list,
    "[method]fields.get": fields_get,
    "[method]fields.has": fields_has,
    "[method]fields.append": fields_append,
    "[method]fields.set": fields_set,
    "[method]fields.delete": fields_delete,
    "[method]fields.entries": fields_entries,
    "[method]fields.clone": fields_clone,
}
