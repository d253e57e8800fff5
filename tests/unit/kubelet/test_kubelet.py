"""A kubelet on a whole node: starts, restarts, deletions, and the end of the machine."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from harness import (
    MB,
    MILLISECOND,
    SECOND,
    Cluster,
    NodeUnderTest,
    bound,
    image,
    pod,
    program,
    runc,
)

from kubesim.api.corev1 import ContainerState, Node, Pod
from kubesim.api.metav1 import ObjectMeta
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.podutil import get_pod_condition
from kubesim.controlplane.apiserver.store import WatchEvent
from kubesim.facts import CriCalled, EventRecorded, ImagePulled, NodeFailed, StartupPhaseEnded
from kubesim.sim.time import seconds

FOREVER = image("app:1")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def crashing(exit_code: int = 1, run_s: float = 1) -> Any:
    return image("app:1", runs=program(run_ns=seconds(run_s), exit_code=exit_code))


def state(cluster: Cluster, name: str = "web", container: int = 0) -> ContainerState:
    return cluster.pod(name).status.container_statuses[container].state


def waiting(cluster: Cluster, name: str = "web") -> str | None:
    found = state(cluster, name).waiting
    return None if found is None else found.reason


def phase(cluster: Cluster, name: str = "web") -> str | None:
    return cluster.pod(name).status.phase


def delete(cluster: Cluster, name: str = "web", grace: int | None = None) -> None:
    cluster.api.delete(Pod, f"default/{name}", grace_period_seconds=grace)


def gone(cluster: Cluster, name: str = "web") -> bool:
    return not cluster.exists(Pod, f"default/{name}")


def history(cluster: Cluster, seen: Callable[[Pod], object]) -> list[tuple[int, object]]:
    """When the API server had something new to say about a pod, and what."""
    changes: list[tuple[int, object]] = []

    def note(event: WatchEvent) -> None:
        assert isinstance(event.object, Pod)
        value = seen(event.object)
        if not changes or changes[-1][1] != value:
            changes.append((cluster.sim.now, value))

    cluster.api.watch(Pod, note)
    return changes


# Starting


def test_a_pod_starts_in_the_order_of_its_phases(cluster: Cluster) -> None:
    """Every phase begins when the one before has ended; all of them are sums of the node's numbers."""
    node = NodeUnderTest(cluster, FOREVER)
    cluster.api.create(bound())
    cluster.run(5)
    phases = [
        (fact.phase, at, fact.began_ns) for at, fact in cluster.sim.journal.of(StartupPhaseEnded)
    ]
    names = [name for name, _, _ in phases]
    ends = {name: at for name, at, _ in phases}

    assert [
        "watch", "volumes", "sandbox-network", "sandbox-runtime", "pull", "create", "start",
        "pleg", "status",
    ] == names  # fmt: skip
    # One watch latency, 100 + 50 ms of sandbox, 200 ms to resolve, 1 MB at 10 MB/s and 20 MB/s.
    assert [1, 101, 151, 501, 511, 531] == [
        ends[name] // MILLISECOND
        for name in ("watch", "sandbox-network", "sandbox-runtime", "pull", "create", "start")
    ]
    assert [ends["start"]] == node.starts()


def test_running_becomes_visible_on_the_relist_grid(cluster: Cluster) -> None:
    """However early the process ran, the status says so only after the next relist."""
    node = NodeUnderTest(cluster, FOREVER)
    phases = history(cluster, lambda p: p.status.phase)
    cluster.api.create(bound())
    cluster.run(5)
    (started,) = node.starts()
    visible, value = phases[-1]
    relist = visible - MILLISECOND

    assert "Running" == value
    assert 0 == (relist - node.relist_offset_ns) % SECOND
    assert started < relist <= started + SECOND


def test_containers_start_strictly_one_after_another(cluster: Cluster) -> None:
    """The second image lands only after the first container has started."""
    node = NodeUnderTest(cluster, image("a:1"), image("b:1", runs=program(port=81)))
    containers = [{"name": name, "image": f"{name}:1"} for name in ("a", "b")]
    cluster.api.create(bound(containers=containers))
    cluster.run(5)
    calls = [m for m in node.cri_calls() if m not in ("StopPodSandbox", "ImageStatus")]

    assert [
        "RunPodSandbox", "PodSandboxStatus", "PullImage", "CreateContainer", "StartContainer",
        "PullImage", "CreateContainer", "StartContainer",
    ] == calls  # fmt: skip
    assert node.starts("a")[0] < node.starts("b")[0]


