"""The pod status a kubelet makes of what the runtime says: phases, conditions, container states."""

from typing import Any

import pytest
from harness import EPOCH_NS, SECOND, bound

from kubesim.api.corev1 import Pod, PodCondition, PodStatus
from kubesim.api.podutil import get_pod_condition
from kubesim.node.cri.messages import ContainerState, ContainerStatus
from kubesim.node.kubelet.status import Observation, generate_pod_status

UP, MADE, OVER = ContainerState.RUNNING, ContainerState.CREATED, ContainerState.EXITED


def run(name: str, state: ContainerState, exit_code: int = 0, attempt: int = 0) -> ContainerStatus:
    return ContainerStatus(
        id=f"{name}-{attempt}",
        pod_sandbox_id="s",
        name=name,
        attempt=attempt,
        image="app:1",
        image_ref="sha256:0",
        state=state,
        created_at=0,
        started_at=SECOND,
        finished_at=2 * SECOND if state is OVER else 0,
        exit_code=exit_code,
        reason="Completed" if exit_code == 0 else "Error",
    )


def status(
    pod: Pod,
    *runs: ContainerStatus,
    waiting: dict[str, tuple[str, str]] | None = None,
    terminated: bool = False,
    now_ns: int = 10 * SECOND,
    sandbox_ready: bool = True,
) -> PodStatus:
    return generate_pod_status(
        pod,
        Observation(
            containers=runs,
            pod_ip="10.244.0.2",
            sandbox_ready=sandbox_ready,
            terminated=terminated,
            waiting=waiting or {},
            host_ip="192.168.0.10",
            epoch_ns=EPOCH_NS,
            now_ns=now_ns,
        ),
    )


def two(policy: str = "Always", *, init: bool = False) -> Pod:
    more: dict[str, Any] = {}
    if init:
        more["initContainers"] = [{"name": "init", "image": "app:1"}]
    containers = [{"name": name, "image": "app:1"} for name in ("a", "b")]
    return bound(containers=containers, restartPolicy=policy, **more)


CRASH = {"a": ("CrashLoopBackOff", "back-off"), "b": ("CrashLoopBackOff", "back-off")}


@pytest.mark.parametrize(
    ("policy", "runs", "waiting", "phase"),
    [
        ("Always", [], {}, "Pending"),
        ("Always", [run("a", MADE), run("b", MADE)], {}, "Pending"),
        ("Always", [run("a", UP)], {}, "Pending"),
        ("Always", [run("a", UP), run("b", UP)], {}, "Running"),
        ("Always", [run("a", UP), run("b", OVER)], {}, "Running"),
        ("Always", [run("a", OVER), run("b", OVER)], {}, "Running"),
        ("Always", [run("a", OVER, 1), run("b", OVER, 1)], CRASH, "Running"),
        ("Always", [run("a", UP)], {"b": ("ErrImagePull", "")}, "Pending"),
        ("OnFailure", [run("a", OVER), run("b", UP)], {}, "Running"),
        ("OnFailure", [run("a", OVER), run("b", OVER)], {}, "Succeeded"),
        ("OnFailure", [run("a", OVER), run("b", OVER, 1)], {}, "Running"),
        ("OnFailure", [run("a", OVER), run("b", OVER, 1)], {"b": CRASH["b"]}, "Running"),
        ("Never", [run("a", OVER), run("b", UP)], {}, "Running"),
        ("Never", [run("a", OVER), run("b", OVER)], {}, "Succeeded"),
        ("Never", [run("a", OVER), run("b", OVER, 3)], {}, "Failed"),
        ("Never", [run("a", OVER, 3), run("b", UP)], {}, "Running"),
    ],
)
def test_the_phase_follows_from_policy_and_states(
    policy: str, runs: list[ContainerStatus], waiting: dict[str, tuple[str, str]], phase: str
) -> None:
    """The table of getPhase for pods without init containers."""
    assert phase == status(two(policy), *runs, waiting=waiting).phase


