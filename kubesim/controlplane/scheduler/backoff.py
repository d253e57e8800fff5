"""Pods that were refused pay a penalty: 1 s, doubling with each refusal up to 10 s.

Penalties end on whole seconds, so that pods whose penalties end in the same second are taken by
importance. Pods that failed because something broke wait in a queue of their own, from which an
idle scheduler does not take early.

Mirrors: pkg/scheduler/backend/queue/backoff_queue.go, pkg/scheduler/backend/heap/heap.go,
pkg/scheduler/framework/types.go (QueuedPodInfo).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from itertools import chain

from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.sim.time import SECOND

ORDERING_WINDOW_NS = SECOND


class QueuedPodInfo:
    """A pod in the queue, and its history there.

    Attributes:
        info: The pod as last heard of.
        added_ns: When it first entered the queue (nanoseconds since the epoch).
        timestamp_ns: When it entered the queue last.
        attempts: How often it was tried.
        unschedulable_plugins: Who refused it the last time.
        pending_plugins: Who asked for another look.
        gating_plugin: Who keeps it out of the active queue.
    """

    __slots__ = (
        "added_ns",
        "attempts",
        "backoff_expiration_ns",
        "consecutive_errors",
        "gating_plugin",
        "info",
        "pending_plugins",
        "timestamp_ns",
        "unschedulable_count",
        "unschedulable_plugins",
    )

    def __init__(self, info: PodInfo, now_ns: int) -> None:
        self.info = info
        self.added_ns = now_ns
        self.timestamp_ns = now_ns
        self.attempts = 0
        self.unschedulable_count = 0
        self.consecutive_errors = 0
        self.backoff_expiration_ns: int | None = None
        self.unschedulable_plugins: dict[str, None] = {}
        self.pending_plugins: dict[str, None] = {}
        self.gating_plugin = ""

    @property
    def rejectors(self) -> Mapping[str, None]:
        """All plugins that stand in the way; none when something broke."""
        if not self.pending_plugins:
            return self.unschedulable_plugins
        return {**self.unschedulable_plugins, **self.pending_plugins}

    def clear_rejectors(self) -> None:
        """Forget who refused."""
        self.unschedulable_plugins = {}
        self.pending_plugins = {}
        self.gating_plugin = ""

    def count_failure(self) -> None:
        """One more refusal, or one more error in a row."""
        if self.rejectors:
            self.unschedulable_count += 1
            self.consecutive_errors = 0
        else:
            self.consecutive_errors += 1
        self.backoff_expiration_ns = None


class PodHeap:
    """Queued pods in order of a key; equal keys in order of arrival."""

    def __init__(self, key: Callable[[QueuedPodInfo], tuple[int, ...]]) -> None:
        self._key = key
        self._heap: list[tuple[tuple[int, ...], int, QueuedPodInfo]] = []
        self._serials: dict[str, int] = {}
        self._items: dict[str, QueuedPodInfo] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._items)

    def push(self, item: QueuedPodInfo) -> None:
        """Add a pod."""
        self._next += 1
        self._serials[item.info.uid] = self._next
        self._items[item.info.uid] = item
        heapq.heappush(self._heap, (self._key(item), self._next, item))

    def get(self, uid: str) -> QueuedPodInfo | None:
        """The pod, if it is here."""
        return self._items.get(uid)

    def remove(self, uid: str) -> bool:
        """Take a pod out; its entry is dropped when it comes to the top."""
        self._serials.pop(uid, None)
        return self._items.pop(uid, None) is not None

    def peek(self) -> QueuedPodInfo | None:
        """The first pod."""
        while self._heap:
            _key, serial, item = self._heap[0]
            if self._serials.get(item.info.uid) == serial:
                return item
            heapq.heappop(self._heap)
        return None

    def pop(self) -> QueuedPodInfo | None:
        """Take the first pod."""
        item = self.peek()
        if item is not None:
            heapq.heappop(self._heap)
            self.remove(item.info.uid)
        return item


class BackoffQueue:
    """The pods that pay a penalty.

    Args:
        initial_ns: The first penalty.
        max_ns: The longest.
        sort_key: The order of pods whose penalties end together.
    """

    def __init__(
        self,
        *,
        initial_ns: int,
        max_ns: int,
        sort_key: Callable[[PodInfo, int], tuple[int, ...]],
    ) -> None:
        self._initial_ns = initial_ns
        self._max_ns = max_ns
        self._refused = PodHeap(
            lambda item: (self.expiration_ns(item), *sort_key(item.info, item.timestamp_ns))
        )
        self._broken = PodHeap(lambda item: (self.expiration_ns(item),))

    def __len__(self) -> int:
        return len(self._refused) + len(self._broken)

    def push(self, item: QueuedPodInfo) -> None:
        """Let a pod pay."""
        (self._refused if item.rejectors else self._broken).push(item)

    def get(self, uid: str) -> QueuedPodInfo | None:
        """The pod, if it is here."""
        return self._refused.get(uid) or self._broken.get(uid)

    def remove(self, uid: str) -> bool:
        """Take a pod out; whether it was here."""
        return self._refused.remove(uid) or self._broken.remove(uid)

    def pop(self) -> QueuedPodInfo | None:
        """For a scheduler with nothing else to do: the pod whose penalty ends first."""
        return self._refused.pop()

    def pop_completed(self, now_ns: int) -> list[QueuedPodInfo]:
        """The pods that have paid."""
        completed = []
        for heap in (self._refused, self._broken):
            while (item := heap.peek()) is not None and not self.is_backing_off(item, now_ns):
                heap.pop()
                completed.append(item)
        return completed

    def next_completion_ns(self) -> int | None:
        """When the next pod will have paid: a whole second after its penalty ended."""
        heads = chain((self._refused.peek(),), (self._broken.peek(),))
        return min(
            (self.expiration_ns(item) + ORDERING_WINDOW_NS for item in heads if item is not None),
            default=None,
        )

    def is_backing_off(self, item: QueuedPodInfo, now_ns: int) -> bool:
        """Whether the pod still has to pay."""
        return self.expiration_ns(item) >= _window(now_ns)

    def expiration_ns(self, item: QueuedPodInfo) -> int:
        """When the penalty ends; 0 for a pod that has none."""
        count = item.consecutive_errors or item.unschedulable_count
        if not self._max_ns or not count:
            return 0
        if item.backoff_expiration_ns is None:
            duration_ns = min(self._initial_ns << min(count - 1, 62), self._max_ns)
            item.backoff_expiration_ns = _window(item.timestamp_ns + duration_ns)
        return item.backoff_expiration_ns


def _window(at_ns: int) -> int:
    return at_ns - at_ns % ORDERING_WINDOW_NS