def test_init_containers_run_one_after_another_to_their_ends(cluster: Cluster) -> None:
    """The next one starts at the relist that sees the end of the one before."""
    node = NodeUnderTest(cluster, crashing(0, run_s=0.5), image("main:1"))
    cluster.api.create(
        bound(
            initContainers=[{"name": f"init-{n}", "image": "app:1"} for n in (1, 2)],
            containers=[{"name": "main", "image": "main:1"}],
        )
    )
    cluster.run(10)
    first, second, main = (node.starts(name)[0] for name in ("init-1", "init-2", "main"))

    assert node.exits("init-1")[0][0] < second
    assert node.exits("init-2")[0][0] < main
    assert first + seconds(0.5) == node.exits("init-1")[0][0]
    for start in (second, main):
        assert (start - node.relist_offset_ns) % SECOND < 400 * MILLISECOND
    assert "Running" == phase(cluster)


def test_a_failed_init_container_fails_a_pod_that_is_never_restarted(cluster: Cluster) -> None:
    """The main container is never started."""
    node = NodeUnderTest(cluster, crashing(2), image("main:1"))
    cluster.api.create(
        bound(
            restartPolicy="Never",
            initContainers=[{"name": "init", "image": "app:1"}],
            containers=[{"name": "main", "image": "main:1"}],
        )
    )
    cluster.run(60)

    assert "Failed" == phase(cluster)
    assert [] == node.starts("main")
    assert 1 == len(node.starts("init"))


def test_a_failing_init_container_is_restarted_with_the_back_off(cluster: Cluster) -> None:
    """At once, then after 10 s, 20 s; the pod stays Pending."""
    node = NodeUnderTest(cluster, crashing(2), image("main:1"))
    cluster.api.create(
        bound(
            initContainers=[{"name": "init", "image": "app:1"}],
            containers=[{"name": "main", "image": "main:1"}],
        )
    )
    cluster.run(45)

    assert "Pending" == phase(cluster)
    assert 4 == len(node.starts("init"))
    assert [] == node.starts("main")


# Ends and restarts


def test_a_crash_loop_has_the_real_delays(cluster: Cluster) -> None:
    """Restarts are due 0, 10, 20, 40, 80, 160, 300, 300 s after each end."""
    node = NodeUnderTest(cluster, crashing(1))
    cluster.api.create(bound())
    cluster.run(1300)
    begun = [
        call.began_ns for call in cluster.facts(CriCalled) if call.method == "CreateContainer"
    ]
    delays = [
        (began - ended) / SECOND
        for began, (ended, _) in zip(begun[1:], node.exits(), strict=False)
    ]  # fmt: skip

    assert [0, 10, 20, 40, 80, 160, 300, 300] == [int(delay + 0.001) for delay in delays[:8]]
    assert all(delay % 10 < 0.001 for delay in delays[1:8])
    assert delays[0] <= 1  # the first one waits for the relist only


def test_a_crash_loop_says_so(cluster: Cluster) -> None:
    """Waiting with CrashLoopBackOff and its delay, one BackOff event a round, restarts counted."""
    NodeUnderTest(cluster, crashing(1))
    cluster.api.create(bound())
    cluster.run(8)
    web = cluster.pod()
    where = f"web_default({web.uid})"
    seen = web.status.container_statuses[0]
    assert seen.state.waiting
    assert seen.last_state.terminated

    assert ("CrashLoopBackOff", 1, 1) == (
        seen.state.waiting.reason,
        seen.restart_count,
        seen.last_state.terminated.exit_code,
    )
    assert f"back-off 10s restarting failed container=main pod={where}" == (
        seen.state.waiting.message
    )
    assert [f"Back-off restarting failed container main in pod {where}"] == (
        cluster.events("BackOff")
    )
    assert "Running" == web.status.phase


