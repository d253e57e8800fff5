"""CRI's stats calls: exact at the instant at which they are asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness import SECOND, Cluster, NodeUnderTest, image, program, runc

from kubesim.facts import ContainerThrottled
from kubesim.node.cri.messages import (
    ContainerConfig,
    LinuxContainerResources,
    LinuxPodSandboxConfig,
    PodSandboxConfig,
    PodSandboxMetadata,
)
from kubesim.node.shim import NodeServices, Shim

MIB = 1 << 20
METADATA = PodSandboxMetadata(name="web", namespace="default", uid="u1")
LIMITED = LinuxContainerResources(memory_limit_in_bytes=100 * MIB)
MAIN = ContainerConfig(name="main", attempt=0, image="app:1", linux=LIMITED)


def shims(services: NodeServices) -> dict[str, Shim]:
    return {"runc": runc(services)}


@pytest.fixture
def node() -> NodeUnderTest:
    app = image(runs=program(cpu_millis=300))
    return NodeUnderTest(Cluster(), app, kubelet=False, shims=shims)


def start(
    node: NodeUnderTest, linux: LinuxPodSandboxConfig | None = None, *, quota_us: int = 0
) -> tuple[str, str]:
    """A sandbox with a running container."""
    runtime, do = node.containerd, node.cluster.do
    config = PodSandboxConfig(metadata=METADATA, linux=linux or LinuxPodSandboxConfig())
    sandbox = do(runtime.run_pod_sandbox(config, ""))
    do(runtime.pull_image("app:1", config))
    limits = replace(LIMITED, cpu_quota=quota_us, cpu_period=100_000)
    main = replace(MAIN, linux=limits if quota_us else LIMITED)
    container = do(runtime.create_container(sandbox, main, config))
    do(runtime.start_container(container))
    return sandbox, container


def test_a_steady_container_uses_what_it_uses(node: NodeUnderTest) -> None:
    """300m for ten seconds, memory as it is; the rate is that since the question before."""
    _, container = start(node)
    node.cluster.run(10)
    (first,) = node.containerd.list_container_stats()
    node.cluster.run(5)
    (second,) = node.containerd.list_container_stats()

    assert (container, "main", 0) == (first.id, first.name, first.attempt)
    assert 3 * SECOND == first.cpu.usage_core_nano_seconds
    assert (4_500_000_000, 300_000_000) == (
        second.cpu.usage_core_nano_seconds,
        second.cpu.usage_nano_cores,
    )
    assert node.cluster.sim.wall_ns == second.cpu.timestamp == second.memory.timestamp
    assert (10 * MIB, 90 * MIB) == (second.memory.working_set_bytes, second.memory.available_bytes)


def test_a_pod_is_its_cgroup(node: NodeUnderTest) -> None:
    """Its containers and pause; the shim is outside, unless an overhead makes room for it."""
    used = []
    for overhead in (None, LIMITED):
        sandbox, container = start(node, LinuxPodSandboxConfig(overhead=overhead))
        node.cluster.run(1)
        (stats,) = node.containerd.list_pod_sandbox_stats()
        used.append(stats.memory.working_set_bytes // MIB)
        assert (sandbox, METADATA) == (stats.id, stats.metadata)
        assert [container] == [item.id for item in stats.containers]
        assert SECOND * 3 // 10 == stats.cpu.usage_core_nano_seconds
        node.cluster.do(node.containerd.stop_pod_sandbox(sandbox))
        node.cluster.do(node.containerd.remove_pod_sandbox(sandbox))

    assert [10, 11] == used
    assert 0 == node.machine.memory_used_bytes


def test_only_what_runs_has_stats(node: NodeUnderTest) -> None:
    """Nothing of other sandboxes, nothing of containers that have ended."""
    sandbox, container = start(node)

    assert 1 == len(node.containerd.list_container_stats(sandbox))
    assert () == node.containerd.list_container_stats("another")

    node.cluster.do(node.containerd.stop_container(container, SECOND))

    assert () == node.containerd.list_container_stats()
    (stats,) = node.containerd.list_pod_sandbox_stats()
    assert () == stats.containers


def test_a_container_tells_how_its_quota_held_it_back(node: NodeUnderTest) -> None:
    """When it has ended: periods that were throttled, and the time asleep; the resized one counts on."""
    _, container = start(node, quota_us=10_000)
    node.cluster.run(1)
    linux = LinuxContainerResources(cpu_shares=1024, cpu_quota=20_000, cpu_period=100_000)
    node.cluster.do(node.containerd.update_container_resources(container, linux))
    node.cluster.run(1)
    node.cluster.do(node.containerd.stop_container(container, 0))
    (told,) = node.cluster.facts(ContainerThrottled)

    # 300m are wanted: 10 ms of each period last 33 ms of it, 20 ms last 67 ms.
    assert ("web", "main", 20, 20) == (
        told.name,
        told.container,
        told.nr_periods,
        told.nr_throttled,
    )
    assert 10 * (66_666_667 + 33_333_334) == pytest.approx(told.throttled_ns, abs=20)


def test_what_nothing_held_back_says_nothing(node: NodeUnderTest) -> None:
    """300m of a core's quota."""
    _, container = start(node, quota_us=100_000)
    node.cluster.run(1)
    node.cluster.do(node.containerd.stop_container(container, 0))

    assert [] == node.cluster.facts(ContainerThrottled)
