"""What a recommendation becomes for a pod, and which pods are worth an update."""

from __future__ import annotations

from typing import Any

import pytest
from harness import EPOCH_NS, quantities
from harness import pod as plain_pod

from kubesim.api.corev1 import LimitRange, Pod
from kubesim.api.vpav1 import VerticalPodAutoscaler, vertical_pod_autoscaler_errors
from kubesim.controlplane.autoscaling.vpa.admission import admitted
from kubesim.controlplane.autoscaling.vpa.capping import Bounds, bounds_of, processed, sizes
from kubesim.controlplane.autoscaling.vpa.config import UpdaterConfig
from kubesim.controlplane.autoscaling.vpa.priority import (
    Priority,
    direction_allowed,
    in_order,
    priority_of,
    worth_an_update,
)
from kubesim.controlplane.autoscaling.vpa.restriction import Decision, Restriction
from kubesim.sim.time import HOUR, MINUTE, SECOND

CONFIG = UpdaterConfig()
Amounts = dict[str, str]


def vpa(
    *,
    target: Amounts | None = None,
    lower: Amounts | None = None,
    upper: Amounts | None = None,
    policies: list[dict[str, Any]] | None = None,
    **update: Any,
) -> VerticalPodAutoscaler:
    """An autoscaler that recommends so much for container ``main``."""
    spec: dict[str, Any] = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}
    }
    spec["updatePolicy"] = {"updateMode": "Recreate", **update}
    if policies is not None:
        spec["resourcePolicy"] = {"containerPolicies": policies}
    target = target or {"cpu": "100m", "memory": "200Mi"}
    recommended = {"containerName": "main", "target": target, "lowerBound": lower or target,
                   "upperBound": upper or target}  # fmt: skip
    status = {"recommendation": {"containerRecommendations": [recommended]}}
    body = {"metadata": {"name": "v", "namespace": "default"}, "spec": spec, "status": status}
    return VerticalPodAutoscaler.model_validate(body)


def pod(
    name: str = "web",
    *,
    requests: Amounts | None = None,
    limits: Amounts | None = None,
    owner: str = "rs",
    phase: str = "Running",
    started_ns: int = EPOCH_NS,
    last: dict[str, Any] | None = None,
    conditions: list[dict[str, Any]] | None = None,
    policy: str = "NotRequired",
) -> Pod:
    """A pod of a ReplicaSet with one container."""
    resources = {"requests": requests or {}, "limits": limits or {}}
    container = {"name": "main", "image": "a", "resources": resources, "resizePolicy": [
        {"resourceName": "memory", "restartPolicy": policy}]}  # fmt: skip
    made = plain_pod(name, containers=[container]).model_dump(by_alias=True, exclude_unset=True)
    made["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": owner,
            "uid": "u",
            "controller": True,
        }
    ]
    status = {"name": "main", "ready": True, "restartCount": 0, "image": "a", "imageID": ""}
    if last is not None:
        status["lastState"] = {"terminated": last}
    made["status"] = {
        "phase": phase,
        "containerStatuses": [status],
        "conditions": conditions or [],
    }
    found = Pod.model_validate(made)
    return found.replace(status=found.status.replace(start_time=started_ns))


def test_limits_follow_requests_in_proportion() -> None:
    """Twice the request as a limit stays twice; equal ones stay equal."""
    found = sizes(
        vpa(target={"cpu": "300m", "memory": "300Mi"}),
        pod(
            requests={"cpu": "100m", "memory": "100Mi"}, limits={"cpu": "250m", "memory": "100Mi"}
        ),
        Bounds(),
    )[0]
    assert found.requests == quantities(cpu="300m", memory="300Mi")
    assert found.limits == quantities(cpu="750m", memory="300Mi")


def test_requests_only_leaves_limits_and_stays_below_them() -> None:
    """With controlledValues RequestsOnly a target above the limit is cut to it."""
    own = vpa(
        target={"cpu": "300m"},
        policies=[{"containerName": "*", "controlledValues": "RequestsOnly"}],
    )
    found = sizes(own, pod(requests={"cpu": "100m"}, limits={"cpu": "200m"}), Bounds())[0]
    assert found.requests == quantities(cpu="200m")
    assert found.limits == {}
    assert found.notes == ("cpu capped to container limit",)


