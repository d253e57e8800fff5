"""Speed, steps, and how far a tick may go."""

from __future__ import annotations

import math

from kubesim.sim.time import SECOND, millis
from kubesim.tui.transport import (
    MAX_SPEED,
    SPEEDS,
    Meter,
    Motion,
    Pacer,
    Transport,
    speed_text,
)

END = 100 * SECOND


class Timeline:
    """A simulation in which a virtual second costs so many real ones."""

    def __init__(self, cost_s: float) -> None:
        self.now_ns = 0
        self.clock_s = 0.0
        self._cost_s = cost_s

    def advance(self, until_ns: int) -> None:
        assert until_ns > self.now_ns
        self.clock_s += (until_ns - self.now_ns) / SECOND * self._cost_s
        self.now_ns = until_ns

    def clock(self) -> float:
        self.clock_s += 1e-6
        return self.clock_s


def test_time_goes_as_fast_as_the_speed_says() -> None:
    """A tenth of a second at 10x is one virtual second."""
    assert 6 * SECOND == Transport(10.0).target_ns(5 * SECOND, 0.1, END)


def test_a_paused_clock_stands() -> None:
    """No time passes while paused."""
    assert 5 * SECOND == Transport(10.0).paused().target_ns(5 * SECOND, 0.1, END)


def test_time_stops_at_the_end() -> None:
    """However fast, the end is the end."""
    assert END == Transport(1000.0).target_ns(99 * SECOND, 0.1, END)
    assert END == Transport(MAX_SPEED).target_ns(0, 0.001, END)


def test_a_terminal_that_slept_did_not_watch() -> None:
    """After a long stop of the program time goes on where it was."""
    assert Transport(1.0).target_ns(0, 3600.0, END) <= SECOND


def test_rushing_goes_to_its_goal() -> None:
    """A step ahead is not a matter of speed."""
    assert 7 * SECOND == Transport(0.1).rushing_to(7 * SECOND).target_ns(0, 0.05, END)


def test_space_pauses_whatever_moves() -> None:
    """Playing, rushing and seeking all stop; standing begins to play."""
    assert Motion.PAUSED is Transport().toggled().motion
    assert Motion.PAUSED is Transport().seeking().toggled().motion
    assert Motion.PLAYING is Transport().paused().toggled().motion


def test_speeds_go_from_a_tenth_to_the_maximum() -> None:
    """Plus and minus walk through all speeds and stay at the ends."""
    transport = Transport(SPEEDS[0]).slower()
    seen = []
    for _ in SPEEDS:
        seen.append(transport.speed)
        transport = transport.faster()

    assert list(SPEEDS) == seen
    assert MAX_SPEED == transport.speed
    assert 1000.0 == transport.slower().speed


def test_an_odd_speed_finds_its_neighbours() -> None:
    """A speed that was typed is between two of the table."""
    assert (5.0, 2.0) == (Transport(3.0).faster().speed, Transport(3.0).slower().speed)


def test_speeds_are_written_short() -> None:
    """The header shows 0.5x, 10x, max."""
    assert ["0.5x", "10x", "max"] == [speed_text(s) for s in (0.5, 10.0, math.inf)]


def test_a_pacer_reaches_what_it_can_afford() -> None:
    """A cheap simulation gets exactly where it should be."""
    timeline = Timeline(cost_s=0.0001)

    assert Pacer(timeline, clock=timeline.clock).advance(10 * SECOND)
    assert 10 * SECOND == timeline.now_ns


def test_a_pacer_gives_the_screen_its_turn() -> None:
    """A dear simulation stops when the budget is used up, and goes on in the next tick."""
    timeline = Timeline(cost_s=1.0)
    pacer = Pacer(timeline, clock=timeline.clock, budget_s=0.03)

    assert not pacer.advance(10 * SECOND)
    assert 0.02 < timeline.clock_s < 0.06
    for _ in range(1000):
        if pacer.advance(10 * SECOND):
            break
    assert 10 * SECOND == timeline.now_ns


def test_seeking_stops_where_it_happened() -> None:
    """Going from event to event ends at the one that was looked for."""
    timeline = Timeline(cost_s=0.0)
    due = [millis(5), millis(7), millis(9)]

    def upcoming() -> int | None:
        return next((at for at in due if at > timeline.now_ns), None)

    arrived = Pacer(timeline, clock=timeline.clock).seek(
        upcoming, lambda: timeline.now_ns == millis(7)
    )

    assert arrived
    assert millis(7) == timeline.now_ns


def test_seeking_ends_when_nothing_is_due() -> None:
    """Without events there is nothing to wait for."""
    timeline = Timeline(cost_s=0.0)

    assert Pacer(timeline, clock=timeline.clock).seek(lambda: None, lambda: False)


def test_the_meter_measures_the_last_second() -> None:
    """Rates forget what was before the window."""
    meter = Meter()
    for tick in range(41):
        fast = max(tick - 20, 0)
        meter.sample(tick / 20, fast * SECOND // 2, fast * 100)

    assert 10.0 == round(meter.speed, 3)
    assert 2000 == round(meter.events_per_second)


def test_a_meter_without_samples_shows_nothing() -> None:
    """Before there is anything to measure, the rate is 0."""
    assert 0.0 == Meter().speed
