"""The journal: everything that happened, in order, and its fingerprint.

Components write facts and never know who reads them. A fact is a small frozen value named in the
past tense; the journal stamps it with the virtual time, keeps it, feeds it to its SHA-256 digest
and hands it to whoever subscribed (a progress bar, a screen, an invariant checker). Two runs are
the same run when their digests are equal.

The digest is over text: one line a fact, the time, the kind, and the values in the order in which
the fact declares them, as JSON. Facts hold integers, strings, booleans, ``None`` and tuples of
these; no floats, so that no platform can write them another way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

_FLUSH_LINES = 512


class Fact:
    """The base of all facts: frozen, slotted dataclasses, named in the past tense."""

    __slots__ = ()


F = TypeVar("F", bound=Fact)
Subscriber = Callable[[int, Fact], None]


class Entry(NamedTuple):
    """A fact and the virtual time at which it was written, in nanoseconds since the run began."""

    at_ns: int
    fact: Fact


class Journal:
    """An append-only list of facts with a running SHA-256."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._subscribers: list[Subscriber] = []
        self._hash = hashlib.sha256()
        self._pending: list[str] = []
        self._getters: dict[type, Callable[[Any], Any]] = {}
        self._last_ns = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def append(self, at_ns: int, fact: Fact) -> None:
        """Write one fact; time never runs backwards."""
        assert at_ns >= self._last_ns, (at_ns, self._last_ns, fact)
        self._last_ns = at_ns
        self._entries.append(Entry(at_ns, fact))
        kind = type(fact)
        getter = self._getters.get(kind)
        if getter is None:
            getter = self._getters[kind] = _values_getter(kind)
        self._pending.append(f"{at_ns} {kind.__name__} {_encode(getter(fact))}\n")
        if len(self._pending) >= _FLUSH_LINES:
            self._flush()
        for subscriber in self._subscribers:
            subscriber(at_ns, fact)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call ``subscriber(at_ns, fact)`` for every fact from now on, in order of subscription."""
        self._subscribers.append(subscriber)

    def of(self, kind: type[F]) -> Iterator[tuple[int, F]]:
        """All facts of one kind with their times, in order."""
        for at_ns, fact in self._entries:
            if type(fact) is kind:
                yield at_ns, fact

    def since(self, index: int) -> list[Entry]:
        """The entries from position ``index`` on; for readers that follow a live run."""
        return self._entries[index:]

    @property
    def digest(self) -> str:
        """``sha256:`` and 64 hexadecimal digits over everything written so far."""
        self._flush()
        return f"sha256:{self._hash.copy().hexdigest()}"

    def _flush(self) -> None:
        self._hash.update("".join(self._pending).encode())
        self._pending.clear()


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


def _values_getter(kind: type) -> Callable[[Any], Any]:
    assert is_dataclass(kind), kind
    names = [field.name for field in fields(kind)]
    return attrgetter(*names) if names else lambda _fact: ()
