"""A pod's cgroup and its containers' oom_score_adj."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Cluster, NodeUnderTest, bound, image, pod

from kubesim.node.cri.messages import LinuxContainerResources
from kubesim.node.kubelet.cm import linux_pod_sandbox_config, oom_score_adj

GIB = 1 << 30
FULL = {"cpu": "500m", "memory": "1Gi"}


def make(*resources: dict[str, Any], **more: Any) -> Any:
    containers = [
        {"name": f"c{i}", "image": "app:1", "resources": item} for i, item in enumerate(resources)
    ]
    made = pod(containers=containers, **more)
    return made.replace(metadata=made.metadata.replace(uid="u1"))


@pytest.mark.parametrize(
    ("resources", "path"),
    [
        ({}, "/kubepods/besteffort/podu1"),
        ({"requests": FULL}, "/kubepods/burstable/podu1"),
        ({"requests": FULL, "limits": FULL}, "/kubepods/podu1"),
    ],
)
def test_the_cgroup_follows_from_the_qos_class(resources: dict[str, Any], path: str) -> None:
    """Guaranteed pods are directly below kubepods."""
    assert path == linux_pod_sandbox_config(make(resources)).cgroup_parent


def test_a_pods_limits_are_those_of_its_containers_together() -> None:
    """Where all have one; the shares are those of all requests."""
    both = linux_pod_sandbox_config(make({"limits": FULL, "requests": FULL}, {"limits": FULL}))
    one = linux_pod_sandbox_config(make({"limits": FULL, "requests": FULL}, {}))

    assert (100_000, 2 * GIB) == (both.resources.cpu_quota, both.resources.memory_limit_in_bytes)
    assert LinuxContainerResources(cpu_shares=512) == one.resources
    assert LinuxContainerResources(cpu_shares=2) == linux_pod_sandbox_config(make({})).resources


def test_an_overhead_makes_room_for_the_runtime() -> None:
    """In the pod's limit, and told to the runtime."""
    config = linux_pod_sandbox_config(
        make({"limits": FULL, "requests": FULL}, overhead={"memory": "1Gi", "cpu": "250m"})
    )

    assert config.overhead is not None
    assert GIB == config.overhead.memory_limit_in_bytes
    assert (75_000, 2 * GIB) == (
        config.resources.cpu_quota,
        config.resources.memory_limit_in_bytes,
    )


@pytest.mark.parametrize(
    ("resources", "more", "expected"),
    [
        ({}, {}, 1000),
        ({"requests": FULL, "limits": FULL}, {}, -997),
        ({}, {"priority": 2_000_001_000}, -997),
        ({"requests": {"cpu": "1"}}, {}, 999),
        ({"requests": {"memory": "1Gi"}}, {}, 900),
        ({"requests": {"memory": "10Gi"}}, {}, 3),
    ],
)
def test_who_is_killed_first(
    resources: dict[str, Any], more: dict[str, Any], expected: int
) -> None:
    """On a machine of 10 GiB: by class, and by how much of it a burstable one requests."""
    made = make(resources, **more)

    assert expected == oom_score_adj(made, made.spec.containers[0], memory_capacity_bytes=10 * GIB)


def test_a_sidecar_outlives_whom_it_serves() -> None:
    """Its score is at most that of the container that requests least."""
    sidecar = {"name": "mesh", "image": "app:1", "restartPolicy": "Always"}
    made = make({"requests": {"memory": "2Gi"}}, initContainers=[sidecar])

    assert 800 == oom_score_adj(made, made.spec.init_containers[0], memory_capacity_bytes=10 * GIB)


@pytest.mark.parametrize(
    ("settings", "quota_us", "period_us"),
    [
        ({}, 50_000, 100_000),
        ({"cpu_cfs_quota": False}, 0, 100_000),
        ({"cpu_cfs_quota_period_ns": 10_000_000}, 5_000, 10_000),
    ],
)
def test_a_limit_is_a_quota_as_the_kubelet_is_configured(
    settings: dict[str, Any], quota_us: int, period_us: int
) -> None:
    """``cpuCFSQuota``, ``cpuCFSQuotaPeriod``: of the pod's cgroup and of the container's."""
    cluster = Cluster()
    node = NodeUnderTest(cluster, image(), **settings)
    resources = {"limits": {"cpu": "500m", "memory": "64Mi"}}
    cluster.api.create(
        bound(containers=[{"name": "main", "image": "app:1", "resources": resources}])
    )
    cluster.run(5)

    uid = cluster.pod().uid
    of_pod = node.machine.kubepods.children[f"pod{uid}"]
    for cgroup in (of_pod, of_pod.children["main-0"]):
        limits = cgroup.resources
        assert (quota_us, period_us) == (limits.cpu_quota_us, limits.cpu_period_us)
