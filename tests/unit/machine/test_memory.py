"""Memory by cgroup and component, and whom the kernel kills."""

from __future__ import annotations

import pytest

from kubesim.node.machine import Machine, Process, Resources
from kubesim.sim import Sim

MIB = 1 << 20


class Node:
    """A machine of 1000 MiB; what is killed is written down."""

    def __init__(self) -> None:
        self.machine = Machine(Sim(seed=1), cpu_millis=1000, memory_bytes=1000 * MIB)
        self.killed: list[str] = []

    def start(
        self, name: str, mib: int, *, path: str = "", adj: int = 0, limit_mib: int = 0
    ) -> Process:
        """A container's process."""
        pod = self.machine.pod_cgroup(path or f"/kubepods/besteffort/{name}")
        cgroup = pod.child(name, Resources(memory_limit_bytes=limit_mib * MIB))
        process = self.machine.memory.process(
            cgroup,
            component="app",
            oom_score_adj=adj,
            on_oom_kill=lambda: self.killed.append(name),
        )
        process.allocate(mib * MIB)
        return process


def test_memory_is_counted_upwards() -> None:
    """In the container's cgroup and in all above it, until the process ends."""
    node = Node()
    process = node.start("a", 10)
    node.start("b", 20)
    counted = [cgroup.memory_bytes // MIB for cgroup in process.cgroup.lineage]
    process.exit()
    process.exit()

    assert [10, 10, 30, 30, 30] == counted
    assert (20, 30) == (
        node.machine.memory_used_bytes // MIB,
        node.machine.memory_peak_bytes // MIB,
    )


def test_who_had_it_at_the_peak() -> None:
    """By component, also after that has changed."""
    node = Node()
    shim = node.machine.memory.process(node.machine.system, component="shim", oom_score_adj=-998)
    shim.allocate(5 * MIB)
    app = node.start("a", 10)
    app.free(10 * MIB)
    memory = node.machine.memory

    assert (5 * MIB, 10 * MIB) == (
        memory.peak_by_component["shim"],
        memory.peak_by_component["app"],
    )
    assert (5 * MIB, 0) == (memory.by_component["shim"], memory.by_component["app"])
    assert 0 == memory.pod_by_component(node.machine.kubepods)["shim"]


def test_a_containers_limit_kills_in_that_container() -> None:
    """At the limit it lives; above it only its own process goes, however small."""
    node = Node()
    node.start("big", 500, adj=1000)
    small = node.start("small", 10, adj=-997, limit_mib=10)

    assert [] == node.killed

    small.allocate(1)

    assert ["small"] == node.killed
    assert 500 == node.machine.memory_used_bytes // MIB


def test_a_pods_limit_kills_the_largest_of_the_pod() -> None:
    """Whoever asked for the last of it."""
    node = Node()
    node.machine.pod_cgroup("/kubepods/podx", Resources(memory_limit_bytes=100 * MIB))
    node.start("main", 70, path="/kubepods/podx")
    node.start("sidecar", 31, path="/kubepods/podx")

    assert ["main"] == node.killed


@pytest.mark.parametrize(
    ("guaranteed", "burstable", "best_effort", "killed"),
    [
        (400, 90, 10, ["besteffort"]),
        (400, 400, 10, ["burstable"]),
        (890, 90, 5, ["besteffort"]),
        (100, 870, 0, ["burstable"]),
    ],
)
def test_a_full_node_kills_by_score(
    guaranteed: int, burstable: int, best_effort: int, killed: list[str]
) -> None:
    """Best effort before what uses less than it requests; guaranteed and shims last."""
    node = Node()
    shim = node.machine.memory.process(node.machine.system, component="shim", oom_score_adj=-998)
    shim.allocate(10 * MIB)
    node.start("guaranteed", guaranteed, path="/kubepods/podg", adj=-997)
    node.start("burstable", burstable, path="/kubepods/burstable/podb", adj=900)
    if best_effort:
        node.start("besteffort", best_effort, adj=1000)
    node.start("last", 1000 - 10 - guaranteed - burstable - best_effort, adj=-998)

    assert [] == node.killed

    shim.allocate(1)

    assert killed == node.killed


def test_the_killed_give_nothing_back_twice() -> None:
    """What a request took goes with its process."""
    node = Node()
    process = node.start("a", 10, limit_mib=20)
    process.allocate(11 * MIB)
    process.free(11 * MIB)
    process.allocate(5 * MIB)

    assert ["a"] == node.killed
    assert (0, 0) == (node.machine.memory_used_bytes, process.memory_bytes)


def test_more_than_it_has_is_never_given_back() -> None:
    """A mistake of the caller's."""
    with pytest.raises(AssertionError):
        Node().start("a", 10).free(11 * MIB)
