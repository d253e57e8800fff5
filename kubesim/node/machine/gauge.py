"""How much of something is in use, watched by those who act on it.

Whoever acts when usage crosses a level does not look at it time and again: it names the levels and is
told when one is crossed, in either direction. Between two levels a change costs one comparison.

Mirrors: what cAdvisor would read from ``memory.current`` and ``statfs``; the kernel's usage thresholds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable

NOBODY: Callable[[], None] = lambda: None  # noqa: E731  # a value, not a behaviour
BEYOND = 1 << 62


class Gauge:
    """One amount.

    Args:
        capacity_bytes: How much there is; 0 means that there is no limit.

    Attributes:
        used_bytes: How much of it is in use now.
    """

    __slots__ = ("_crossed", "_high", "_levels", "_low", "capacity_bytes", "used_bytes")

    def __init__(self, capacity_bytes: int = 0) -> None:
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self._levels: list[int] = []
        self._crossed = NOBODY
        self._low, self._high = -BEYOND, BEYOND

    def watch(self, levels: Iterable[int], crossed: Callable[[], None]) -> None:
        """Call ``crossed`` when use reaches or leaves one of these amounts; nobody else is called."""
        self._levels = sorted(set(levels))
        self._crossed = crossed
        self._narrow()

    def move(self, used_bytes: int) -> None:
        """So much is in use now."""
        self.used_bytes = used_bytes
        if not self._low <= used_bytes < self._high:
            self._narrow()
            self._crossed()

    def _narrow(self) -> None:
        """Between which two levels it is."""
        position = bisect_right(self._levels, self.used_bytes)
        self._low = self._levels[position - 1] if position else -BEYOND
        self._high = self._levels[position] if position < len(self._levels) else BEYOND
