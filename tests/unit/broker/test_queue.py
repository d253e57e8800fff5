"""Queues: what waits, what is handed out, and what becomes of it when a consumer goes."""

from __future__ import annotations

import pytest
from harness import SECOND
from hypothesis import given
from hypothesis import strategies as st

from kubesim.facts import MessageLost, MessageProcessed
from kubesim.node.machine import Machine
from kubesim.sim import Sim
from kubesim.sim.distribution import Constant
from kubesim.wire.image import Consumption, LinuxProgram
from kubesim.world.broker import MessageQueue
from kubesim.world.workload import LinuxProcess
from kubesim.world.workload.linux import LinuxProcessHooks


class Bench:
    """A queue and programs that consume it, each on a machine of its own."""

    def __init__(self, *, acknowledged: bool = True) -> None:
        self.sim = Sim(seed=1)
        self.queue = MessageQueue(self.sim, name="orders", acknowledged=acknowledged)

    def start(
        self, name: str = "default/w", *, workers: int = 1, seconds: int = 10, **consumes: int
    ) -> LinuxProcess:
        machine = Machine(self.sim, cpu_millis=64_000, memory_bytes=0)
        process = LinuxProcess(
            self.sim,
            program=LinuxProgram(
                init=Constant(0), service=Constant(seconds * SECOND), workers=workers,
                memory_bytes=0, port=0,
                consumes=Consumption(queue="orders", **consumes),
            ),
            scope=name,
            hooks=LinuxProcessHooks(
                log=lambda _: None, listen=lambda: True, cgroup=machine.system,
                memory=machine.memory.process(machine.system, component="app"),
                queue=self.queue, pod=name,
            ),
        )  # fmt: skip
        self.sim.process(process.run())
        return process

    def publish(self, count: int) -> None:
        for _ in range(count):
            self.queue.publish()

    def run_to(self, seconds: float) -> None:
        self.sim.run_until(round(seconds * SECOND))

    @property
    def done(self) -> list[MessageProcessed]:
        return [fact for _, fact in self.sim.journal.of(MessageProcessed)]


def test_a_program_works_off_a_queue():
    """One message after another, in the order in which they came."""
    bench = Bench()
    bench.start()
    bench.publish(3)
    bench.run_to(25)

    assert [(f.serial, f.waited_ns // SECOND) for f in bench.done] == [(0, 0), (1, 10)]
    assert (bench.queue.ready, bench.queue.unacknowledged) == (0, 1)


def test_workers_work_side_by_side():
    """As many messages at once as there are workers."""
    bench = Bench()
    bench.start(workers=3)
    bench.publish(4)
    bench.run_to(10.5)

    assert (len(bench.done), bench.queue.unacknowledged) == (3, 1)


def test_a_message_of_a_dead_consumer_is_handed_out_again():
    """Where messages are acknowledged; and before those that came later."""
    bench = Bench()
    first = bench.start("default/a")
    bench.publish(2)
    bench.run_to(5)
    first.stop()
    bench.start("default/b")
    bench.run_to(30)

    assert [(f.serial, f.pod, f.deliveries) for f in bench.done] == [
        (0, "default/b", 2), (1, "default/b", 1),
    ]  # fmt: skip


def test_a_message_of_a_dead_consumer_is_lost_in_a_list():
    """It was taken for good."""
    bench = Bench(acknowledged=False)
    first = bench.start()
    bench.publish(2)
    bench.run_to(5)
    assert bench.queue.unacknowledged == 0
    first.stop()
    bench.run_to(6)

    assert [fact.serial for _, fact in bench.sim.journal.of(MessageLost)] == [0]
    assert (bench.queue.lost, bench.queue.ready) == (1, 1)


def test_a_batch_worker_ends_after_its_messages():
    """It takes no more than it is to handle."""
    bench = Bench()
    process = bench.start(messages=2)
    bench.publish(5)
    bench.run_to(30)

    assert process.ended.triggered
    assert (len(bench.done), bench.queue.ready) == (2, 3)


def test_a_worker_that_finds_nothing_ends():
    """After the time for which it waits, counted from its last message."""
    bench = Bench()
    process = bench.start(idle_ns=5 * SECOND)
    bench.publish(1)
    bench.run_to(14.9)
    assert not process.ended.triggered
    bench.run_to(15.1)

    assert process.ended.triggered


def test_a_program_that_is_asked_to_finish_takes_no_more():
    """What it has taken it finishes."""
    bench = Bench()
    process = bench.start()
    bench.publish(3)
    bench.run_to(5)
    finished = process.finished()
    bench.run_to(12)

    assert finished.triggered
    assert (len(bench.done), bench.queue.ready) == (1, 2)


def test_a_broker_that_is_down_takes_and_hands_out_nothing():
    """Producers are refused; what was there is there when it is back."""
    bench = Bench()
    bench.start(workers=9)
    bench.run_to(1)
    bench.queue.go_down()
    bench.publish(2)
    bench.queue.come_up()
    bench.publish(1)
    bench.run_to(2)

    assert (bench.queue.refused, bench.queue.published) == (2, 1)


@given(
    steps=st.lists(
        st.sampled_from(["publish", "start", "stop", "wait", "down", "up"]), max_size=30
    ),
    acknowledged=st.booleans(),
)
def test_every_message_is_somewhere(steps, acknowledged):
    """Waiting, with a consumer, done, or lost: whatever happens, none is twice and none is missing."""
    bench = Bench(acknowledged=acknowledged)
    running: list[LinuxProcess] = []
    for number, step in enumerate(steps):
        if step == "publish":
            bench.publish(2)
        elif step == "start":
            running.append(bench.start(f"default/{number}", seconds=3, messages=2))
        elif step == "stop" and running:
            running.pop(0).stop()
        elif step in ("down", "up"):
            (bench.queue.go_down if step == "down" else bench.queue.come_up)()
        bench.run_to(2 * (number + 1))
    queue = bench.queue
    serials = [fact.serial for fact in bench.done]

    assert len(serials) == len(set(serials)) == queue.processed
    with_consumers = queue.published - queue.processed - queue.lost - queue.ready
    assert 0 <= with_consumers <= len(steps)
    assert queue.unacknowledged in ((with_consumers,) if acknowledged else (0,))


@pytest.mark.parametrize("window", [1, 5])
def test_rates_are_those_of_the_window(window):
    """Messages that came, and that were handed out, a second."""
    bench = Bench()
    bench.run_to(10)
    bench.publish(10)
    bench.queue.receive()
    bench.run_to(10 + window / 2)

    assert bench.queue.publish_rate(window * SECOND) == 10 / window
    assert bench.queue.deliver_rate(window * SECOND) == 1 / window
