"""Virtual time as text."""

from __future__ import annotations

import pytest

from kubesim.sim.time import DAY, HOUR, MINUTE, SECOND, millis
from kubesim.tui import clock


@pytest.mark.parametrize(
    ("at_ns", "expected"),
    [
        (millis(12_350), "00:00:12.350"),
        (HOUR + 2 * MINUTE + 3 * SECOND, "01:02:03.000"),
        (2 * DAY + SECOND, "2d 00:00:01.000"),
    ],
)
def test_an_instant_has_milliseconds(at_ns: int, expected: str) -> None:
    """The clock shows thousandths, and days only when there are some."""
    assert expected == clock.stamp(at_ns)


@pytest.mark.parametrize(
    ("ns", "expected"), [(2 * MINUTE, "02:00"), (5400 * SECOND, "1:30:00"), (DAY, "1d 00:00:00")]
)
def test_a_run_s_length_is_short(ns: int, expected: str) -> None:
    """What the clock runs up to is written as short as it can be."""
    assert expected == clock.length(ns)


@pytest.mark.parametrize(
    ("ns", "expected"),
    [
        (0, "0s"),
        (-SECOND, "0s"),
        (119 * SECOND, "119s"),
        (2 * MINUTE, "2m"),
        (200 * SECOND, "3m20s"),
        (10 * MINUTE + SECOND, "10m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR + 5 * MINUTE, "3h5m"),
        (47 * HOUR, "47h"),
        (2 * DAY + HOUR, "2d1h"),
        (8 * DAY + HOUR, "8d"),
        (729 * DAY, "729d"),
        (3 * 365 * DAY + DAY, "3y1d"),
        (9 * 365 * DAY, "9y"),
    ],
)
def test_ages_are_kubectl_s(ns: int, expected: str) -> None:
    """Ages have the steps of kubectl's AGE column."""
    assert expected == clock.age(ns)


def test_the_wall_shows_the_simulated_world_s_time() -> None:
    """The wall clock is a date and a time in UTC."""
    assert "1970-01-01 00:01:00Z" == clock.wall(MINUTE)
