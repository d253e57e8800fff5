"""Arrivals follow their profile's rate."""

from __future__ import annotations

from math import sqrt

import pytest
from harness import SECOND

from kubesim.sim.rng import Rng
from kubesim.sim.time import MINUTE
from kubesim.world.traffic.profiles import (
    Arrival,
    Bursts,
    Counts,
    Diurnal,
    Profile,
    Ramp,
    Steps,
    arrival_times,
)


def times(
    profile: Profile, arrival: Arrival = "constant", *, seconds: float = 100, begin_ns: int = 0
) -> list[int]:
    return list(
        arrival_times(
            profile,
            arrival,
            rng=Rng(1, "arrivals"),
            states=Rng(1, "states"),
            begin_ns=begin_ns,
            end_ns=begin_ns + round(seconds * SECOND),
        )
    )


def test_even_arrivals_on_a_ramp_are_where_the_integral_is_whole() -> None:
    """From 0 to 10 a second in 10 s: the k-th comes at the square root of 2k, then ten a second."""
    found = times(Ramp(0, 10_000, 10 * SECOND), seconds=20)

    assert [round(sqrt(2 * k) * SECOND) for k in range(1, 50)] == pytest.approx(found[:49], abs=2)
    assert 50 + 99 == len(found)


def test_steps_change_the_rate_at_once_and_may_be_silent() -> None:
    """Nothing before the first step; what is left of a gap goes on at the new rate."""
    found = times(Steps(((5 * SECOND, 1000), (7 * SECOND, 0), (9 * SECOND, 2000))), seconds=10)

    assert [6 * SECOND, 7 * SECOND, 9_500_000_000] == found


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (Ramp(0, 100_000, 100 * SECOND), 5000),
        (Steps(((0, 10_000), (50 * SECOND, 90_000))), 5000),
        (Diurnal(50_000, 50_000, 20 * SECOND, 0), 5000),
    ],
)
def test_poisson_arrivals_have_the_number_of_their_integral(
    profile: Profile, expected: int
) -> None:
    """Within four standard deviations, in order, and none after the end."""
    found = times(profile, "poisson")

    assert abs(len(found) - expected) < 4 * sqrt(expected)
    assert sorted(found) == found
    assert found[-1] < 100 * SECOND


def test_a_sine_has_its_peak_where_it_was_put() -> None:
    """Most arrivals in the quarter around it, fewest half a period later."""
    found = times(Diurnal(100_000, 90_000, 100 * SECOND, 30 * SECOND))
    near = sum(abs(at_ns / SECOND - 30) < 5 for at_ns in found)
    far = sum(abs(at_ns / SECOND - 80) < 5 for at_ns in found)

    assert (1900, 100) == pytest.approx((near, far), rel=0.2)


def test_bursts_have_the_mean_rate_of_their_states() -> None:
    """Sojourns weigh the rates: (9 * 10 + 1 * 110) / 10 = 20 a second."""
    found = times(Bursts(((10_000, 9 * SECOND), (110_000, SECOND))), "poisson", seconds=20_000)

    assert 20 == pytest.approx(len(found) / 20_000, rel=0.05)


@pytest.mark.parametrize("arrival", ["poisson", "constant"])
def test_a_trace_of_counts_has_exactly_its_counts(arrival: Arrival) -> None:
    """Each minute its own, from where the traffic begins."""
    found = times(Counts(MINUTE, (3, 0, 5)), arrival, seconds=1000, begin_ns=SECOND)

    assert [3, 0, 5] == [sum((at_ns - SECOND) // MINUTE == n for at_ns in found) for n in range(3)]
    assert sorted(found) == found


def test_a_profile_that_is_always_silent_ends() -> None:
    """Not even an endless one is searched for an arrival for ever."""
    assert [] == times(Bursts(((0, SECOND),)))
    assert [] == times(Steps(((0, 0),)))