def test_a_limit_range_bounds_what_the_limits_become() -> None:
    """A maximum of 1 core for limits of twice the request makes it 500m."""
    item = {"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "64Mi"}}
    ranges = [LimitRange.model_validate(
        {"metadata": {"name": "l", "namespace": "default"}, "spec": {"limits": [item]}})]  # fmt: skip
    bounds = bounds_of(ranges, "default")
    own = vpa(target={"cpu": "900m", "memory": "32Mi"})
    found = sizes(own, pod(requests={"cpu": "100m"}, limits={"cpu": "200m"}), bounds)[0]
    assert found.requests == quantities(cpu="500m", memory="64Mi")
    assert found.limits["cpu"].milli_value() == 1000


def test_the_webhook_says_what_it_did() -> None:
    """Annotations vpaUpdates and vpaObservedContainers, in upstream's words."""
    own = vpa(policies=[{"containerName": "main", "maxAllowed": {"cpu": "50m"}}])
    made = admitted(pod(requests={"cpu": "1"}), own, Bounds())
    assert made.spec.containers[0].resources.requests == quantities(cpu="50m", memory="200Mi")
    notes = dict(made.metadata.annotations)
    assert notes["vpaObservedContainers"] == "main"
    assert notes["vpaUpdates"] == (
        "Pod resources updated by v: container 0: cpu capped to maxAllowed, cpu request, memory request"
    )


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ({"cpu": "100m", "memory": "200Mi"}, Priority(False, 0.0, False)),
        ({"cpu": "50m", "memory": "200Mi"}, Priority(True, 1.0, True)),
        ({"cpu": "200m", "memory": "200Mi"}, Priority(False, 0.5, True)),
        ({"cpu": "80m", "memory": "200Mi"}, Priority(True, 0.25, False)),
    ],
)
def test_priority_is_direction_and_distance(requests: Amounts, expected: Priority) -> None:
    """Whether a container wants to grow, how far it is away, and whether it left the range."""
    own = vpa(lower={"cpu": "60m", "memory": "100Mi"}, upper={"cpu": "150m", "memory": "1Gi"})
    made = pod(requests=requests)
    assert priority_of(made, processed(own, made, Bounds())[0]) == expected


def test_a_missing_request_is_out_of_range() -> None:
    """A container that asks for nothing wants to grow."""
    own, made = vpa(), pod(requests={"cpu": "100m"})
    found = priority_of(made, processed(own, made, Bounds())[0])
    assert (found.scale_up, found.outside) == (True, True)


def test_pods_within_the_range_wait_half_a_day() -> None:
    """Inside the range a pod is updated after 12 h, and only for a tenth or more."""
    made, own = pod(requests={"cpu": "80m"}), vpa()
    far, near = Priority(True, 0.25, False), Priority(True, 0.05, False)

    def worth(priority: Priority, wall_ns: int) -> bool:
        return worth_an_update(made, own, priority, config=CONFIG, wall_ns=wall_ns)

    assert not worth(far, EPOCH_NS + 12 * HOUR - 1)
    assert worth(far, EPOCH_NS + 12 * HOUR)
    assert not worth(near, EPOCH_NS + 24 * HOUR)
    assert worth(Priority(False, 0.01, True), EPOCH_NS)


def test_a_quick_oom_kill_is_worth_an_update() -> None:
    """Killed within ten minutes of its start, it goes at once, unless nothing would change."""
    ended = {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-01-01T00:00:00Z",
             "finishedAt": "2026-01-01T00:09:00Z"}  # fmt: skip
    own = vpa()
    quick = pod(requests={"memory": "100Mi"}, last=ended)
    slow = pod(last={**ended, "finishedAt": "2026-01-01T00:11:00Z"})
    some, none = Priority(True, 0.5, False), Priority(False, 0.0, False)
    assert worth_an_update(quick, own, some, config=CONFIG, wall_ns=EPOCH_NS)
    assert not worth_an_update(quick, own, none, config=CONFIG, wall_ns=EPOCH_NS)
    assert not worth_an_update(slow, own, some, config=CONFIG, wall_ns=EPOCH_NS)


def test_those_that_grow_come_first() -> None:
    """Growing before shrinking, then by the distance."""
    pods = [pod(name) for name in ("a", "b", "c")]
    ranks = [Priority(False, 9.0, True), Priority(True, 0.1, True), Priority(True, 0.2, True)]
    assert [p.name for p in in_order(zip(ranks, pods, strict=True))] == ["c", "b", "a"]


def test_eviction_requirements_name_the_direction() -> None:
    """TargetHigherThanRequests lets nobody be evicted in order to shrink."""
    requirement = [
        {"resources": ["cpu", "memory"], "changeRequirement": "TargetHigherThanRequests"}
    ]
    own = vpa(evictionRequirements=requirement)
    assert own.spec.update_policy is not None
    needed = own.spec.update_policy.eviction_requirements
    for requests, allowed in (
        ({"cpu": "1", "memory": "1Gi"}, False),
        ({"cpu": "50m", "memory": "1Gi"}, True),
    ):
        made = pod(requests=requests)
        assert direction_allowed(made, processed(own, made, Bounds())[0], needed) is allowed


def restriction(
    pods: list[Pod], own: VerticalPodAutoscaler | None = None, *, replicas: int | None = None,
    config: UpdaterConfig = CONFIG, since: dict[str, int] | None = None, wall_ns: int = EPOCH_NS,
) -> Restriction:  # fmt: skip
    """What may be done to these pods."""
    return Restriction(
        own or vpa(),
        pods,
        config=config,
        replicas=lambda _: len(pods) if replicas is None else replicas,
        resized_since_ns={} if since is None else since,
        wall_ns=wall_ns,
    )


