"""The back-off that doubles: crash loops and failed pulls.

Mirrors: staging/src/k8s.io/client-go/util/flowcontrol/backoff.go.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.time import SECOND

INITIAL_NS = 10 * SECOND
MAX_NS = 300 * SECOND
RESET_NS = 600 * SECOND  # twice the default maximum, whatever the maximum is


@dataclass(slots=True)
class _Entry:
    delay_ns: int
    updated_ns: int


class BackOff:
    """Delays by key: 10 s, doubling to 300 s, forgotten after ten minutes without trouble.

    Args:
        max_ns: The longest delay; when it is less than 10 s, it is the first one, too.
    """

    def __init__(self, *, max_ns: int = MAX_NS) -> None:
        self._max_ns = max_ns
        self._entries: dict[str, _Entry] = {}

    def delay_ns(self, key: str) -> int:
        """The current delay of a key; 0 when it has none."""
        entry = self._entries.get(key)
        return entry.delay_ns if entry else 0

    def remaining_ns(self, key: str, *, now_ns: int, since_ns: int | None = None) -> int:
        """How much of the delay is still to be waited; 0 when none.

        Args:
            key: What failed.
            now_ns: The current instant.
            since_ns: The instant from which the delay counts; by default the last try.
        """
        entry = self._entries.get(key)
        if entry is None:
            return 0
        since_ns = entry.updated_ns if since_ns is None else since_ns
        if self._expired(entry, since_ns):
            return 0
        return max(0, since_ns + entry.delay_ns - now_ns)

    def next(self, key: str, *, now_ns: int, since_ns: int) -> None:
        """A try now, after a failure at ``since_ns``: the first sets 10 s, each further one doubles.

        What failed more than twice the maximum after the try before had been stable meanwhile, and
        begins anew.
        """
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, since_ns):
            self._entries[key] = _Entry(min(INITIAL_NS, self._max_ns), now_ns)
        else:
            self._entries[key] = _Entry(min(entry.delay_ns * 2, self._max_ns), now_ns)

    @staticmethod
    def _expired(entry: _Entry, since_ns: int) -> bool:
        return since_ns - entry.updated_ns > RESET_NS
