"""What a trigger is taken to say when its source has failed too often.

Mirrors: kedacore/keda@8b4f083 pkg/fallback/fallback.go (doFallback, HasValidFallback).
"""

from __future__ import annotations

from kubesim.api.kedav1alpha1 import Fallback, ScaledObject, ScalingModifiers
from kubesim.api.quantity import Quantity, QuantityError
from kubesim.controlplane.autoscaling.keda.scaler import Scaler

BY_FORMULA = "scalingModifiers"


def modifiers_of(scaled: ScaledObject) -> ScalingModifiers | None:
    """The formula's part of an object that has one."""
    advanced = scaled.spec.advanced
    modifiers = advanced.scaling_modifiers if advanced is not None else None
    return modifiers if modifiers is not None and modifiers.model_fields_set else None


def modifiers_target(modifiers: ScalingModifiers) -> Quantity | None:
    """What a replica should have of the formula's value; ``None`` if that is no positive number."""
    try:
        target = Quantity(modifiers.target or "")
    except QuantityError:
        return None
    return target if target.nanos > 0 else None


def usable_fallback(scaled: ScaledObject) -> Fallback | None:
    """The fallback of an object that has a sensible one."""
    fallback, modifiers = scaled.spec.fallback, modifiers_of(scaled)
    if fallback is None or fallback.failure_threshold < 0 or fallback.replicas < 0:
        return None
    if modifiers is not None:
        target = modifiers.target or ""
        if not (target.isascii() and target.isdecimal() and int(target) > 0):
            return None
    return fallback


def fallback_milli(
    scaled: ScaledObject, scaler: Scaler, *, current: int, ready: int
) -> int | None:
    """The value that makes the autoscaler want the fallback's replicas, in thousandths.

    Args:
        scaled: The object; it has a usable fallback.
        scaler: The trigger that failed.
        current: How many replicas the workload has.
        ready: How many of its pods are ready.
    """
    fallback, modifiers = scaled.spec.fallback, modifiers_of(scaled)
    assert fallback is not None, scaled.key
    replicas: float = fallback.replicas
    if fallback.behavior == "currentReplicas":
        replicas = current
    elif fallback.behavior == "currentReplicasIfHigher":
        replicas = max(current, fallback.replicas)
    elif fallback.behavior == "currentReplicasIfLower":
        replicas = min(current, fallback.replicas)
    kind, target = scaler.metric_type, scaler.target
    if modifiers is not None:
        kind = modifiers.metric_type or "AverageValue"
        target = modifiers_target(modifiers) or Quantity("0")
    if kind == "Value":
        if ready == 0:
            return None
        replicas /= ready
    return int(target.nanos * replicas / 10**6)
