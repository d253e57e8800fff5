"""A link that its transfers share equally.

With n transfers under way each gets an n-th of the bandwidth; when one ends or begins, the others
speed up or slow down. Computed by the work a transfer would have received had it been alone in its
class (generalised processor sharing), so each change costs one event, however many transfers there
are.

Departs: one link is shared max-min fairly by itself; several links in a row come with the topology.
"""

from __future__ import annotations

import heapq
import itertools
import math

from kubesim.sim import Event, Sim, SimProcess
from kubesim.sim.time import SECOND


class Link:
    """A link of a fixed bandwidth.

    Args:
        sim: The run.
        bandwidth: Bytes a second.
    """

    def __init__(self, sim: Sim, *, bandwidth: int) -> None:
        assert bandwidth > 0, bandwidth
        self._sim = sim
        self._bandwidth = bandwidth
        self._serial = itertools.count()
        self._share = (
            0.0  # bytes that each transfer under way has received since the link was idle
        )
        self._updated_ns = 0
        self._ends: list[
            tuple[float, int, Event]
        ] = []  # by the share at which a transfer is whole
        self._generation = 0

    def transfer(self, size_bytes: int) -> SimProcess[None]:
        """Move that many bytes; returns when the last one is there."""
        if size_bytes <= 0:
            return
        self._advance()
        done = self._sim.event()
        heapq.heappush(self._ends, (self._share + size_bytes, next(self._serial), done))
        self._plan()
        yield done

    def _advance(self) -> None:
        elapsed_ns = self._sim.now - self._updated_ns
        self._updated_ns = self._sim.now
        if self._ends:
            self._share += self._bandwidth * elapsed_ns / SECOND / len(self._ends)
        else:
            self._share = 0.0

    def _plan(self) -> None:
        """Wake up when the next transfer is whole; an older plan is void."""
        self._generation += 1
        if self._ends:
            missing = max(0.0, self._ends[0][0] - self._share) * len(self._ends)
            delay_ns = math.ceil(missing * SECOND / self._bandwidth)
            self._sim.call_in(delay_ns, self._finish, self._generation)

    def _finish(self, generation: int) -> None:
        if generation != self._generation:
            return
        self._advance()
        # Whatever is within a thousandth of a byte is whole: rounding must not cost an event.
        while self._ends and self._ends[0][0] <= self._share + 1e-3:
            heapq.heappop(self._ends)[2].succeed()
        self._plan()
