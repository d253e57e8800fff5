"""In-place resize, from the API's answer to the cgroup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import SECOND, Cluster, NodeUnderTest, bound, image, program, quantities

from kubesim.api.corev1 import Pod, ResourceQuota, ResourceRequirements
from kubesim.api.podutil import get_pod_condition
from kubesim.controlplane.client import StatusError
from kubesim.controlplane.controllers import ResourceQuotaController
from kubesim.node.machine import Cgroup

MI = 1 << 20


def resources(
    cpu: str = "", memory: str = "", *, cpu_limit: str = "", memory_limit: str = ""
) -> dict[str, Any]:
    """Requests and limits of a container."""
    requests = {name: text for name, text in (("cpu", cpu), ("memory", memory)) if text}
    limits = {n: t for n, t in (("cpu", cpu_limit), ("memory", memory_limit)) if t}
    return {"requests": requests, "limits": limits}


def sized(
    name: str = "web", policy: dict[str, str] | None = None, node: str = "n1", **amounts: str
) -> Pod:
    """A pod of one container with those resources."""
    container: dict[str, Any] = {
        "name": "main",
        "image": "app:1",
        "resources": resources(**amounts),
    }
    if policy:
        container["resizePolicy"] = [
            {"resourceName": key, "restartPolicy": value} for key, value in policy.items()
        ]
    return bound(name, node=node, containers=[container])


def to(**amounts: str) -> Callable[[Pod], Pod]:
    """A change of the first container's resources."""
    wanted = ResourceRequirements.model_validate(resources(**amounts))

    def change(pod: Pod) -> Pod:
        first = pod.spec.containers[0].replace(resources=wanted)
        return pod.replace(spec=pod.spec.replace(containers=(first, *pod.spec.containers[1:])))

    return change


def cgroup_of(under_test: NodeUnderTest, pod: Pod, attempt: int = 0) -> Cgroup:
    """The cgroup of its first container."""
    for qos in ("burstable", "besteffort", ""):
        above = (
            under_test.machine.kubepods.children.get(qos) if qos else under_test.machine.kubepods
        )
        assert above is not None
        found = above.children.get(f"pod{pod.uid}")
        if found is not None:
            return found.children[f"main-{attempt}"]
    raise AssertionError("there is no cgroup of the pod")


def condition(pod: Pod, type_: str) -> tuple[str | None, str | None]:
    """Reason and message of a condition; nothing when there is none."""
    found = get_pod_condition(pod.status, type_)
    return (None, None) if found is None else (found.reason or "", found.message)


@pytest.fixture
def cluster() -> Cluster:
    """A control plane."""
    return Cluster()


@pytest.fixture
def under_test(cluster: Cluster) -> NodeUnderTest:
    """A node of 4 cores and 8 GiB."""
    return NodeUnderTest(cluster, image(runs=program(memory_bytes=100 * MI)))


def running(cluster: Cluster, pod: Pod) -> Pod:
    """A pod that runs."""
    cluster.api.create(pod)
    cluster.run(10)
    made = cluster.pod(pod.name)
    assert made.status.phase == "Running", made.status
    return made


def test_status_shows_what_is_allocated_and_in_force(
    cluster: Cluster, under_test: NodeUnderTest
) -> None:
    """A running pod's status has the resources that were allocated and those of its cgroup."""
    del under_test
    pod = running(cluster, sized(cpu="500m", memory="200Mi", memory_limit="400Mi"))
    status = pod.status.container_statuses[0]
    assert status.allocated_resources == quantities(cpu="500m", memory="200Mi")
    assert status.resources == pod.spec.containers[0].resources


def test_resize_without_restart_changes_the_cgroup(
    cluster: Cluster, under_test: NodeUnderTest
) -> None:
    """Shares, quota and memory limit follow a resize; the container goes on running."""
    pod = running(cluster, sized(cpu="500m", memory="200Mi", cpu_limit="1", memory_limit="400Mi"))
    before = cgroup_of(under_test, pod).resources
    assert (before.cpu_shares, before.cpu_quota_us) == (512, 100_000)
    change = to(cpu="1", memory="300Mi", cpu_limit="2", memory_limit="600Mi")
    cluster.api.resize(pod.key, change)
    cluster.run(5)
    after = cgroup_of(under_test, pod)
    assert after.resources.cpu_shares == 1024
    assert after.resources.cpu_quota_us == 200_000
    assert after.memory_limit_bytes == 600 * MI
    assert after.parent is not None
    assert after.parent.resources.cpu_quota_us == 200_000
    assert after.parent.memory_limit_bytes == 600 * MI
    assert len(under_test.starts()) == 1
    resized = cluster.pod()
    status = resized.status.container_statuses[0]
    assert status.restart_count == 0
    assert status.allocated_resources == quantities(cpu="1", memory="300Mi")
    assert status.resources == resized.spec.containers[0].resources
    assert resized.metadata.generation == 2
    assert condition(resized, "PodResizeInProgress") == (None, None)
    assert [text[:20] for text in cluster.events("ResizeStarted")] == ["Pod resize started: "]
    assert '"generation":2' in cluster.events("ResizeCompleted")[0]


