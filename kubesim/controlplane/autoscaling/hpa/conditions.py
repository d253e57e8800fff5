"""An autoscaler's conditions: AbleToScale, ScalingActive, ScalingLimited, ScaledToZero.

Mirrors: pkg/controller/podautoscaler/horizontal.go (setConditionInList, removeCondition).
"""

from __future__ import annotations

from kubesim.api.autoscalingv2 import HorizontalPodAutoscalerCondition

Conditions = tuple[HorizontalPodAutoscalerCondition, ...]

SCALE_NOT_READ = "the HPA controller was unable to get the target's current scale: "
SCALE_READ = "the HPA controller was able to get the target's current scale"


def with_condition(
    conditions: Conditions, condition: HorizontalPodAutoscalerCondition, *, now_ns: int
) -> Conditions:
    """The conditions with one set: in its old place, and with its old time if the status stays."""
    old = next((item for item in conditions if item.type == condition.type), None)
    changed = old is None or old.status != condition.status
    since_ns = now_ns if changed or old is None else old.last_transition_time
    new = condition.replace(last_transition_time=since_ns)
    if old is None:
        return (*conditions, new)
    return tuple(new if item is old else item for item in conditions)


def without_condition(conditions: Conditions, type_: str) -> Conditions:
    """The conditions but one."""
    return tuple(item for item in conditions if item.type != type_)


def is_true(conditions: Conditions, type_: str) -> bool:
    """Whether a condition is there and ``True``."""
    return any(item.type == type_ and item.status == "True" for item in conditions)