@pytest.mark.parametrize(("count", "evictable"), [(1, 0), (2, 1), (3, 1), (4, 2), (10, 5)])
def test_half_of_the_pods_may_go_at_once(count: int, evictable: int) -> None:
    """--eviction-tolerance 0.5, rounded down, at least one; none of fewer than --min-replicas."""
    pods = [pod(f"p{index}") for index in range(count)]
    allowed = restriction(pods)
    gone = 0
    for each in pods:
        if allowed.may_evict(each):
            allowed.evicted(each)
            gone += 1
    assert gone == evictable


def test_min_replicas_of_the_autoscaler_wins() -> None:
    """minReplicas 1 lets a single pod be evicted."""
    single = [pod()]
    assert not restriction(single).may_evict(single[0])
    assert restriction(single, vpa(minReplicas=1)).may_evict(single[0])


def test_pods_that_do_not_run_yet_block_the_others() -> None:
    """Of four pods of which two are pending no running one may go; the pending ones may."""
    pods = [pod(f"p{i}", phase="Pending" if i < 2 else "Running") for i in range(4)]
    allowed = restriction(pods)
    assert [allowed.may_evict(each) for each in pods] == [True, True, False, False]


def test_a_resize_that_waits_too_long_becomes_an_eviction() -> None:
    """Deferred for five minutes, in progress for an hour, infeasible or failed at once."""
    own = vpa(updateMode="InPlaceOrRecreate")

    def decide(type_: str, reason: str, elapsed_ns: int) -> Decision:
        condition = {"type": type_, "status": "True", **({"reason": reason} if reason else {})}
        stuck = pod("stuck", conditions=[condition])
        pods = [stuck, *(pod(f"p{index}") for index in range(3))]
        since = {"default/stuck": EPOCH_NS}
        return restriction(pods, own, since=since, wall_ns=EPOCH_NS + elapsed_ns).may_resize(
            stuck, own
        )

    assert decide("PodResizePending", "Deferred", 5 * MINUTE) is Decision.DEFERRED
    assert decide("PodResizePending", "Deferred", 5 * MINUTE + 1) is Decision.EVICT
    assert decide("PodResizePending", "Infeasible", 0) is Decision.EVICT
    assert decide("PodResizeInProgress", "", HOUR) is Decision.DEFERRED
    assert decide("PodResizeInProgress", "", HOUR + SECOND) is Decision.EVICT
    assert decide("PodResizeInProgress", "Error", 0) is Decision.EVICT


def test_a_resize_that_restarts_nobody_may_skip_the_budget() -> None:
    """--in-place-skip-disruption-budget: as many as need it, unless containers are restarted."""
    config = UpdaterConfig(in_place_skip_disruption_budget=True)
    own = vpa(updateMode="InPlaceOrRecreate")
    for policy, decision in (
        ("NotRequired", Decision.APPROVED),
        ("RestartContainer", Decision.DEFERRED),
    ):
        pods = [pod("a", policy=policy), pod("b", policy=policy)]
        allowed = restriction(pods, own, config=config)
        allowed.resized(pods[0])
        assert allowed.may_resize(pods[1], own) is decision
    single = pod()
    alone = restriction([single], own, config=config)
    assert alone.may_resize(single, own) is Decision.APPROVED
    assert not alone.may_evict(single)


def test_the_webhook_refuses_what_upstream_refuses() -> None:
    """Wrong bounds, unknown resources and alpha fields, each at its path."""
    own = vpa(
        updateMode="InPlace",
        minReplicas=0,
        policies=[
            {"containerName": "*", "minAllowed": {"cpu": "2"}, "maxAllowed": {"cpu": "1"}},
            {"containerName": "b", "mode": "Off", "controlledValues": "RequestsAndLimits"},
            {"containerName": "c", "controlledResources": ["gpu"], "oomBumpUpRatio": "2"},
            {"minAllowed": {"cpu": "1500u", "memory": "100m"}},
        ],
    )
    told = [str(error) for error in vertical_pod_autoscaler_errors(own)]
    path = "spec.resourcePolicy.containerPolicies"
    assert told == [
        (
            "spec.updatePolicy.updateMode: Forbidden: in order to use UpdateMode InPlace, you must "
            "enable feature gate InPlace in the admission-controller args"
        ),
        "spec.updatePolicy.minReplicas: Invalid value: 0: minReplicas has to be positive",
        f'{path}[0].maxAllowed: Invalid value: "1": max resource for cpu is lower than min of "2"',
        (
            f"{path}[1].controlledValues: Forbidden: controlledValues shouldn't be specified if "
            "container scaling mode is off"
        ),
        f'{path}[2].controlledResources[0]: Unsupported value: "gpu": supported values: "cpu", "memory"',
        f"{path}[2].oomBumpUpRatio: Forbidden: not supported when feature flag PerVPAConfig is disabled",
        f"{path}[3].containerName: Required value",
        f'{path}[3].minAllowed.cpu: Invalid value: "1500u": must be a whole number of milli CPUs',
        f'{path}[3].minAllowed.memory: Invalid value: "100m": must be a whole number of bytes',
    ]
