"""Ticks: those that change nothing are passed over, up to the next thing that happens."""

from __future__ import annotations

from kubesim.sim import Sim, Ticks


class Beat:
    """Wants to be run every ten nanoseconds, and is idle in some spans of time."""

    def __init__(self, sim: Sim, ticks: Ticks, idle: list[tuple[int, int]]) -> None:
        self._sim = sim
        self._ticks = ticks
        self._idle = idle
        self.ran: list[int] = []
        self.passed: list[int] = []

    def run(self) -> None:
        self.ran.append(self._sim.now)
        self._ticks.add(10, self)

    def skip(self, at_ns: int, before_ns: int) -> int | None:
        assert self._sim.now <= at_ns < before_ns
        if not any(begin <= at_ns < end for begin, end in self._idle):
            return None
        self.passed.append(at_ns)
        return at_ns + 10


def test_what_changes_nothing_is_passed_over():
    """It takes no event; what does change something takes place at its instant."""
    sim = Sim(seed=1)
    ticks = Ticks(sim)
    beat = Beat(sim, ticks, [(20, 1000)])
    ticks.add(10, beat)
    sim.run_until(1025)

    assert beat.ran == [10, 1000, 1010, 1020]
    assert beat.passed == list(range(20, 1000, 10))
    assert sim.events_processed < 10


def test_nothing_is_passed_over_that_comes_after_something_else():
    """Whatever is planned may change what the tick depends on: it is asked again then."""
    sim = Sim(seed=1)
    ticks = Ticks(sim)
    idle = [(0, 10_000)]
    beat = Beat(sim, ticks, idle)
    ticks.add(10, beat)
    sim.call_in(505, idle.clear)
    sim.run_until(535)

    assert beat.passed == list(range(10, 510, 10))
    assert beat.ran == [510, 520, 530]


def test_nothing_is_passed_over_beyond_where_the_run_stops():
    """Who stops a run may change everything there."""
    sim = Sim(seed=1)
    ticks = Ticks(sim)
    beat = Beat(sim, ticks, [(0, 10_000)])
    ticks.add(10, beat)
    for until in (33, 77, 201):
        sim.run_until(until)
        assert beat.passed[-1] < until
    assert beat.passed == list(range(10, 201, 10))


def test_several_ticks_keep_their_order():
    """One that has to take place is not overtaken."""
    sim = Sim(seed=1)
    ticks = Ticks(sim)
    idle, busy = Beat(sim, ticks, [(0, 10_000)]), Beat(sim, ticks, [])
    ticks.add(10, idle)
    ticks.add(15, busy)
    sim.run_until(50)

    assert (idle.passed, busy.ran) == ([10, 20, 30, 40], [15, 25, 35, 45])
