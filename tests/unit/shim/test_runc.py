"""Linux containers: starts, signals, exit codes, memory, ports, logs."""

from typing import Any

import pytest
from harness import MILLISECOND, SECOND, Cluster, NodeUnderTest, program, runc

from kubesim.facts import LogWritten, RuntimeCalled
from kubesim.node.shim import ExitStatus, ShimError, TaskSpec
from kubesim.node.shim.runc import Commands, RuncTask
from kubesim.node.shim.task import SIGKILL, SIGTERM
from kubesim.sim.distribution import Constant
from kubesim.wire.http import ConnectionRefused, HttpRequest, Served
from kubesim.wire.image import LinuxProgram, WasmKind, WasmProgram


@pytest.fixture
def node() -> NodeUnderTest:
    return NodeUnderTest(Cluster(), kubelet=False)


def spec(runs: LinuxProgram | WasmProgram, **more: Any) -> TaskSpec:
    values: dict[str, Any] = {
        "namespace": "default", "pod": "web", "uid": "u1", "container": "main", "attempt": 0,
        "program": runs, "ip": "10.244.0.2",
    }  # fmt: skip
    return TaskSpec(**{**values, **more})


def task(node: NodeUnderTest, *, stop_ns: int = SECOND, **more: Any) -> RuncTask:
    """A task that was started."""
    limits = {k: more.pop(k) for k in ("memory_limit_bytes", "cpu_quota") if k in more}
    made = runc(node.services, stop_ns=stop_ns).create(spec(program(**more), **limits))
    node.cluster.do(made.start())
    return made


def ended(made: RuncTask) -> ExitStatus:
    """How it ended."""
    assert made.exited.triggered
    status = made.exited.value
    assert isinstance(status, ExitStatus)
    return status


@pytest.mark.parametrize(("count", "took_s"), [(4, 0.02), (5, 0.025)])
def test_starts_share_the_cores(node: NodeUnderTest, count: int, took_s: float) -> None:
    """Four cores start four containers in 20 ms, and five in 25."""
    shim = runc(node.services)
    for number in range(count):
        made = shim.create(spec(program(port=0), container=f"c{number}"))
        node.cluster.sim.process(made.start())
    node.cluster.run(took_s - 0.000001)

    assert 0 == node.machine.memory_used_bytes

    node.cluster.run(0.000001)

    assert count * program().memory_bytes == node.machine.memory_used_bytes


@pytest.mark.parametrize(("code", "reason"), [(0, "Completed"), (3, "Error")])
def test_a_program_ends_with_its_own_code(node: NodeUnderTest, code: int, reason: str) -> None:
    """After its own run time."""
    made = task(node, run_ns=2 * SECOND, exit_code=code)
    node.cluster.run_to(2.019)

    assert not made.exited.triggered

    node.cluster.run_to(2.02)

    assert ExitStatus(exit_code=code, reason=reason) == ended(made)
    assert 0 == node.machine.memory_used_bytes


def test_sigterm_ends_it_after_a_while(node: NodeUnderTest) -> None:
    """A second SIGTERM changes nothing."""
    made = task(node)
    made.kill(SIGTERM)
    node.cluster.run(0.5)
    made.kill(SIGTERM)
    node.cluster.run(0.499)

    assert not made.exited.triggered

    node.cluster.run(0.001)

    assert 0 == ended(made).exit_code


COMMANDS = Commands(
    name="runc",
    create=Constant(12 * MILLISECOND),
    start=Constant(3 * MILLISECOND),
    delete=Constant(4 * MILLISECOND),
)


