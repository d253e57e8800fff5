"""How long something takes: distributions as values.

A distribution is what a number of ``models/`` becomes. It is drawn with the stream of whoever
spends the time, and it always gives whole nanoseconds, never negative ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kubesim.sim.elementary import log
from kubesim.sim.rng import Rng

_Z99 = 2.3263478740408408  # standard normal quantile of 0.99


class Distribution(Protocol):
    """Something that can be drawn, in nanoseconds."""

    def draw(self, rng: Rng) -> int:
        """One draw, at least 0."""
        ...

    @property
    def median_ns(self) -> int:
        """The median."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same; takes nothing from the stream."""

    value_ns: int

    def draw(self, rng: Rng) -> int:  # noqa: ARG002
        """The value."""
        return self.value_ns

    @property
    def median_ns(self) -> int:
        """The value."""
        return self.value_ns


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every instant of [low, high) as likely as the other."""

    low_ns: int
    high_ns: int

    def draw(self, rng: Rng) -> int:
        """One draw."""
        return rng.uniform(self.low_ns, self.high_ns)

    @property
    def median_ns(self) -> int:
        """The middle."""
        return (self.low_ns + self.high_ns) // 2


@dataclass(frozen=True, slots=True)
class Lognormal:
    """The usual shape of a latency: a median and a long tail."""

    median_ns: int
    sigma: float

    @classmethod
    def from_quantiles(cls, p50_ns: int, p99_ns: int) -> Lognormal:
        """Through a median and a 99th percentile: sigma = ln(p99 / p50) / 2.326."""
        assert 0 < p50_ns <= p99_ns, (p50_ns, p99_ns)
        return cls(p50_ns, log(p99_ns / p50_ns) / _Z99)

    def draw(self, rng: Rng) -> int:
        """One draw."""
        return round(rng.lognormal(self.median_ns, self.sigma))


@dataclass(frozen=True, slots=True)
class ShiftedLognormal:
    """A lognormal latency on top of a part that is always there."""

    median_ns: int
    shift_ns: int
    sigma: float

    def draw(self, rng: Rng) -> int:
        """One draw, above the shift."""
        return self.shift_ns + round(rng.lognormal(self.median_ns - self.shift_ns, self.sigma))


@dataclass(frozen=True, slots=True)
class Normal:
    """Symmetric around its median; what would be negative is 0."""

    median_ns: int
    sd_ns: int

    def draw(self, rng: Rng) -> int:
        """One draw."""
        return max(0, round(self.median_ns + self.sd_ns * rng.normal()))


@dataclass(frozen=True, slots=True)
class Quantiles:
    """As somebody measured it: some percentiles, and a straight line from each to the next.

    Attributes:
        points: Percentages from 0 to 100, rising, with the latency of each.
    """

    points: tuple[tuple[float, int], ...]

    def draw(self, rng: Rng) -> int:
        """One draw, by inversion."""
        return self.at(rng.random() * 100.0)

    def at(self, percent: float) -> int:
        """The latency that so many percent stay below."""
        low, low_ns = self.points[0]
        for high, high_ns in self.points:
            if percent <= high:
                part = (percent - low) / (high - low) if high > low else 0.0
                return low_ns + round(part * (high_ns - low_ns))
            low, low_ns = high, high_ns
        return low_ns

    @property
    def median_ns(self) -> int:
        """The 50th percentile."""
        return self.at(50.0)


@dataclass(frozen=True, slots=True)
class Exponential:
    """Memoryless, with a mean."""

    mean_ns: int

    def draw(self, rng: Rng) -> int:
        """One draw."""
        return round(rng.exponential(self.mean_ns))

    @property
    def median_ns(self) -> int:
        """Mean times ln 2."""
        return round(self.mean_ns * 0.6931471805599453)
