"""Rates over time, and the arrivals that follow from them.

A profile is a row of segments, each with a rate at its beginning and one at its end. Arrivals come by
exact inversion of the rate's integral: for a Poisson process it has grown by an exponential draw of
mean 1 since the one before, for an even one by 1. A trace of counts has exactly its counts.

Departs: a sine is drawn with 360 straight lines a period; rates are known to a thousandth of a hertz.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, NamedTuple, Protocol

from kubesim.sim.rng import Rng
from kubesim.sim.time import SECOND

Arrival = Literal["poisson", "constant"]

REQUEST = 1000 * SECOND  # thousandths of a hertz times nanoseconds that make one request
LINES_A_PERIOD = 360


class Segment(NamedTuple):
    """A piece of a profile; rates in requests per thousand seconds, length ``None`` for ever."""

    length_ns: int | None
    begin_mhz: float
    end_mhz: float


class Profile(Protocol):
    """A rate over time, from the traffic's beginning on."""

    def segments(self, rng: Rng) -> Iterator[Segment]:
        """Its pieces in order; ``rng`` is for profiles that are random themselves."""
        ...


@dataclass(frozen=True, slots=True)
class Steady:
    """Always the same rate."""

    rate_mhz: int

    def segments(self, rng: Rng) -> Iterator[Segment]:  # noqa: ARG002
        """One piece."""
        yield Segment(None, self.rate_mhz, self.rate_mhz)


@dataclass(frozen=True, slots=True)
class Ramp:
    """From one rate to another, which then stays."""

    begin_mhz: int
    end_mhz: int
    over_ns: int

    def segments(self, rng: Rng) -> Iterator[Segment]:  # noqa: ARG002
        """The slope and what comes after it."""
        yield Segment(self.over_ns, self.begin_mhz, self.end_mhz)
        yield Segment(None, self.end_mhz, self.end_mhz)


@dataclass(frozen=True, slots=True)
class Steps:
    """A rate from each instant on: ``((at_ns, rate_mhz), ...)``, rising in time, 0 before the first.

    Also what a rate trace is.
    """

    steps: tuple[tuple[int, int], ...]

    def segments(self, rng: Rng) -> Iterator[Segment]:  # noqa: ARG002
        """One piece a step."""
        at_ns, rate = 0, 0
        for next_ns, next_rate in self.steps:
            if next_ns > at_ns:
                yield Segment(next_ns - at_ns, rate, rate)
            at_ns, rate = next_ns, next_rate
        yield Segment(None, rate, rate)


@dataclass(frozen=True, slots=True)
class Bursts:
    """A Markov-modulated Poisson process: ``((rate_mhz, mean_sojourn_ns), ...)``.

    It begins in the first state, stays in each for an exponential time, and goes to any other.
    """

    states: tuple[tuple[int, int], ...]

    def segments(self, rng: Rng) -> Iterator[Segment]:
        """One piece a sojourn, without end."""
        state = 0
        while True:
            rate, mean_ns = self.states[state]
            yield Segment(max(1, round(rng.exponential(mean_ns))), rate, rate)
            if len(self.states) > 1:
                state = (state + 1 + rng.uniform(0, len(self.states) - 1)) % len(self.states)


