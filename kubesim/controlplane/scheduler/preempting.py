"""Which pods are having room made for them at this moment.

Mirrors: pkg/scheduler/framework/preemption/executor.go (isRunningPreemption).
"""

from __future__ import annotations

from collections.abc import Callable


class Preempting:
    """The pods whose victims are being told to go."""

    def __init__(self) -> None:
        self._running: dict[str, Callable[[], bool] | None] = {}

    def begin(self, uid: str) -> None:
        """Eviction begins for a pod."""
        self._running[uid] = None

    def last_victim(self, uid: str, is_going: Callable[[], bool]) -> None:
        """Only one victim is left; ``is_going`` tells whether the scheduler has seen it go."""
        self._running[uid] = is_going

    def end(self, uid: str) -> None:
        """Eviction is over."""
        self._running.pop(uid, None)

    def is_running(self, uid: str) -> bool:
        """Whether a pod has to wait until its victims were told."""
        if uid not in self._running:
            return False
        is_going = self._running[uid]
        return is_going is None or not is_going()
