"""What a recommendation becomes for one pod: within policy, limits and the namespace's LimitRange.

Limits follow requests in proportion, so that a container that asked for twice its request as a limit
goes on having twice. Pure functions.

Mirrors: vertical-pod-autoscaler/pkg/utils/vpa (capping.go, limit_and_request_scaling.go),
pkg/utils/limitrange, pkg/admission-controller/resource/pod/recommendation.
Departs: a LimitRange of type Pod is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kubesim.api.corev1 import LimitRange, Pod, ResourceRequirements
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.api.vpav1 import (
    ContainerResourcePolicy,
    RecommendedContainerResources,
    RecommendedPodResources,
    ResourceList,
    VerticalPodAutoscaler,
    container_policy,
    controlled_values,
    update_mode,
)
from kubesim.controlplane.autoscaling.vpa.oom import resources_of

NONE: ResourceList = FrozenMap()
ZERO = Quantity("0")


class Bounds(NamedTuple):
    """What a namespace's LimitRanges say about a container."""

    min: ResourceList = NONE
    max: ResourceList = NONE
    default: ResourceList = NONE


class Sized(NamedTuple):
    """What one container is to have, and what has to be noted about it."""

    requests: ResourceList = NONE
    limits: ResourceList = NONE
    notes: tuple[str, ...] = ()


def bounds_of(ranges: Iterable[LimitRange], namespace: str) -> Bounds:
    """The bounds of containers in a namespace: the highest minimum, the lowest maximum."""
    least: dict[str, Quantity] = {}
    most: dict[str, Quantity] = {}
    default = NONE
    for limit_range in ranges:
        if limit_range.namespace != namespace:
            continue
        for item in limit_range.spec.limits:
            if item.type != "Container":
                continue
            default = item.default or default
            for name, quantity in item.min.items():
                least[name] = max(quantity, least.get(name, quantity))
            for name, quantity in item.max.items():
                most[name] = min(quantity, most.get(name, quantity))
    return Bounds(FrozenMap(least), FrozenMap(most), default)


def processed(
    vpa: VerticalPodAutoscaler, pod: Pod, bounds: Bounds
) -> tuple[RecommendedPodResources, dict[str, tuple[str, ...]]]:
    """The recommendation for this pod, and notes about what was capped, by container."""
    recommendation, policy = vpa.status.recommendation, vpa.spec.resource_policy
    names = {container.name for container in pod.spec.containers}
    capped: list[RecommendedContainerResources] = []
    notes: dict[str, tuple[str, ...]] = {}
    for item in recommendation.container_recommendations if recommendation is not None else ():
        name = item.container_name or ""
        if name not in names:
            continue
        own = container_policy(name, policy)
        has = resources_of(pod, name)
        to_limit = has.limits if controlled_values(name, policy) == "RequestsOnly" else NONE
        target, noted = _capped(item.target, has, own, to_limit, bounds)
        if noted:
            notes[name] = tuple(noted)
        capped.append(
            item.replace(
                target=target,
                lower_bound=_capped(item.lower_bound, has, own, to_limit, bounds)[0],
                upper_bound=_capped(item.upper_bound, has, own, to_limit, bounds)[0],
            )
        )
    return RecommendedPodResources(container_recommendations=tuple(capped)), notes


def sizes(vpa: VerticalPodAutoscaler, pod: Pod, bounds: Bounds) -> list[Sized]:
    """What each container of the pod is to have, in their order; nothing where nothing is known."""
    recommendation, notes = processed(vpa, pod, bounds)
    found = {item.container_name: item for item in recommendation.container_recommendations}
    policy = vpa.spec.resource_policy if update_mode(vpa) != "Off" else None
    result: list[Sized] = []
    for container in pod.spec.containers:
        item = found.get(container.name)
        if item is None:
            result.append(Sized())
            continue
        limits, said = NONE, notes.get(container.name, ())
        if controlled_values(container.name, policy) == "RequestsAndLimits":
            has = resources_of(pod, container.name)
            limits, more = proportional_limits(has, item.target, bounds.default)
            said = (*said, *more) if limits else said
        result.append(Sized(item.target, limits, said))
    return result


def resized(has: ResourceRequirements, size: Sized) -> ResourceRequirements:
    """The resources of a container with those of a size in their place."""
    requests, limits = has.requests.merge(size.requests), has.limits.merge(size.limits)
    if requests is has.requests and limits is has.limits:
        return has
    return has.replace(requests=requests, limits=limits)


def proportional_limits(
    has: ResourceRequirements, requests: ResourceList, default: ResourceList
) -> tuple[ResourceList, tuple[str, ...]]:
    """Limits that are to the requests as they were before, and why there is none."""
    limits: dict[str, Quantity] = {}
    notes: list[str] = []
    for name in ("cpu", "memory"):
        limit = has.limits.get(name, ZERO) or default.get(name, ZERO)
        request, wanted = has.requests.get(name, ZERO), requests.get(name, ZERO)
        if not limit:
            notes.append(f"{name}: limit NOT set since originalLimit is nil or 0")
        elif not wanted:
            notes.append(f"{name}: limit NOT set since recommendedRequest is nil or 0")
        elif not request or request == limit:
            limits[name] = wanted
        else:
            limits[name] = scaled(name, limit, base=request, result=wanted)
    return FrozenMap(limits), tuple(notes)


def scaled(name: str, quantity: Quantity, *, base: Quantity, result: Quantity) -> Quantity:
    """What is to the quantity as ``result`` is to ``base``; rounded down."""
    if name == "cpu":
        millis = quantity.milli_value() * result.milli_value() // base.milli_value()
        return Quantity.of_millis(millis)
    return Quantity.of_value(quantity.value() * result.value() // base.value(), "BinarySI")


def _capped(
    amounts: ResourceList,
    has: ResourceRequirements,
    policy: ContainerResourcePolicy | None,
    to_limit: ResourceList,
    bounds: Bounds,
) -> tuple[ResourceList, list[str]]:
    notes: list[str] = []
    ranged = {
        "least": _boundary(has, bounds.min, bounds.default),
        "most": _boundary(has, bounds.max, bounds.default),
    }
    result: dict[str, Quantity] = {}
    for name, recommended in amounts.items():
        amount = recommended
        least = max(ranged["least"].get(name, ZERO), bounds.min.get(name, ZERO))
        fit = "in container LimitRange"
        steps = [(least, ranged["most"].get(name, ZERO), f"to fit Min {fit}", f"to fit Max {fit}")]
        if policy is not None:
            low, high = policy.min_allowed.get(name, ZERO), policy.max_allowed.get(name, ZERO)
            steps.append((low, high, "to minAllowed", "to maxAllowed"))
        steps.append((ZERO, to_limit.get(name, ZERO), "", "to container limit"))
        for low, high, raised, lowered in steps:
            if low and amount < low:
                amount = low
                notes.append(f"{name} capped {raised}")
            if high and high < amount:
                amount = high
                notes.append(f"{name} capped {lowered}")
        result[name] = amount
    return FrozenMap(result), notes


def _boundary(
    has: ResourceRequirements, boundary: ResourceList, default: ResourceList
) -> Mapping[str, Quantity]:
    """The requests with which proportional limits are at a boundary."""
    found: dict[str, Quantity] = {}
    for name, most in boundary.items():
        limit = has.limits.get(name, ZERO) or default.get(name, ZERO)
        request = has.requests.get(name, ZERO)
        if not limit:
            continue
        found[name] = most if not request else scaled(name, request, base=limit, result=most)
    return found
