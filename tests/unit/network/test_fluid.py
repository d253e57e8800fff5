"""Transfers over several links: who slows whom, and what a cut does."""

from __future__ import annotations

from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND
from kubesim.world.network.fluid import FluidNetwork, Pipe

MB = 1_000_000


class Transfers:
    """Transfers by name, and when they ended."""

    def __init__(self) -> None:
        self.sim = Sim(seed=1)
        self.network = FluidNetwork(self.sim)
        self.ended: dict[str, int] = {}

    def begin(self, name: str, pipes: list[Pipe], size_bytes: int) -> None:
        """One more."""

        def work() -> SimProcess[None]:
            yield from self.network.transfer(pipes, size_bytes)
            self.ended[name] = self.sim.now

        self.sim.process(work())


def test_what_one_link_denies_another_hands_out() -> None:
    """A slow node takes its 10 MB/s of the registry's 100; the fast one has the other 90."""
    registry = Pipe("registry", 100 * MB)
    slow, fast = Pipe("slow", 10 * MB), Pipe("fast", 1000 * MB)
    transfers = Transfers()
    transfers.begin("slow", [registry, slow], 10 * MB)
    transfers.begin("fast", [registry, fast], 90 * MB)
    transfers.sim.run_until(2 * SECOND)

    assert {"slow": SECOND, "fast": SECOND} == transfers.ended


def test_two_pulls_share_a_link_exactly() -> None:
    """Half each until one is whole, all of it then."""
    link = Pipe("link", 100 * MB)
    transfers = Transfers()
    transfers.begin("small", [link], 50 * MB)
    transfers.begin("large", [link], 150 * MB)
    transfers.sim.run_until(3 * SECOND)

    assert {"small": SECOND, "large": 2 * SECOND} == transfers.ended


def test_a_cut_stops_everything_and_healing_resumes_it() -> None:
    """What was there stays there."""
    link = Pipe("link", 100 * MB)
    transfers = Transfers()
    transfers.begin("a", [link], 100 * MB)
    transfers.sim.run_until(SECOND // 2)
    transfers.network.set_bandwidth(link, 0)
    transfers.sim.run_until(10 * SECOND)

    assert {} == transfers.ended

    transfers.network.set_bandwidth(link, 100 * MB)
    transfers.sim.run_until(20 * SECOND)

    assert {"a": 10 * SECOND + SECOND // 2} == transfers.ended


def test_a_change_costs_one_event() -> None:
    """Not one for every transfer on the link."""
    link = Pipe("link", 100 * MB)
    sim = Sim(seed=1)
    network = FluidNetwork(sim)
    for number in range(100):
        network.begin([link], MB * (number + 1))
    sim.run_until(1000 * SECOND)

    assert sim.events_processed <= 310  # a hundred begins, a hundred ends, their hundred events


def test_a_cancelled_transfer_leaves_its_share_to_the_others() -> None:
    """At once."""
    link = Pipe("link", 100 * MB)
    transfers = Transfers()
    transfers.begin("a", [link], 150 * MB)
    other = transfers.network.begin([link], 150 * MB)
    transfers.sim.run_until(SECOND)
    transfers.network.cancel(other)
    transfers.sim.run_until(9 * SECOND)

    assert {"a": 2 * SECOND} == transfers.ended
