"""What is left to chance."""

from __future__ import annotations

from collections import Counter

import pytest

from kubesim.controlplane.scheduler.luck import Luck, chunk_size_for, race
from kubesim.sim import Rng


def streams(name: str) -> Rng:
    """The streams of a run."""
    return Rng(1, name)


def test_chunks_are_upstreams() -> None:
    """The root of the length, but at most an equal share."""
    sizes = {1: 1, 9: 1, 100: 7, 1000: 31, 5000: 70}

    assert sizes == {count: chunk_size_for(count, 16) for count in sizes}
    assert 10 == chunk_size_for(100, 1)


@pytest.mark.parametrize("count", [2, 15, 16, 17, 100, 1234])
def test_every_node_is_come_to_once(count: int) -> None:
    """A race is an order of all nodes."""
    order = race(count, 16, streams("a"))

    assert list(range(count)) == sorted(order.tolist())


def test_workers_go_through_their_chunks_side_by_side() -> None:
    """The first nodes come from the beginnings of sixteen chunks, and within one in order."""
    order = race(5000, 16, streams("a")).tolist()

    assert {position // 70 for position in order[:100]} == set(range(16))
    assert all(position % 70 < 20 for position in order[:100])
    first_chunk = [position for position in order if position < 70]
    assert first_chunk == sorted(first_chunk)


def test_luck_holds_for_an_attempt() -> None:
    """Whoever looks at an attempt again finds the same; the next attempt has luck of its own."""
    luck = Luck(streams, parallelism=16)
    seen = set()
    for _attempt in range(20):
        luck.renew()
        first, again = luck.order(50), luck.order(50)
        assert first is not None
        assert again is not None
        assert first.tolist() == again.tolist()
        seen.add((tuple(first.tolist()), luck.preemption_offset(1000), luck.winner(1000)))
    assert len(seen) == 20


def test_one_worker_leaves_nothing_to_chance() -> None:
    """With parallelism 1, or without random numbers, nodes are found in order."""
    assert None is Luck(streams, parallelism=1).order(100)
    assert None is Luck(None, parallelism=16).order(100)
    assert 0 == Luck(None).preemption_offset(100)


def test_every_tie_can_be_won() -> None:
    """Of equals each is drawn about as often."""
    luck = Luck(streams, random_ties=True)
    wins: Counter[int] = Counter()
    for _attempt in range(3000):
        luck.renew()
        wins[luck.winner(3)] += 1

    assert {0, 1, 2} == set(wins)
    assert all(900 < count < 1100 for count in wins.values())
