"""Values of the component model as Python sees them.

Numbers, strings, booleans and ``None`` (an option's none) are themselves; ``list<u8>`` is bytes,
any other list a list; a tuple and a record are a tuple in the order of their fields; an enum is
its name, flags are a frozenset of names. What has cases has a class here. A resource is the number
under which the host keeps the object behind it.

Mirrors: the component model's value types; wasmtime's ``component::Val``.
Departs: option<option<T>> cannot be told from option<T>; no interface of WASI 0.2 has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ok:
    """A result that went well."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Err:
    """A result that did not."""

    error: Any = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a variant."""

    tag: str
    value: Any = None


OK = Ok()
