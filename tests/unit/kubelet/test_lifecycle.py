"""Hooks, sidecars, deadlines: how containers begin and end on a whole node."""

from typing import Any

import pytest
from harness import SECOND, Cluster, NodeUnderTest, bound, image, program, runc

from kubesim.api.corev1 import Pod
from kubesim.sim.time import seconds
from kubesim.wire.image import Health


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def hooked(image_name: str = "app:1", **hooks: Any) -> dict[str, Any]:
    return {"name": "main", "image": image_name, "lifecycle": hooks}


def delete(cluster: Cluster, name: str = "web") -> int:
    cluster.api.delete(Pod, f"default/{name}")
    return cluster.sim.now


def test_a_pre_stop_hook_comes_before_sigterm(cluster: Cluster) -> None:
    """The program runs on for as long as the hook does."""
    node = NodeUnderTest(cluster, image())
    cluster.api.create(bound(containers=[hooked(preStop={"sleep": {"seconds": 7}})]))
    cluster.run(5)
    deleted_ns = delete(cluster)
    cluster.run(20)
    ended_ns, how = node.exits()[0]

    assert 7 * SECOND <= ended_ns - deleted_ns < 8 * SECOND
    assert 0 == how.exit_code


def test_the_hook_and_the_program_share_the_grace_period(cluster: Cluster) -> None:
    """A stubborn program has what the hook left of it, at the least two seconds."""
    node = NodeUnderTest(
        cluster, image(), shims=lambda services: {"runc": runc(services, stop_ns=3600 * SECOND)}
    )
    hook = {"sleep": {"seconds": 6}}
    cluster.api.create(bound(containers=[hooked(preStop=hook)], terminationGracePeriodSeconds=10))
    cluster.run(5)
    deleted_ns = delete(cluster)
    cluster.run(20)

    assert 10 == (node.exits()[0][0] - deleted_ns) // SECOND


def test_a_hook_that_takes_too_long_is_given_up(cluster: Cluster) -> None:
    """After the grace period SIGTERM comes anyway, and SIGKILL two seconds later."""
    node = NodeUnderTest(
        cluster, image(), shims=lambda services: {"runc": runc(services, stop_ns=3600 * SECOND)}
    )
    hook = {"sleep": {"seconds": 60}}
    cluster.api.create(bound(containers=[hooked(preStop=hook)], terminationGracePeriodSeconds=10))
    cluster.run(5)
    deleted_ns = delete(cluster)
    cluster.run(20)

    assert 12 == (node.exits()[0][0] - deleted_ns) // SECOND


def test_a_failed_post_start_hook_kills_its_container(cluster: Cluster) -> None:
    """PostStartHookError, the event without the message, and another try in the back-off."""
    node = NodeUnderTest(
        cluster, image(runs=program(health=Health(healthy_after_ns=seconds(900))))
    )
    cluster.api.create(bound(containers=[hooked(postStart={"exec": {"command": ["true"]}})]))
    cluster.run(20)
    waiting = cluster.pod().status.container_statuses[0].state.waiting

    assert ["PostStartHook failed"] == cluster.events("FailedPostStartHook")[:1]
    assert "FailedPostStartHook" in cluster.events("Killing")
    assert waiting is not None
    assert waiting.reason in ("PostStartHookError", "CrashLoopBackOff")
    assert 2 <= len(node.starts())


def test_a_post_start_hook_holds_the_next_container_back(cluster: Cluster) -> None:
    """Containers start one after another, hooks included."""
    node = NodeUnderTest(cluster, image())
    second = {"name": "second", "image": "app:1"}
    first = hooked(postStart={"sleep": {"seconds": 5}})
    cluster.api.create(bound(containers=[first, second]))
    cluster.run(20)

    assert 5 == (node.starts("second")[0] - node.starts()[0]) // SECOND


SIDECAR = {"name": "mesh", "image": "app:1", "restartPolicy": "Always"}
MAIN = {"name": "main", "image": "app:1"}


def test_a_sidecar_starts_first_and_stays(cluster: Cluster) -> None:
    """The ordinary containers wait until it has started, not until it ends."""
    node = NodeUnderTest(cluster, image(runs=program(health=Health(healthy_after_ns=seconds(12)))))
    probe = {"httpGet": {"port": 80}, "periodSeconds": 5}
    cluster.api.create(
        bound(containers=[MAIN], initContainers=[SIDECAR | {"startupProbe": probe}])
    )
    cluster.run(10)
    early = node.starts()
    initialized = cluster.pod().status.phase
    cluster.run(20)

    assert [] == early
    assert "Pending" == initialized
    assert 12 * SECOND <= node.starts()[0] - node.starts("mesh")[0] <= 21 * SECOND
    assert "Running" == cluster.pod().status.phase


def test_a_sidecar_is_restarted_whatever_the_pod_says(cluster: Cluster) -> None:
    """restartPolicy Always is its own; the pod's Never is not asked."""
    node = NodeUnderTest(
        cluster, image(), image("mesh:1", runs=program(run_ns=seconds(20), exit_code=1, port=0))
    )
    sidecar = SIDECAR | {"image": "mesh:1"}
    cluster.api.create(bound(containers=[MAIN], initContainers=[sidecar], restartPolicy="Never"))
    cluster.run(40)

    assert 2 == len(node.starts("mesh"))
    assert 1 == len(node.starts())


def test_sidecars_end_after_the_others_in_reverse(cluster: Cluster) -> None:
    """The ordinary container first, then the sidecars from the last to the first."""
    node = NodeUnderTest(
        cluster, image(runs=program(port=0)),
        shims=lambda services: {"runc": runc(services, stop_ns=2 * SECOND)},
    )  # fmt: skip
    inits = [SIDECAR | {"name": name} for name in ("one", "two")]
    cluster.api.create(bound(containers=[MAIN], initContainers=inits))
    cluster.run(10)
    delete(cluster)
    cluster.run(20)
    ends = {name: node.exits(name)[0][0] for name in ("main", "two", "one")}

    assert ["main", "two", "one"] == sorted(ends, key=lambda name: ends[name])
    assert 2 * SECOND == ends["two"] - ends["main"]
    assert 2 * SECOND == ends["one"] - ends["two"]


def test_a_job_with_a_sidecar_succeeds(cluster: Cluster) -> None:
    """When the work is done the sidecar is stopped, and the pod is over."""
    node = NodeUnderTest(
        cluster, image(), image("work:1", runs=program(run_ns=seconds(10), port=0))
    )
    work = {"name": "main", "image": "work:1"}
    cluster.api.create(bound(containers=[work], initContainers=[SIDECAR], restartPolicy="Never"))
    cluster.run(30)

    assert "Succeeded" == cluster.pod().status.phase
    assert 1 == len(node.exits("mesh"))


def test_a_pod_past_its_deadline_fails(cluster: Cluster) -> None:
    """DeadlineExceeded, after its containers have been stopped; the object stays."""
    node = NodeUnderTest(cluster, image())
    cluster.api.create(bound(activeDeadlineSeconds=30))
    cluster.run(29)
    before = cluster.pod().status.phase
    cluster.run(5)
    status = cluster.pod().status

    assert "Running" == before
    assert ("Failed", "DeadlineExceeded") == (status.phase, status.reason)
    assert "Pod was active on the node longer than the specified deadline" == status.message
    assert 1 == len(node.exits())
