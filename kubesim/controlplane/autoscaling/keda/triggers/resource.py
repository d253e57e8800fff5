"""``cpu`` and ``memory``: KEDA hands them on to the HorizontalPodAutoscaler.

Mirrors: kedacore/keda pkg/scalers/cpu_memory_scaler.go.
"""

from __future__ import annotations

from kubesim.api.autoscalingv2 import (
    ContainerResourceMetricSource,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from kubesim.api.kedav1alpha1 import ScaleTrigger
from kubesim.controlplane.autoscaling.keda.scaler import ScalerError, number


def metric_spec(trigger: ScaleTrigger) -> MetricSpec:
    """The autoscaler's metric of such a trigger.

    Raises:
        ScalerError: If it has no target, or one of a wrong kind.
    """
    kind = trigger.metric_type or trigger.metadata.get("type", "")
    if kind not in ("Utilization", "AverageValue"):
        raise ScalerError(
            f"error parsing {trigger.type} metadata: unsupported metric type, allowed values are "
            "'Utilization' or 'AverageValue'"
        )
    value = number(trigger, "value")
    if kind == "Utilization":
        target = MetricTarget(type="Utilization", average_utilization=value.value())
    else:
        target = MetricTarget(type="AverageValue", average_value=value)
    container = trigger.metadata.get("containerName", "")
    if container:
        source = ContainerResourceMetricSource(
            name=trigger.type, container=container, target=target
        )
        return MetricSpec(type="ContainerResource", container_resource=source)
    return MetricSpec(
        type="Resource", resource=ResourceMetricSource(name=trigger.type, target=target)
    )
