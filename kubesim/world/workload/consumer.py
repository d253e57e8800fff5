"""The consumers of one process: each takes a message, works on it, and takes the next.

A process that is to handle so many messages ends when they are handled, one that is to wait no longer
than so long ends when nothing came for that long: what a batch worker does, and how a Job ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kubesim.sim import Event, Rng, Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.wire.image import Consumption


class Queue(Protocol):
    """A queue, as its consumers see it."""

    def receive(self) -> Event:
        """Happens with a message when it is one's turn."""
        ...

    def give_up(self, turn: Event) -> None:
        """Do not wait any longer."""
        ...

    def acknowledge(self, delivery: Any, *, consumer: str) -> None:
        """The message is done."""
        ...

    def release(self, delivery: Any, *, consumer: str) -> None:
        """It is not, and its consumer is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What each consumer is given.

    Attributes:
        consumption: What is consumed.
        queue: Where it comes from.
        pod: Who consumes, by namespace and name.
        service: CPU time of one message.
        rng: Owner of the draws.
        compute: Uses CPU; returns when it was had.
    """

    consumption: Consumption
    queue: Queue
    pod: str
    service: Distribution
    rng: Rng
    compute: Callable[[int], SimProcess[int]]


class Consumers:
    """All consumers of a process.

    Args:
        sim: The run.
        worker: What each is given.
        count: How many work at the same time.
        over: Called when the process has nothing more to do.
    """

    def __init__(self, sim: Sim, *, worker: Worker, count: int, over: Callable[[], None]) -> None:
        self._sim = sim
        self._worker = worker
        self._over = over
        self._running = count
        self._left = worker.consumption.messages
        self._turns: dict[Event, None] = {}
        self._held: dict[Any, None] = {}
        self._closing = self._gone = False
        self._closed: list[Event] = []
        for _ in range(count):
            sim.process(self._consume())

    def finished(self) -> Event:
        """Take nothing more; happens when what was taken is done."""
        event = self._sim.event()
        self._closing = True
        self._stop_waiting()
        if self._held:
            self._closed.append(event)
        else:
            event.succeed()
        return event

    def stop(self) -> None:
        """The process is gone: what it was working on is nobody's."""
        if self._gone:
            return
        self._closing = self._gone = True
        self._stop_waiting()
        held, self._held = self._held, {}
        for delivery in held:
            self._worker.queue.release(delivery, consumer=self._worker.pod)

    def _stop_waiting(self) -> None:
        turns, self._turns = self._turns, {}
        for turn in turns:
            self._worker.queue.give_up(turn)

    def _consume(self) -> SimProcess[None]:
        worker = self._worker
        while not self._closing and self._take_one():
            delivery = yield from self._next()
            if delivery is None:
                break
            self._held[delivery] = None
            yield from worker.compute(worker.service.draw(worker.rng))
            if self._gone:
                return
            del self._held[delivery]
            worker.queue.acknowledge(delivery, consumer=worker.pod)
            self._tell_finished()
        self._running -= 1
        if not self._running and not self._closing:
            self._closing = True
            self._over()

    def _tell_finished(self) -> None:
        """What was taken is done: whoever waits for that learns it."""
        if self._closing and not self._held:
            closed, self._closed = self._closed, []
            for event in closed:
                event.succeed()

    def _take_one(self) -> bool:
        """Whether there is another message to be taken by this process."""
        if self._left is None:
            return True
        self._left -= 1
        return self._left >= 0

    def _next(self) -> SimProcess[Any]:
        """The next message; ``None`` when none came in time, or the process does not want one."""
        turn, idle_ns = self._worker.queue.receive(), self._worker.consumption.idle_ns
        self._turns[turn] = None
        if idle_ns is None:
            yield turn
        else:
            yield self._sim.any_of([turn, self._sim.timeout(idle_ns)])
        if turn not in self._turns:
            return None  # it was given up meanwhile
        del self._turns[turn]
        if turn.triggered:
            return turn.value
        self._worker.queue.give_up(turn)
        return None
