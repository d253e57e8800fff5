"""The HorizontalPodAutoscaler that KEDA keeps for a ScaledObject.

Mirrors: kedacore/keda@8b4f083 controllers/keda/hpa.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubesim.api.autoscalingv2 import (
    CrossVersionObjectReference,
    ExternalMetricSource,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec,
    HPAScalingRules,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.kedav1alpha1 import (
    RESOURCE_TRIGGERS,
    ScaledObject,
    hpa_max_replicas,
    hpa_min_replicas,
)
from kubesim.api.metav1 import LabelSelector, ObjectMeta, new_controller_ref
from kubesim.controlplane.autoscaling.keda.activation import (
    PAUSED_SCALE_IN,
    PAUSED_SCALE_OUT,
    is_set,
)
from kubesim.controlplane.autoscaling.keda.fallback import modifiers_of, modifiers_target
from kubesim.controlplane.autoscaling.keda.scalehandler import COMPOSITE
from kubesim.controlplane.autoscaling.keda.scaler import Scaler, ScalerError
from kubesim.controlplane.autoscaling.keda.triggers.resource import metric_spec

OWNER_LABEL = "scaledobject.keda.sh/name"
EXCLUDED_LABELS = "scaledobject.keda.sh/hpa-excluded-labels"
LONGEST_LABEL = 63


def hpa_name(scaled: ScaledObject) -> str:
    """``keda-hpa-NAME``, or what the object wants instead."""
    advanced = scaled.spec.advanced
    config = advanced.horizontal_pod_autoscaler_config if advanced is not None else None
    if config is not None and config.name:
        return config.name
    return f"keda-hpa-{scaled.name}"


def target_of(scaled: ScaledObject) -> CrossVersionObjectReference:
    """The workload; a Deployment unless it says otherwise."""
    given = scaled.spec.scale_target_ref
    return CrossVersionObjectReference(
        name=given.name,
        kind=given.kind or "Deployment",
        api_version=given.api_version or "apps/v1",
    )


def target_kind(scaled: ScaledObject) -> str:
    """Group, version and kind of the workload, as status and events have them."""
    target = target_of(scaled)
    return f"{target.api_version}.{target.kind}"


def autoscaler_of(scaled: ScaledObject, scalers: Sequence[Scaler]) -> HorizontalPodAutoscaler:
    """The autoscaler; its metrics sorted by their type.

    Args:
        scaled: The object.
        scalers: Its scalers.

    Raises:
        ScalerError: If a trigger cannot be understood, or two have the same metric.
    """
    spec = scaled.spec
    resources = [metric_spec(t) for t in spec.triggers if t.type in RESOURCE_TRIGGERS]
    names = [scaler.metric for scaler in scalers]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ScalerError(f"metricName {twice} defined multiple times in ScaledObject")
    external = [_external(s.metric, s.metric_target, scaled) for s in scalers]
    modifiers = modifiers_of(scaled)
    if modifiers is not None:
        target = modifiers_target(modifiers)
        if modifiers.metric_type == "Value":
            wanted = MetricTarget(type="Value", value=target)
        else:
            wanted = MetricTarget(type="AverageValue", average_value=target)
        external = [_external(COMPOSITE, wanted, scaled)]
        metrics = (*resources, *external)
    else:
        metrics = tuple(sorted((*external, *resources), key=lambda metric: metric.type))
    return HorizontalPodAutoscaler(
        metadata=ObjectMeta(
            name=hpa_name(scaled),
            namespace=scaled.namespace,
            labels=_labels(scaled),
            annotations=scaled.metadata.annotations,
            owner_references=(new_controller_ref(scaled),),
        ),
        spec=HorizontalPodAutoscalerSpec(
            scale_target_ref=target_of(scaled),
            min_replicas=hpa_min_replicas(spec),
            max_replicas=hpa_max_replicas(spec),
            metrics=metrics,
            behavior=_behavior(scaled),
        ),
    )


def _labels(scaled: ScaledObject) -> FrozenMap[str, str]:
    metadata = scaled.metadata
    excluded = metadata.annotations.get(EXCLUDED_LABELS, "").split(",")
    return FrozenMap(
        {
            "app.kubernetes.io/name": hpa_name(scaled)[:LONGEST_LABEL].rstrip("-._"),
            "app.kubernetes.io/part-of": scaled.name,
            "app.kubernetes.io/managed-by": "keda-operator",
            OWNER_LABEL: scaled.name,
            **{name: text for name, text in metadata.labels.items() if name not in excluded},
        }
    )


def _behavior(scaled: ScaledObject) -> HorizontalPodAutoscalerBehavior | None:
    """What the object wants, with a way that is paused shut."""
    advanced = scaled.spec.advanced
    config = advanced.horizontal_pod_autoscaler_config if advanced is not None else None
    behavior = config.behavior if config is not None else None
    if is_set(scaled, PAUSED_SCALE_IN):
        behavior = behavior or HorizontalPodAutoscalerBehavior()
        rules = behavior.scale_down or HPAScalingRules()
        behavior = behavior.replace(scale_down=rules.replace(select_policy="Disabled"))
    if is_set(scaled, PAUSED_SCALE_OUT):
        behavior = behavior or HorizontalPodAutoscalerBehavior()
        rules = behavior.scale_up or HPAScalingRules()
        behavior = behavior.replace(scale_up=rules.replace(select_policy="Disabled"))
    return behavior


def _external(name: str, target: MetricTarget, scaled: ScaledObject) -> MetricSpec:
    owner = FrozenMap({OWNER_LABEL: scaled.name})
    metric = MetricIdentifier(name=name, selector=LabelSelector(match_labels=owner))
    return MetricSpec(type="External", external=ExternalMetricSource(metric=metric, target=target))
