"""The requests inside one process: so many are worked on, the others wait in their order of arrival.

Mirrors: a server with a fixed pool of workers and a bounded backlog (gunicorn, a servlet container).
"""

from __future__ import annotations

from collections import deque

from kubesim.sim import Event, Sim


class RequestQueue:
    """Workers and who waits for them.

    Args:
        sim: The run.
        workers: How many requests are worked on at the same time.
        length: How many may wait; ``None`` for any number.
    """

    __slots__ = ("_free", "_idle", "_length", "_sim", "_waiting", "_workers")

    def __init__(self, sim: Sim, *, workers: int, length: int | None) -> None:
        assert workers > 0, workers
        self._sim = sim
        self._free = self._workers = workers
        self._idle: Event | None = None
        self._length = length
        self._waiting: deque[Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether one that comes now finds neither a worker nor room to wait."""
        return not self._free and self._length is not None and len(self._waiting) >= self._length

    def enter(self) -> Event | None:
        """Take a worker; if none is free, an event that happens with whether there is one at last."""
        assert not self.full
        if self._free:
            self._free -= 1
            return None
        turn = self._sim.event()
        self._waiting.append(turn)
        return turn

    def leave(self) -> None:
        """Give the worker to the next one."""
        if self._waiting:
            self._waiting.popleft().succeed(True)
            return
        self._free += 1
        if self._idle is not None and self._free == self._workers:
            self._idle.succeed()
            self._idle = None

    def idle(self) -> Event:
        """Happens when no request is left."""
        event = self._sim.event()
        if self._free == self._workers:
            event.succeed()
        else:
            assert self._idle is None
            self._idle = event
        return event

    def stop(self) -> None:
        """The process is gone: whoever waits learns it now."""
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            turn.succeed(False)