@pytest.mark.parametrize(
    ("policy", "exit_code", "final", "starts"),
    [
        ("Never", 0, "Succeeded", 1), ("Never", 1, "Failed", 1),
        ("OnFailure", 0, "Succeeded", 1), ("OnFailure", 1, "Running", 3),
        ("Always", 0, "Running", 3),
    ],
)  # fmt: skip
def test_the_restart_policy_is_obeyed(
    cluster: Cluster, policy: str, exit_code: int, final: str, starts: int
) -> None:
    """Never and OnFailure end a pod, Always never does."""
    node = NodeUnderTest(cluster, crashing(exit_code))
    cluster.api.create(bound(restartPolicy=policy))
    cluster.run(20)

    assert final == phase(cluster)
    assert starts == len(node.starts())


def test_a_pod_that_ended_gives_its_sandbox_back(cluster: Cluster) -> None:
    """The memory is free, the status says that no container can start, the object stays."""
    node = NodeUnderTest(cluster, crashing(0))
    cluster.api.create(bound(restartPolicy="Never"))
    cluster.run(10)
    ready = get_pod_condition(cluster.pod().status, "PodReadyToStartContainers")
    assert ready is not None

    assert "False" == ready.status
    assert 0 == node.machine.memory_used_bytes
    assert "StopPodSandbox" in node.cri_calls()
    assert "10.244.0.2" == cluster.pod().status.pod_ip


def test_a_pod_that_ended_is_forgotten_with_its_object(cluster: Cluster) -> None:
    """Deleting a completed pod cleans up on the node."""
    node = NodeUnderTest(cluster, crashing(0))
    cluster.api.create(bound(restartPolicy="Never"))
    cluster.run(10)
    uid = cluster.pod().uid
    delete(cluster)
    cluster.run(1)

    assert {} == node.kubelet._workers
    assert () == node.containerd.list_containers(uid)
    assert "RemovePodSandbox" == node.cri_calls()[-1]


# Images


