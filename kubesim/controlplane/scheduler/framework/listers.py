"""Where plugins look objects up, whoever holds them.

In the simulation a lister is the scheduler's informers; for a one-shot decision it is a plain
dictionary. Plugins cannot tell the difference.

Mirrors: client-go listers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar, cast

from kubesim.api.metav1 import KubeObject

K = TypeVar("K", bound=KubeObject)


class Lister(Protocol):
    """Read access to the cluster's objects, as the scheduler believes them to be."""

    def get(self, kind: type[K], key: str) -> K | None:
        """The object of that key (``namespace/name`` or ``name``)."""
        ...

    def values(self, kind: type[K]) -> Iterable[K]:
        """All objects of a kind, in the order in which they became known."""
        ...


class ObjectLister:
    """A lister over objects that were handed in."""

    def __init__(self, objects: Iterable[KubeObject] = ()) -> None:
        self._objects: dict[type[KubeObject], dict[str, KubeObject]] = {}
        for obj in objects:
            self.put(obj)

    def put(self, obj: KubeObject) -> None:
        """Add an object, or replace the one of the same key."""
        self._objects.setdefault(type(obj), {})[obj.key] = obj

    def remove(self, obj: KubeObject) -> None:
        """Forget an object."""
        self._objects.get(type(obj), {}).pop(obj.key, None)

    def get(self, kind: type[K], key: str) -> K | None:
        """The object of that key."""
        return cast("K | None", self._objects.get(kind, {}).get(key))

    def values(self, kind: type[K]) -> Iterable[K]:
        """All objects of a kind, in the order in which they were handed in."""
        return cast("Iterable[K]", tuple(self._objects.get(kind, {}).values()))
