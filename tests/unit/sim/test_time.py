"""Whole nanoseconds, grids, and durations for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesim.sim.time import (
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    human,
    millis,
    next_grid_point,
    seconds,
)

whole = st.integers(min_value=-(10**12), max_value=10**12)


@given(whole, st.integers(min_value=1, max_value=10**11), whole)
def test_the_next_grid_point_is_the_first_after_now(now: int, period: int, offset: int) -> None:
    """It is on the grid, after now, and no more than one period away."""
    point = next_grid_point(now, period_ns=period, offset_ns=offset)

    assert 0 == (point - offset) % period
    assert now < point <= now + period


def test_on_a_grid_point_the_next_one_is_meant() -> None:
    """A change at the very instant of a relist is seen by the relist after it."""
    assert 2 * SECOND == next_grid_point(SECOND, period_ns=SECOND)
    assert SECOND == next_grid_point(SECOND - 1, period_ns=SECOND)
    assert 7 == next_grid_point(0, period_ns=10, offset_ns=7)


def test_conversions_round_to_the_nearest_nanosecond() -> None:
    """Seconds become integers once, at the edge."""
    assert 1_500_000_000 == seconds(1.5)
    assert 100_000 == millis(0.1)
    assert 300_000_000 == seconds(0.3)
    assert isinstance(seconds(2), int)


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0s"), (1, "1ns"), (999, "999ns"), (1_500, "1.5us"), (640_000, "640us"),
        (12_345_678, "12.3ms"), (999_400_000, "999ms"), (999_600_000, "1s"),
        (1_520 * MILLISECOND, "1.52s"), (59_990 * MILLISECOND, "1m0s"), (MINUTE, "1m0s"),
        (90_500 * MILLISECOND, "1m30.5s"), (119_999 * MILLISECOND, "2m0s"),
        (3_599_990 * MILLISECOND, "1h00m00s"), (HOUR + MINUTE + SECOND, "1h01m01s"),
        (-1_500, "-1.5us"),
    ],
)  # fmt: skip
def test_durations_for_people_have_three_digits_and_a_unit(duration_ns: int, text: str) -> None:
    """Rounding up carries into the next unit; nothing is ever written with an exponent."""
    assert text == human(duration_ns)
