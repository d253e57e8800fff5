"""What plugins remember from one extension point to the next within one attempt.

A plugin keeps its state under the state's own class, so that no two plugins meet and a reader
knows the type it gets.

Mirrors: pkg/scheduler/framework/cycle_state.go.
"""

from __future__ import annotations

from typing import Protocol, TypeVar, cast


class StateData(Protocol):
    """Something a plugin remembers; a what-if evaluation works on a clone of it."""

    def clone(self) -> StateData:
        """A copy that can be changed without changing this one; itself when it never changes."""
        ...


S = TypeVar("S", bound=StateData)


class CycleState:
    """The notebook of one scheduling attempt."""

    __slots__ = ("_data", "skip_filter_plugins", "skip_score_plugins")

    def __init__(self) -> None:
        self._data: dict[type[StateData], StateData] = {}
        self.skip_filter_plugins: frozenset[str] = frozenset()
        self.skip_score_plugins: frozenset[str] = frozenset()

    def write(self, data: StateData) -> None:
        """Remember ``data`` under its class."""
        self._data[type(data)] = data

    def read(self, kind: type[S]) -> S:
        """What was remembered under ``kind``; it must be there."""
        return cast("S", self._data[kind])

    def find(self, kind: type[S]) -> S | None:
        """What was remembered under ``kind``, if anything."""
        return cast("S | None", self._data.get(kind))

    def clone(self) -> CycleState:
        """A notebook for a what-if evaluation."""
        copy = CycleState()
        copy._data = {kind: data.clone() for kind, data in self._data.items()}
        copy.skip_filter_plugins = self.skip_filter_plugins
        copy.skip_score_plugins = self.skip_score_plugins
        return copy
