"""How requested and allocatable amounts become a score from 0 to 100.

The pure arithmetic behind NodeResourcesFit and NodeResourcesBalancedAllocation: each scorer takes,
resource by resource, what would be requested with the pod, what is requested without it, and what
the node has. A resource that the node does not have (0) does not count.

Mirrors: pkg/scheduler/framework/plugins/noderesources ({least,most}_allocated.go,
requested_to_capacity_ratio.go, balanced_allocation.go), plugins/helper/shape_score.go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from kubesim.controlplane.scheduler.config import ResourceSpec, UtilizationShapePoint
from kubesim.controlplane.scheduler.framework.normalize import truncated_division
from kubesim.controlplane.scheduler.framework.status import MAX_NODE_SCORE

Amounts = Sequence[int]
Scorer = Callable[[Amounts, Amounts, Amounts], int]
"""Given requested with the pod, requested without it, and allocatable."""

MAX_UTILIZATION = 100
MAX_CUSTOM_SCORE = 10


def least_allocated(resources: Sequence[ResourceSpec]) -> Scorer:
    """The emptier the better."""

    def score(requested: Amounts, _allocated: Amounts, allocatable: Amounts) -> int:
        total = weights = 0
        for spec, asked, capacity in zip(resources, requested, allocatable, strict=True):
            if capacity:
                free = max(capacity - asked, 0)
                total += free * MAX_NODE_SCORE // capacity * spec.weight
                weights += spec.weight
        return total // weights if weights else 0

    return score


def most_allocated(resources: Sequence[ResourceSpec]) -> Scorer:
    """The fuller the better."""

    def score(requested: Amounts, _allocated: Amounts, allocatable: Amounts) -> int:
        total = weights = 0
        for spec, asked, capacity in zip(resources, requested, allocatable, strict=True):
            if capacity:
                total += min(asked, capacity) * MAX_NODE_SCORE // capacity * spec.weight
                weights += spec.weight
        return total // weights if weights else 0

    return score


def requested_to_capacity_ratio(
    resources: Sequence[ResourceSpec], shape: Sequence[UtilizationShapePoint]
) -> Scorer:
    """As good as a curve over the utilization says; a resource that scores 0 does not count."""
    points = [
        (point.utilization, point.score * (MAX_NODE_SCORE // MAX_CUSTOM_SCORE)) for point in shape
    ]

    def score(requested: Amounts, _allocated: Amounts, allocatable: Amounts) -> int:
        total = weights = 0
        for spec, asked, capacity in zip(resources, requested, allocatable, strict=True):
            if not capacity:
                continue
            utilization = min(asked * MAX_UTILIZATION // capacity, MAX_UTILIZATION)
            if asked > capacity:
                utilization = MAX_UTILIZATION
            of_resource = broken_linear(points, utilization)
            if of_resource > 0:
                total += of_resource * spec.weight
                weights += spec.weight
        return round_half_away(total / weights) if weights else 0

    return score


def balanced_allocation(requested: Amounts, allocated: Amounts, allocatable: Amounts) -> int:
    """Better when the pod makes the node's resources more evenly used; 75 for no change."""
    with_pod = balance(requested, allocatable)
    without_pod = balance(allocated, allocatable)
    half = MAX_NODE_SCORE // 2
    return half + truncated_division(half + with_pod - without_pod, 2)


def balance_with_pod(requested: Amounts, _allocated: Amounts, allocatable: Amounts) -> int:
    """The same before 1.36: the more even the better, whatever it was before."""
    return balance(requested, allocatable)


def balance(requested: Amounts, allocatable: Amounts) -> int:
    """How evenly resources are used: 100 when all utilizations are equal."""
    fractions = [
        min(asked / capacity, 1.0)
        for asked, capacity in zip(requested, allocatable, strict=True)
        if capacity
    ]
    std = 0.0
    if len(fractions) == 2:
        std = abs((fractions[0] - fractions[1]) / 2)
    elif len(fractions) > 2:
        total = 0.0
        for fraction in fractions:
            total += fraction
        mean = total / len(fractions)
        squares = 0.0
        for fraction in fractions:
            squares += (fraction - mean) * (fraction - mean)
        std = math.sqrt(squares / len(fractions))
    return int((1 - std) * MAX_NODE_SCORE)


def broken_linear(points: Sequence[tuple[int, int]], x: int) -> int:
    """The value at ``x`` of the line through ``points``, level before and after them."""
    for i, (at, value) in enumerate(points):
        if x <= at:
            if i == 0:
                return value
            before, value_before = points[i - 1]
            rise = (value - value_before) * (x - before)
            return value_before + truncated_division(rise, at - before)
    return points[-1][1]


def round_half_away(value: float) -> int:
    """The nearest whole number, halves away from zero: Go's ``math.Round``."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)
