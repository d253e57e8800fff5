"""Histograms that forget: a sample is worth half as much after each half-life.

A bucket holds the weight of the samples in it, and a percentile is the end of the bucket in which it
lies. Buckets grow by five percent each, so a recommendation is at most five percent above what it is
made of. To forget means to give newer samples a higher weight: 2 to the power of their time in
half-lives; when the exponents become large, all weights are divided by a power of two.

Many equal samples in equal distances are one addition: their weights are a geometric series. That is
what lets a recommender sleep while nothing happens, and know afterwards what it would have known.

Mirrors: vertical-pod-autoscaler/pkg/recommender/util (histogram.go, histogram_options.go,
decaying_histogram.go).
Departs: bucket borders are found by comparing, not by a logarithm, so that they are the same on every
machine.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from copy import copy
from functools import cache

from kubesim.sim.elementary import exp, log

MAX_DECAY_EXPONENT = 100
MAX_CHECKPOINT_WEIGHT = 10_000
LN2 = log(2.0)


@cache
def exponential_buckets(maximum: float, first: float, ratio: float) -> tuple[float, ...]:
    """Where buckets begin: the first is ``first`` wide, each further one ``ratio`` times the last.

    Args:
        maximum: The last bucket begins there or above.
        first: The width of the first bucket.
        ratio: How much wider each is than the one before.
    """
    count = math.ceil(log(maximum * (ratio - 1) / first + 1) / log(ratio)) + 1
    starts, power = [0.0], 1.0
    for _ in range(1, count):
        power *= ratio
        starts.append(first * (power - 1) / (ratio - 1))
    return tuple(starts)


class DecayingHistogram:
    """A histogram of decaying weights.

    Args:
        starts: Where the buckets begin, upwards.
        half_life_ns: After how long a sample counts half.
        epsilon: A bucket of less weight counts as empty.

    Attributes:
        weights: The weight in each bucket, relative to the reference.
        total: The weight of all samples.
        reference_ns: At what time a sample weighs what it says.
        low: The first bucket that is not empty; the last of all when there is none.
        high: The last bucket that is not empty.
    """

    def __init__(self, starts: tuple[float, ...], *, half_life_ns: int, epsilon: float) -> None:
        self._starts = starts
        self._half_life_ns = half_life_ns
        self._epsilon = epsilon
        self.weights = [0.0] * len(starts)
        self.total = 0.0
        self.reference_ns = 0
        self.low = len(starts) - 1
        self.high = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is no sample that counts."""
        return self.weights[self.low] < self._epsilon

    def copy(self) -> DecayingHistogram:
        """One like it that goes its own way."""
        other = copy(self)
        other.weights = self.weights[:]
        return other

    def add(self, value: float, weight: float, at_ns: int) -> None:
        """Add a sample that was measured at ``at_ns``, nanoseconds since the epoch."""
        self._put(value, weight * self._decay(at_ns))

    def add_many(
        self, value: float, weight: float, first_ns: int, *, step_ns: int, count: int
    ) -> None:
        """Add equal samples, the first at ``first_ns`` and each ``step_ns`` after the one before."""
        while count > 0:
            # One half-life at a time, so that no exponent grows beyond what can be divided away.
            block = min(count, max(1, self._half_life_ns // step_ns))
            growth = _power_of_two(step_ns, self._half_life_ns)
            series = (
                float(block)
                if growth == 1.0
                else (_power_of_two(step_ns * block, self._half_life_ns) - 1.0) / (growth - 1.0)
            )
            self._put(value, weight * self._decay(first_ns) * series)
            first_ns += step_ns * block
            count -= block

    def subtract(self, value: float, weight: float, at_ns: int) -> None:
        """Take a sample away again that was added."""
        weight *= self._decay(at_ns)
        index = self._bucket(value)
        self.total = self._less(self.total, weight)
        self.weights[index] = self._less(self.weights[index], weight)
        self._narrow()

    def percentile(self, fraction: float) -> float:
        """The end of the bucket in which that fraction of the weight is reached; 0 when empty."""
        if self.is_empty:
            return 0.0
        threshold, reached, index = fraction * self.total, 0.0, self.low
        while index < self.high:
            reached += self.weights[index]
            if reached >= threshold:
                break
            index += 1
        return self._starts[min(index + 1, len(self._starts) - 1)]

    def merge(self, other: DecayingHistogram) -> None:
        """Add all samples of another one with the same buckets and half-life."""
        assert len(self.weights) == len(other.weights), "histograms have different buckets"
        if self.reference_ns < other.reference_ns:
            self.shift(other.reference_ns)
        elif other.reference_ns < self.reference_ns:
            other = other.copy()
            other.shift(self.reference_ns)
        for index in range(other.low, other.high + 1):
            self.weights[index] += other.weights[index]
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def load(self, weights: Mapping[int, int], *, total: float, reference_ns: int) -> None:
        """Add what a checkpoint has kept; the weights are relative to each other."""
        whole = sum(weights.values())
        self.reference_ns = reference_ns
        if whole == 0:
            return
        for index, weight in sorted(weights.items()):
            if 0 <= index < len(self._starts):
                self.weights[index] += weight * total / whole
                self.low, self.high = min(self.low, index), max(self.high, index)
        self.total += total
        self._narrow()

    def _put(self, value: float, weight: float) -> None:
        index = self._bucket(value)
        self.weights[index] += weight
        self.total += weight
        if self.weights[index] >= self._epsilon:
            self.low, self.high = min(self.low, index), max(self.high, index)

    def _bucket(self, value: float) -> int:
        return max(0, bisect_right(self._starts, value) - 1)

    def _less(self, weight: float, taken: float) -> float:
        left = weight - taken
        return left if left >= self._epsilon else 0.0

    def _narrow(self) -> None:
        last = len(self._starts) - 1
        while self.weights[self.low] < self._epsilon and self.low < last:
            self.low += 1
        while self.weights[self.high] < self._epsilon and self.high > 0:
            self.high -= 1

    def _decay(self, at_ns: int) -> float:
        if at_ns > self.reference_ns + MAX_DECAY_EXPONENT * self._half_life_ns:
            self.shift(at_ns)
        return _power_of_two(at_ns - self.reference_ns, self._half_life_ns)

    def shift(self, to_ns: int) -> None:
        """Move the reference to the nearest multiple of the half-life."""
        half_life_ns = self._half_life_ns
        reference_ns = (to_ns + half_life_ns // 2) // half_life_ns * half_life_ns
        exponent = (self.reference_ns - reference_ns) // half_life_ns
        factor = math.ldexp(1.0, exponent) if exponent > -1000 else 0.0
        self.weights = [weight * factor for weight in self.weights]
        self.total *= factor
        self.reference_ns = reference_ns
        self._narrow()


def _power_of_two(amount_ns: int, unit_ns: int) -> float:
    """2 to the power of ``amount / unit``."""
    whole, rest = divmod(amount_ns, unit_ns)
    return math.ldexp(exp(rest / unit_ns * LN2), whole)