def commands(node: NodeUnderTest) -> list[tuple[str, str, int, int]]:
    """What the runtime did: runtime, command, from, to; in milliseconds."""
    journal = node.cluster.sim.journal.of(RuntimeCalled)
    return [
        (fact.runtime, fact.command, fact.began_ns // MILLISECOND, at_ns // MILLISECOND)
        for at_ns, fact in journal
    ]


def test_the_runtimes_commands_are_the_last_part_of_start_and_stop(node: NodeUnderTest) -> None:
    """Of 20 ms until it runs the last 15 are ``create`` and ``start``; ``delete`` ends the stop."""
    made = runc(node.services, stop_ns=30 * MILLISECOND, commands=COMMANDS).create(spec(program()))
    node.cluster.do(made.start())
    assert 20 * MILLISECOND == node.cluster.sim.now
    made.kill(SIGTERM)
    node.cluster.run(1)
    assert [
        ("runc", "create", 5, 17),
        ("runc", "start", 17, 20),
        ("runc", "delete", 46, 50),
    ] == commands(node)
    assert made.exited.triggered


def test_after_sigkill_no_delete_is_told_of(node: NodeUnderTest) -> None:
    """It is in containerd's time then; a stop that was under way tells of nothing either."""
    made = runc(node.services, stop_ns=SECOND, commands=COMMANDS).create(spec(program()))
    node.cluster.do(made.start())
    made.kill(SIGTERM)
    made.kill(SIGKILL)
    node.cluster.run(2)
    assert ["create", "start"] == [command for _, command, _, _ in commands(node)]


def test_a_program_with_a_start_of_its_own_has_it_whole(node: NodeUnderTest) -> None:
    """What its image says of the start is not taken apart."""
    own = program(start=Constant(7 * MILLISECOND))
    node.cluster.do(runc(node.services, commands=COMMANDS).create(spec(own)).start())
    assert 7 * MILLISECOND == node.cluster.sim.now
    assert [] == commands(node)


def test_sigkill_ends_it_at_once(node: NodeUnderTest) -> None:
    """137, whatever SIGTERM had begun; signals to the dead are lost."""
    made = task(node)
    made.kill(SIGTERM)
    made.kill(SIGKILL)
    made.kill(SIGTERM)
    node.cluster.run(5)

    assert ExitStatus(exit_code=137, reason="Error") == ended(made)


@pytest.mark.parametrize("signal", [SIGTERM, SIGKILL])
def test_a_task_can_be_killed_while_it_starts(node: NodeUnderTest, signal: int) -> None:
    """The program never runs, and no memory is left."""
    made = runc(node.services).create(spec(program(log=("up",))))
    node.cluster.sim.process(made.start())
    node.cluster.run(0.01)
    made.kill(signal)
    node.cluster.run(1)

    assert (137 if signal == SIGKILL else 0) == ended(made).exit_code
    assert [] == node.cluster.facts(LogWritten)
    assert 0 == node.machine.memory_used_bytes


def test_more_memory_than_the_limit_is_an_oom_kill(node: NodeUnderTest) -> None:
    """137 and OOMKilled; at the limit exactly it lives."""
    killed = task(node, memory_bytes=65 << 20, memory_limit_bytes=64 << 20)
    lives = task(node, memory_bytes=64 << 20, memory_limit_bytes=64 << 20)
    node.cluster.run(1)

    assert ExitStatus(exit_code=137, reason="OOMKilled") == ended(killed)
    assert not lives.exited.triggered
    assert 64 << 20 == node.machine.memory_used_bytes


def test_lines_are_written_when_the_program_is_up(node: NodeUnderTest) -> None:
    """At that instant, in order, to standard output."""
    task(node, init=Constant(300 * MILLISECOND), log=("one", "two"))
    node.cluster.run(1)
    lines = [(at, fact.stream, fact.line) for at, fact in node.cluster.sim.journal.of(LogWritten)]

    assert [(320 * MILLISECOND, "stdout", "one"), (320 * MILLISECOND, "stdout", "two")] == lines


def test_a_port_that_is_taken_ends_the_second_program(node: NodeUnderTest) -> None:
    """It says so and exits with 1; the first keeps the port, also after the second is gone."""
    first = task(node)
    second = task(node)
    node.cluster.run(1)
    lines = [fact.line for fact in node.cluster.facts(LogWritten)]

    assert ["listen tcp :80: bind: address already in use"] == lines
    assert ExitStatus(exit_code=1, reason="Error") == ended(second)
    assert not first.exited.triggered
    answer, _ = node.cluster.do(node.network.request("10.244.0.2", 80, HttpRequest()))
    assert isinstance(answer, Served)


def test_a_port_is_free_again_after_the_end(node: NodeUnderTest) -> None:
    """Connections are refused from then on, and those that wait are reset."""
    made = task(node, service=Constant(SECOND))
    request = node.cluster.sim.process(node.network.request("10.244.0.2", 80, HttpRequest()))
    node.cluster.run(0.1)
    made.kill(SIGKILL)
    node.cluster.run(2)
    late, _ = node.cluster.do(node.network.request("10.244.0.2", 80, HttpRequest()))

    assert ConnectionRefused("connection reset by peer") == request.value[0]
    assert ConnectionRefused() == late


@pytest.mark.parametrize(("work_ms", "took_us"), [(49, 49_000), (60, 109_500), (500, 949_500)])
def test_a_quota_stretches_the_work(node: NodeUnderTest, work_ms: int, took_us: int) -> None:
    """Half a core takes twice as long, but a burst that fits into a period takes no longer."""
    task(node, service=Constant(work_ms * MILLISECOND), cpu_quota=(50_000, 100_000))
    node.cluster.run_to(1.02)  # the container's periods begin with it
    answer, _ = node.cluster.do(node.network.request("10.244.0.2", 80, HttpRequest()))

    assert isinstance(answer, Served)
    assert took_us * 1000 == answer.queue_ns + answer.execute_ns


def test_a_module_is_no_linux_program(node: NodeUnderTest) -> None:
    """Exec format error, with the entry point's name."""
    module = WasmProgram(module=b"", digest="d", kind=WasmKind.COMMAND)

    with pytest.raises(ShimError, match='exec: "/app": exec format error'):
        runc(node.services).create(spec(module, command=("/app",)))


def test_streams_belong_to_the_container_alone() -> None:
    """The scope of its luck does not name the node or the UID: it is equal in two policies."""
    assert "pod/default/web/main/0" == spec(program()).scope


@pytest.mark.parametrize(("finishes", "answered"), [(True, True), (False, False)])
def test_a_program_may_finish_what_it_works_on(
    node: NodeUnderTest, finishes: bool, answered: bool
) -> None:
    """At SIGTERM one answers its last request before it ends, another drops it; both stop to listen."""
    made = task(node, stop_ns=MILLISECOND, service=Constant(SECOND), finishes=finishes)
    node.cluster.run(1)
    asked = node.cluster.sim.process(node.network.request("10.244.0.2", 80, HttpRequest()))
    node.cluster.run(0.5)
    made.kill(SIGTERM)
    node.cluster.run(0.1)
    late, _ = node.cluster.do(node.network.request("10.244.0.2", 80, HttpRequest()))
    node.cluster.run(2)
    answer, _ = asked.value

    assert isinstance(late, ConnectionRefused)
    assert answered == isinstance(answer, Served)
    assert 0 == ended(made).exit_code


def test_sigkill_waits_for_no_request(node: NodeUnderTest) -> None:
    """A program that finishes is killed when its grace is over."""
    made = task(node, service=Constant(60 * SECOND), finishes=True)
    node.cluster.run(1)
    node.cluster.sim.process(node.network.request("10.244.0.2", 80, HttpRequest()))
    node.cluster.run(0.5)
    made.kill(SIGTERM)
    node.cluster.run(1)
    assert not made.exited.triggered
    made.kill(SIGKILL)
    assert 137 == ended(made).exit_code