@pytest.mark.parametrize(
    ("policy", "runs", "phase"),
    [
        ("Always", [], "Pending"),
        ("Always", [run("init", UP)], "Pending"),
        ("Always", [run("init", OVER, 1)], "Pending"),
        ("OnFailure", [run("init", OVER, 1)], "Pending"),
        ("Never", [run("init", OVER, 1)], "Failed"),
        ("Always", [run("init", OVER)], "Pending"),
        ("Always", [run("init", OVER), run("a", UP), run("b", UP)], "Running"),
        ("Never", [run("init", OVER), run("a", OVER), run("b", OVER)], "Succeeded"),
    ],
)
def test_init_containers_keep_a_pod_pending(
    policy: str, runs: list[ContainerStatus], phase: str
) -> None:
    """The table of getPhase for pods with one."""
    assert phase == status(two(policy, init=True), *runs).phase


def conditions(seen: PodStatus) -> dict[str, tuple[str, str | None, str | None]]:
    return {c.type: (c.status, c.reason, c.message) for c in seen.conditions}


def test_conditions_of_a_pod_that_begins() -> None:
    """Not ready, with the names of the containers that are not; in upstream's order."""
    seen = status(two(init=True), run("init", UP), sandbox_ready=True)
    message = "containers with unready status: [a b]"

    assert {
        "PodReadyToStartContainers": ("True", None, None),
        "Initialized": (
            "False", "ContainersNotInitialized", "containers with incomplete status: [init]",
        ),
        "Ready": ("False", "ContainersNotReady", message),
        "ContainersReady": ("False", "ContainersNotReady", message),
        "PodScheduled": ("True", None, None),
    } == conditions(seen)  # fmt: skip
    assert [
        "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled",
    ] == [c.type for c in seen.conditions]  # fmt: skip


def test_a_pod_that_was_initialized_stays_so() -> None:
    """A new sandbox runs its init containers again, and Initialized is not taken back."""
    pod = two(init=True)
    done = PodCondition(type="Initialized", status="True")
    before = pod.replace(status=pod.status.replace(conditions=(done,)))

    assert ("True", None, None) == conditions(status(before, run("init", UP)))["Initialized"]


def test_conditions_of_a_running_pod() -> None:
    """Everything is true."""
    seen = status(two(), run("a", UP), run("b", UP))

    assert {("True", None, None)} == set(conditions(seen).values())


@pytest.mark.parametrize(
    ("exit_code", "reason", "initialized"),
    [(0, "PodCompleted", ("True", "PodCompleted", None)), (1, "PodFailed", ("True", None, None))],
)
def test_conditions_of_a_pod_that_has_ended(
    exit_code: int, reason: str, initialized: tuple[str, str | None, str | None]
) -> None:
    """The reason tells success from failure; the sandbox is down."""
    seen = conditions(
        status(two("Never"), run("a", OVER), run("b", OVER, exit_code), sandbox_ready=False)
    )

    assert ("False", reason, None) == seen["Ready"]
    assert ("False", reason, None) == seen["ContainersReady"]
    assert initialized == seen["Initialized"]
    assert ("False", None, None) == seen["PodReadyToStartContainers"]


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    """Two reports of the same state are equal, however much later the second is."""
    first = status(two(), run("a", UP), run("b", UP), now_ns=3 * SECOND)
    second = status(
        two().replace(status=first), run("a", UP), run("b", UP), now_ns=9 * SECOND
    )  # fmt: skip
    third = status(two().replace(status=first), run("a", UP), run("b", OVER), now_ns=9 * SECOND)
    ready = get_pod_condition(third, "Ready")
    assert ready is not None

    assert first == second
    assert EPOCH_NS + 9 * SECOND == ready.last_transition_time
    assert EPOCH_NS + 3 * SECOND == third.start_time


def test_the_schedulers_condition_is_carried_along() -> None:
    """PodScheduled is not the kubelet's."""
    scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=EPOCH_NS + 5)
    pod = two().replace(status=PodStatus(conditions=(scheduled,)))

    assert scheduled == get_pod_condition(status(pod), "PodScheduled")


