"""Out of memory: by a container's limit, by what all pods may have, and by the node."""

from __future__ import annotations

import re
from typing import Any

import pytest
from harness import SECOND, Cluster, NodeUnderTest, bound, image, program

from kubesim.node.machine.strain import Strain

MI = 1 << 20
NODE_MI = 8192


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def uses(mi: int, **more: Any) -> Any:
    return image(runs=program(memory_bytes=mi * MI, **more))


def pod(name: str, *, requests: str = "", limits: str = "", **more: Any) -> Any:
    resources: dict[str, Any] = {}
    for kind, memory in (("requests", requests), ("limits", limits)):
        if memory:
            resources[kind] = {"cpu": "100m", "memory": memory}
    container = {"name": "main", "image": "app:1", "resources": resources}
    return bound(name, containers=[container], restartPolicy="Never", **more)


def ended(cluster: Cluster, name: str) -> tuple[int, str | None] | None:
    state = cluster.pod(name).status.container_statuses[0].state.terminated
    return None if state is None else (state.exit_code, state.reason)


def test_who_grows_over_its_limit_is_killed_and_restarted(cluster: Cluster) -> None:
    """137, OOMKilled; then CrashLoopBackOff, and the last state remembers why."""
    NodeUnderTest(cluster, uses(60, growth_bytes=10 * MI, growth_every_ns=SECOND))
    resources = {"limits": {"memory": "100Mi"}}
    cluster.api.create(
        bound("leak", containers=[{"name": "main", "image": "app:1", "resources": resources}])
    )
    cluster.run(17)
    status = cluster.pod("leak").status.container_statuses[0]
    before = status.last_state.terminated or status.state.terminated

    assert before is not None
    assert (137, "OOMKilled") == (before.exit_code, before.reason)
    assert status.restart_count >= 1
    assert "Running" == cluster.pod("leak").status.phase


def test_a_daemon_that_takes_the_nodes_memory_costs_best_effort_first(cluster: Cluster) -> None:
    """Best effort, then burstable, then guaranteed; the Node's event SystemOOM names each victim."""
    node = NodeUnderTest(cluster, uses(1000), eviction_hard={})
    cluster.api.create(pod("effort"))
    cluster.api.create(pod("burst", requests="500Mi"))
    cluster.api.create(pod("sure", requests="1100Mi", limits="1100Mi"))
    cluster.run(20)
    strain = Strain(node.machine)
    strain.take_memory((NODE_MI - 3000 + 500) * MI)
    cluster.run(5)
    first = [ended(cluster, name) for name in ("effort", "burst", "sure")]
    said = cluster.events("SystemOOM")
    strain.take_memory(1000 * MI)
    cluster.run(5)

    assert [(137, "OOMKilled"), None, None] == first
    assert (137, "OOMKilled") == ended(cluster, "burst")
    assert ended(cluster, "sure") is None
    assert 1 == len(said)
    assert re.fullmatch(r"System OOM encountered, victim process: main, pid: \d+", said[0]), said
    assert 2 == len(cluster.events("SystemOOM"))


def test_all_pods_together_may_not_have_what_is_reserved(cluster: Cluster) -> None:
    """``enforceNodeAllocatable: [pods]``: the kernel kills among the pods, though the node has room."""
    node = NodeUnderTest(cluster, uses(2000), eviction_hard={})
    node.machine.limit_pods(memory_bytes=5000 * MI)
    for name in ("a", "b", "c"):
        cluster.api.create(pod(name))
    cluster.run(30)

    assert 1 == sum(ended(cluster, name) == (137, "OOMKilled") for name in ("a", "b", "c"))
    assert node.machine.memory_used_bytes < 5000 * MI
    assert [] == cluster.events("SystemOOM")
