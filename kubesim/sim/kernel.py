"""The clock and the calendar: a thin, integer-time coat around SimPy.

Everything above sees ``Sim``: ``now``, ``timeout``, ``process``, ``event``, ``call_in``, ``rng``,
``emit``. A process is a generator that yields events; two things that happen at the same instant
happen in the order in which they were planned (SimPy's calendar is ordered by time, priority and
serial number), so a run has one order only.

Departs: no real time, no float time, no interrupting of anything but processes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

import simpy
from simpy.events import AllOf, AnyOf, Event, Process, Timeout
from simpy.exceptions import Interrupt
from simpy.resources.resource import Resource

from kubesim.sim.journal import Fact, Journal
from kubesim.sim.rng import Rng, derive_seed

__all__ = ["Event", "Interrupt", "Process", "Resource", "Sim", "SimProcess"]

R = TypeVar("R")

SimProcess = Generator[Event, Any, R]
"""A generator that takes virtual time and returns an ``R``."""


class _Spawned:
    """Steps a generator from event to event, as SimPy's Process does."""

    __slots__ = ("_generator",)

    def __init__(self, generator: SimProcess[Any]) -> None:
        self._generator = generator
        try:
            awaited = next(generator)
        except StopIteration:
            return
        if awaited.processed:
            self(awaited)
        else:
            awaited.callbacks.append(self)

    def __call__(self, event: Event) -> None:
        generator = self._generator
        try:
            while True:
                if event.ok:
                    event = generator.send(event.value)
                else:
                    event.defused = True
                    assert isinstance(event.value, BaseException)
                    event = generator.throw(event.value)
                if not event.processed:
                    break
        except StopIteration:
            return
        event.callbacks.append(self)


class Sim:
    """One run's clock, randomness and journal.

    Args:
        seed: The run's seed; every random stream derives from it.
        start_time_ns: What the wall clock of the simulated world shows when the run begins, in
            nanoseconds since the Unix epoch.
    """

    def __init__(self, *, seed: int, start_time_ns: int = 0) -> None:
        self.seed = seed
        self.start_time_ns = start_time_ns
        self.journal = Journal()
        self.events_processed = 0
        self._env = simpy.Environment(initial_time=0)
        self._rngs: dict[str, Rng] = {}

    @property
    def now(self) -> int:
        """Nanoseconds since the run began."""
        return self._env.now  # type: ignore[return-value]  # integer delays keep it an integer

    @property
    def wall_ns(self) -> int:
        """What a clock on the wall of the simulated world shows: nanoseconds since the epoch."""
        return self.start_time_ns + self.now

    def timeout(self, delay_ns: int, value: Any = None) -> Timeout:
        """An event that happens ``delay_ns`` from now."""
        assert isinstance(delay_ns, int), delay_ns
        assert delay_ns >= 0, delay_ns
        return self._env.timeout(delay_ns, value)

    def event(self) -> Event:
        """An event that happens when someone calls ``succeed`` on it."""
        return self._env.event()

    def process(self, generator: SimProcess[Any]) -> Process:
        """Start a process; it takes its first step at the current instant, after its starter."""
        return self._env.process(generator)

    def spawn(self, generator: SimProcess[Any]) -> None:
        """Start a process that nobody waits for; its first step is taken here and now.

        It costs no events of its own, which ``process`` costs two of.
        """
        _Spawned(generator)

    def any_of(self, events: Iterable[Event]) -> AnyOf:
        """Happens when the first of ``events`` does."""
        return self._env.any_of(events)

    def all_of(self, events: Iterable[Event]) -> AllOf:
        """Happens when all of ``events`` have."""
        return self._env.all_of(events)

    def call_in(self, delay_ns: int, function: Callable[..., None], *args: Any) -> None:
        """Call ``function(*args)`` after ``delay_ns``: a process too short to deserve one."""
        event = self.timeout(delay_ns)
        assert event.callbacks is not None
        event.callbacks.append(lambda _event: function(*args))

    def resource(self, capacity: int) -> Resource:
        """``capacity`` equal servers with one queue, first come, first served."""
        return Resource(self._env, capacity)

    def when(self, event: Event, function: Callable[[Event], None]) -> None:
        """Call ``function(event)`` when an event happens; now, if it has happened already."""
        if event.processed:
            function(event)
        else:
            assert event.callbacks is not None
            event.callbacks.append(function)

    def rng(self, name: str) -> Rng:
        """The random stream of that owner; the same object each time it is asked for."""
        stream = self._rngs.get(name)
        if stream is None:
            stream = self._rngs[name] = Rng(self.seed, name)
        return stream

    def seed_bytes(self, name: str) -> bytes:
        """32 bytes for an owner that draws its randomness elsewhere (a Wasm module)."""
        return derive_seed(self.seed, name)

    def emit(self, fact: Fact) -> None:
        """Write a fact into the journal, now."""
        self.journal.append(self.now, fact)

    @property
    def next_event_ns(self) -> int | None:
        """When the next event is due; ``None`` when nothing is planned."""
        upcoming = self._env.peek()
        return None if upcoming == float("inf") else upcoming  # type: ignore[return-value]

    def step(self) -> None:
        """Process the next event."""
        self._env.step()
        self.events_processed += 1

    def run_until(self, until_ns: int) -> None:
        """Process everything due before or at ``until_ns`` and leave the clock there."""
        assert until_ns >= self.now, (until_ns, self.now)
        env, step, processed = self._env, self._env.step, 0
        if self.now < until_ns:
            env.timeout(until_ns - self.now)  # takes the clock there when nothing else is due then
            processed -= 1
        while env.peek() <= until_ns:
            step()
            processed += 1
        self.events_processed += processed
