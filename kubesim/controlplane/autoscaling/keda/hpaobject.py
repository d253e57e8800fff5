"""The HorizontalPodAutoscaler that KEDA keeps for a ScaledObject.

Mirrors: kedacore/keda controllers/keda/hpa.go.
"""

from __future__ import annotations

from kubesim.api.autoscalingv2 import (
    ContainerResourceMetricSource,
    CrossVersionObjectReference,
    ExternalMetricSource,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.kedav1alpha1 import (
    RESOURCE_TRIGGERS,
    ScaledObject,
    ScaleTrigger,
    hpa_max_replicas,
    hpa_min_replicas,
)
from kubesim.api.metav1 import LabelSelector, ObjectMeta, new_controller_ref
from kubesim.controlplane.autoscaling.keda.scalers import Scaler, resource_target, scalers_of

OWNER_LABEL = "scaledobject.keda.sh/name"
LONGEST_NAME = 63


def hpa_name(scaled: ScaledObject) -> str:
    """``keda-hpa-NAME``, or what the object wants instead."""
    advanced = scaled.spec.advanced
    config = advanced.horizontal_pod_autoscaler_config if advanced is not None else None
    if config is not None and config.name:
        return config.name
    return f"keda-hpa-{scaled.name}"[:LONGEST_NAME]


def target_of(scaled: ScaledObject) -> CrossVersionObjectReference:
    """The workload; a Deployment unless it says otherwise."""
    given = scaled.spec.scale_target_ref
    return CrossVersionObjectReference(
        name=given.name,
        kind=given.kind or "Deployment",
        api_version=given.api_version or "apps/v1",
    )


def autoscaler_of(scaled: ScaledObject) -> HorizontalPodAutoscaler:
    """The autoscaler; its metrics sorted by their type.

    Raises:
        ScalerError: If a trigger cannot be understood.
    """
    spec, advanced = scaled.spec, scaled.spec.advanced
    config = advanced.horizontal_pod_autoscaler_config if advanced is not None else None
    resources = [_resource(t) for t in spec.triggers if t.type in RESOURCE_TRIGGERS]
    kinds = [t.metric_type for t in spec.triggers if t.type not in RESOURCE_TRIGGERS]
    external = [
        _external(scaler, scaled, kind)
        for scaler, kind in zip(scalers_of(scaled), kinds, strict=True)
    ]
    labels = {
        "app.kubernetes.io/name": hpa_name(scaled),
        "app.kubernetes.io/part-of": scaled.name[:LONGEST_NAME],
        "app.kubernetes.io/managed-by": "keda-operator",
        **scaled.metadata.labels,
    }
    return HorizontalPodAutoscaler(
        metadata=ObjectMeta(
            name=hpa_name(scaled),
            namespace=scaled.namespace,
            labels=FrozenMap(labels),
            annotations=scaled.metadata.annotations,
            owner_references=(new_controller_ref(scaled),),
        ),
        spec=HorizontalPodAutoscalerSpec(
            scale_target_ref=target_of(scaled),
            min_replicas=hpa_min_replicas(spec),
            max_replicas=hpa_max_replicas(spec),
            metrics=tuple(sorted((*resources, *external), key=lambda metric: metric.type)),
            behavior=config.behavior if config is not None else None,
        ),
    )


def _resource(trigger: ScaleTrigger) -> MetricSpec:
    kind, value = resource_target(trigger)
    if kind == "Utilization":
        target = MetricTarget(type=kind, average_utilization=value.value())
    else:
        target = MetricTarget(type=kind, average_value=value)
    container = trigger.metadata.get("containerName", "")
    if container:
        source = ContainerResourceMetricSource(
            name=trigger.type, container=container, target=target
        )
        return MetricSpec(type="ContainerResource", container_resource=source)
    return MetricSpec(
        type="Resource", resource=ResourceMetricSource(name=trigger.type, target=target)
    )


def _external(scaler: Scaler, scaled: ScaledObject, kind: str | None) -> MetricSpec:
    if kind == "Value":
        target = MetricTarget(type="Value", value=scaler.target)
    else:
        target = MetricTarget(type="AverageValue", average_value=scaler.target)
    owner = FrozenMap({OWNER_LABEL: scaled.name[:LONGEST_NAME]})
    metric = MetricIdentifier(name=scaler.metric, selector=LabelSelector(match_labels=owner))
    return MetricSpec(type="External", external=ExternalMetricSource(metric=metric, target=target))
