"""Which pods are worth an update, and in which order. Pure functions.

A pod whose request is outside of the recommended range is, at once; so is one that was killed for
want of memory soon after its start, if it would get more. One inside the range is only when it has
lived for half a day and the difference is a tenth at least.

Mirrors: vertical-pod-autoscaler/pkg/updater/priority (update_priority_calculator.go,
priority_processor.go, scaling_direction_pod_eviction_admission.go).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kubesim.api.corev1 import Pod
from kubesim.api.vpav1 import (
    EvictionRequirement,
    RecommendedContainerResources,
    RecommendedPodResources,
    VerticalPodAutoscaler,
    container_policy,
)
from kubesim.controlplane.autoscaling.vpa.admission import observed_containers
from kubesim.controlplane.autoscaling.vpa.config import UpdaterConfig
from kubesim.controlplane.autoscaling.vpa.oom import OOM_KILLED, resources_of


class Priority(NamedTuple):
    """How much an update is worth.

    Attributes:
        scale_up: Some container wants to grow.
        difference: How far requests and recommendation are apart, relative to the requests.
        outside: Some request is outside of the recommended range.
    """

    scale_up: bool
    difference: float
    outside: bool


def priority_of(pod: Pod, recommendation: RecommendedPodResources) -> Priority:
    """How much an update of a pod to a recommendation is worth."""
    outside = scale_up = False
    requested: dict[str, int] = {}
    recommended: dict[str, int] = {}
    observed = observed_containers(pod)
    found = {item.container_name: item for item in recommendation.container_recommendations}
    for container in pod.spec.containers:
        item = found.get(container.name)
        if item is None or (observed is not None and container.name not in observed):
            continue
        requests = resources_of(pod, container.name).requests
        for name, target in item.target.items():
            recommended[name] = recommended.get(name, 0) + target.milli_value()
            request = requests.get(name)
            if request is None:
                scale_up = outside = True
                continue
            requested[name] = requested.get(name, 0) + request.milli_value()
            scale_up = scale_up or target.milli_value() > request.milli_value()
            low, high = item.lower_bound.get(name), item.upper_bound.get(name)
            outside = outside or (low is not None and request < low)
            outside = outside or (high is not None and high < request)
    difference = 0.0
    for name in sorted(recommended):
        has = max(requested.get(name, 0), 1)
        difference += abs(has - recommended[name]) / has
    return Priority(scale_up, difference, outside)


def worth_an_update(
    pod: Pod,
    vpa: VerticalPodAutoscaler,
    priority: Priority,
    *,
    config: UpdaterConfig,
    wall_ns: int,
) -> bool:
    """Whether a pod is to be updated now."""
    quick_oom = _quick_oom(pod, vpa, config)
    if not priority.outside and not quick_oom:
        due_ns = worth_from_ns(pod, config)
        if due_ns is None or wall_ns < due_ns or priority.difference < config.update_threshold:
            return False
    return not (quick_oom and priority.difference == 0)


def worth_from_ns(pod: Pod, config: UpdaterConfig) -> int | None:
    """From when on a pod that is within the range may be updated."""
    started_ns = pod.status.start_time
    return None if started_ns is None else started_ns + config.lifetime_threshold_ns


def in_order(pods: Iterable[tuple[Priority, Pod]]) -> list[Pod]:
    """Those that want to grow first, then by the difference."""
    ranked = sorted(pods, key=lambda item: (not item[0].scale_up, -item[0].difference))
    return [pod for _, pod in ranked]


def direction_allowed(
    pod: Pod,
    recommendation: RecommendedPodResources,
    requirements: tuple[EvictionRequirement, ...],
) -> bool:
    """Whether the change of some container is one for which the autoscaler lets pods be evicted."""
    if not requirements:
        return True
    found = {item.container_name: item for item in recommendation.container_recommendations}
    for container in pod.spec.containers:
        item = found.get(container.name)
        if item is not None and _container_allowed(pod, container.name, item, requirements):
            return True
    return False


def _container_allowed(
    pod: Pod,
    name: str,
    item: RecommendedContainerResources,
    requirements: tuple[EvictionRequirement, ...],
) -> bool:
    requests = resources_of(pod, name).requests
    if "cpu" not in requests or "memory" not in requests:
        return True

    def met(requirement: EvictionRequirement, resource: str) -> bool:
        has = requests[resource].milli_value() if resource in requests else 0
        wants = item.target[resource].milli_value() if resource in item.target else 0
        higher = requirement.change_requirement == "TargetHigherThanRequests"
        return wants > has if higher else wants < has

    return all(
        any(met(requirement, resource) for resource in requirement.resources)
        for requirement in requirements
    )


def _quick_oom(pod: Pod, vpa: VerticalPodAutoscaler, config: UpdaterConfig) -> bool:
    observed = observed_containers(pod)
    for status in pod.status.container_statuses:
        if observed is not None and status.name not in observed:
            continue
        policy = container_policy(status.name, vpa.spec.resource_policy)
        if policy is not None and policy.mode == "Off":
            continue
        ended = status.last_state.terminated
        if ended is None or ended.reason != OOM_KILLED:
            continue
        if (ended.finished_at or 0) - (ended.started_at or 0) < config.evict_after_oom_ns:
            return True
    return False
