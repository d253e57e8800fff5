"""The invariants can fail: each is broken by hand, by facts or in a store, and says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from kubesim import facts
from kubesim.api.corev1 import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStatus,
    Node,
    Pod,
)
from kubesim.errors import SimulationError
from kubesim.scenario.checkers import Checkers
from kubesim.sim import Fact
from kubesim.sim.time import SECOND
from tests.harness import EPOCH_NS, Cluster, node, pod, quantities

WHO = {"namespace": "default", "name": "web", "uid": "u"}


def written(revision: int, *, verb: str = "create", uid: str = "u") -> Fact:
    return facts.ObjectWritten(
        verb=verb, kind="Pod", namespace="default", name="web", uid=uid, resource_version=revision
    )


def phase(name: str) -> Fact:
    return facts.PodPhaseChanged(**WHO, node="n1", phase=name, reason="")


def bound(uid: str = "u", name: str = "web") -> Fact:
    return facts.PodBound(
        namespace="default", name=name, uid=uid, node="n1", attempts=1, feasible_nodes=1,
        evaluated_nodes=1,
    )  # fmt: skip


def started(attempt: int = 0, on: str = "n1") -> Fact:
    return facts.ContainerStarted(**WHO, node=on, container="c", attempt=attempt)


def exited(attempt: int = 0, on: str = "n1") -> Fact:
    return facts.ContainerExited(
        **WHO, node=on, container="c", attempt=attempt, exit_code=0, reason="", message=""
    )


def called(began_ns: int = 0) -> Fact:
    return facts.CriCalled(
        node="n1", method="StopContainer", pod_uid="u", subject="c", began_ns=began_ns, error=""
    )


def completed(serial: int, *, latency_ns: int = 1, queue_ns: int = 0) -> Fact:
    return facts.RequestCompleted(
        traffic="t", serial=serial, namespace="default", service="web", pod="web", status=200,
        latency_ns=latency_ns, network_ns=0, queue_ns=queue_ns, instantiate_ns=0, execute_ns=0,
        body_bytes=0, body_sha256="",
    )  # fmt: skip


def pulled(*, began_ns: int, resolved_ns: int) -> Fact:
    return facts.ImagePulled(
        node="n1", image="a", size_bytes=1, downloaded_bytes=1, began_ns=began_ns,
        resolved_ns=resolved_ns,
    )  # fmt: skip


def downloaded(*, began_ns: int, downloaded_ns: int) -> Fact:
    return facts.LayerPulled(
        node="n1", image="a", digest="d", size_bytes=1, began_ns=began_ns,
        downloaded_ns=downloaded_ns,
    )  # fmt: skip


def in_flight(requests: int, attempts: int = 0) -> Fact:
    return facts.RequestsInFlight(
        traffic="t", namespace="default", service="web", requests=requests, attempts=attempts
    )


def dark() -> Fact:
    return facts.NodeFailed(node="n1")


BROKEN: dict[str, tuple[list[Fact], str]] = {
    "revision": ([written(2), written(2, verb="update")], "resourceVersion rises"),
    "write after deletion": (
        [written(1), written(2, verb="delete"), written(3, verb="update")],
        "written only while it exists",
    ),
    "bound twice": ([bound(), bound()], "bound once"),
    "phase": ([phase("Pending"), phase("Running"), phase("Pending")], "arrows"),
    "risen from the dead": ([phase("Pending"), phase("Failed"), phase("Running")], "arrows"),
    "runs twice": ([started(0), started(1)], "no container runs twice"),
    "runs twice on two nodes": ([started(0), started(1, on="n2")], "no container runs twice"),
    "attempts": ([started(1), exited(1), started(1)], "count upwards"),
    "elsewhere": ([bound(), started(on="n2")], "where its pod is bound"),
    "ends unstarted": ([exited()], "what ends was running"),
    "ends elsewhere": ([started(), exited(on="n2")], "what ends was running"),
    "starts in the dark": ([dark(), started()], "without power"),
    "calls in the dark": ([dark(), called()], "without power"),
    "pulls in the dark": ([dark(), pulled(began_ns=0, resolved_ns=1)], "without power"),
    "ends before it begins": ([called(began_ns=11 * SECOND)], "what ends has begun"),
    "image before it is resolved": (
        [pulled(began_ns=0, resolved_ns=11 * SECOND)],
        "resolved before",
    ),
    "layer before it is downloaded": (
        [downloaded(began_ns=5, downloaded_ns=4)],
        "downloaded before",
    ),
    "request twice": ([completed(0), completed(0)], "a request ends once"),
    "request from the future": ([completed(0, latency_ns=11 * SECOND)], "sent before it ends"),
    "negative part": ([completed(0, queue_ns=-1)], "less than no time"),
    "negative rest": ([in_flight(-1)], "not less than none"),
    "negative attempts": ([in_flight(0, -1)], "not less than none"),
}
FINE: list[Fact] = [
    written(1), bound(), phase("Pending"), called(), started(), phase("Running"), exited(),
    started(1), completed(0), completed(1), exited(1), phase("Succeeded"),
    written(2, verb="delete"), dark(), facts.NodeBooted(node="n1"), called(),
    pulled(began_ns=1, resolved_ns=2), downloaded(began_ns=1, downloaded_ns=2), in_flight(1),
]  # fmt: skip


def feed(checkers: Checkers, told: list[Fact]) -> None:
    for fact in told:
        checkers(10 * SECOND, fact)


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_invariant_is_found(case: str) -> None:
    """Everything before the last fact is allowed; the last one is not."""
    told, message = BROKEN[case]
    checkers = Checkers(Cluster().api.store)
    feed(checkers, told[:-1])
    with pytest.raises(SimulationError, match=message):
        feed(checkers, told[-1:])


def test_an_ordinary_life_breaks_nothing() -> None:
    """A pod that comes, restarts, answers and goes, and a node that boots."""
    checkers = Checkers(Cluster().api.store)
    feed(checkers, FINE)
    checkers.at_end()


def test_a_lost_pod_is_found() -> None:
    """One that was made, was never deleted, and is not there."""
    checkers = Checkers(Cluster().api.store)
    feed(checkers, [written(1)])
    with pytest.raises(SimulationError, match="nobody deleted it"):
        checkers.at_end()


def test_a_lost_request_is_found() -> None:
    """Number 2 ended, so three were sent: one of them neither ended nor is under way."""
    checkers = Checkers(Cluster().api.store)
    feed(checkers, [completed(0), completed(2)])
    with pytest.raises(SimulationError, match="requests are conserved"):
        checkers.at_end()


def sized(name: str, cpu: str) -> Pod:
    container = {"name": "c", "image": "a", "resources": {"requests": {"cpu": cpu}}}
    return pod(name, containers=[container], nodeName="n1")


def with_room(cpu: str, pods: str = "110") -> Cluster:
    cluster = Cluster()
    small = node("n1")
    status = {**small.status.model_dump(by_alias=True), "allocatable": {"cpu": cpu, "pods": pods}}
    cluster.api.create(Node.model_validate({"metadata": {"name": "n1"}}))
    cluster.api.patch(
        Node,
        "n1",
        lambda stored: stored.replace(status=type(small.status).model_validate(status)),
        status=True,
    )
    return cluster


@pytest.mark.parametrize(("cpu", "pods"), [("1900m", "110"), ("8", "1")])
def test_more_than_allocatable_is_found_when_it_is_bound(cpu: str, pods: str) -> None:
    """By what is requested, and by the number of pods."""
    cluster = with_room(cpu, pods)
    checkers = Checkers(cluster.api.store)
    for name in ("a", "b"):
        made = cluster.api.create(sized(name, "1"))
        if name == "a":
            checkers(0, bound(made.uid, name))
    with pytest.raises(SimulationError, match="never exceed allocatable"):
        checkers(0, bound(made.uid, name))


def allocate(cluster: Cluster, name: str, cpu: str, revision: int) -> Fact:
    """The kubelet reports what it has given to a pod."""
    status = ContainerStatus(
        name="c", image="a", image_id="a", ready=True, restart_count=0,
        allocated_resources=quantities(cpu=cpu),
    )  # fmt: skip

    def change(stored: Pod) -> Pod:
        return stored.replace(status=stored.status.replace(container_statuses=(status,)))

    made = cluster.api.patch(Pod, f"default/{name}", change, status=True)
    return facts.ObjectWritten(
        verb="update/status", kind="Pod", namespace="default", name=name, uid=made.uid,
        resource_version=revision,
    )  # fmt: skip


def two_pods_of_one_core() -> tuple[Cluster, Checkers]:
    cluster = with_room("2")
    checkers = Checkers(cluster.api.store)
    for revision, name in enumerate(("a", "b"), 1):
        uid = cluster.api.create(sized(name, "1")).uid
        made = facts.ObjectWritten(
            verb="create", kind="Pod", namespace="default", name=name, uid=uid,
            resource_version=revision,
        )  # fmt: skip
        feed(checkers, [made, bound(uid, name)])
    return cluster, checkers


def test_a_resize_beyond_allocatable_is_found_during_the_run() -> None:
    """Not only at the end: when every other status had the time to be written, too."""
    cluster, checkers = two_pods_of_one_core()
    checkers(20 * SECOND, allocate(cluster, "b", "1500m", 3))
    checkers(30 * SECOND, called())
    with pytest.raises(SimulationError, match="at 20000000000 ns: requests never exceed"):
        checkers(30 * SECOND + 1, called())


@pytest.mark.parametrize("how", ["shrinks", "ends", "dies with its node"])
def test_who_makes_room_for_a_resize_may_report_later(how: str) -> None:
    """A neighbour that was resized down, ended, or whose node is gone before it could say so."""
    cluster, checkers = two_pods_of_one_core()
    checkers(20 * SECOND, allocate(cluster, "b", "1500m", 3))
    if how == "shrinks":
        checkers(21 * SECOND, allocate(cluster, "a", "500m", 4))
    elif how == "ends":
        uid = cluster.pod("a").uid
        for name in ("Pending", "Failed"):
            told = {"namespace": "default", "name": "a", "uid": uid, "node": "n1"}
            checkers(21 * SECOND, facts.PodPhaseChanged(**told, phase=name, reason=""))
    else:
        checkers(21 * SECOND, dark())
    checkers(40 * SECOND, phase("Pending"))


def test_a_pod_that_was_on_its_way_during_a_resize_must_be_refused() -> None:
    """Bound a moment after, it is not a fault yet; that it stays is."""
    cluster, checkers = two_pods_of_one_core()
    checkers(20 * SECOND, allocate(cluster, "b", "800m", 3))
    late = cluster.api.create(sized("late", "1"))
    checkers(21 * SECOND, bound(late.uid, "late"))
    with pytest.raises(SimulationError, match="never exceed allocatable"):
        checkers(32 * SECOND, phase("Pending"))


def test_more_than_allocatable_is_found_at_the_end() -> None:
    """However the pods came there."""
    cluster = with_room("1900m")
    for name in ("a", "b"):
        cluster.api.create(sized(name, "1"))
    with pytest.raises(SimulationError, match="requests exceed allocatable"):
        Checkers(cluster.api.store).at_end()


@pytest.mark.parametrize(
    ("started_at", "finished_at"), [(-1, None), (5, 4)], ids=["older than its pod", "ends first"]
)
def test_times_of_a_container_are_in_order(started_at: int, finished_at: int | None) -> None:
    """A container is not older than its pod, and does not end before it began."""
    cluster = Cluster()
    cluster.api.create(sized("a", "1"))
    begin_ns = EPOCH_NS + started_at * SECOND
    state = ContainerState(running=ContainerStateRunning(started_at=begin_ns))
    if finished_at is not None:
        ended = ContainerStateTerminated(
            exit_code=0, started_at=begin_ns, finished_at=EPOCH_NS + finished_at * SECOND
        )
        state = ContainerState(terminated=ended)
    status = ContainerStatus(name="c", state=state, image="a", image_id="", ready=False,
                             restart_count=0)  # fmt: skip
    cluster.api.patch(
        Pod,
        "default/a",
        lambda stored: stored.replace(status=stored.status.replace(container_statuses=(status,))),
        status=True,
    )
    with pytest.raises(SimulationError, match=r"older than the pod|ended before it began"):
        Checkers(cluster.api.store).at_end()


@dataclass(frozen=True)
class _Memory:
    by_component: dict[str, int]
    used_bytes: int = 10
    capacity_bytes: int = 100


@dataclass(frozen=True)
class _Disk:
    used_bytes: int = 0
    capacity_bytes: int = 100


@dataclass(frozen=True)
class _Machine:
    memory: _Memory
    disk: _Disk = field(default_factory=_Disk)

    @property
    def machine(self) -> Any:
        return self


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (_Machine(_Memory({"app": 9})), "adds up"),
        (_Machine(_Memory({"app": 11, "shim": -1})), "adds up"),
        (_Machine(_Memory({"app": 101}, used_bytes=101)), "more memory than it has"),
        (_Machine(_Memory({"app": 10}), _Disk(used_bytes=101)), "on its disk"),
        (_Machine(_Memory({"app": 10}), _Disk(used_bytes=-1)), "on its disk"),
    ],
)
def test_memory_and_disk_that_do_not_add_up_are_found(machine: _Machine, message: str) -> None:
    """The parts are the whole, and the whole is not more than there is."""
    checkers = Checkers(Cluster().api.store, lambda: {"n1": machine})
    with pytest.raises(SimulationError, match=message):
        checkers.at_end()
