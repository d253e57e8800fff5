"""The work queue and the loop around it."""

import pytest
from harness import MILLISECOND
from typing_extensions import override

from kubesim.controlplane.client import Conflict, Controller, WorkQueue
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND


@pytest.fixture
def sim() -> Sim:
    return Sim(seed=1)


@pytest.fixture
def queue(sim: Sim) -> WorkQueue:
    return WorkQueue(sim, lambda: None)


def drained(queue: WorkQueue) -> list[str]:
    taken = []
    while len(queue):
        taken.append(queue.get())
        queue.done(taken[-1])
    return taken


def test_a_key_is_queued_once(queue: WorkQueue) -> None:
    """Ten changes of one object are one reconciliation."""
    for key in ("a", "b", "a", "a", "b"):
        queue.add(key)

    assert ["a", "b"] == drained(queue)


def test_a_key_that_is_added_while_it_is_worked_on_comes_again(queue: WorkQueue) -> None:
    """No two workers hold the same key, and no change is lost."""
    queue.add("a")
    held = queue.get()
    queue.add("a")
    queue.add("a")

    assert 0 == len(queue)

    queue.done(held)

    assert ["a"] == drained(queue)


def test_a_key_that_was_not_added_meanwhile_is_done(queue: WorkQueue) -> None:
    """Done is done."""
    queue.add("a")
    queue.done(queue.get())

    assert [] == drained(queue)


def test_a_delayed_key_comes_when_it_is_due(sim: Sim, queue: WorkQueue) -> None:
    """Not before; and at once without a delay."""
    queue.add_after("later", 10)
    queue.add_after("now", 0)
    sim.run_until(9)

    assert ["now"] == drained(queue)

    sim.run_until(10)

    assert ["later"] == drained(queue)


@pytest.mark.parametrize("delays", [(5, 10), (10, 5), (5, 5)])
def test_of_several_delays_the_shortest_counts(
    sim: Sim, queue: WorkQueue, delays: tuple[int, int]
) -> None:
    """One key waits once."""
    for delay in delays:
        queue.add_after("a", delay)
    sim.run_until(5)

    assert ["a"] == drained(queue)

    sim.run_until(100)

    assert [] == drained(queue)


def test_failures_double_the_delay_up_to_a_limit(sim: Sim, queue: WorkQueue) -> None:
    """5 ms, 10 ms, 20 ms, ... 1000 s; and 5 ms again after a success."""
    waits = []
    for _ in range(22):
        began = sim.now
        queue.add_rate_limited("a")
        while not len(queue):
            sim.step()
        drained(queue)
        waits.append(sim.now - began)
    queue.forget("a")
    began = sim.now
    queue.add_rate_limited("a")
    while not len(queue):
        sim.step()

    assert [5 * MILLISECOND << n for n in range(5)] == waits[:5]
    assert [1000 * SECOND] * 3 == waits[-3:]
    assert 5 * MILLISECOND == sim.now - began


class Slow(Controller):
    """Takes a second a key, and fails as often as it is told."""

    def __init__(self, sim: Sim, *, workers: int, failures: int = 0) -> None:
        super().__init__(sim, workers=workers)
        self.failures = failures
        self.began: list[tuple[int, str]] = []
        self.running = 0
        self.most = 0

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        self.began.append((self._sim.now, key))
        self.running += 1
        self.most = max(self.most, self.running)
        yield self._sim.timeout(SECOND)
        self.running -= 1
        if self.failures:
            self.failures -= 1
            raise Conflict("changed")


def test_as_many_keys_are_worked_on_as_there_are_workers(sim: Sim) -> None:
    """Seven keys of a second each take three workers three seconds."""
    controller = Slow(sim, workers=3)
    for key in "abcdefg":
        controller.queue.add(key)
    sim.run_until(10 * SECOND)

    assert 3 == controller.most
    assert [0, 0, 0, 1, 1, 1, 2] == [at // SECOND for at, _ in controller.began]
    assert list("abcdefg") == [key for _, key in controller.began]


def test_one_key_is_never_worked_on_twice_at_the_same_time(sim: Sim) -> None:
    """A change during the work is a second round after it."""
    controller = Slow(sim, workers=3)
    for at in (0, 100, 200):
        sim.call_in(at, controller.queue.add, "a")
    sim.run_until(10 * SECOND)

    assert [(0, "a"), (SECOND, "a")] == controller.began


def test_a_refusal_of_the_api_server_is_tried_again(sim: Sim) -> None:
    """With the queue's growing delay, until it succeeds."""
    controller = Slow(sim, workers=1, failures=2)
    controller.queue.add("a")
    sim.run_until(10 * SECOND)
    times = [at for at, _ in controller.began]

    assert [0, SECOND + 5 * MILLISECOND, 2 * SECOND + 15 * MILLISECOND] == times


def test_a_bug_in_a_reconciler_is_not_swallowed(sim: Sim) -> None:
    """Only the API server's refusals are retried."""

    class Broken(Slow):
        @override
        def reconcile(self, key: str) -> SimProcess[None]:
            yield self._sim.timeout(0)
            raise KeyError(key)

    Broken(sim, workers=1).queue.add("a")

    with pytest.raises(KeyError):
        sim.run_until(1)


def test_the_first_delay_can_be_chosen(sim: Sim) -> None:
    """The EndpointSlice controller waits a second where others wait 5 ms."""
    queue = WorkQueue(sim, lambda: None, base_delay_ns=SECOND)
    queue.add_rate_limited("a")
    sim.run_until(SECOND - 1)

    assert 0 == len(queue)

    sim.run_until(SECOND)

    assert ["a"] == drained(queue)
