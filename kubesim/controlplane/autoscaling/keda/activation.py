"""Between nothing and something: what KEDA itself changes about the number of replicas.

Everything from one replica up is the HorizontalPodAutoscaler's. KEDA takes a workload from zero (or
its idle number) as soon as a trigger is active, and back when none has been for the cooldown period.

Mirrors: kedacore/keda@8b4f083 pkg/scaling/executor/scale_scaledobjects.go (RequestScale,
scaleToZeroOrIdle, scaleFromZeroOrIdle), apis/keda/v1alpha1/scaledobject_types.go (annotations).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kubesim.api.kedav1alpha1 import KedaCondition, ScaledObject
from kubesim.controlplane.autoscaling.keda.conditions import ACTIVE, FORCED, NOT_ACTIVE, READY
from kubesim.sim.time import SECOND

DEFAULT_COOLDOWN_S = 300  # cooldownPeriod
DEFAULT_POLLING_S = 30  # pollingInterval
PAUSED = "autoscaling.keda.sh/paused"
PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
PAUSED_SCALE_IN = "autoscaling.keda.sh/paused-scale-in"
PAUSED_SCALE_OUT = "autoscaling.keda.sh/paused-scale-out"
FORCE_ACTIVATION = "autoscaling.keda.sh/force-activation"
FALSE_TEXTS = ("0", "f", "F", "false", "FALSE", "False")  # strconv.ParseBool

COOLING = KedaCondition(
    type="Active",
    status="False",
    reason="ScalerCooldown",
    message="Scaler cooling down because triggers are not active",
)
SOME_FAIL = KedaCondition(
    type="Ready",
    status="Unknown",
    reason="PartialTriggerError",
    message="Some triggers defined in ScaledObject are not working correctly",
)
ALL_FAIL = KedaCondition(
    type="Ready",
    status="False",
    reason="TriggerError",
    message="Triggers defined in ScaledObject are not working correctly",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do at a look.

    Attributes:
        replicas: What to scale to; ``None`` leaves it.
        active_now: Whether to note that a trigger was active.
        conditions: Ready and Active from now on.
    """

    replicas: int | None = None
    active_now: bool = False
    conditions: tuple[KedaCondition, ...] = ()


def decide(
    scaled: ScaledObject, *, current: int, active: bool, failed: bool = False, now_ns: int
) -> Step:
    """What KEDA does at one look at the triggers.

    Args:
        scaled: The object.
        current: How many replicas its workload has.
        active: Whether a trigger is active.
        failed: Whether a source did not answer.
        now_ns: The wall clock.
    """
    if active or is_set(scaled, FORCE_ACTIVATION):
        return _when_active(scaled, current=current, failed=failed)
    return _when_idle(scaled, current=current, failed=failed, now_ns=now_ns)


def _when_active(scaled: ScaledObject, *, current: int, failed: bool) -> Step:
    spec = scaled.spec
    minimum = spec.min_replica_count or 0
    seen = FORCED if is_set(scaled, FORCE_ACTIVATION) else ACTIVE
    if current == 0 or (spec.idle_replica_count is not None and current < minimum):
        if is_set(scaled, PAUSED_SCALE_OUT):
            return Step(conditions=(READY, seen))
        return Step(replicas=minimum or 1, active_now=True, conditions=(READY, seen))
    if failed:
        return Step(conditions=(SOME_FAIL, seen))
    return Step(active_now=True, conditions=(READY, seen))


def _when_idle(scaled: ScaledObject, *, current: int, failed: bool, now_ns: int) -> Step:
    spec = scaled.spec
    minimum, idle = spec.min_replica_count or 0, spec.idle_replica_count
    if failed and spec.fallback is None:
        return Step(conditions=(ALL_FAIL, NOT_ACTIVE))
    rest = Step(conditions=(READY, NOT_ACTIVE))
    if failed and spec.fallback is not None and spec.fallback.replicas:
        return rest  # the autoscaler will take it to the fallback's number
    if (idle is not None and current > idle) or (current > 0 and minimum == 0):
        if is_set(scaled, PAUSED_SCALE_IN):
            return rest
        if not _cooled_down(scaled, now_ns):
            return Step(conditions=(READY, COOLING))
        return replace(rest, replicas=idle or 0)
    return replace(rest, replicas=minimum) if current < minimum and idle is None else rest


def _cooled_down(scaled: ScaledObject, now_ns: int) -> bool:
    """Whether the last activity (or, without any, the object's creation) is long enough ago."""
    spec, last_ns = scaled.spec, scaled.status.last_active_time
    if last_ns is None:
        created_ns = scaled.metadata.creation_timestamp or 0
        return created_ns + (spec.initial_cooldown_period or 0) * SECOND < now_ns
    cooldown_s = DEFAULT_COOLDOWN_S if spec.cooldown_period is None else spec.cooldown_period
    return last_ns + cooldown_s * SECOND < now_ns


def paused_replicas(scaled: ScaledObject) -> int | None:
    """The number at which the workload is held, if it is."""
    text = scaled.metadata.annotations.get(PAUSED_REPLICAS)
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None


def is_paused(scaled: ScaledObject) -> bool:
    """Whether nothing is to be scaled."""
    return PAUSED_REPLICAS in scaled.metadata.annotations or is_set(scaled, PAUSED)


def is_half_paused(scaled: ScaledObject) -> bool:
    """Whether it is not to be scaled in, or not out."""
    return is_set(scaled, PAUSED_SCALE_IN) or is_set(scaled, PAUSED_SCALE_OUT)


def is_set(scaled: ScaledObject, annotation: str) -> bool:
    """Whether an annotation says yes; whatever is no bool does."""
    text = scaled.metadata.annotations.get(annotation)
    return text is not None and text not in FALSE_TEXTS
