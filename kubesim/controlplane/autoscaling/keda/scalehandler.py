"""Reads an object's triggers: for the operator once in a polling interval, for the autoscaler at will.

A source that does not answer is counted; more failures in a row than the fallback's threshold and the
trigger is taken to say what makes the fallback's number of replicas. Both readers count, as upstream.

Mirrors: kedacore/keda@8b4f083 pkg/scaling/scale_handler.go (getScaledObjectState,
GetScaledObjectMetrics), pkg/fallback/fallback.go, pkg/scaling/modifiers/formula.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kubesim.api.kedav1alpha1 import HealthStatus, ScaledObject, only_resource_triggers
from kubesim.api.quantity import Quantity
from kubesim.controlplane.autoscaling.keda.fallback import (
    BY_FORMULA,
    fallback_milli,
    modifiers_of,
    modifiers_target,
    usable_fallback,
)
from kubesim.controlplane.autoscaling.keda.formula import FormulaError, compiled
from kubesim.controlplane.autoscaling.keda.scaler import Reading, Scaler
from kubesim.controlplane.autoscaling.keda.scalers import outlook_of, scalers_of
from kubesim.controlplane.autoscaling.keda.sources import SourceError, Sources
from kubesim.controlplane.metrics.client import MetricsError

COMPOSITE = "composite-metric"
PLACEHOLDER_MILLI = -1000

Size = Callable[[ScaledObject], tuple[int, int]]
"""How many replicas an object's workload has, and how many of its pods are ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What an object's triggers say together.

    Attributes:
        active: Whether the workload is to have replicas.
        failed: Whether a source did not answer (and no fallback took its place).
        fallback: Whether a fallback did.
        active_metrics: The metrics of the triggers that are active.
        errors: What was wrong, in the triggers' order.
    """

    active: bool
    failed: bool = False
    fallback: bool = False
    active_metrics: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(slots=True)
class _Results:
    """What the triggers said, one after another."""

    values: dict[str, int] = field(default_factory=dict)
    active: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    fallbacks: list[int] = field(default_factory=list)


class ScaleHandler:
    """The readings of all objects.

    Args:
        sources: What triggers ask.
        size: How large an object's workload is.
        health_changed: Told of an object when what is known of its triggers' health has changed.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        size: Size,
        health_changed: Callable[[ScaledObject], None] = lambda _: None,
    ) -> None:
        self.sources = sources
        self.health_changed = health_changed
        self._size = size
        self._failures: dict[str, dict[str, int]] = {}
        self._cached: dict[str, dict[str, int]] = {}

    def scalers(self, scaled: ScaledObject) -> tuple[Scaler, ...]:
        """The scalers of an object; raises ``ScalerError``."""
        return scalers_of(scaled, self.sources.http)

    def forget(self, key: str) -> None:
        """The object is gone."""
        self._failures.pop(key, None)
        self._cached.pop(key, None)

    def health(self, scaled: ScaledObject) -> Mapping[str, HealthStatus]:
        """How its triggers' sources are, by metric."""
        return {
            metric: HealthStatus(
                number_of_failures=failures, status="Failing" if failures else "Happy"
            )
            for metric, failures in self._failures.get(scaled.key, {}).items()
        }

    def falls_back(self, scaled: ScaledObject) -> bool:
        """Whether a trigger has failed more often than the fallback allows."""
        fallback = usable_fallback(scaled)
        failures = self._failures.get(scaled.key, {})
        return fallback is not None and any(
            count > fallback.failure_threshold for count in failures.values()
        )

    def outlook(self, scaled: ScaledObject) -> tuple[tuple[Reading, ...], int] | None:
        """What the triggers say, and until when if nothing happens; ``None`` where one fails.

        Nothing is counted: it is not a look.
        """
        return outlook_of(self.scalers(scaled), self.sources)

    def state(self, scaled: ScaledObject) -> State:
        """Look at all triggers."""
        scalers = self.scalers(scaled)
        results = self._read(scaled, scalers)
        cached = {s.metric for s in scalers if s.cached}
        self._cached[scaled.key] = {
            metric: value for metric, value in results.values.items() if metric in cached
        }
        failed, active = bool(results.errors), list(results.active)
        modifiers = modifiers_of(scaled)
        if modifiers is not None:
            active = []
            if not failed:
                least = Quantity(modifiers.activation_target or "0")
                try:
                    milli = self._composite(scaled, scalers, results)
                except FormulaError as error:
                    results.errors.append(str(error))
                else:
                    active = [COMPOSITE] if milli * 10**6 > least.nanos else []
        return State(
            active=bool(active) or (only_resource_triggers(scaled.spec) and not failed),
            failed=failed,
            fallback=bool(results.fallbacks),
            active_metrics=tuple(active),
            errors=tuple(results.errors),
        )

    def metric_milli(self, scaled: ScaledObject, metric: str) -> int:
        """What the autoscaler is told of a metric, in thousandths.

        Raises:
            MetricsError: If a source did not answer and no fallback took its place.
        """
        scalers = self.scalers(scaled)
        composite = modifiers_of(scaled) is not None
        asked = scalers if composite else tuple(s for s in scalers if s.metric == metric)
        if not asked:
            raise MetricsError(f"no matching metrics found for {metric}")
        results = self._read(scaled, asked, cached=self._cached.get(scaled.key, {}))
        if results.errors and not results.fallbacks:
            raise MetricsError(f"metric:{metric} encountered error")
        if composite:
            try:
                return self._composite(scaled, scalers, results)
            except FormulaError as error:
                raise MetricsError(str(error)) from error
        return results.values[metric]

    def _read(
        self,
        scaled: ScaledObject,
        scalers: tuple[Scaler, ...],
        cached: Mapping[str, int] | None = None,
    ) -> _Results:
        results = _Results()
        for scaler in scalers:
            if cached is not None and scaler.metric in cached:
                results.values[scaler.metric] = cached[scaler.metric]
                continue
            try:
                reading = scaler.query.read(self.sources)
            except SourceError as error:
                self._failed(scaled, scaler, str(error), results)
            else:
                self._note(scaled, scaler.metric, 0)
                results.values[scaler.metric] = reading.milli
                if reading.active:
                    results.active.append(scaler.metric)
        return results

    def _failed(self, scaled: ScaledObject, scaler: Scaler, error: str, results: _Results) -> None:
        """A source did not answer: the fallback's value, if it is time for that."""
        fallback = usable_fallback(scaled)
        if fallback is None:
            results.errors.append(error)
            return
        failures = self._failures.get(scaled.key, {}).get(scaler.metric, 0) + 1
        self._note(scaled, scaler.metric, failures)
        if failures <= fallback.failure_threshold:
            results.errors.append(error)
            return
        if fallback.behavior == BY_FORMULA:
            results.values[scaler.metric] = PLACEHOLDER_MILLI
            return
        current, ready = self._size(scaled)
        milli = fallback_milli(scaled, scaler, current=current, ready=ready)
        if milli is None:
            results.errors.append("error performing fallback")
            return
        results.values[scaler.metric] = milli
        results.fallbacks.append(milli)
        results.active.append(scaler.metric)

    def _note(self, scaled: ScaledObject, metric: str, failures: int) -> None:
        """Remember how often a source failed in a row; only where there is a fallback."""
        if usable_fallback(scaled) is None:
            return
        known = self._failures.setdefault(scaled.key, {})
        if known.get(metric) != failures:
            known[metric] = failures
            self.health_changed(scaled)

    def _composite(
        self, scaled: ScaledObject, scalers: tuple[Scaler, ...], results: _Results
    ) -> int:
        """The formula's value, or the fallback's."""
        if results.fallbacks:
            return results.fallbacks[0]
        modifiers, fallback = modifiers_of(scaled), scaled.spec.fallback
        assert modifiers is not None, scaled.key
        names = tuple(scaler.name for scaler in scalers if scaler.name)
        values = {
            scaler.name: None
            if fallback is not None
            and fallback.behavior == BY_FORMULA
            and results.values[scaler.metric] == PLACEHOLDER_MILLI
            else results.values[scaler.metric] / 1000
            for scaler in scalers
        }
        value = compiled(modifiers.formula or "", names).value(values)
        if value is None:
            target = modifiers_target(modifiers)
            if fallback is None or target is None:
                raise FormulaError("formula evaluated to nil but no fallback is configured")
            return int(target.nanos * fallback.replicas / 10**6)
        return int(value * 1000)
