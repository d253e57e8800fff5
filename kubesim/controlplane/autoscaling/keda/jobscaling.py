"""How many jobs to make of what waits: pure functions.

Mirrors: kedacore/keda@8b4f083 pkg/scaling/scaledjob/metrics.go, pkg/scaling/executor/scale_jobs.go
(getScalingDecision and the strategies).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kubesim.api.kedav1alpha1 import ScaledJob, ScalingStrategy

DEFAULT_MAX_REPLICAS = 100  # defaultScaledJobMaxReplicaCount


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerMetrics:
    """What one trigger says.

    Attributes:
        length: How much there is to do.
        wanted: How many jobs that is, at the trigger's target each.
        active: Whether there is anything to do; once one trigger's is, also that of later metrics
            of the same trigger.
    """

    length: float
    wanted: float
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What all triggers say together.

    Attributes:
        active: Whether there is anything to do.
        length: How much.
        wanted: How many jobs.
    """

    active: bool
    length: int
    wanted: int


def minimum_of(scaled: ScaledJob) -> int:
    """How many jobs there are to be always."""
    low, high = scaled.spec.min_replica_count, scaled.spec.max_replica_count
    if low is None:
        return 0
    return high if high is not None and low > high else low


def maximum_of(scaled: ScaledJob) -> int:
    """How many jobs there may be beyond those."""
    low, high = scaled.spec.min_replica_count, scaled.spec.max_replica_count
    if high is None:
        return DEFAULT_MAX_REPLICAS
    if low is not None and low > high:
        return high
    return high - minimum_of(scaled)


def trigger_metrics(value: float, *, target: float, active: bool, maximum: int) -> TriggerMetrics:
    """A trigger's value as jobs."""
    wanted = min(value / target, maximum) if target else 0.0
    return TriggerMetrics(length=value, wanted=wanted, active=active)


def demand_of(triggers: Sequence[TriggerMetrics], scaled: ScaledJob) -> Demand:
    """All triggers together, by ``multipleScalersCalculation``."""
    maximum, minimum = maximum_of(scaled), minimum_of(scaled)
    how = scaled.spec.scaling_strategy.multiple_scalers_calculation
    active = [trigger for trigger in triggers if trigger.active]
    length = wanted = 0.0
    is_active = bool(active)
    if how == "min":
        for trigger in active:
            if length == 0 or trigger.length < length:
                length, wanted = trigger.length, trigger.wanted
    elif how in ("avg", "sum") and active:
        parts = len(active) if how == "avg" else 1
        length = sum(trigger.length for trigger in active) / parts
        wanted = sum(trigger.wanted for trigger in active) / parts
    elif how not in ("avg", "sum"):
        is_active = False
        for trigger in active:
            if trigger.length > length:
                length, wanted, is_active = trigger.length, trigger.wanted, True
    wanted = min(wanted, maximum)
    return Demand(
        active=is_active or minimum > 0, length=math.ceil(length), wanted=math.ceil(wanted)
    )


def jobs_to_make(scaled: ScaledJob, demand: Demand, *, running: int, pending: int) -> int:
    """How many jobs to make now.

    Args:
        scaled: The object.
        demand: What the triggers say.
        running: Its jobs that have not finished.
        pending: Those of them of which no pod runs yet.
    """
    minimum, maximum = minimum_of(scaled), maximum_of(scaled)
    if not demand.active:
        return 0
    if running < minimum:
        return minimum - running
    strategy = scaled.spec.scaling_strategy
    at_most, wanted = _strategy(
        strategy, demand, running=running - minimum, pending=pending, maximum=maximum
    )
    return max(0, min(at_most, wanted))


def _strategy(
    strategy: ScalingStrategy, demand: Demand, *, running: int, pending: int, maximum: int
) -> tuple[int, int]:
    """How many jobs may be made, and how many there is work for."""
    wanted, length = demand.wanted, demand.length
    if strategy.strategy == "accurate":
        if wanted + running - pending > maximum:
            return maximum - running, length
        return wanted - pending, length
    if strategy.strategy == "eager":
        return min(maximum - running - pending, wanted), maximum
    if strategy.strategy == "custom":
        share = _percentage(strategy)
        if share is not None:
            deduction = strategy.custom_scaling_queue_length_deduction or 0
            return min(wanted - deduction - int(running * share), maximum), length
    return wanted - running, length


def _percentage(strategy: ScalingStrategy) -> float | None:
    try:
        return float(strategy.custom_scaling_running_job_percentage or "")
    except ValueError:
        return None
