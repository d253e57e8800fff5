"""The queue between watching and reconciling.

A key is in the queue once, however often it is added; a key that is added while it is being worked
on waits until that is done, so no two workers hold the same one. A failing key comes back after a
delay that doubles.

Mirrors: staging/src/k8s.io/client-go/util/workqueue (queue.go, delaying_queue.go,
default_rate_limiters.go).
Departs: the overall limit of 10 retries a second of the default rate limiter is left out; the
per-item back-off is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from kubesim.sim import Sim
from kubesim.sim.time import MILLISECOND, SECOND

BASE_DELAY_NS = 5 * MILLISECOND
MAX_DELAY_NS = 1000 * SECOND


class WorkQueue:
    """Keys waiting to be reconciled.

    Args:
        sim: The run.
        ready: Called when a key became available.
        base_delay_ns: How long a key waits after its first failure.
    """

    def __init__(
        self, sim: Sim, ready: Callable[[], None], *, base_delay_ns: int = BASE_DELAY_NS
    ) -> None:
        self._sim = sim
        self._base_delay_ns = base_delay_ns
        self._ready = ready
        self._queue: deque[str] = deque()
        self._dirty: set[str] = set()
        self._processing: set[str] = set()
        self._failures: dict[str, int] = {}
        self._due_ns: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, key: str) -> None:
        """Ask for a key to be reconciled."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._queue.append(key)
            self._ready()

    def add_after(self, key: str, delay_ns: int) -> None:
        """Ask for it after a delay; of several requests for a key the earliest counts."""
        if delay_ns <= 0:
            self.add(key)
            return
        due_ns = self._sim.now + delay_ns
        known = self._due_ns.get(key)
        if known is not None and known <= due_ns:
            return
        self._due_ns[key] = due_ns
        self._sim.call_in(delay_ns, self._due, key, due_ns)

    def add_rate_limited(self, key: str) -> None:
        """Ask for it again after a failure: 5 ms or what was asked for, doubling up to 1000 s."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(self._base_delay_ns << min(failures, 30), MAX_DELAY_NS))

    def forget(self, key: str) -> None:
        """The key succeeded: its next failure is its first."""
        self._failures.pop(key, None)

    def get(self) -> str:
        """Take the oldest key; ``done`` must follow."""
        key = self._queue.popleft()
        self._processing.add(key)
        self._dirty.discard(key)
        return key

    def done(self, key: str) -> None:
        """Work on a key has ended; if it was added meanwhile, it is queued again."""
        assert key in self._processing, key
        self._processing.discard(key)
        if key in self._dirty:
            self._queue.append(key)
            self._ready()

    def _due(self, key: str, due_ns: int) -> None:
        if self._due_ns.get(key) == due_ns:
            del self._due_ns[key]
            self.add(key)
