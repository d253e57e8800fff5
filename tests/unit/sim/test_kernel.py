"""The clock and the calendar."""

import pytest

from kubesim.sim import Interrupt, Sim, SimProcess
from kubesim.sim.time import SECOND


def test_time_is_an_integer() -> None:
    """A float has no business in the calendar."""
    sim = Sim(seed=1)

    with pytest.raises(AssertionError):
        sim.timeout(1.5)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        sim.timeout(-1)


def test_run_until_takes_what_is_due_at_its_end() -> None:
    """An event at the very end of the span has happened; one a nanosecond later has not."""
    sim, seen = Sim(seed=1), []
    sim.call_in(10, seen.append, "at the end")
    sim.call_in(11, seen.append, "later")
    sim.run_until(10)

    assert ["at the end"] == seen
    assert 10 == sim.now


def test_run_until_leaves_the_clock_where_it_was_told() -> None:
    """The clock moves on, and stays an integer, when nothing happens."""
    sim = Sim(seed=1)
    sim.run_until(7 * SECOND)
    sim.run_until(7 * SECOND)

    assert 7 * SECOND == sim.now
    assert isinstance(sim.now, int)


def test_run_until_in_pieces_is_run_until_at_once() -> None:
    """Looking at a run more often does not change it."""

    def ticking(sim: Sim) -> SimProcess[None]:
        rng = sim.rng("ticks")
        while True:
            yield sim.timeout(rng.uniform(1, 100))
            times.append(sim.now)

    histories = []
    for pieces in (1, 97):
        times: list[int] = []
        sim = Sim(seed=1)
        sim.process(ticking(sim))
        for piece in range(1, pieces + 1):
            sim.run_until(9_700 * piece // pieces)
        histories.append(times)

    assert histories[0] == histories[1]


def test_time_never_runs_backwards() -> None:
    """Asking for an instant that has passed is a bug of the caller."""
    sim = Sim(seed=1)
    sim.run_until(5)

    with pytest.raises(AssertionError):
        sim.run_until(4)


def test_what_is_due_together_happens_in_the_order_of_planning() -> None:
    """Ties are broken by serial number, so a run has one order only."""
    sim, seen = Sim(seed=1), []
    sim.call_in(5, seen.append, "first planned")
    sim.call_in(2, lambda: sim.call_in(3, seen.append, "planned later"))
    sim.call_in(5, seen.append, "second planned")
    sim.run_until(5)

    assert ["first planned", "second planned", "planned later"] == seen


def test_a_process_takes_its_first_step_after_its_starter() -> None:
    """Starting a process does not run it inside the caller."""
    sim, seen = Sim(seed=1), []

    def child() -> SimProcess[None]:
        seen.append("child")
        yield sim.timeout(0)

    def parent() -> SimProcess[None]:
        sim.process(child())
        seen.append("parent")
        yield sim.timeout(0)

    sim.process(parent())
    sim.run_until(0)

    assert ["parent", "child"] == seen


def test_when_calls_at_once_for_what_has_happened() -> None:
    """Whoever asks late is told at once, whoever asks early is told then."""
    sim, seen = Sim(seed=1), []
    event = sim.event()
    sim.when(event, lambda e: seen.append(("early", sim.now, e.value)))
    sim.call_in(3, event.succeed, "v")
    sim.run_until(4)
    sim.when(event, lambda e: seen.append(("late", sim.now, e.value)))

    assert [("early", 3, "v"), ("late", 4, "v")] == seen


def test_an_interrupted_process_gives_back_what_it_held() -> None:
    """A resource taken with ``with`` is free again after an interrupt."""
    sim = Sim(seed=1)
    resource = sim.resource(1)
    got: list[int] = []

    def holder() -> SimProcess[None]:
        try:
            with resource.request() as slot:
                yield slot
                yield sim.timeout(100)
        except Interrupt:
            pass

    def next_one() -> SimProcess[None]:
        with resource.request() as slot:
            yield slot
            got.append(sim.now)

    held = sim.process(holder())
    sim.process(next_one())
    sim.call_in(10, held.interrupt)
    sim.run_until(50)

    assert [10] == got


def test_the_wall_clock_begins_at_the_start_time() -> None:
    """Kubernetes' timestamps derive from the scenario's start."""
    sim = Sim(seed=1, start_time_ns=1_000)
    sim.run_until(5)

    assert (5, 1_005) == (sim.now, sim.wall_ns)


def test_an_error_in_a_process_reaches_whoever_lets_time_pass() -> None:
    """A bug is never lost in the calendar."""
    sim = Sim(seed=1)

    def broken() -> SimProcess[None]:
        yield sim.timeout(1)
        raise ZeroDivisionError

    sim.process(broken())

    with pytest.raises(ZeroDivisionError):
        sim.run_until(2)


def test_the_next_event_is_known_before_it_happens() -> None:
    """A screen can ask when something will happen next."""
    sim = Sim(seed=1)
    assert sim.next_event_ns is None
    sim.timeout(12)

    assert 12 == sim.next_event_ns


def test_a_spawned_process_begins_at_once_and_lives_as_any_other() -> None:
    """Its first step is its starter's; it waits, goes on at events long past, and takes failures."""
    sim = Sim(seed=1)
    seen: list[object] = []
    failing, past = sim.event(), sim.timeout(1, "past")

    def work() -> SimProcess[None]:
        seen.append("begun")
        seen.append((yield sim.timeout(5, "waited")))
        seen.append((yield past))
        try:
            yield failing
        except KeyError as error:
            seen.append(error.args[0])
        yield sim.timeout(1)
        seen.append(sim.now)

    sim.spawn(work())
    assert ["begun"] == seen
    sim.call_in(7, lambda: failing.fail(KeyError("broken")) and None)
    sim.run_until(10)

    assert ["begun", "waited", "past", "broken", 8] == seen
