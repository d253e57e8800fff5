"""Node groups that failed and are left alone for a while.

Mirrors: kubernetes/autoscaler cluster-autoscaler/utils/backoff/exponential_backoff.go.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Entry:
    duration_ns: int
    until_ns: int


class Backoff:
    """How long each group is left alone: doubling, until it behaved for a while.

    Args:
        initial_ns: After the first failure.
        max_ns: At most.
        reset_ns: How long after its end a backoff is forgotten.
    """

    def __init__(self, *, initial_ns: int, max_ns: int, reset_ns: int) -> None:
        self._initial_ns, self._max_ns, self._reset_ns = initial_ns, max_ns, reset_ns
        self._entries: dict[str, _Entry] = {}

    def failed(self, group: str, now_ns: int) -> None:
        """A group failed; several failures at the same time count as one."""
        entry = self._entries.get(group)
        duration_ns = self._initial_ns
        if entry is not None and now_ns - entry.until_ns <= self._reset_ns:
            doubled_ns = min(2 * entry.duration_ns, self._max_ns)
            duration_ns = entry.duration_ns if entry.until_ns > now_ns else doubled_ns
        self._entries[group] = _Entry(duration_ns, now_ns + duration_ns)

    def succeeded(self, group: str) -> None:
        """A group did what it was asked for."""
        self._entries.pop(group, None)

    def until_ns(self, group: str, now_ns: int) -> int | None:
        """Until when a group is left alone; ``None`` if it is not."""
        entry = self._entries.get(group)
        return entry.until_ns if entry is not None and entry.until_ns > now_ns else None
