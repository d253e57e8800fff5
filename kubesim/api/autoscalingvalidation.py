"""Validation of a HorizontalPodAutoscaler.

Mirrors: pkg/apis/autoscaling/validation/validation.go.
Departs: ``minReplicas: 0`` is accepted whenever an Object or External metric is there; the feature gate
HPAScaleToZero is asked by the controller only, which then never scales to zero.
"""

from __future__ import annotations

from kubesim.api.autoscalingv2 import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
)
from kubesim.api.fielderrors import (
    FieldError,
    KeyPath,
    forbidden,
    invalid,
    not_supported,
    required,
)
from kubesim.api.model import KubeModel

__all__ = ["horizontal_pod_autoscaler_errors"]

Errors = list[FieldError]

MAX_PERIOD_SECONDS = 1800
MAX_STABILIZATION_WINDOW_SECONDS = 3600
_SOURCES = ("ContainerResource", "External", "Object", "Pods", "Resource")
_FIELD = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
_RESOURCE_TARGET = "must set either a target raw value or a target utilization"


def horizontal_pod_autoscaler_errors(hpa: HorizontalPodAutoscaler) -> Errors:
    """Everything that is wrong with it."""
    spec: HorizontalPodAutoscalerSpec = hpa.spec
    errors: Errors = []
    low, high = spec.min_replicas, spec.max_replicas
    if low is not None and low < 0:
        text = "must be greater than or equal to 0"
        errors.append(invalid(("spec", "minReplicas"), low, text))
    if high == 0:
        errors.append(required(("spec", "maxReplicas"), "must be set and greater than 0"))
    elif high < 0:
        text = "must be greater than or equal to 1"
        errors.append(invalid(("spec", "maxReplicas"), high, text))
    if low is not None and high < low:
        text = "must be greater than or equal to `minReplicas`"
        errors.append(invalid(("spec", "maxReplicas"), high, text))
    errors += _reference_errors(spec.scale_target_ref, ("spec", "scaleTargetRef"))
    errors += _metrics_errors(spec, ("spec", "metrics"))
    if spec.behavior is not None:
        path = ("spec", "behavior")
        errors += _rules_errors(spec.behavior.scale_up, (*path, "scaleUp"))
        errors += _rules_errors(spec.behavior.scale_down, (*path, "scaleDown"))
    return errors


def _reference_errors(reference: CrossVersionObjectReference, path: KeyPath) -> Errors:
    errors: Errors = []
    for field, value in (("kind", reference.kind), ("name", reference.name)):
        if not value:
            errors.append(required((*path, field)))
        elif value in (".", "..") or "/" in value or "%" in value:
            errors.append(invalid((*path, field), value, "may not contain '/' or '%'"))
    if (version := reference.api_version or "").count("/") > 1:
        text = f"unexpected GroupVersion string: {version}"
        errors.append(invalid((*path, "apiVersion"), version, text))
    return errors


def _metrics_errors(spec: HorizontalPodAutoscalerSpec, path: KeyPath) -> Errors:
    errors: Errors = []
    for index, metric in enumerate(spec.metrics):
        errors += _metric_errors(metric, (*path, index))
    if spec.min_replicas == 0 and not any(m.type in ("Object", "External") for m in spec.metrics):
        text = "must specify at least one Object or External metric to support scaling to zero replicas"
        errors.append(forbidden(path, text))
    return errors


def _metric_errors(metric: MetricSpec, path: KeyPath) -> Errors:
    errors: Errors = []
    if not metric.type:
        errors.append(required((*path, "type"), "must specify a metric source type"))
    if metric.type not in _SOURCES:
        errors.append(not_supported((*path, "type"), metric.type, _SOURCES))
        return errors
    sources: dict[str, KubeModel | None] = {
        "object": metric.object,
        "external": metric.external,
        "pods": metric.pods,
        "resource": metric.resource,
        "containerResource": metric.container_resource,
    }
    present = [name for name, source in sources.items() if source is not None]
    if present:
        errors += _source_errors(metric, present[0], (*path, present[0]))
    expected = _FIELD[metric.type]
    if expected not in present:
        text = "must populate information for the given metric source"
        errors.append(required((*path, expected), text))
    if len(present) != 1:
        errors += [
            forbidden((*path, name), "must populate the given metric source only")
            for name in present
            if name != expected
        ]
    return errors


