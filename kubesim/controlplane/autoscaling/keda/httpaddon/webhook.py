"""What is refused of the add-on's objects.

Mirrors: kedacore/http-add-on@59b2f6a config/crd/bases (validation rules), operator/controllers/http/
httpscaledobject_controller.go (metrics that exclude each other).
Departs: what the controller finds wrong is refused at admission; two objects with one host are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubesim.api.duration import parse_duration
from kubesim.api.fielderrors import FieldError, invalid
from kubesim.api.kedahttpv1alpha1 import HTTPScaledObject
from kubesim.api.kedahttpv1beta1 import InterceptorRoute
from kubesim.api.metav1 import KubeObject

Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class HTTPScaledObjectWebhook:
    """Validates HTTPScaledObjects."""

    name: str = "vhttpscaledobject.kb.io"
    kind: type[KubeObject] = HTTPScaledObject

    def default(self, obj: Any, reader: Any) -> HTTPScaledObject:  # noqa: ARG002  # the protocol's
        """Nothing is filled in."""
        scaled: HTTPScaledObject = obj
        return scaled

    def validate(self, obj: Any, reader: Any) -> list[FieldError]:  # noqa: ARG002
        """Everything that is wrong with it."""
        scaled: HTTPScaledObject = obj
        spec = scaled.spec
        errors = _port(spec.scale_target_ref, ("spec", "scaleTargetRef"))
        if spec.cold_start_timeout_failover_ref is not None:
            path = ("spec", "coldStartTimeoutFailoverRef")
            errors += _port(spec.cold_start_timeout_failover_ref, path)
        metric = spec.scaling_metric
        if metric is not None and metric.concurrency and metric.request_rate:
            text = ".spec.scalingMetric.concurrency and .spec.scalingMetric.rate are mutually exclusive"
            errors.append(invalid(("spec", "scalingMetric"), "", text))
        if metric is not None and metric.request_rate is not None:
            errors += _rate(metric.request_rate, ("spec", "scalingMetric", "requestRate"))
        if spec.timeouts is not None:
            errors += _durations(
                ("spec", "timeouts"),
                conditionWait=spec.timeouts.condition_wait,
                responseHeader=spec.timeouts.response_header,
            )
        return errors


@dataclass(frozen=True, slots=True)
class InterceptorRouteWebhook:
    """Validates InterceptorRoutes."""

    name: str = "vinterceptorroute.kb.io"
    kind: type[KubeObject] = InterceptorRoute

    def default(self, obj: Any, reader: Any) -> InterceptorRoute:  # noqa: ARG002  # the protocol's
        """Nothing is filled in."""
        route: InterceptorRoute = obj
        return route

    def validate(self, obj: Any, reader: Any) -> list[FieldError]:  # noqa: ARG002
        """Everything that is wrong with it."""
        route: InterceptorRoute = obj
        spec = route.spec
        errors = _port(spec.target, ("spec", "target"))
        cold_start, metric = spec.cold_start, spec.scaling_metric
        if cold_start is not None:
            path = ("spec", "coldStart")
            if cold_start.fallback is None and cold_start.placeholder is None:
                text = "at least one of 'fallback' or 'placeholder' must be set"
                errors.append(invalid(path, "", text))
            if cold_start.fallback is not None and cold_start.fallback.service is not None:
                errors += _port(cold_start.fallback.service, (*path, "fallback", "service"))
        if metric.concurrency is None and metric.request_rate is None:
            text = "at least one of 'concurrency' or 'requestRate' must be set"
            errors.append(invalid(("spec", "scalingMetric"), "", text))
        if metric.request_rate is not None:
            errors += _rate(metric.request_rate, ("spec", "scalingMetric", "requestRate"))
        timeouts = spec.timeouts
        return errors + _durations(
            ("spec", "timeouts"),
            readiness=timeouts.readiness,
            request=timeouts.request,
            responseHeader=timeouts.response_header,
        )


def _port(reference: Any, path: Where) -> list[FieldError]:
    if (reference.port is None) == (reference.port_name is None):
        text = "must define either the 'portName' or the 'port'"
        return [invalid(path, reference.port or "", text)]
    return []


def _rate(rate: Any, path: Where) -> list[FieldError]:
    errors = _durations(path, window=rate.window, granularity=rate.granularity)
    if not errors and parse_duration(rate.granularity) <= 0:
        errors.append(invalid((*path, "granularity"), rate.granularity, "must be more than 0"))
    return errors


def _durations(path: Where, **given: str | None) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, text in given.items():
        if text is None:
            continue
        try:
            parse_duration(text)
        except ValueError as error:
            errors.append(invalid((*path, name), text, str(error)))
    return errors


HTTP_ADD_ON_WEBHOOKS = (HTTPScaledObjectWebhook(), InterceptorRouteWebhook())