def test_container_states() -> None:
    """Waiting with a reason, running since, terminated with code, reason and times."""
    nothing = status(two()).container_statuses[0]
    running = status(two(), run("a", UP)).container_statuses[0]
    ended = status(two("Never"), run("a", OVER, 3)).container_statuses[0]
    assert nothing.state.waiting
    assert running.state.running
    assert ended.state.terminated
    terminated = ended.state.terminated

    assert ("ContainerCreating", False, False) == (
        nothing.state.waiting.reason,
        nothing.ready,
        nothing.started,
    )
    assert (EPOCH_NS + SECOND, True, True) == (
        running.state.running.started_at,
        running.ready,
        running.started,
    )
    assert (3, "Error", EPOCH_NS + SECOND, EPOCH_NS + 2 * SECOND, "containerd://a-0") == (
        terminated.exit_code,
        terminated.reason,
        terminated.started_at,
        terminated.finished_at,
        terminated.container_id,
    )


def test_with_init_containers_everything_waits_for_initialization() -> None:
    """PodInitializing instead of ContainerCreating, for all of them."""
    seen = status(two(init=True))
    states = [s.state.waiting for s in (*seen.container_statuses, *seen.init_container_statuses)]

    assert ["PodInitializing"] * 3 == [s.reason for s in states if s is not None]


def test_a_successful_init_container_is_ready() -> None:
    """It is done, and that is what ready means for it."""
    seen = status(two(init=True), run("init", OVER)).init_container_statuses[0]
    failed = status(two(init=True), run("init", OVER, 1)).init_container_statuses[0]

    assert (True, False) == (seen.ready, failed.ready)


def test_a_crash_loop_waits_and_remembers() -> None:
    """State is the back-off, last state the crash, and restarts are counted."""
    seen = status(
        two(), run("a", OVER, 1), run("a", OVER, 2, attempt=1), waiting={"a": CRASH["a"]}
    ).container_statuses[0]  # fmt: skip
    assert seen.state.waiting
    assert seen.last_state.terminated

    assert ("CrashLoopBackOff", "back-off") == (
        seen.state.waiting.reason,
        seen.state.waiting.message,
    )
    assert (2, 1) == (seen.last_state.terminated.exit_code, seen.restart_count)


def test_a_restarted_container_remembers_its_last_end() -> None:
    """Running again, with the crash in its last state."""
    seen = status(two(), run("a", OVER, 137), run("a", UP, attempt=1)).container_statuses[0]
    assert seen.last_state.terminated

    assert (137, 1, True) == (
        seen.last_state.terminated.exit_code,
        seen.restart_count,
        seen.state.running is not None,
    )


@pytest.mark.parametrize(
    ("runs", "phase"),
    [
        ([run("a", OVER), run("b", OVER)], "Succeeded"),
        ([run("a", OVER), run("b", OVER, 137)], "Failed"),
        ([run("a", OVER)], "Failed"),
        ([], "Failed"),
    ],
)
def test_a_pod_that_is_over_has_a_final_phase(runs: list[ContainerStatus], phase: str) -> None:
    """Whatever its restart policy: succeeded when all containers did, failed otherwise."""
    seen = status(two("Always"), *runs, terminated=True)
    ends = [s.state.terminated for s in seen.container_statuses]

    assert phase == seen.phase
    assert [137 if n >= len(runs) else runs[n].exit_code for n in range(2)] == [
        end.exit_code for end in ends if end is not None
    ]


def test_a_container_that_never_ran_could_not_be_located() -> None:
    """Its end is unknown, and that is an error; unless its pod was never initialized."""
    unknown = status(two(), terminated=True).container_statuses[0].state.terminated
    never = status(two(init=True), terminated=True).container_statuses[0].state
    assert unknown

    assert "ContainerStatusUnknown" == unknown.reason
    assert never.terminated is None
