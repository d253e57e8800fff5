"""Between nothing and something: what KEDA itself changes about the number of replicas.

Everything from one replica up is the HorizontalPodAutoscaler's. KEDA takes a workload from zero (or
its idle number) as soon as a trigger is active, and back when none has been for the cooldown period.

Mirrors: kedacore/keda pkg/scaling/executor/scale_scaledobjects.go (RequestScale, scaleToZeroOrIdle).
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.api.kedav1alpha1 import ScaledObject
from kubesim.sim.time import SECOND

DEFAULT_COOLDOWN_S = 300  # cooldownPeriod
DEFAULT_POLLING_S = 30  # pollingInterval
PAUSED = "autoscaling.keda.sh/paused"
PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
FALSE_TEXTS = ("0", "f", "F", "false", "FALSE", "False")  # strconv.ParseBool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do at a look.

    Attributes:
        replicas: What to scale to; ``None`` leaves it.
        active_now: Whether to note that a trigger was active.
    """

    replicas: int | None = None
    active_now: bool = False


def decide(scaled: ScaledObject, *, current: int, active: bool, now_ns: int) -> Step:
    """What KEDA does at one look at the triggers."""
    spec = scaled.spec
    minimum, idle = spec.min_replica_count or 0, spec.idle_replica_count
    if active:
        if current == 0 or (idle is not None and current < minimum):
            return Step(replicas=minimum or 1, active_now=True)
        return Step(active_now=True)
    if (idle is not None and current > idle) or (current > 0 and minimum == 0):
        return Step(replicas=idle or 0) if _cooled_down(scaled, now_ns) else Step()
    if current < minimum and idle is None:
        return Step(replicas=minimum)
    return Step()


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
    if paused_replicas(scaled) is not None:
        return True
    text = scaled.metadata.annotations.get(PAUSED)
    return text is not None and text not in FALSE_TEXTS
