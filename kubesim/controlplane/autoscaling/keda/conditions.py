"""Conditions of KEDA's objects: Ready, Active, Fallback, Paused, HPAActive.

Mirrors: kedacore/keda@8b4f083 apis/keda/v1alpha1/condition_types.go.
"""

from __future__ import annotations

from kubesim.api.kedav1alpha1 import KedaCondition

Conditions = tuple[KedaCondition, ...]

INITIAL: Conditions = (
    KedaCondition(type="Ready", status="Unknown"),
    KedaCondition(type="Active", status="Unknown"),
    KedaCondition(type="Fallback", status="Unknown"),
    KedaCondition(type="Paused", status="False"),
)
READY = KedaCondition(
    type="Ready",
    status="True",
    reason="ScaledObjectReady",
    message="ScaledObject is defined correctly and is ready for scaling",
)
ACTIVE = KedaCondition(
    type="Active",
    status="True",
    reason="ScalerActive",
    message="Scaling is performed because triggers are active",
)
FORCED = ACTIVE.replace(
    message="Scaling is performed because activation is being forced by annotation"
)
NOT_ACTIVE = KedaCondition(
    type="Active",
    status="False",
    reason="ScalerNotActive",
    message="Scaling is not performed because triggers are not active",
)
PAUSED = KedaCondition(
    type="Paused",
    status="True",
    reason="ScaledObjectPaused",
    message="ScaledObject is paused",
)
UNPAUSED = KedaCondition(
    type="Paused",
    status="False",
    reason="ScaledObjectUnpaused",
    message="pause annotation removed for ScaledObject",
)
FALLBACK = KedaCondition(
    type="Fallback",
    status="True",
    reason="FallbackExists",
    message="At least one trigger is falling back on this scaled object",
)
NO_FALLBACK = KedaCondition(
    type="Fallback",
    status="False",
    reason="NoFallbackFound",
    message="No fallbacks are active on this scaled object",
)


def merged(old: Conditions, *new: KedaCondition) -> Conditions:
    """The conditions with some replaced or added; those that an object begins with come first."""
    found = {condition.type: condition for condition in (*INITIAL, *old, *new)}
    return tuple(found.values())


def status_of(conditions: Conditions, type_: str) -> str:
    """``True``, ``False`` or ``Unknown``."""
    return next((c.status for c in conditions if c.type == type_), "Unknown")
