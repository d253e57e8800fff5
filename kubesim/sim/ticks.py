"""Periodic work that is only done where it can change something.

A tick is due at an instant. When it is the next thing to happen in the whole run, and its owner knows
that it would change nothing, it is passed over, and the next one, and the next, up to the first instant
at which something else is planned: nothing can have changed before that. Whoever has ticks passed over
sees to it that everything is afterwards as if they had taken place: what was drawn, what is remembered.

So a month in which nothing happens costs one event, not one every fifteen seconds; and a run with ticks
that are passed over is the same run, fact for fact, as one in which each of them takes place.
"""

from __future__ import annotations

import heapq
import itertools
from typing import Protocol

from kubesim.sim.kernel import Sim


class Tick(Protocol):
    """Something that is done again and again."""

    def run(self) -> None:
        """Do it, now; plans its next tick itself."""
        ...

    def skip(self, at_ns: int, before_ns: int) -> int | None:
        """Pass over the tick at an instant, if it changes nothing and ends before another.

        Args:
            at_ns: When it would begin; not before now, and nothing happens until ``before_ns``.
            before_ns: Before when it has to be over.

        Returns:
            When the next one is due; ``None`` when it has to take place.
        """
        ...


class Ticks:
    """The ticks of a run, one event for the next of them.

    Args:
        sim: The run.
    """

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self._serial = itertools.count()
        self._due: list[tuple[int, int, Tick]] = []
        self._planned_ns: int | None = None
        self._waking = False

    def add(self, delay_ns: int, tick: Tick) -> None:
        """Have it take place after a delay."""
        assert delay_ns >= 0, delay_ns
        heapq.heappush(self._due, (self._sim.now + delay_ns, next(self._serial), tick))
        if not self._waking:
            self._plan()

    def _plan(self) -> None:
        due_ns = self._due[0][0] if self._due else None
        if due_ns is not None and (self._planned_ns is None or due_ns < self._planned_ns):
            self._planned_ns = due_ns
            self._sim.call_in(due_ns - self._sim.now, self._wake, due_ns)

    def _wake(self, planned_ns: int) -> None:
        if planned_ns != self._planned_ns:
            return  # an older plan
        self._planned_ns, self._waking = None, True
        due, now_ns = self._due, self._sim.now
        while due:
            at_ns, serial, tick = due[0]
            next_ns = self._skip(tick, at_ns)
            if next_ns is not None:
                heapq.heapreplace(due, (next_ns, serial, tick))
            elif at_ns == now_ns:
                heapq.heappop(due)
                tick.run()
            else:
                break
        self._waking = False
        self._plan()

    def _skip(self, tick: Tick, at_ns: int) -> int | None:
        """When the next one is due, if this one can be passed over before anything else happens."""
        before_ns = self._sim.next_event_ns
        if before_ns is None or at_ns >= before_ns:
            return None  # with nothing planned at all there is no end to it
        next_ns = tick.skip(at_ns, before_ns)
        assert next_ns is None or next_ns > at_ns, (at_ns, next_ns)
        return next_ns
