"""From what was used to what is recommended. Pure functions.

The target is a percentile of what was used and a margin. The bounds are percentiles, too; as long as
little is known they are far apart, and they come together with the days and the samples.

Mirrors: vertical-pod-autoscaler/pkg/recommender/logic (estimator.go, recommender.go),
pkg/recommender/model/types.go (rounding), pkg/recommender/routines/capping_post_processor.go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.api.vpav1 import (
    PodResourcePolicy,
    RecommendedContainerResources,
    RecommendedPodResources,
    ResourceList,
    container_policy,
    controlled_resources,
)
from kubesim.controlplane.autoscaling.vpa.config import MEBIBYTE, RecommenderConfig
from kubesim.controlplane.autoscaling.vpa.model import Aggregate
from kubesim.sim.time import MINUTE

MOST = 10**14  # MaxResourceAmount
MILLI = 1000


class Amounts(NamedTuple):
    """Millicores and bytes."""

    cpu: int
    memory: int


class Estimate(NamedTuple):
    """What one container should have."""

    target: Amounts
    lower_bound: Amounts
    upper_bound: Amounts


def recommend(
    aggregates: Mapping[str, Aggregate],
    policy: PodResourcePolicy | None,
    config: RecommenderConfig,
) -> RecommendedPodResources:
    """What is recommended for the containers of a pod, by what they have used.

    Args:
        aggregates: What was used, by the containers' names.
        policy: What the autoscaler says about them; those that it turns off are left out.
        config: The recommender's flags.
    """
    wanted: dict[str, Aggregate] = {}
    for name in sorted(aggregates):
        found = container_policy(name, policy)
        if found is None or found.mode != "Off":
            wanted[name] = aggregates[name]
    least = minimum(len(wanted), config)
    recommended = tuple(
        _container(name, estimate(aggregate, least, config), policy, config)
        for name, aggregate in wanted.items()
    )
    return RecommendedPodResources(container_recommendations=recommended)


def minimum(containers: int, config: RecommenderConfig) -> Amounts:
    """The least for one of so many containers: together they have the least of a pod."""
    part = 1.0 / max(1, containers)
    cpu = int(int(config.min_cpu_millis) * part)
    memory = int(int(config.min_memory_mb * MEBIBYTE) * part)
    return Amounts(cpu, memory)


def estimate(aggregate: Aggregate, least: Amounts, config: RecommenderConfig) -> Estimate:
    """Target and bounds of one container."""
    above = [
        1.0 + _per_confidence(aggregate, 1.0, interval_ns)
        for interval_ns in (config.confidence_cpu_ns, config.confidence_memory_ns)
    ]
    below = [
        _inverse_square(1.0 + _per_confidence(aggregate, 0.001, interval_ns))
        for interval_ns in (config.confidence_cpu_ns, config.confidence_memory_ns)
    ]

    def amounts(cpu: float, memory: float, factors: list[float]) -> Amounts:
        used = (
            _amount(aggregate.cpu.percentile(cpu) * MILLI),
            _amount(aggregate.memory.percentile(memory)),
        )
        with_margin = [amount + _amount(amount * config.margin_fraction) for amount in used]
        scaled = [_amount(a * factor) for a, factor in zip(with_margin, factors, strict=True)]
        return Amounts(max(scaled[0], least.cpu), max(scaled[1], least.memory))

    return Estimate(
        target=amounts(config.target_cpu, config.target_memory, [1.0, 1.0]),
        lower_bound=amounts(config.lower_bound_cpu, config.lower_bound_memory, below),
        upper_bound=amounts(config.upper_bound_cpu, config.upper_bound_memory, above),
    )


def confidence(aggregate: Aggregate, interval_ns: int) -> float:
    """How much is known, in confidence intervals: by the days and by the samples, whichever is less."""
    if aggregate.first_ns is None:
        return 0.0
    lifespan = (aggregate.last_ns - aggregate.first_ns) / interval_ns
    return min(lifespan, aggregate.samples / (interval_ns / MINUTE))


def _per_confidence(aggregate: Aggregate, multiplier: float, interval_ns: int) -> float:
    known = confidence(aggregate, interval_ns)
    return multiplier / known if known > 0.0 else float("inf")


def _inverse_square(value: float) -> float:
    return 1.0 / (value * value)


def _amount(value: float) -> int:
    if math.isnan(value):  # nothing, times no end of doubt
        return 0
    return MOST if value >= MOST else int(value)


def _container(
    name: str, found: Estimate, policy: PodResourcePolicy | None, config: RecommenderConfig
) -> RecommendedContainerResources:
    own = container_policy(name, policy)
    resources = controlled_resources(own)
    least = own.min_allowed if own is not None else FrozenMap[str, Quantity]()
    most = dict(config.max_allowed) | (dict(own.max_allowed) if own is not None else {})

    def rounded(amounts: Amounts) -> ResourceList:
        cpu = _round_up(amounts.cpu, config.round_cpu_millis)
        memory = _round_up(amounts.memory, config.round_memory_bytes)
        every = {
            "cpu": Quantity.of_millis(cpu),
            "memory": Quantity.of_value(memory, "BinarySI"),
        }
        return FrozenMap({key: every[key] for key in resources if key in every})

    def capped(amounts: ResourceList) -> ResourceList:
        return FrozenMap(
            {key: within(q, least.get(key), most.get(key)) for key, q in amounts.items()}
        )

    target = rounded(found.target)
    return RecommendedContainerResources(
        container_name=name,
        target=capped(target),
        lower_bound=capped(rounded(found.lower_bound)),
        upper_bound=capped(rounded(found.upper_bound)),
        uncapped_target=target,
    )


def within(amount: Quantity, least: Quantity | None, most: Quantity | None) -> Quantity:
    """The amount, but not less than the one and not more than the other."""
    if least is not None and least and amount < least:
        amount = least
    if most is not None and most and most < amount:
        amount = most
    return amount


def _round_up(amount: int, unit: int) -> int:
    return -(-amount // unit) * unit if unit > 1 else amount