def test_resize_in_progress_is_shown_until_the_next_relist(
    cluster: Cluster, under_test: NodeUnderTest
) -> None:
    """The condition PodResizeInProgress is there from the allocation to the relist that follows."""
    pod = running(cluster, sized(cpu="500m"))
    seen: list[tuple[int, bool]] = []

    def handler(old: Pod | None, new: Pod | None) -> None:
        del old
        assert new is not None
        found = get_pod_condition(new.status, "PodResizeInProgress") is not None
        seen.append((cluster.sim.now, found))

    cluster.client("watcher").informer(Pod).add_handler(handler)
    cluster.run(1)
    cluster.api.resize(pod.key, to(cpu="1"))
    began_ns = cluster.sim.now
    cluster.run(5)
    shown = [at for at, there in seen if there]
    gone = [at for at, there in seen if not there and at > shown[0]]
    assert shown[0] - began_ns < SECOND
    assert 0 < gone[0] - shown[0] <= SECOND + SECOND // 10
    del under_test


def test_restart_policy_of_a_resource_restarts_the_container_at_once(
    cluster: Cluster, under_test: NodeUnderTest
) -> None:
    """With resizePolicy RestartContainer the container is killed and has its new limits after it."""
    pod = running(
        cluster,
        sized(policy={"memory": "RestartContainer"}, cpu="100m", memory="200Mi",
              memory_limit="400Mi"),
    )  # fmt: skip
    cluster.api.resize(pod.key, to(cpu="200m", memory="200Mi", memory_limit="400Mi"))
    cluster.run(5)
    assert len(under_test.starts()) == 1  # cpu alone does not restart it
    change = to(cpu="200m", memory="300Mi", memory_limit="500Mi")
    cluster.api.resize(pod.key, change)
    cluster.run(5)
    assert len(under_test.starts()) == 2
    assert cluster.pod().status.container_statuses[0].restart_count == 1
    assert cgroup_of(under_test, pod, attempt=1).memory_limit_bytes == 500 * MI
    assert cluster.events("Killing") == ["Container main resize requires restart"]
    assert condition(cluster.pod(), "PodResizeInProgress") == (None, None)


def test_deferred_resize_waits_for_room(cluster: Cluster, under_test: NodeUnderTest) -> None:
    """A resize for which there is no room is deferred, and done when another pod leaves."""
    pod = running(cluster, sized("web", cpu="1"))
    running(cluster, sized("other", cpu="2"))
    cluster.api.resize(pod.key, to(cpu="3"))
    cluster.run(5)
    text = "Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000"
    assert condition(cluster.pod(), "PodResizePending") == ("Deferred", text)
    assert (
        cluster.pod().status.container_statuses[0].allocated_resources["cpu"].milli_value() == 1000
    )
    assert len(cluster.events("ResizeDeferred")) == 1
    cluster.api.delete(Pod, "default/other")
    cluster.run(40)
    assert condition(cluster.pod(), "PodResizePending") == (None, None)
    assert cgroup_of(under_test, pod).resources.cpu_shares == 3072


def test_deferred_resize_is_done_when_another_pod_becomes_smaller(
    cluster: Cluster, under_test: NodeUnderTest
) -> None:
    """A pod that shrinks makes room for one that waits to grow."""
    pod = running(cluster, sized("web", cpu="1"))
    other = running(cluster, sized("other", cpu="2"))
    cluster.api.resize(pod.key, to(cpu="3"))
    cluster.run(5)
    assert condition(cluster.pod(), "PodResizePending")[0] == "Deferred"
    cluster.api.resize(other.key, to(cpu="500m"))
    cluster.run(5)
    assert condition(cluster.pod(), "PodResizePending") == (None, None)
    assert cgroup_of(under_test, pod).resources.cpu_shares == 3072


def test_taking_back_a_deferred_resize_clears_it(
    cluster: Cluster, under_test: NodeUnderTest
) -> None:
    """When the spec says again what is allocated, nothing is pending any more."""
    pod = running(cluster, sized("web", cpu="1"))
    running(cluster, sized("other", cpu="2"))
    cluster.api.resize(pod.key, to(cpu="3"))
    cluster.run(5)
    cluster.api.resize(pod.key, to(cpu="1"))
    cluster.run(5)
    assert condition(cluster.pod(), "PodResizePending") == (None, None)
    assert under_test.cri_calls(method="UpdateContainerResources") == []


