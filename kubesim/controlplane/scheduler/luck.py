"""Everything in a decision that is chance in reality, drawn once an attempt.

Whoever looks at the same attempt again (the reference path, somebody who wants to know why) finds
the same luck. Without random numbers nothing is left to chance: nodes are found in order, as by one
worker, and of equals the first wins.

**The order in which feasible nodes are found.** With ``parallelism`` 16 upstream's workers take
pieces of the list of nodes (as long as the root of its length) from a channel and look at them at
the same time, so the order of what they find is a race, and with it who wins a draw and, in large
clusters, which nodes are looked at before there are enough. The model runs that race: every worker
begins within the time of one node, and a node takes a worker between a half and one and a half of
the mean. Such races are prepared, ``RACES`` for each number of nodes, and an attempt draws one.

Mirrors: pkg/scheduler/framework/parallelize/parallelism.go, client-go util/workqueue
(ParallelizeUntil), defaultpreemption (GetOffsetAndNumCandidates), selectHost of 1.34 and older.
Departs: all workers run at once, as on a machine with a core for each; a search ends with the node
that is one too many, where upstream's other workers finish theirs. Of equals a draw picks one,
where upstream samples from a reservoir or takes the first of a map: as likely.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapify, heapreplace

import numpy as np
import numpy.typing as npt

from kubesim.sim import Rng

Ints = npt.NDArray[np.int64]

RACES = 32
MAX_PREPARED = 256

Streams = Callable[[str], Rng]


class Luck:
    """The luck of the attempt that is being made.

    Args:
        rng: Named random streams; ``None`` takes chance out.
        parallelism: How many workers look at nodes; one does so in order.
        random_ties: Whether the winner among nodes of equal score is drawn.
    """

    def __init__(
        self, rng: Streams | None = None, *, parallelism: int = 1, random_ties: bool = False
    ) -> None:
        self.random_ties = random_ties
        self._rng = rng
        self._parallelism = parallelism if rng is not None else 1
        self._prepared: dict[tuple[int, int], Ints] = {}
        self._draws = (
            [rng(f"kube-scheduler/{name}").random for name in ("search", "ties", "preemption")]
            if rng is not None
            else []
        )
        self._search = self._tie = self._offset = self._victims = 0.0

    def renew(self) -> None:
        """A new attempt begins."""
        if self._draws:
            search, ties, preemption = self._draws
            self._search, self._tie = search(), ties()
            self._offset, self._victims = preemption(), preemption()

    def order(self, count: int) -> Ints | None:
        """In which order workers come to ``count`` nodes; ``None`` for one after the other."""
        if self._parallelism == 1 or count < 2 or self._rng is None:
            return None
        number = int(self._search * RACES)
        order = self._prepared.get((count, number))
        if order is None:
            if len(self._prepared) >= MAX_PREPARED:
                self._prepared.clear()
            # A stream of its own: a race is the same whichever others were prepared before.
            rng = self._rng(f"kube-scheduler/search/{count}/{number}")
            order = self._prepared[count, number] = race(count, self._parallelism, rng)
        return order

    def winner(self, ties: int) -> int:
        """Which of so many nodes of equal score wins."""
        return int(self._tie * ties)

    def preemption_offset(self, num_nodes: int) -> int:
        """Where among the nodes the search for victims begins."""
        return int(self._offset * num_nodes)

    def preemption_winner(self, ties: int) -> int:
        """Which of so many candidates of equal cost is chosen."""
        return int(self._victims * ties)


def race(count: int, parallelism: int, rng: Rng) -> Ints:
    """The order in which workers come to ``count`` pieces of work."""
    size = chunk_size_for(count, parallelism)
    chunks = -(-count // size)
    free = [(rng.random(), worker) for worker in range(min(parallelism, chunks))]
    heapify(free)
    finished = np.empty(count, dtype=np.float64)
    for first in range(0, count, size):
        at, worker = free[0]
        pieces = range(first, min(first + size, count))
        for piece in pieces:
            at += 0.5 + rng.random()
            finished[piece] = at
        heapreplace(free, (at, worker))
    return np.argsort(finished, kind="stable")


def chunk_size_for(count: int, parallelism: int) -> int:
    """How many nodes a worker takes at a time."""
    return min(max(math.isqrt(count), 1), count // parallelism + 1)