def test_a_missing_image_backs_off(cluster: Cluster) -> None:
    """ErrImagePull, then ImagePullBackOff; tries again after 10, 20, 40 s."""
    node = NodeUnderTest(cluster)
    reasons = history(
        cluster,
        lambda p: [
            s.state.waiting.reason for s in p.status.container_statuses if s.state.waiting
        ],
    )  # fmt: skip
    cluster.api.create(bound())
    cluster.run(75)
    seen = [value[0] for _, value in reasons if isinstance(value, list) and value]
    pulls = [c.began_ns // SECOND for c in cluster.facts(CriCalled) if c.method == "PullImage"]

    assert ["ContainerCreating", "ErrImagePull", "ImagePullBackOff"] == seen[:3]
    assert [0, 10, 30, 70] == pulls
    assert "Pending" == phase(cluster)
    assert [] == node.starts()
    assert 'Back-off pulling image "app:1"' in cluster.events("BackOff")
    assert "Error: ErrImagePull" in cluster.events("Failed")


def test_the_back_off_says_why_the_pull_failed(cluster: Cluster) -> None:
    """The message carries the error of the last try."""
    NodeUnderTest(cluster)
    cluster.api.create(bound())
    cluster.run(5)
    seen = state(cluster).waiting
    assert seen is not None
    assert seen.message is not None

    assert seen.message.startswith('Back-off pulling image "app:1": ErrImagePull: rpc error: ')


def test_a_pull_is_reported_in_the_real_words(cluster: Cluster) -> None:
    """Go durations in whole milliseconds, and the size in bytes."""
    NodeUnderTest(cluster, FOREVER)
    cluster.api.create(bound("a"))
    cluster.run(3)
    cluster.api.create(bound("b"))
    cluster.run(3)

    assert [
        (
            'Successfully pulled image "app:1" in 350ms (350ms including waiting). Image size: 1000000 '
            "bytes."
        )
    ] == cluster.events("Pulled")[:1]
    present = 'Container image "app:1" already present on machine and can be accessed by the pod'
    assert present == cluster.events("Pulled")[1]


def test_an_image_that_must_not_be_pulled_may_still_come(cluster: Cluster) -> None:
    """ErrImageNeverPull, until another pod brings the image."""
    NodeUnderTest(cluster, FOREVER)
    never = {"name": "main", "image": "app:1", "imagePullPolicy": "Never"}
    cluster.api.create(bound("never", containers=[never]))
    cluster.run(5)

    assert "ErrImageNeverPull" == waiting(cluster, "never")

    cluster.api.create(bound("other"))
    cluster.run(20)

    assert "Running" == phase(cluster, "never")


def test_serial_pulls_wait_for_the_pull_in_front(cluster: Cluster) -> None:
    """A small image stands behind a large one; with parallel pulls it does not."""
    times = {}
    for serialize in (True, False):
        inner = Cluster()
        node = NodeUnderTest(
            inner, image("large:1", 50 * MB), image("small:1", MB), serialize=serialize
        )
        for name in ("large", "small"):
            inner.api.create(bound(name, containers=[{"name": name, "image": f"{name}:1"}]))
            inner.run(0.01)
        inner.run(20)
        times[serialize] = (node.starts("large")[0] / SECOND, node.starts("small")[0] / SECOND)

    assert times[True][0] < times[True][1]
    assert times[False][1] < 1 < times[False][0]


# Sandboxes


def test_a_missing_runtime_handler_is_an_event_and_another_try(cluster: Cluster) -> None:
    """The pod stays Pending and ContainerCreating; there is a try every 10 to 15 seconds."""
    node = NodeUnderTest(cluster, FOREVER)
    runtime_class = RuntimeClass(metadata=ObjectMeta(name="kata"), handler="kata")
    cluster.api.create(runtime_class)
    cluster.run(1)
    cluster.api.create(bound(runtimeClassName="kata"))
    cluster.run(61)
    tries = [c.began_ns for c in cluster.facts(CriCalled) if c.method == "RunPodSandbox"]
    gaps = [b - a for a, b in pairwise(tries)]

    assert ("Pending", "ContainerCreating") == (phase(cluster), waiting(cluster))
    assert (
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create "
        "containerd task: failed to get sandbox runtime: no runtime for "
        '"kata" is configured'
    ) == cluster.events("FailedCreatePodSandBox")[0]
    assert [] == node.starts()
    assert all(10 * SECOND <= gap <= 15 * SECOND for gap in gaps[1:])
    assert 5 <= len(tries) <= 8


def test_the_runtime_class_names_the_handler(cluster: Cluster) -> None:
    """The name of the class and of its handler are two things."""
    NodeUnderTest(cluster, FOREVER, shims=lambda services: {"second": runc(services)})
    cluster.api.create(RuntimeClass(metadata=ObjectMeta(name="other"), handler="second"))
    cluster.run(1)
    cluster.api.create(bound(runtimeClassName="other"))
    cluster.run(5)

    assert "Running" == phase(cluster)


# Deletion


def stubborn(grace_ns: int = 10 * SECOND) -> Callable[[Any], dict[str, Any]]:
    """A runtime whose programs take long to obey SIGTERM."""
    return lambda services: {"runc": runc(services, stop_ns=grace_ns)}


def test_a_deleted_pod_is_stopped_and_its_object_goes(cluster: Cluster) -> None:
    """SIGTERM, the end of the process, and only then the end of the object."""
    node = NodeUnderTest(cluster, FOREVER, shims=stubborn(3 * SECOND))
    cluster.api.create(bound())
    cluster.run(5)
    asked = cluster.sim.now
    delete(cluster)
    cluster.run(2)

    assert not gone(cluster)

    cluster.run(2)
    ((ended, how),) = node.exits()

    assert gone(cluster)
    assert 0 == how.exit_code
    assert asked + 3 * SECOND + MILLISECOND == ended
    assert ["StopContainer", "StopPodSandbox", "RemovePodSandbox"] == node.cri_calls()[-3:]
    assert ["Stopping container main"] == cluster.events("Killing")
    assert 0 == node.machine.memory_used_bytes


def test_who_does_not_obey_is_killed_after_the_grace_period(cluster: Cluster) -> None:
    """Exit code 137, as long after SIGTERM as the pod allows."""
    node = NodeUnderTest(cluster, FOREVER, shims=stubborn(100 * SECOND))
    cluster.api.create(bound(terminationGracePeriodSeconds=7))
    cluster.run(5)
    asked = cluster.sim.now
    delete(cluster)
    cluster.run(20)
    ((ended, how),) = node.exits()

    assert 137 == how.exit_code
    assert asked + 7 * SECOND + MILLISECOND == ended
    assert gone(cluster)


def test_the_last_status_has_a_final_phase(cluster: Cluster) -> None:
    """Just before the object goes it is Succeeded or Failed, with the containers' exit codes."""
    for stop_s, final, code in ((0, "Succeeded", 0), (100, "Failed", 137)):
        inner = Cluster()
        NodeUnderTest(inner, FOREVER, shims=stubborn(stop_s * SECOND))
        inner.api.create(bound(terminationGracePeriodSeconds=5))
        inner.run(5)
        seen = history(
            inner,
            lambda p: (
                p.status.phase,
                [s.state.terminated.exit_code for s in p.status.container_statuses
                 if s.state.terminated],
            ),
        )  # fmt: skip
        delete(inner)
        inner.run(20)

        assert (final, [code]) == seen[-1][1]


def test_a_second_deletion_can_hurry(cluster: Cluster) -> None:
    """A shorter grace period counts from when it is heard of."""
    node = NodeUnderTest(cluster, FOREVER, shims=stubborn(100 * SECOND))
    cluster.api.create(bound())
    cluster.run(5)
    delete(cluster)
    cluster.run(5)
    asked = cluster.sim.now
    delete(cluster, grace=8)
    cluster.run(30)
    ((ended, how),) = node.exits()

    assert 137 == how.exit_code
    assert asked + 8 * SECOND + MILLISECOND == ended
    assert gone(cluster)


def test_a_forced_deletion_kills_what_runs(cluster: Cluster) -> None:
    """The object is gone at once, the process two seconds later: the least grace there is."""
    node = NodeUnderTest(cluster, FOREVER, shims=stubborn(100 * SECOND))
    cluster.api.create(bound())
    cluster.run(5)
    asked = cluster.sim.now
    delete(cluster, grace=0)

    assert gone(cluster)

    cluster.run(5)
    ((ended, _),) = node.exits()

    assert asked + 2 * SECOND + MILLISECOND == ended
    assert {} == node.kubelet._workers


def test_a_new_pod_of_the_name_does_not_wait_for_the_old_one(cluster: Cluster) -> None:
    """Pods are known by their UID; both may be on the node for a while."""
    node = NodeUnderTest(cluster, FOREVER, shims=stubborn(100 * SECOND))
    cluster.api.create(bound())
    cluster.run(5)
    delete(cluster, grace=0)
    cluster.api.create(bound())
    cluster.run(5)

    assert "Running" == phase(cluster)
    assert 2 == len(node.starts())
    assert 1 == len(node.exits())


@pytest.mark.parametrize("after_s", [0, 0.0005, 0.002, 0.05, 0.12, 0.2, 0.4, 0.505, 0.52, 0.9])
def test_a_pod_can_be_deleted_at_any_moment_of_its_start(cluster: Cluster, after_s: float) -> None:
    """In the sandbox, in the pull, in the start: nothing is left, and the next pod starts."""
    node = NodeUnderTest(cluster, FOREVER)
    cluster.api.create(bound())
    cluster.run(after_s)
    delete(cluster)
    cluster.run(5)

    assert gone(cluster)
    assert 0 == node.machine.memory_used_bytes
    assert {} == node.kubelet._workers

    cluster.api.create(bound("next"))
    cluster.run(5)

    assert "Running" == phase(cluster, "next")


def test_a_pull_goes_on_when_its_pod_is_deleted(cluster: Cluster) -> None:
    """The image is there for the next one."""
    node = NodeUnderTest(cluster, image("app:1", 20 * MB))
    cluster.api.create(bound())
    cluster.run(1)
    delete(cluster)
    cluster.run(5)
    cluster.api.create(bound("next"))
    cluster.run(3)

    assert ["PullImage"] == [m for m in node.cri_calls() if m == "PullImage"]
    assert "Running" == phase(cluster, "next")


def test_a_pod_that_is_going_when_it_is_first_seen_is_never_started(cluster: Cluster) -> None:
    """A kubelet that comes late finds it and lets it go, and status updates do not disturb it."""
    cluster.api.create(bound(labels={"a": "1"}))
    delete(cluster)
    node = NodeUnderTest(cluster, FOREVER)
    cluster.update(
        Pod, "default/web", lambda p: p.replace(metadata=p.metadata.replace(labels={"a": "2"}))
    )
    cluster.run(5)

    assert gone(cluster)
    assert [] == node.starts()


def test_a_deletion_in_the_crash_loop_does_not_wait_for_the_back_off(cluster: Cluster) -> None:
    """The object goes at once, nothing is restarted."""
    node = NodeUnderTest(cluster, crashing(1))
    cluster.api.create(bound())
    cluster.run(8)
    starts = len(node.starts())
    delete(cluster)
    cluster.run(1)

    assert gone(cluster)

    cluster.run(60)

    assert starts == len(node.starts())


# The node


def test_a_dead_node_is_silent(cluster: Cluster) -> None:
    """Everything on it ends, nothing is reported, and its objects stay as they were."""
    node = NodeUnderTest(cluster, FOREVER)
    cluster.api.create(bound())
    cluster.run(5)
    cluster.api.create(bound("starting", containers=[{"name": "s", "image": "app:1"}]))
    cluster.run(0.05)
    before = (cluster.pod(), cluster.api.store.revision)
    node.kubelet.power_off()
    node.containerd.power_off()
    delete(cluster, "starting")
    cluster.run(120)

    assert before[0] is cluster.pod()
    assert before[1] + 1 == cluster.api.store.revision
    assert 1 == len(cluster.facts(NodeFailed))
    assert 1 == len(node.exits())
    assert [] == node.starts("s")
    assert None is node.network._listeners.get(("10.244.0.2", 80))


@pytest.mark.parametrize("after_s", [0, 0.05, 0.2, 0.4, 0.52, 5])
def test_a_node_can_die_at_any_moment(cluster: Cluster, after_s: float) -> None:
    """In the middle of a start or of a deletion, no process is left that writes anything."""
    node = NodeUnderTest(cluster, FOREVER, shims=stubborn(100 * SECOND))
    cluster.api.create(bound("old"))
    cluster.run(5)
    delete(cluster, "old")
    cluster.api.create(bound())
    cluster.run(after_s)
    node.kubelet.power_off()
    node.containerd.power_off()
    revision, events = cluster.api.store.revision, len(cluster.facts(EventRecorded))
    cluster.run(100)

    assert revision == cluster.api.store.revision
    assert events == len(cluster.facts(EventRecorded))


def test_a_dead_nodes_pull_never_arrives(cluster: Cluster) -> None:
    """Nothing is unpacked on a machine without power."""
    node = NodeUnderTest(cluster, image("app:1", 20 * MB))
    cluster.api.create(bound())
    cluster.run(1)
    node.kubelet.power_off()
    node.containerd.power_off()
    cluster.run(20)

    assert [] == cluster.facts(ImagePulled)


def test_leases_are_renewed_on_a_grid_of_ten_seconds(cluster: Cluster) -> None:
    """Computed, not ticked: the last renewal before now, or before the node died."""
    node = NodeUnderTest(cluster, FOREVER)
    cluster.run(34)
    renewed = node.kubelet.last_lease_renewal_ns()
    node.kubelet.power_off()
    cluster.run(100)

    assert cluster.sim.now - 110 * SECOND < renewed <= 34 * SECOND
    assert renewed == node.kubelet.last_lease_renewal_ns()
    assert 0 == (renewed - node.kubelet._lease_offset_ns) % (10 * SECOND)


def test_a_node_reports_its_images(cluster: Cluster) -> None:
    """With its next status update, within ten seconds."""
    NodeUnderTest(cluster, FOREVER)
    cluster.api.create(bound())
    cluster.run(15)

    assert [("app:1",)] == [i.names for i in cluster.api.get(Node, "n1").status.images]


def test_a_kubelet_takes_no_pod_of_another_node(cluster: Cluster) -> None:
    """Nor one that has none."""
    node = NodeUnderTest(cluster, FOREVER)
    cluster.api.create(bound("theirs", node="n2"))
    cluster.api.create(pod("nobodys"))
    cluster.run(5)

    assert [] == node.starts()


def test_an_idle_node_costs_nothing(cluster: Cluster) -> None:
    """A day without changes has no events: no lease, no relist, no sync is ticked."""
    NodeUnderTest(cluster, FOREVER)
    cluster.api.create(bound())
    cluster.run(60)
    before = cluster.sim.events_processed
    cluster.run(86_400)

    assert cluster.sim.events_processed - before < 5


def test_reports_that_follow_closely_do_not_move_times(cluster: Cluster) -> None:
    """startTime and transitions are those of the first report, though the API was slow to have it."""
    slow = Cluster(latency_ns=400 * MILLISECOND)
    NodeUnderTest(slow, FOREVER)
    starts = history(slow, lambda p: p.status.start_time)
    slow.api.create(bound())
    slow.run(20)

    assert 2 == len(starts)  # none, and the one