def test_a_resize_beyond_the_node_is_forbidden(
    cluster: Cluster, under_test: NodeUnderTest
) -> None:
    """The API server refuses what the node could never give (PodResizeValidator)."""
    del under_test
    pod = running(cluster, sized(cpu="1"))
    with pytest.raises(StatusError) as caught:
        cluster.api.resize(pod.key, to(cpu="5"))
    told = "Node didn't have enough allocatable resources: cpu, requested: 5000, allocatable: 4000"
    assert caught.value.message == f'pods "web" is forbidden: {told}'


def test_memory_is_not_taken_from_under_a_container(
    cluster: Cluster, under_test: NodeUnderTest
) -> None:
    """A memory limit below what is used fails, is shown as an error, and nobody is killed."""
    pod = running(cluster, sized(memory="200Mi", memory_limit="400Mi"))
    cluster.api.resize(pod.key, to(memory="50Mi", memory_limit="80Mi"))
    cluster.run(30)
    reason, message = condition(cluster.pod(), "PodResizeInProgress")
    assert reason == "Error"
    assert message is not None
    assert message.startswith('attempting to set container "main" memory limit (83886080) below')
    assert under_test.exits() == []
    assert cgroup_of(under_test, pod).memory_limit_bytes == 400 * MI
    cluster.api.resize(pod.key, to(memory="50Mi", memory_limit="300Mi"))
    cluster.run(30)
    assert condition(cluster.pod(), "PodResizeInProgress") == (None, None)
    assert cgroup_of(under_test, pod).memory_limit_bytes == 300 * MI


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"cpu": "1"}, {}, "resource requests cannot be removed"),
        ({"cpu": "1", "cpu_limit": "2"}, {"cpu": "1"}, "resource limits cannot be removed"),
        (
            {"cpu": "1", "memory": "1Gi", "cpu_limit": "1", "memory_limit": "1Gi"},
            {"cpu": "1", "memory": "1Gi", "cpu_limit": "2", "memory_limit": "1Gi"},
            "Pod QOS Class may not change as a result of resizing",
        ),
        (
            {"cpu": "1", "cpu_limit": "2"},
            {"cpu": "3", "cpu_limit": "2"},
            "must be less than or equal to cpu limit of 2",
        ),
    ],
)
def test_what_a_resize_may_not_do(
    cluster: Cluster, before: dict[str, str], after: dict[str, str], told: str
) -> None:
    """Requests and limits cannot be removed, and the quality of service stays."""
    cluster.api.create(sized(node="", **before))
    with pytest.raises(StatusError) as caught:
        cluster.api.resize("default/web", to(**after))
    assert told in caught.value.message


def test_a_resize_changes_nothing_but_resources(cluster: Cluster) -> None:
    """Whatever else a resize brings along is refused."""
    cluster.api.create(sized(node="", cpu="1"))

    def change(pod: Pod) -> Pod:
        first = pod.spec.containers[0].replace(image="other:1")
        return pod.replace(spec=pod.spec.replace(containers=(first,)))

    with pytest.raises(StatusError) as caught:
        cluster.api.resize("default/web", change)
    assert "only cpu and memory resources are mutable" in caught.value.message


def test_an_ordinary_update_may_not_resize(cluster: Cluster) -> None:
    """Resources change through the subresource only."""
    cluster.api.create(sized(node="", cpu="1"))
    with pytest.raises(StatusError) as caught:
        cluster.api.patch(Pod, "default/web", to(cpu="2"))
    assert "pod updates may not change fields other than" in caught.value.message


def test_a_quota_holds_for_resizes_and_gets_back_what_shrinks(
    cluster: Cluster, under_test: NodeUnderTest
) -> None:
    """A resize is charged at once and refused beyond the limit; what shrinks is given back."""
    del under_test
    ResourceQuotaController(cluster.sim, client=cluster.client("quota"))
    hard = {
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {"requests.cpu": "2"}},
    }
    cluster.api.create(ResourceQuota.model_validate(hard))
    cluster.run(1)
    pod = running(cluster, sized(cpu="1"))

    def used() -> str:
        return str(cluster.api.get(ResourceQuota, "default/q").status.used["requests.cpu"])

    with pytest.raises(StatusError) as caught:
        cluster.api.resize(pod.key, to(cpu="2500m"))
    assert "exceeded quota: q, requested: requests.cpu=1500m, used: requests.cpu=1" in str(
        caught.value
    )
    cluster.api.resize(pod.key, to(cpu="2"))
    assert used() == "2"
    cluster.run(5)
    cluster.api.resize(pod.key, to(cpu="500m"))
    cluster.run(5)
    assert used() == "500m"
