"""Cores and memory of one node."""

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
        (1000, [(100, 0), (200, 100), (300, 200)]),
        (2000, [(100, 0), (100, 0), (200, 100)]),
        (3900, [(100, 0)] * 3),
        (250, [(100, 0), (200, 100), (300, 200)]),
    ],
)
def test_work_waits_for_a_core(cpu_millis: int, ends: list[tuple[int, int]]) -> None:
    """First come, first served; parts of a core do not count, but there is at least one."""
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

    assert [(120, 20)] == run(sim, machine, 100)


def test_memory_is_counted_with_its_peak() -> None:
    """What is freed was allocated, and the peak remembers."""
    machine = Machine(Sim(seed=1), cpu_millis=1000, memory_bytes=1 << 30)
    machine.allocate(100)
    machine.allocate(50)
    machine.free(100)

    assert (50, 150) == (machine.memory_used_bytes, machine.memory_peak_bytes)
    with pytest.raises(AssertionError):
        machine.free(51)
