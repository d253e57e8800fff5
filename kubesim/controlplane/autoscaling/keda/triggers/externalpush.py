"""``external-push`` and ``external``: the HTTP add-on's external scaler, which counts requests.

The metrics and their targets are those of the object that the trigger names: an HTTPScaledObject or an
InterceptorRoute.

Mirrors: kedacore/keda@8b4f083 pkg/scalers/external_scaler.go, kedacore/http-add-on@59b2f6a
scaler/handlers.go.
Departs: no other external scaler can be asked, whatever the address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubesim.api.kedav1alpha1 import ScaleTrigger
from kubesim.api.quantity import Quantity
from kubesim.controlplane.autoscaling.keda.scaler import (
    FOREVER_NS,
    Context,
    Reading,
    Scaler,
    ScalerError,
    make_scaler,
    required,
)
from kubesim.controlplane.autoscaling.keda.sources import SourceError, Sources

TYPES = ("external-push", "external")
OBJECTS = ("httpScaledObject", "interceptorRoute")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpQuery:
    """A question to the external scaler.

    Attributes:
        namespace: The object's namespace.
        metadata: The trigger's metadata, which names the object.
        metric: Which of its metrics.
    """

    namespace: str
    metadata: Mapping[str, str]
    metric: str

    def read(self, sources: Sources) -> Reading:
        """The answer, now; any of its metrics makes the trigger active."""
        scaler = sources.http
        if scaler is None:
            raise SourceError("rpc error: code = Unavailable desc = the HTTP add-on is not there")
        names = [metric.name for metric in scaler.metrics(self.namespace, self.metadata)]
        active = any(scaler.value_milli(self.namespace, self.metadata, name) > 0 for name in names)
        return Reading(scaler.value_milli(self.namespace, self.metadata, self.metric), active)

    def steady_until_ns(self, sources: Sources) -> int:
        """Nothing stays nothing while no request comes."""
        scaler = sources.http
        if scaler is None:
            return FOREVER_NS
        return FOREVER_NS if scaler.is_quiet(self.namespace, self.metadata) else 0


def parse(trigger: ScaleTrigger, context: Context) -> tuple[Scaler, ...]:
    """The scalers of such a trigger; none where nothing can be looked up."""
    required(trigger, "scalerAddress")
    if not any(name in trigger.metadata for name in OBJECTS):
        raise ScalerError(
            "the only external scaler that is simulated is that of the HTTP add-on: metadata names "
            "an httpScaledObject or an interceptorRoute"
        )
    if context.http is None:
        return ()
    try:
        metrics = context.http.metrics(context.namespace, trigger.metadata)
    except SourceError as error:
        raise ScalerError(str(error)) from error
    return tuple(
        make_scaler(
            trigger,
            context,
            metric=metric.name,
            target=Quantity(str(metric.target)),
            query=HttpQuery(
                namespace=context.namespace, metadata=trigger.metadata, metric=metric.name
            ),
            push=trigger.type == "external-push",
        )
        for metric in metrics
    )
