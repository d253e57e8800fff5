"""A trigger as a scaler: its metric's name, its target, and what it asks.

Mirrors: kedacore/keda@8b4f083 pkg/scalers/scaler.go (GetMetricTargetType, GenerateMetricNameWithIndex).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kubesim.api.autoscalingv2 import MetricTarget
from kubesim.api.kedav1alpha1 import ScaleTrigger
from kubesim.api.quantity import Quantity, QuantityError
from kubesim.controlplane.autoscaling.keda.sources import HttpScaler, Sources


class ScalerError(ValueError):
    """A trigger cannot be understood."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source said.

    Attributes:
        milli: The value, in thousandths.
        active: Whether the workload is to have replicas.
    """

    milli: int
    active: bool


FOREVER_NS = 2**63


class Query(Protocol):
    """A question to a source."""

    def read(self, sources: Sources) -> Reading:
        """The answer, now; raises ``SourceError``."""
        ...

    def steady_until_ns(self, sources: Sources) -> int:
        """Until when (wall clock) the answer stays as it is if nothing happens; 0 if nobody knows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Whose trigger it is, and which.

    Attributes:
        index: The trigger's number among all of the object.
        namespace: The object's namespace.
        as_source: A formula makes a metric of it: then it needs no target of its own.
        http: The HTTP add-on's scaler; ``None`` where nothing is to be looked up.
    """

    index: int
    namespace: str
    as_source: bool = False
    http: HttpScaler | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaler:
    """A trigger that is not a resource.

    Attributes:
        metric: The name of its external metric.
        trigger: Its trigger's type.
        target: What a replica should have (or all, for ``Value``).
        query: What is asked.
        name: The trigger's own name, by which formulas know it.
        metric_type: ``AverageValue``, or ``Value``.
        push: Whether the source says by itself that it has become active.
        cached: Whether the autoscaler is told what the last poll found (``useCachedMetrics``).
    """

    metric: str
    trigger: str
    target: Quantity
    query: Query
    name: str = ""
    metric_type: str = "AverageValue"
    push: bool = False
    cached: bool = False

    @property
    def metric_target(self) -> MetricTarget:
        """The target as an autoscaler has it."""
        if self.metric_type == "Value":
            return MetricTarget(type="Value", value=self.target)
        return MetricTarget(type="AverageValue", average_value=self.target)


def make_scaler(
    trigger: ScaleTrigger,
    context: Context,
    *,
    metric: str,
    target: Quantity,
    query: Query,
    push: bool = False,
) -> Scaler:
    """A scaler of a trigger; ``metric`` is its name without the index.

    Raises:
        ScalerError: If its metric's type is one of resources.
    """
    kind = trigger.metric_type or "AverageValue"
    if kind == "Utilization":
        raise ScalerError(
            "error getting scaler metric type: 'Utilization' metric type is unsupported for "
            "external metrics, allowed values are 'Value' or 'AverageValue'"
        )
    return Scaler(
        metric=f"s{context.index}-{metric}",
        trigger=trigger.type,
        target=target,
        query=query,
        name=trigger.name or "",
        metric_type=kind,
        push=push,
        cached=bool(trigger.use_cached_metrics),
    )


def normalized(text: str) -> str:
    """A text as part of a metric's name."""
    for character in "/.:%()":
        text = text.replace(character, "-")
    return text


def required(trigger: ScaleTrigger, name: str) -> str:
    """An entry of a trigger's metadata.

    Raises:
        ScalerError: If it is not there.
    """
    text = trigger.metadata.get(name, "")
    if not text:
        raise ScalerError(
            f'error parsing {trigger.type} metadata: missing required parameter "{name}"'
        )
    return text


def number(trigger: ScaleTrigger, name: str, *, default: str = "") -> Quantity:
    """An entry of a trigger's metadata, as a number.

    Raises:
        ScalerError: If it is none, or is not there and has no default.
    """
    text = trigger.metadata.get(name, "") or default or required(trigger, name)
    try:
        return Quantity(text)
    except QuantityError as error:
        raise ScalerError(f"error parsing {trigger.type} metadata: {name}: {error}") from error


def flag(trigger: ScaleTrigger, name: str, *, default: bool = False) -> bool:
    """An entry of a trigger's metadata, as yes or no.

    Raises:
        ScalerError: If it is neither.
    """
    text = trigger.metadata.get(name, "")
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    if text:
        raise ScalerError(f'error parsing {trigger.type} metadata: {name}: "{text}" is no bool')
    return default


def only_knows(trigger: ScaleTrigger, *names: str) -> None:
    """A trigger's metadata has these entries and no other.

    Raises:
        ScalerError: If it has one that would be left out of account.
    """
    for name in trigger.metadata:
        if name not in names:
            raise ScalerError(f'{trigger.type} metadata: "{name}" is not simulated')
