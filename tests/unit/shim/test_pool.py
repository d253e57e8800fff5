"""Slots for instances: cold, warm, and how many."""

from __future__ import annotations

from kubesim.node.shim.pool import (
    MAX_INSTANCE_COUNT,
    MAX_UNUSED_WARM_SLOTS,
    InstanceNumbers,
    InstancePool,
)
from kubesim.sim.distribution import Constant
from kubesim.sim.rng import Rng

COLD_NS, WARM_NS = 1_200_000, 15_000


WARM = Constant(WARM_NS)


def pool(warm: Constant | None = WARM) -> InstancePool:
    """A pool that nobody has used."""
    return InstancePool(InstanceNumbers(cold=Constant(COLD_NS), warm=warm), rng=Rng(1, "pool"))


def test_the_first_instance_is_cold_and_the_next_is_warm() -> None:
    """A slot is kept for the next request."""
    slots = pool()
    first = slots.take()
    slots.give_back()
    assert [COLD_NS, WARM_NS] == [first, slots.take()]


def test_a_burst_is_cold() -> None:
    """Whoever comes while all warm slots are taken starts cold."""
    slots = pool()
    assert [COLD_NS] * 3 == [slots.take() for _ in range(3)]


def test_only_so_many_slots_are_kept() -> None:
    """After a burst of 150, a hundred of the next 150 are warm."""
    slots = pool()
    for _ in range(150):
        slots.take()
    for _ in range(150):
        slots.give_back()
    taken = [slots.take() for _ in range(150)]
    assert [WARM_NS] * MAX_UNUSED_WARM_SLOTS + [COLD_NS] * 50 == taken


def test_an_engine_without_a_pool_is_always_cold() -> None:
    """It keeps no slots."""
    slots = pool(warm=None)
    first = slots.take()
    slots.give_back()
    assert [COLD_NS, COLD_NS] == [first, slots.take()]


def test_the_pool_ends() -> None:
    """Spin allows a thousand instances."""
    slots = pool()
    for _ in range(MAX_INSTANCE_COUNT):
        slots.take()
    assert slots.is_full