@dataclass(frozen=True, slots=True)
class Diurnal:
    """A sine: ``mean + amplitude * cos(2 pi (t - peak) / period)``, never below 0."""

    mean_mhz: int
    amplitude_mhz: int
    period_ns: int
    peak_ns: int

    def segments(self, rng: Rng) -> Iterator[Segment]:  # noqa: ARG002
        """Straight lines without end."""
        bounds = [self.period_ns * line // LINES_A_PERIOD for line in range(LINES_A_PERIOD + 1)]
        rates = [self._rate(at_ns) for at_ns in bounds]
        while True:
            for line in range(LINES_A_PERIOD):
                length_ns = bounds[line + 1] - bounds[line]
                yield Segment(length_ns, rates[line], rates[line + 1])

    def _rate(self, at_ns: int) -> int:
        # Rounded to a thousandth of a hertz: the last bits of a cosine are the machine's own.
        turn = math.cos(2 * math.pi * (at_ns - self.peak_ns) / self.period_ns)
        return max(0, round(self.mean_mhz + self.amplitude_mhz * turn))


@dataclass(frozen=True, slots=True)
class Counts:
    """So many requests in each interval, no more and no less; none after the last."""

    interval_ns: int
    counts: tuple[int, ...]

    def segments(self, rng: Rng) -> Iterator[Segment]:  # noqa: ARG002
        """The mean rate of each interval."""
        for count in self.counts:
            rate = count * REQUEST / self.interval_ns
            yield Segment(self.interval_ns, rate, rate)


def arrival_times(
    profile: Profile, arrival: Arrival, *, rng: Rng, states: Rng, begin_ns: int, end_ns: int
) -> Iterator[int]:
    """When requests come, in order and before the end.

    Args:
        profile: The rate.
        arrival: Random arrivals or even ones.
        rng: For the arrivals.
        states: For a profile that is random itself.
        begin_ns: When the profile begins.
        end_ns: When no more come.
    """
    if isinstance(profile, Counts):
        times = _counted(profile, arrival, rng, begin_ns)
    elif isinstance(profile, Steady):
        times = _steady(profile.rate_mhz, arrival, rng, begin_ns)
    else:
        times = _inverted(
            _until(end_ns - begin_ns, profile.segments(states)), arrival, rng, begin_ns
        )
    return takewhile(lambda at_ns: at_ns < end_ns, times)


def _until(length_ns: int, segments: Iterator[Segment]) -> Iterator[Segment]:
    """The segments that begin before the end: some profiles never end, and may be silent."""
    start_ns = 0
    for segment in segments:
        if start_ns >= length_ns:
            return
        yield segment
        start_ns += segment.length_ns or 0


def _steady(rate_mhz: int, arrival: Arrival, rng: Rng, begin_ns: int) -> Iterator[int]:
    if rate_mhz == 0:
        return
    if arrival == "poisson":
        due_ns, gap_ns = float(begin_ns), REQUEST / rate_mhz
        while True:
            due_ns += rng.exponential(gap_ns)
            yield round(due_ns)
    serial = 0
    while True:  # from the beginning each time, so that rounding never adds up
        yield begin_ns + serial * REQUEST // rate_mhz
        serial += 1


def _counted(profile: Counts, arrival: Arrival, rng: Rng, begin_ns: int) -> Iterator[int]:
    """Given their number, arrivals of a Poisson process are uniform in the interval."""
    interval_ns = profile.interval_ns
    for index, count in enumerate(profile.counts):
        start_ns = begin_ns + index * interval_ns
        if arrival == "poisson":
            for offset_ns in sorted(rng.uniform(0, interval_ns) for _ in range(count)):
                yield start_ns + offset_ns
        else:
            for serial in range(count):
                yield start_ns + serial * interval_ns // count


def _inverted(
    segments: Iterator[Segment], arrival: Arrival, rng: Rng, begin_ns: int
) -> Iterator[int]:
    wanted = _growth(arrival, rng)
    start_ns = float(begin_ns)
    for length_ns, begin_mhz, end_mhz in segments:
        inside_ns, rate = 0.0, begin_mhz
        slope = 0.0 if length_ns is None else (end_mhz - begin_mhz) / length_ns
        while True:
            step_ns = _solve(rate, slope, wanted)
            if length_ns is not None and not inside_ns + step_ns <= length_ns:
                rest_ns = length_ns - inside_ns
                wanted = max(0.0, wanted - (rate + slope * rest_ns / 2) * rest_ns)
                break
            if step_ns == math.inf:
                return
            inside_ns += step_ns
            rate = begin_mhz + slope * inside_ns
            yield round(start_ns + inside_ns)
            wanted = _growth(arrival, rng)
        start_ns += length_ns


def _growth(arrival: Arrival, rng: Rng) -> float:
    """How much the integral grows until the next arrival."""
    return rng.exponential(REQUEST) if arrival == "poisson" else float(REQUEST)


def _solve(rate: float, slope: float, wanted: float) -> float:
    """The ``x`` with ``rate * x + slope * x * x / 2 == wanted``; infinite when there is none."""
    discriminant = rate * rate + 2 * slope * wanted
    if discriminant < 0:
        return math.inf
    below = rate + math.sqrt(discriminant)
    return 2 * wanted / below if below > 0 else math.inf
