"""Cores of one node, by hand; cgroups, memory and the disk have files of their own."""

import contextlib

import pytest

from kubesim.node.machine import Machine
from kubesim.sim import Interrupt, Sim, SimProcess


def run(sim: Sim, machine: Machine, *amounts: int) -> list[tuple[int, int]]:
    """Start that much work at once; gives when each ended and how long it waited."""
    ends: list[tuple[int, int]] = []

    def work(cpu_ns: int) -> SimProcess[None]:
        waited_ns = yield from machine.compute(cpu_ns)
        ends.append((sim.now, waited_ns))

    for amount in amounts:
        sim.process(work(amount))
    sim.run_until(10_000)
    return ends


@pytest.mark.parametrize(
    ("cpu_millis", "ends"),
    [
        (1000, [(300, 200)] * 3),
        (2000, [(150, 50)] * 3),
        (3900, [(100, 0)] * 3),
        (250, [(300, 200)] * 3),
    ],
)
def test_threads_share_the_cores(cpu_millis: int, ends: list[tuple[int, int]]) -> None:
    """Equally, and nobody has more than one; there is at least one core."""
    sim = Sim(seed=1)

    assert ends == run(sim, Machine(sim, cpu_millis=cpu_millis, memory_bytes=0), 100, 100, 100)


def test_a_worker_that_gives_up_leaves_its_core() -> None:
    """Whether it had it already or was waiting for it."""
    sim = Sim(seed=1)
    machine = Machine(sim, cpu_millis=1000, memory_bytes=0)

    def impatient() -> SimProcess[None]:
        with contextlib.suppress(Interrupt):
            yield from machine.compute(1000)

    holder, waiter = sim.process(impatient()), sim.process(impatient())
    sim.call_in(10, waiter.interrupt)
    sim.call_in(20, holder.interrupt)

    assert [(112, 12)] == run(sim, machine, 100)
