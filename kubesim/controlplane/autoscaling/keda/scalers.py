"""The scalers of an object: one or more for each of its triggers, but for cpu and memory.

Mirrors: kedacore/keda@8b4f083 pkg/scaling/scalers_builder.go, pkg/scaling/cache/scalers_cache.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kubesim.api.kedav1alpha1 import RESOURCE_TRIGGERS, ScaledJob, ScaledObject, ScaleTrigger
from kubesim.controlplane.autoscaling.keda.scaler import (
    FOREVER_NS,
    Context,
    Reading,
    Scaler,
    ScalerError,
)
from kubesim.controlplane.autoscaling.keda.sources import HttpScaler, SourceError, Sources
from kubesim.controlplane.autoscaling.keda.triggers import (
    cron,
    externalpush,
    prometheus,
    rabbitmq,
    redis,
    resource,
    workload,
)

_MODULES: tuple[Any, ...] = (cron, prometheus, rabbitmq, redis, workload, externalpush)
PARSERS: dict[str, Callable[[ScaleTrigger, Context], tuple[Scaler, ...]]] = {
    name: module.parse for module in _MODULES for name in module.TYPES
}
SUPPORTED = (*RESOURCE_TRIGGERS, *PARSERS)


def scalers_of(
    scaled: ScaledObject | ScaledJob, http: HttpScaler | None = None
) -> tuple[Scaler, ...]:
    """The scalers of an object's triggers, but for cpu and memory.

    Args:
        scaled: The object.
        http: Where the metrics of the HTTP add-on's objects are looked up.

    Raises:
        ScalerError: If a trigger cannot be understood.
    """
    return tuple(
        scaler
        for index, trigger in enumerate(scaled.spec.triggers)
        if trigger.type not in RESOURCE_TRIGGERS
        for scaler in _parse(trigger, index, scaled, http)
    )


def outlook_of(
    scalers: Iterable[Scaler], sources: Sources
) -> tuple[tuple[Reading, ...], int] | None:
    """What scalers say, and until when if nothing happens; ``None`` where a source fails."""
    readings: list[Reading] = []
    until_ns = FOREVER_NS
    for scaler in scalers:
        try:
            readings.append(scaler.query.read(sources))
        except SourceError:
            return None
        until_ns = min(until_ns, scaler.query.steady_until_ns(sources))
    return tuple(readings), until_ns


def check_trigger(trigger: ScaleTrigger, scaled: ScaledObject | ScaledJob) -> str:
    """What is wrong with a trigger; empty if nothing is."""
    try:
        if trigger.type in RESOURCE_TRIGGERS:
            resource.metric_spec(trigger)
        else:
            _parse(trigger, 0, scaled, None)
    except ScalerError as error:
        return str(error)
    return ""


def uses_modifiers(scaled: ScaledObject | ScaledJob) -> bool:
    """Whether a formula makes one metric of all triggers."""
    if isinstance(scaled, ScaledJob) or scaled.spec.advanced is None:
        return False
    modifiers = scaled.spec.advanced.scaling_modifiers
    return modifiers is not None and bool(modifiers.model_fields_set)


def _parse(
    trigger: ScaleTrigger,
    index: int,
    scaled: ScaledObject | ScaledJob,
    http: HttpScaler | None,
) -> tuple[Scaler, ...]:
    parser = PARSERS.get(trigger.type)
    if parser is None:
        known = ", ".join(SUPPORTED)
        raise ScalerError(
            f'triggers of type "{trigger.type}" are not simulated; there are: {known}'
        )
    context = Context(
        index=index,
        namespace=scaled.namespace,
        as_source=uses_modifiers(scaled),
        http=http,
    )
    return parser(trigger, context)
