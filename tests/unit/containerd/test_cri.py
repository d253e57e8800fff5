"""Sandboxes and containers behind CRI: calls by their real names, states, refusals."""

import contextlib
import gc
from dataclasses import replace

import pytest
from harness import MILLISECOND, SECOND, Cluster, NodeUnderTest, image, program, runc

from kubesim.facts import CriCalled
from kubesim.node.containerd.config import EndingTimes
from kubesim.node.cri.messages import (
    ContainerConfig,
    ContainerState,
    CriError,
    LinuxPodSandboxConfig,
    PodSandboxConfig,
    PodSandboxMetadata,
    PodSandboxState,
)
from kubesim.node.shim import NodeServices, Shim
from kubesim.sim import Interrupt, SimProcess
from kubesim.sim.distribution import Constant

SANDBOX = PodSandboxConfig(metadata=PodSandboxMetadata(name="web", namespace="default", uid="u1"))
MAIN = ContainerConfig(name="main", attempt=0, image="app:1")


def slow(services: NodeServices) -> dict[str, Shim]:
    return {"runc": runc(services, stop_ns=3 * SECOND)}


@pytest.fixture
def node() -> NodeUnderTest:
    return NodeUnderTest(Cluster(), image(), kubelet=False, shims=slow)


def started(node: NodeUnderTest) -> tuple[str, str]:
    """A sandbox with a running container."""
    runtime, do = node.containerd, node.cluster.do
    sandbox = do(runtime.run_pod_sandbox(SANDBOX, ""))
    do(runtime.pull_image("app:1", SANDBOX))
    container = do(runtime.create_container(sandbox, MAIN, SANDBOX))
    do(runtime.start_container(container))
    return sandbox, container


