"""A mapping that never changes: labels, annotations, resource lists, the data of a ConfigMap.

API objects are values which the whole cluster shares, so the maps inside them must be as frozen as
the objects are. A ``FrozenMap`` is a ``dict`` in all that reads (lookups, iteration, equality,
YAML and JSON writing cost what they cost for a ``dict``), refuses everything that writes, and has
a hash. What would be a write is a new map: ``labels.set("tier", "web")``.

Departs: iteration order is the order of insertion, as the manifest had it; Go's maps have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, NoReturn, TypeVar, get_args

from pydantic import GetCoreSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema, core_schema
from typing_extensions import override

K = TypeVar("K")
V = TypeVar("V")


class FrozenMap(dict[K, V], Generic[K, V]):
    """An immutable, hashable ``dict``."""

    __slots__ = ("_hash",)

    def set(self, key: K, value: V) -> FrozenMap[K, V]:
        """The same map with ``key`` set to ``value``; itself when nothing changes."""
        if key in self and self[key] == value:
            return self
        return FrozenMap({**self, key: value})

    def merge(self, other: Mapping[K, V]) -> FrozenMap[K, V]:
        """The same map with all entries of ``other`` set; itself when nothing changes."""
        if all(key in self and self[key] == value for key, value in other.items()):
            return self
        return FrozenMap({**self, **other})

    def without(self, *keys: K) -> FrozenMap[K, V]:
        """The same map with ``keys`` left out; itself when none of them is in it."""
        if not any(key in self for key in keys):
            return self
        return FrozenMap({key: value for key, value in self.items() if key not in keys})

    @override
    def __hash__(self) -> int:  # type: ignore[override]  # dict says it has none
        try:
            return self._hash
        except AttributeError:
            self._hash: int = hash(frozenset(self.items()))
            return self._hash

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("a FrozenMap does not change; use set(), merge() or without()")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    @override
    def __or__(self, other: Mapping[Any, Any]) -> FrozenMap[Any, Any]:
        return self.merge(other)

    @override
    def copy(self) -> FrozenMap[K, V]:
        """Itself: there is nothing that a copy could protect from."""
        return self

    def __copy__(self) -> FrozenMap[K, V]:
        return self

    def __deepcopy__(self, _memo: object) -> FrozenMap[K, V]:
        return self

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMap, (dict(self),)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        key_type, value_type = get_args(source) or (Any, Any)
        entries = core_schema.dict_schema(
            handler.generate_schema(key_type), handler.generate_schema(value_type)
        )
        return core_schema.no_info_after_validator_function(_freeze, entries)


def _freeze(entries: dict[Any, Any]) -> FrozenMap[Any, Any]:
    return _EMPTY if not entries else FrozenMap(entries)


_EMPTY: FrozenMap[Any, Any] = FrozenMap()


def deep_freeze(value: Any) -> Any:
    """Plain data, frozen: dicts become ``FrozenMap``, lists become tuples, all the way down."""
    if isinstance(value, dict):
        return FrozenMap({key: deep_freeze(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(deep_freeze(item) for item in value)
    return value


def _freeze_object(value: Any) -> FrozenMap[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("expected an object")  # pydantic wants a ValueError
    frozen: FrozenMap[str, Any] = deep_freeze(value)
    return frozen


RawObject = Annotated[
    FrozenMap[str, Any], PlainValidator(_freeze_object), WithJsonSchema({"type": "object"})
]
"""An object of any shape, kept as it is."""
