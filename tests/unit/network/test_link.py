"""A link that its transfers share equally."""

import pytest
from harness import MB, SECOND

from kubesim.sim import Sim, SimProcess
from kubesim.world.network import Link


def transfer_all(*transfers: tuple[int, int], bandwidth: int = 10 * MB) -> list[int]:
    """Begin transfers (at, size) on one link; gives the instant at which each was whole."""
    sim = Sim(seed=1)
    link = Link(sim, bandwidth=bandwidth)
    ends = [-1] * len(transfers)

    def one(index: int, at_ns: int, size_bytes: int) -> SimProcess[None]:
        yield sim.timeout(at_ns)
        yield from link.transfer(size_bytes)
        ends[index] = sim.now

    for index, (at_ns, size_bytes) in enumerate(transfers):
        sim.process(one(index, at_ns, size_bytes))
    sim.run_until(3600 * SECOND)
    return ends


def test_alone_a_transfer_has_the_whole_link() -> None:
    """Size over bandwidth, rounded up to the next nanosecond."""
    assert [SECOND] == transfer_all((0, 10 * MB))
    assert [1] == transfer_all((0, 1), bandwidth=10**9)
    assert [334] == transfer_all((0, 1), bandwidth=3_000_000)


def test_two_that_contend_share_exactly() -> None:
    """Equal ones end together after twice the time."""
    assert [2 * SECOND, 2 * SECOND] == transfer_all((0, 10 * MB), (0, 10 * MB))


def test_who_comes_later_slows_the_first_down_and_speeds_up_after_it() -> None:
    """10 MB from 0 s and 10 MB from 0.5 s: 1.5 s and 2 s."""
    assert [1_500_000_000, 2 * SECOND] == transfer_all((0, 10 * MB), (SECOND // 2, 10 * MB))


def test_a_small_one_does_not_wait_for_a_large_one() -> None:
    """1 MB beside 100 MB takes twice its own time, no more."""
    assert 200_000_000 == transfer_all((0, 100 * MB), (0, MB))[1]


def test_a_link_that_rested_begins_anew() -> None:
    """What was transferred before does not count."""
    assert [SECOND, 101 * SECOND] == transfer_all((0, 10 * MB), (100 * SECOND, 10 * MB))


def test_nothing_takes_no_time() -> None:
    """An empty blob is there at once."""
    assert [5, 2 * SECOND] == transfer_all((5, 0), (0, 20 * MB))


def test_a_hundred_equal_transfers_end_together() -> None:
    """And the link was never idle meanwhile."""
    assert {100 * SECOND} == set(transfer_all(*[(0, 10 * MB)] * 100))


def test_a_link_needs_a_bandwidth() -> None:
    """Nothing ever arrives over nothing."""
    with pytest.raises(AssertionError):
        Link(Sim(seed=1), bandwidth=0)


def test_each_change_costs_one_event() -> None:
    """A thousand transfers cost a few thousand events, not a million."""
    sim = Sim(seed=1)
    link = Link(sim, bandwidth=10 * MB)
    for number in range(1000):
        sim.process(link.transfer(1000 + number))
    sim.run_until(3600 * SECOND)

    assert sim.events_processed < 6000
