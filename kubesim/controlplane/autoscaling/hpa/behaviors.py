"""How fast a workload may grow and shrink: stabilization windows, policies, the two limiters.

A recommendation is held against the recent ones, so that a short dip does not cost replicas that are
needed again a minute later; then the change is limited. Without ``spec.behavior`` the limit upwards
is twice the current number or four, whichever is more. With it the policies say how many pods, or
how many percent, may come or go within a period; what has come and gone is remembered as events.

Everything here takes histories and returns histories.

Mirrors: pkg/controller/podautoscaler/horizontal.go (stabilizeRecommendation*, convertDesiredReplicas*,
calculateScale*Limit*, storeScaleEvent).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kubesim.api.autoscalingv2 import HPAScalingRules
from kubesim.controlplane.autoscaling.hpa import golang
from kubesim.sim.time import SECOND

SCALE_UP_LIMIT_FACTOR = 2.0  # scaleUpLimitFactor
SCALE_UP_LIMIT_MINIMUM = 4.0  # scaleUpLimitMinimum


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What was once recommended, before stabilization."""

    replicas: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """A change that took place.

    Attributes:
        change: How many replicas came or went; never negative.
        at_ns: When.
        outdated: Older than the longest period; its place in the list is free.
    """

    change: int
    at_ns: int
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Limited:
    """A count within its limits, and which limit it met.

    Attributes:
        replicas: The count.
        reason: Such as ``ScaleUpLimit``; ``DesiredWithinRange`` when it met none.
    """

    replicas: int
    reason: str

    @property
    def message(self) -> str:
        """The sentence that goes with the reason."""
        return _LIMIT_MESSAGES[self.reason]


_LIMIT_MESSAGES = {
    "DesiredWithinRange": "the desired count is within the acceptable range",
    "ScaleUpLimit": "the desired replica count is increasing faster than the maximum scale rate",
    "ScaleDownLimit": "the desired replica count is decreasing faster than the maximum scale rate",
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
}


def stabilize(
    log: Sequence[Recommendation], desired: int, *, window_ns: int, now_ns: int
) -> tuple[int, tuple[Recommendation, ...]]:
    """Without behaviour: the highest recommendation of the window, and the log with this one."""
    highest, free, cutoff_ns = desired, None, now_ns - window_ns
    for index, item in enumerate(log):
        if item.at_ns < cutoff_ns:
            free = index
        else:
            highest = max(highest, item.replicas)
    return highest, _stored(log, free, Recommendation(desired, now_ns))


def stabilize_with_behavior(
    log: Sequence[Recommendation],
    *,
    current: int,
    desired: int,
    up: HPAScalingRules,
    down: HPAScalingRules,
    now_ns: int,
) -> tuple[int, tuple[Recommendation, ...]]:
    """With behaviour: the current number, moved only as far as both windows agree."""
    assert up.stabilization_window_seconds is not None, up
    assert down.stabilization_window_seconds is not None, down
    up_cutoff_ns = now_ns - up.stabilization_window_seconds * SECOND
    down_cutoff_ns = now_ns - down.stabilization_window_seconds * SECOND
    lowest = highest = desired
    free = None
    for index, item in enumerate(log):
        if item.at_ns > up_cutoff_ns:
            lowest = min(item.replicas, lowest)
        if item.at_ns > down_cutoff_ns:
            highest = max(item.replicas, highest)
        if item.at_ns < up_cutoff_ns and item.at_ns < down_cutoff_ns:
            free = index
    recommended = min(max(current, lowest), highest)
    return recommended, _stored(log, free, Recommendation(desired, now_ns))


def stabilization_reason(current: int, desired: int) -> tuple[str, str]:
    """Reason and message of a recommendation that was held back by a window."""
    if desired >= current:
        return "ScaleUpStabilized", _UP_STABILIZED
    return SCALE_DOWN_STABILIZED


_UP_STABILIZED = (
    "recent recommendations were lower than current one, applying the lowest recent recommendation"
)
_DOWN_STABILIZED = (
    "recent recommendations were higher than current one, applying the highest recent "
    "recommendation"
)
SCALE_DOWN_STABILIZED = ("ScaleDownStabilized", _DOWN_STABILIZED)


def _stored(
    log: Sequence[Recommendation], free: int | None, new: Recommendation
) -> tuple[Recommendation, ...]:
    if free is None:
        return (*log, new)
    return (*log[:free], new, *log[free + 1 :])