def _source_errors(metric: MetricSpec, source: str, path: KeyPath) -> Errors:
    if metric.object is not None and source == "object":
        errors = _reference_errors(metric.object.described_object, (*path, "describedObject"))
        text = "must set either a target value or averageValue"
        return errors + _valued_errors(metric.object.metric, metric.object.target, path, text)
    if metric.external is not None and source == "external":
        target = metric.external.target
        text = "must set either a target value for metric or a per-pod target"
        errors = _valued_errors(metric.external.metric, target, path, text)
        if target.value is not None and target.average_value is not None:
            text = "may not set both a target value for metric and a per-pod target"
            errors.append(forbidden((*path, "target", "value"), text))
        return errors
    if metric.pods is not None and source == "pods":
        target, here = metric.pods.target, (*path, "target")
        errors = _identifier_errors(metric.pods.metric, path) + _target_errors(target, here)
        if target.average_value is None:
            text = "must specify a positive target averageValue"
            errors.append(required((*here, "averageValue"), text))
        return errors
    return _resource_errors(metric, path)


def _valued_errors(
    metric: MetricIdentifier, target: MetricTarget, path: KeyPath, missing: str
) -> Errors:
    here = (*path, "target")
    errors = _identifier_errors(metric, path) + _target_errors(target, here)
    if target.value is None and target.average_value is None:
        errors.append(required((*here, "averageValue"), missing))
    return errors


def _resource_errors(metric: MetricSpec, path: KeyPath) -> Errors:
    source = metric.resource or metric.container_resource
    assert source is not None, metric
    errors: Errors = []
    if not source.name:
        errors.append(required((*path, "name"), "must specify a resource name"))
    container = metric.container_resource
    if metric.resource is None and container is not None and not container.container:
        errors.append(required((*path, "container"), "must specify a container"))
    target, here = source.target, (*path, "target")
    errors += _target_errors(target, here)
    if target.average_utilization is None and target.average_value is None:
        errors.append(required((*here, "averageUtilization"), _RESOURCE_TARGET))
    if target.average_utilization is not None and target.average_value is not None:
        text = "may not set both a target raw value and a target utilization"
        errors.append(forbidden((*here, "averageValue"), text))
    return errors


def _identifier_errors(metric: MetricIdentifier, path: KeyPath) -> Errors:
    here = (*path, "metric", "name")
    return [] if metric.name else [required(here, "must specify a metric name")]


def _target_errors(target: MetricTarget, path: KeyPath) -> Errors:
    errors: Errors = []
    if not target.type:
        errors.append(required((*path, "type"), "must specify a metric target type"))
    if target.type not in ("Utilization", "Value", "AverageValue"):
        text = "must be either Utilization, Value, or AverageValue"
        errors.append(invalid((*path, "type"), target.type, text))
    for field, quantity in (("value", target.value), ("averageValue", target.average_value)):
        if quantity is not None and quantity.nanos <= 0:
            errors.append(invalid((*path, field), str(quantity), "must be positive"))
    percent = target.average_utilization
    if percent is not None and percent < 1:
        errors.append(invalid((*path, "averageUtilization"), percent, "must be greater than 0"))
    return errors


def _rules_errors(rules: HPAScalingRules | None, path: KeyPath) -> Errors:
    if rules is None:
        return []
    errors: Errors = []
    window, here = rules.stabilization_window_seconds, (*path, "stabilizationWindowSeconds")
    if window is not None and window < 0:
        errors.append(invalid(here, window, "must be greater than or equal to zero"))
    if window is not None and window > MAX_STABILIZATION_WINDOW_SECONDS:
        text = f"must be less than or equal to {MAX_STABILIZATION_WINDOW_SECONDS}"
        errors.append(invalid(here, window, text))
    if rules.select_policy is not None and rules.select_policy not in ("Disabled", "Max", "Min"):
        known = ("Disabled", "Max", "Min")
        errors.append(not_supported((*path, "selectPolicy"), rules.select_policy, known))
    if not rules.policies:
        errors.append(required((*path, "policies"), "must specify at least one Policy"))
    for index, policy in enumerate(rules.policies):
        errors += _policy_errors(policy, (*path, "policies", index))
    if rules.tolerance is not None and rules.tolerance.nanos < 0:
        text = "must be greater than or equal to 0"
        errors.append(invalid((*path, "tolerance"), str(rules.tolerance), text))
    return errors


def _policy_errors(policy: HPAScalingPolicy, path: KeyPath) -> Errors:
    errors: Errors = []
    if policy.type not in ("Pods", "Percent"):
        errors.append(not_supported((*path, "type"), policy.type, ("Percent", "Pods")))
    if policy.value <= 0:
        errors.append(invalid((*path, "value"), policy.value, "must be greater than zero"))
    here = (*path, "periodSeconds")
    if policy.period_seconds <= 0:
        errors.append(invalid(here, policy.period_seconds, "must be greater than zero"))
    if policy.period_seconds > MAX_PERIOD_SECONDS:
        text = f"must be less than or equal to {MAX_PERIOD_SECONDS}"
        errors.append(invalid(here, policy.period_seconds, text))
    return errors
