"""A Linux program as a model."""

from typing import Any

import pytest
from harness import MILLISECOND, SECOND, program

from kubesim.node.machine import Machine
from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Constant
from kubesim.wire.http import ConnectionRefused, HttpRequest, Served
from kubesim.world.workload import LinuxProcess
from kubesim.world.workload.linux import LinuxProcessHooks


class Host:
    """What a program reaches outside itself, recorded."""

    def __init__(self, *, cores: int = 4, port_free: bool = True, **model: Any) -> None:
        self.sim = Sim(seed=1)
        self.output: list[tuple[int, bytes]] = []
        self.listening_since: int | None = None
        self._port_free = port_free
        self.machine = Machine(self.sim, cpu_millis=cores * 1000, memory_bytes=0)
        cgroup = self.machine.kubepods.child("main")
        self.process = LinuxProcess(
            self.sim,
            program=program(**model),
            scope="test",
            hooks=LinuxProcessHooks(
                log=lambda data: self.output.append((self.sim.now, data)),
                listen=self._listen,
                cgroup=cgroup,
                memory=self.machine.memory.process(cgroup, component="app"),
            ),
        )
        self.sim.process(self.process.run())

    def _listen(self) -> bool:
        self.listening_since = self.sim.now
        return self._port_free

    def serve(self, count: int) -> list[tuple[int, Served | ConnectionRefused]]:
        """Send so many requests at once; gives the answers with their times."""
        answers: list[tuple[int, Served | ConnectionRefused]] = []

        def one() -> SimProcess[None]:
            answer = yield from self.process.serve(HttpRequest())
            answers.append((self.sim.now, answer))

        for _ in range(count):
            self.sim.process(one())
        return answers


def test_it_listens_when_it_is_up() -> None:
    """Log first, then the socket, after its start-up time."""
    host = Host(init=Constant(3 * SECOND), log=("ready",))
    host.sim.run_until(10 * SECOND)

    assert [(3 * SECOND, b"ready\n")] == host.output
    assert 3 * SECOND == host.listening_since
    assert not host.process.ended.triggered


def test_a_job_ends_by_itself() -> None:
    """Start-up and run time, then its exit code; without a port it never listens."""
    host = Host(init=Constant(SECOND), run_ns=2 * SECOND, exit_code=4, port=0)
    host.sim.run_until(3 * SECOND)

    assert 4 == host.process.ended.value
    assert None is host.listening_since


def test_a_taken_port_is_the_end() -> None:
    """With a line and exit code 1."""
    host = Host(port_free=False)
    host.sim.run_until(0)

    assert 1 == host.process.ended.value
    assert b"bind: address already in use\n" in host.output[-1][1]


def test_a_stopped_program_does_nothing_more() -> None:
    """It never comes up."""
    host = Host(init=Constant(SECOND), log=("ready",))
    host.process.stop()
    host.sim.run_until(10 * SECOND)

    assert ([], None) == (host.output, host.listening_since)


@pytest.mark.parametrize(
    ("workers", "cores", "ends_ms"),
    [(1, 4, [1, 2, 3]), (2, 4, [1, 1, 2]), (3, 4, [1, 1, 1]), (3, 1, [3, 3, 3])],
)
def test_requests_wait_for_a_worker_and_a_core(
    workers: int, cores: int, ends_ms: list[int]
) -> None:
    """Waiting and working are told apart, and add up; workers share the cores."""
    host = Host(workers=workers, cores=cores)
    answers = host.serve(3)
    host.sim.run_until(SECOND)

    assert ends_ms == [at // MILLISECOND for at, _ in answers]
    for at, answer in answers:
        assert isinstance(answer, Served)
        assert (MILLISECOND, at) == (answer.execute_ns, answer.queue_ns + answer.execute_ns)


def test_connections_break_when_it_is_gone() -> None:
    """Whoever waits gets a reset."""
    host = Host(service=Constant(SECOND))
    answers = host.serve(1)
    host.sim.call_in(SECOND // 2, host.process.stop)
    host.sim.run_until(2 * SECOND)

    assert [ConnectionRefused("connection reset by peer")] == [answer for _, answer in answers]