def limit_without_behavior(
    *,
    current: int,
    desired: int,
    minimum: int,
    maximum: int,
    factor: float = SCALE_UP_LIMIT_FACTOR,
    at_least: float = SCALE_UP_LIMIT_MINIMUM,
) -> Limited:
    """The limiter of an autoscaler without ``spec.behavior``."""
    scale_up_limit = int(max(factor * float(current), at_least))
    if maximum > scale_up_limit:
        allowed, reason = scale_up_limit, "ScaleUpLimit"
    else:
        allowed, reason = maximum, "TooManyReplicas"
    if desired < minimum:
        return Limited(minimum, "TooFewReplicas")
    if desired > allowed:
        return Limited(allowed, reason)
    return Limited(desired, "DesiredWithinRange")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The numbers that a limiter needs beside its rules."""

    current: int
    minimum: int
    maximum: int
    now_ns: int


def limit_with_behavior(
    desired: int,
    bounds: Bounds,
    *,
    up: HPAScalingRules,
    down: HPAScalingRules,
    up_events: Sequence[ScaleEvent],
    down_events: Sequence[ScaleEvent],
) -> Limited:
    """The limiter of an autoscaler with ``spec.behavior``."""
    current = bounds.current
    events = (up_events, down_events)
    if desired > current:
        limit = max(scale_up_limit(current, up, *events, now_ns=bounds.now_ns), current)
        if bounds.maximum > limit:
            allowed, reason = limit, "ScaleUpLimit"
        else:
            allowed, reason = bounds.maximum, "TooManyReplicas"
        if desired > allowed:
            return Limited(allowed, reason)
    elif desired < current:
        limit = min(scale_down_limit(current, down, *events, now_ns=bounds.now_ns), current)
        if bounds.minimum < limit:
            allowed, reason = limit, "ScaleDownLimit"
        else:
            allowed, reason = bounds.minimum, "TooFewReplicas"
        if desired < allowed:
            return Limited(allowed, reason)
    return Limited(desired, "DesiredWithinRange")


def scale_up_limit(
    current: int,
    rules: HPAScalingRules,
    up_events: Sequence[ScaleEvent],
    down_events: Sequence[ScaleEvent],
    *,
    now_ns: int,
) -> int:
    """The most replicas that the policies allow now."""
    if rules.select_policy == "Disabled":
        return current
    least_change = rules.select_policy == "Min"
    select: Callable[[int, int], int] = min if least_change else max
    result = golang.MAX_INT32 if least_change else golang.MIN_INT32
    for policy in rules.policies:
        began_with = (
            current
            - change_in_period(up_events, policy.period_seconds, now_ns=now_ns)
            + change_in_period(down_events, policy.period_seconds, now_ns=now_ns)
        )
        if policy.type == "Pods":
            proposed = golang.wrap_int32(began_with + policy.value)
        else:
            proposed = golang.ceil_to_int32(began_with * (1 + policy.value / 100))
        result = select(result, proposed)
    return result


def scale_down_limit(
    current: int,
    rules: HPAScalingRules,
    up_events: Sequence[ScaleEvent],
    down_events: Sequence[ScaleEvent],
    *,
    now_ns: int,
) -> int:
    """The fewest replicas that the policies allow now."""
    if rules.select_policy == "Disabled":
        return current
    least_change = rules.select_policy == "Min"
    select: Callable[[int, int], int] = max if least_change else min
    result = golang.MIN_INT32 if least_change else golang.MAX_INT32
    for policy in rules.policies:
        began_with = (
            current
            - change_in_period(up_events, policy.period_seconds, now_ns=now_ns)
            + change_in_period(down_events, policy.period_seconds, now_ns=now_ns)
        )
        if policy.type == "Pods":
            proposed = golang.wrap_int32(began_with - policy.value)
        else:
            proposed = int(began_with * (1 - policy.value / 100))
        result = select(result, proposed)
    return result


def change_in_period(events: Sequence[ScaleEvent], period_seconds: int, *, now_ns: int) -> int:
    """How many replicas came (or went) within the last ``period_seconds``."""
    cutoff_ns = now_ns - period_seconds * SECOND
    return sum(event.change for event in events if event.at_ns > cutoff_ns)


def store_event(
    events: Sequence[ScaleEvent], change: int, rules: HPAScalingRules, *, now_ns: int
) -> tuple[ScaleEvent, ...]:
    """The events with a new one, in the place of one that no policy looks at any more."""
    longest = max((policy.period_seconds for policy in rules.policies), default=0)
    cutoff_ns = now_ns - longest * SECOND
    marked = [
        replace(event, outdated=True) if event.at_ns < cutoff_ns else event for event in events
    ]
    free = [index for index, event in enumerate(marked) if event.outdated]
    new = ScaleEvent(change, now_ns)
    if free:
        marked[free[-1]] = new
    else:
        marked.append(new)
    return tuple(marked)
