"""The transport bar's arithmetic: play, pause, step, speed; and how far time may go in one tick.

``Transport`` is a value: a key gives another one, and ``target_ns`` says where the clock should be
after so many seconds in front of the screen. ``Pacer`` takes the simulation there in slices and
stops when a tick's budget of real time is used up, so that keys are heard however much there is to
simulate. ``Meter`` measures what came of it.

Where a tick ends changes nothing but what is seen: the same events happen at the same virtual
times whatever the speed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from kubesim.sim.time import MILLISECOND, SECOND

MAX_SPEED = math.inf
SPEEDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, MAX_SPEED)

TICKS_PER_SECOND = 20
TICK_BUDGET_S = 0.03
# A terminal that was suspended for a minute has not watched a minute.
LONGEST_ELAPSED_S = 0.25


class Motion(Enum):
    """How time moves."""

    PAUSED = "paused"
    PLAYING = "playing"
    RUSHING = "rushing"  # to a goal, as fast as it goes
    SEEKING = "seeking"  # to the next thing that happens, as fast as it goes


@dataclass(frozen=True, slots=True)
class Transport:
    """Whether time passes, and how fast.

    Attributes:
        speed: Virtual seconds a second; ``MAX_SPEED`` is as fast as it goes.
        motion: How time moves.
        goal_ns: Where rushing ends.
    """

    speed: float = 1.0
    motion: Motion = Motion.PLAYING
    goal_ns: int = 0

    @property
    def moving(self) -> bool:
        """Whether time passes."""
        return self.motion is not Motion.PAUSED

    def toggled(self) -> Transport:
        """Paused if time passes, playing if it does not."""
        return self.paused() if self.moving else replace(self, motion=Motion.PLAYING)

    def paused(self) -> Transport:
        """Standing still."""
        return replace(self, motion=Motion.PAUSED)

    def rushing_to(self, goal_ns: int) -> Transport:
        """On the way to ``goal_ns``; it pauses there."""
        return replace(self, motion=Motion.RUSHING, goal_ns=goal_ns)

    def seeking(self) -> Transport:
        """On the way to the next thing that happens; it pauses there."""
        return replace(self, motion=Motion.SEEKING)

    def at(self, speed: float) -> Transport:
        """The same motion at another speed."""
        return replace(self, speed=speed)

    def faster(self) -> Transport:
        """The next higher speed."""
        return replace(self, speed=next((s for s in SPEEDS if s > self.speed), MAX_SPEED))

    def slower(self) -> Transport:
        """The next lower speed."""
        lower = (s for s in reversed(SPEEDS) if s < self.speed)
        return replace(self, speed=next(lower, SPEEDS[0]))

    def target_ns(self, now_ns: int, elapsed_s: float, end_ns: int) -> int:
        """Where the clock should be, ``elapsed_s`` real seconds after it showed ``now_ns``."""
        if self.motion is Motion.PAUSED:
            return now_ns
        if self.motion is Motion.RUSHING:
            return min(self.goal_ns, end_ns)
        if self.motion is Motion.SEEKING or self.speed == MAX_SPEED:
            return end_ns
        passed_ns = round(min(elapsed_s, LONGEST_ELAPSED_S) * self.speed * SECOND)
        return min(now_ns + passed_ns, end_ns)


def speed_text(speed: float) -> str:
    """A speed as the header shows it: ``0.5x``, ``10x``, ``max``."""
    return "max" if speed == MAX_SPEED else f"{speed:g}x"


class Timeline(Protocol):
    """What a pacer needs of a live run."""

    @property
    def now_ns(self) -> int:
        """The virtual time."""
        ...

    def advance(self, until_ns: int) -> None:
        """Let time pass."""
        ...


class Pacer:
    """Takes a simulation forward, never longer at a time than the screen can wait.

    A slice of virtual time is as long as simulating it took a small part of the budget; what that
    is, is learned on the way.

    Args:
        timeline: The live run.
        clock: Real seconds.
        budget_s: How many of them one call may take.
    """

    def __init__(
        self, timeline: Timeline, *, clock: Callable[[], float], budget_s: float = TICK_BUDGET_S
    ) -> None:
        self._timeline = timeline
        self._clock = clock
        self._budget_s = budget_s
        self._slice_ns = 10 * MILLISECOND

    def advance(self, target_ns: int) -> bool:
        """Go towards ``target_ns``; returns whether it was reached."""
        timeline, clock = self._timeline, self._clock
        deadline = clock() + self._budget_s
        while timeline.now_ns < target_ns:
            began = clock()
            if began >= deadline:
                return False
            timeline.advance(min(timeline.now_ns + self._slice_ns, target_ns))
            self._learn(clock() - began)
        return True

    def seek(self, upcoming_ns: Callable[[], int | None], happened: Callable[[], bool]) -> bool:
        """Go from event to event until ``happened``; returns whether it did.

        Args:
            upcoming_ns: When the next event is due, if one is.
            happened: Asked after each.
        """
        deadline = self._clock() + self._budget_s
        while self._clock() < deadline:
            due_ns = upcoming_ns()
            if due_ns is None:
                return True
            # Something due at this very instant happens when time passes, however little.
            self._timeline.advance(max(due_ns, self._timeline.now_ns + 1))
            if happened():
                return True
        return False

    def _learn(self, took_s: float) -> None:
        if took_s < self._budget_s / 8:
            self._slice_ns *= 2
        elif took_s > self._budget_s / 2:
            self._slice_ns = max(self._slice_ns // 2, MILLISECOND // 10)


class Meter:
    """How fast it goes, measured over the last second or so.

    Args:
        window_s: Over how much real time.
    """

    def __init__(self, window_s: float = 1.0) -> None:
        self._window_s = window_s
        self._samples: deque[tuple[float, int, int]] = deque()

    def sample(self, at_s: float, now_ns: int, events: int) -> None:
        """At that real second the clock showed ``now_ns``, and so many events had happened."""
        samples = self._samples
        samples.append((at_s, now_ns, events))
        while len(samples) > 2 and samples[1][0] <= at_s - self._window_s:
            samples.popleft()

    @property
    def events_per_second(self) -> float:
        """Events a real second."""
        return self._rate(2)

    @property
    def speed(self) -> float:
        """Virtual seconds a real second."""
        return self._rate(1) / SECOND

    def _rate(self, index: int) -> float:
        if len(self._samples) < 2:
            return 0.0
        first, last = self._samples[0], self._samples[-1]
        passed_s = last[0] - first[0]
        return (last[index] - first[index]) / passed_s if passed_s > 0 else 0.0