def test_a_sandbox_in_the_hosts_network_needs_no_cni() -> None:
    """No address, and none of the time that a network takes, at its start and at its end."""
    ending = EndingTimes(
        stop_sandbox=Constant(20 * MILLISECOND),
        stop_network=Constant(30 * MILLISECOND),
        remove_sandbox=Constant(2 * MILLISECOND),
        remove_network=Constant(8 * MILLISECOND),
    )
    node = NodeUnderTest(Cluster(), image(), kubelet=False, ending=ending)
    host = replace(SANDBOX, linux=LinuxPodSandboxConfig(host_network=True))
    took_ms = []
    for config in (SANDBOX, host):
        do, runtime = node.cluster.do, node.containerd
        sandbox = do(runtime.run_pod_sandbox(config, ""))
        assert (config is SANDBOX) == bool(do(runtime.pod_sandbox_status(sandbox)).ip)
        do(runtime.stop_pod_sandbox(sandbox))
        do(runtime.remove_pod_sandbox(sandbox))
    for at_ns, call in node.cluster.sim.journal.of(CriCalled):
        if call.method != "PodSandboxStatus":
            took_ms.append((at_ns - call.began_ns) // MILLISECOND)
    assert [150, 50, 10, 50, 20, 2] == took_ms


def test_a_pods_calls_in_their_order(node: NodeUnderTest) -> None:
    """What crictl would print, with times."""
    sandbox, container = started(node)
    do = node.cluster.do
    do(node.containerd.pod_sandbox_status(sandbox))
    do(node.containerd.stop_container(container, 10 * SECOND))
    do(node.containerd.stop_pod_sandbox(sandbox))
    do(node.containerd.remove_container(container))
    do(node.containerd.remove_pod_sandbox(sandbox))
    calls = node.cluster.facts(CriCalled)

    assert [
        ("RunPodSandbox", "web"),
        ("PullImage", "app:1"),
        ("CreateContainer", "main"),
        ("StartContainer", "main"),
        ("PodSandboxStatus", sandbox),
        ("StopContainer", "main"),
        ("StopPodSandbox", sandbox),
        ("RemoveContainer", "main"),
        ("RemovePodSandbox", sandbox),
    ] == [(call.method, call.subject) for call in calls]
    assert {("u1", "")} == {(call.pod_uid, call.error) for call in calls}
    assert [0, 150 * MILLISECOND, 500 * MILLISECOND, 510 * MILLISECOND] == [
        call.began_ns for call in calls[:4]
    ]


def test_a_sandbox_has_an_address_and_a_state(node: NodeUnderTest) -> None:
    """READY until it is stopped; stopping twice is stopping once."""
    sandbox, _ = started(node)
    do = node.cluster.do
    before = do(node.containerd.pod_sandbox_status(sandbox))
    for _ in range(2):
        do(node.containerd.stop_pod_sandbox(sandbox))
    after = do(node.containerd.pod_sandbox_status(sandbox))

    assert ("10.244.0.2", PodSandboxState.READY) == (before.ip, before.state)
    assert PodSandboxState.NOTREADY is after.state
    assert 0 == node.machine.memory_used_bytes


def test_a_container_goes_from_created_to_running_to_exited(node: NodeUnderTest) -> None:
    """With the times at which it did."""
    do, runtime = node.cluster.do, node.containerd
    sandbox = do(runtime.run_pod_sandbox(SANDBOX, "runc"))
    do(runtime.pull_image("app:1", SANDBOX))
    container = do(runtime.create_container(sandbox, MAIN, SANDBOX))
    states = [runtime.list_containers("u1")[0]]
    do(runtime.start_container(container))
    states.append(runtime.list_containers("u1")[0])
    do(runtime.stop_container(container, 10 * SECOND))
    states.append(runtime.list_containers("u1")[0])

    assert [ContainerState.CREATED, ContainerState.RUNNING, ContainerState.EXITED] == [
        s.state for s in states
    ]
    assert (530 * MILLISECOND, 3530 * MILLISECOND) == (
        states[2].started_at,
        states[2].finished_at,
    )
    assert (0, "Completed") == (states[2].exit_code, states[2].reason)


@pytest.mark.parametrize(("timeout_s", "took_s", "exit_code"), [(10, 3, 0), (1, 1, 137)])
def test_stopping_waits_for_the_process_or_kills_it(
    node: NodeUnderTest, timeout_s: int, took_s: int, exit_code: int
) -> None:
    """SIGTERM, then SIGKILL after the timeout."""
    _, container = started(node)
    began = node.cluster.sim.now
    node.cluster.do(node.containerd.stop_container(container, timeout_s * SECOND))
    (status,) = node.containerd.list_containers("u1")

    assert (took_s * SECOND, exit_code) == (node.cluster.sim.now - began, status.exit_code)


def test_stopping_a_sandbox_kills_what_runs_in_it(node: NodeUnderTest) -> None:
    """At once, with 137, and seen when the call returns."""
    sandbox, _ = started(node)
    node.cluster.do(node.containerd.stop_pod_sandbox(sandbox))
    (status,) = node.containerd.list_containers("u1")

    assert (ContainerState.EXITED, 137) == (status.state, status.exit_code)


def test_a_handler_must_be_in_the_runtime_table(node: NodeUnderTest) -> None:
    """The refusal is written down with the call, and nothing is left behind."""
    with pytest.raises(CriError) as refused:
        node.cluster.do(node.containerd.run_pod_sandbox(SANDBOX, "kata"))
    (call,) = node.cluster.facts(CriCalled)

    assert 'no runtime for "kata" is configured' in refused.value.message
    assert str(refused.value) == call.error
    assert call.error.startswith("rpc error: code = Unknown desc = ")
    assert 0 == node.machine.memory_used_bytes


def test_what_is_not_there_cannot_be_used(node: NodeUnderTest) -> None:
    """No sandbox, no image, no container: NotFound, and stopping nothing is fine."""
    do, runtime = node.cluster.do, node.containerd
    sandbox = do(runtime.run_pod_sandbox(SANDBOX, ""))
    for work in (
        runtime.create_container("none", MAIN, SANDBOX),
        runtime.create_container(sandbox, MAIN, SANDBOX),
        runtime.start_container("none"),
        runtime.pod_sandbox_status("none"),
    ):
        with pytest.raises(CriError) as refused:
            do(work)
        assert "NotFound" == refused.value.code
    for idle in (
        runtime.stop_container("none", 0),
        runtime.stop_pod_sandbox("none"),
        runtime.remove_container("none"),
        runtime.remove_pod_sandbox("none"),
    ):
        assert None is do(idle)


def test_a_stopped_sandbox_takes_no_containers(node: NodeUnderTest) -> None:
    """A pod's second life needs a second sandbox."""
    sandbox, _ = started(node)
    node.cluster.do(node.containerd.stop_pod_sandbox(sandbox))

    with pytest.raises(CriError, match="failed to find sandbox"):
        node.cluster.do(node.containerd.create_container(sandbox, MAIN, SANDBOX))


def test_attempts_are_listed_oldest_first() -> None:
    """A pod's containers of one name are told apart by their attempt."""
    node = NodeUnderTest(Cluster(), image(runs=program(run_ns=SECOND, exit_code=1)), kubelet=False)
    sandbox, _ = started(node)
    node.cluster.run(2)
    again = ContainerConfig(name="main", attempt=1, image="app:1")
    container = node.cluster.do(node.containerd.create_container(sandbox, again, SANDBOX))
    node.cluster.do(node.containerd.start_container(container))

    assert [(0, ContainerState.EXITED, 1), (1, ContainerState.RUNNING, 0)] == [
        (s.attempt, s.state, s.exit_code) for s in node.containerd.list_containers("u1")
    ]


def test_listeners_hear_of_every_change(node: NodeUnderTest) -> None:
    """Sandbox, created, started, exited, stopped; nothing after the power is gone."""
    heard: list[str] = []
    node.containerd.subscribe(heard.append)
    sandbox, container = started(node)

    assert ["u1"] * 3 == heard

    node.cluster.do(node.containerd.stop_container(container, SECOND))
    node.cluster.do(node.containerd.stop_pod_sandbox(sandbox))

    assert ["u1"] * 5 == heard

    node.containerd.power_off()

    assert ["u1"] * 5 == heard


def test_a_call_that_was_called_off_is_written_down_so() -> None:
    """Not as a success."""
    node = NodeUnderTest(Cluster(), image(), kubelet=False)

    def caller() -> SimProcess[None]:
        with contextlib.suppress(Interrupt):
            yield from node.containerd.run_pod_sandbox(SANDBOX, "")

    process = node.cluster.sim.process(caller())
    node.cluster.run(0.05)
    process.interrupt()
    node.cluster.run(1)
    (call,) = node.cluster.facts(CriCalled)

    assert "rpc error: code = Canceled desc = context canceled" == call.error


def test_the_end_of_a_run_writes_nothing() -> None:
    """Calls that are under way when a run ends leave no trace when Python clears them away."""
    node = NodeUnderTest(Cluster(), image(), kubelet=False)
    node.cluster.sim.process(node.containerd.run_pod_sandbox(SANDBOX, ""))
    node.cluster.run(0.05)
    journal = node.cluster.sim.journal
    digest = journal.digest
    del node
    gc.collect()

    assert digest == journal.digest
