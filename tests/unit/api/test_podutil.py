"""What several components ask of pods: readiness, requests, quality of service."""

import pytest

from kubesim.api.corev1 import (
    Container,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    ResourceRequirements,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.podutil import (
    get_pod_condition,
    is_pod_available,
    is_pod_ready,
    is_pod_terminal,
    pod_limits,
    pod_qos,
    pod_requests,
    set_pod_condition,
)
from kubesim.api.quantity import Quantity

SECOND = 10**9


def amounts(**resources: str) -> FrozenMap[str, Quantity]:
    return FrozenMap({name: Quantity(text) for name, text in resources.items()})


def container(
    name: str,
    requests: dict[str, str] | None = None,
    limits: dict[str, str] | None = None,
    restart_policy: str | None = None,
) -> Container:
    resources = ResourceRequirements(
        requests=amounts(**(requests or {})), limits=amounts(**(limits or {}))
    )
    return Container(name=name, image="a", resources=resources, restart_policy=restart_policy)


def ready(status: str, since: int | None) -> PodCondition:
    return PodCondition(type="Ready", status=status, last_transition_time=since)


def test_requests_are_summed_over_containers() -> None:
    """Containers run at the same time, so their requests add up."""
    spec = PodSpec(
        containers=(container("a", {"cpu": "100m"}), container("b", {"cpu": "1", "memory": "1Gi"}))
    )

    assert amounts(cpu="1100m", memory="1Gi") == pod_requests(spec)


def test_init_containers_count_by_the_largest() -> None:
    """Init containers run one by one before the others: the larger need counts."""
    spec = PodSpec(
        containers=(container("a", {"cpu": "1", "memory": "1Gi"}),),
        init_containers=(container("i", {"cpu": "3"}), container("j", {"memory": "500Mi"})),
    )

    assert amounts(cpu="3", memory="1Gi") == pod_requests(spec)


def test_sidecars_keep_running() -> None:
    """A sidecar is added to the containers, and to the init containers that start after it."""
    spec = PodSpec(
        containers=(container("a", {"cpu": "1"}),),
        init_containers=(
            container("before", {"cpu": "2"}),
            container("sidecar", {"cpu": "2"}, restart_policy="Always"),
            container("after", {"cpu": "2"}),
        ),
    )

    assert amounts(cpu="4") == pod_requests(spec)


def test_overhead_is_added_to_requests_and_to_existing_limits() -> None:
    """The sandbox needs room too; it does not invent a limit."""
    spec = PodSpec(
        containers=(container("a", {"cpu": "1"}, {"cpu": "2"}),),
        overhead=amounts(cpu="250m", memory="64Mi"),
    )

    assert amounts(cpu="1250m", memory="64Mi") == pod_requests(spec)
    assert amounts(cpu="2250m") == pod_limits(spec)


def test_resources_of_the_whole_pod_stand_in_for_those_of_its_containers() -> None:
    """What the pod as a whole asks for counts, for the resources where that is possible."""
    spec = PodSpec(
        containers=(container("a", {"cpu": "1", "ephemeral-storage": "1Gi"}),),
        resources=ResourceRequirements(
            requests=FrozenMap({"cpu": Quantity("3"), "ephemeral-storage": Quantity("9Gi")})
        ),
    )

    expected = {"cpu": Quantity("3"), "ephemeral-storage": Quantity("1Gi")}
    assert expected == pod_requests(spec)


@pytest.mark.parametrize(
    ("containers", "qos"),
    [
        ((container("a"),), "BestEffort"),
        ((container("a", {"cpu": "0"}),), "BestEffort"),
        ((container("a", {"cpu": "1"}),), "Burstable"),
        (
            (container("a", {"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}),),
            "Guaranteed",
        ),
        (
            (container("a", {"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"}),),
            "Burstable",
        ),
        (
            (
                container("a", {"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}),
                container("b"),
            ),
            "Burstable",
        ),
    ],
)
def test_quality_of_service(containers: tuple[Container, ...], qos: str) -> None:
    """Equal requests and limits everywhere, some of them, or none."""
    assert qos == pod_qos(PodSpec(containers=containers))


def test_a_pod_is_ready_when_its_condition_says_so() -> None:
    """Without the condition a pod is not ready."""
    assert not is_pod_ready(Pod())
    assert not is_pod_ready(Pod(status=PodStatus(conditions=(ready("False", 0),))))
    assert is_pod_ready(Pod(status=PodStatus(conditions=(ready("True", 0),))))


def test_a_pod_is_available_after_being_ready_for_long_enough() -> None:
    """``minReadySeconds`` count from the last transition."""
    pod = Pod(status=PodStatus(conditions=(ready("True", 10 * SECOND),)))

    assert is_pod_available(pod, 0, 0)
    assert not is_pod_available(pod, 5, 15 * SECOND - 1)
    assert is_pod_available(pod, 5, 15 * SECOND)
    assert not is_pod_available(Pod(), 0, 0)


@pytest.mark.parametrize(
    ("phase", "terminal"),
    [(None, False), ("Pending", False), ("Running", False), ("Succeeded", True), ("Failed", True)],
)
def test_terminal_phases(phase: str | None, terminal: bool) -> None:
    """``Succeeded`` and ``Failed`` are for good."""
    assert terminal == is_pod_terminal(Pod(status=PodStatus(phase=phase)))


def test_a_condition_moves_its_time_only_when_its_status_changes() -> None:
    """A new reason alone does not make a new transition."""
    status = set_pod_condition(PodStatus(), ready("False", 1))

    explained = set_pod_condition(status, ready("False", 9).replace(reason="ContainersNotReady"))
    flipped = set_pod_condition(explained, ready("True", 20))

    assert 1 == get_pod_condition(explained, "Ready").last_transition_time
    assert "ContainersNotReady" == get_pod_condition(explained, "Ready").reason
    assert 20 == get_pod_condition(flipped, "Ready").last_transition_time
    assert 1 == len(flipped.conditions)


def test_setting_the_same_condition_gives_the_same_status() -> None:
    """Nothing changes, so nobody needs to be told."""
    status = set_pod_condition(PodStatus(), ready("False", 1))

    assert status is set_pod_condition(status, ready("False", 5))
