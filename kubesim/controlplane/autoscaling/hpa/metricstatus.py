"""One metric of an autoscaler: what it proposes, what the status will show, and how it fails.

Mirrors: pkg/controller/podautoscaler/horizontal.go (computeReplicasForMetric, computeStatusFor*).
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.api.autoscalingv1 import Scale
from kubesim.api.autoscalingv2 import (
    ContainerResourceMetricStatus,
    ExternalMetricSource,
    ExternalMetricStatus,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
    ObjectMetricSource,
    ObjectMetricStatus,
    PodsMetricSource,
    PodsMetricStatus,
    ResourceMetricStatus,
)
from kubesim.api.quantity import Quantity
from kubesim.api.selectortext import go_selector
from kubesim.controlplane.autoscaling.hpa.replicacalculator import (
    ReplicaCalculator,
    ReplicaCount,
    Workload,
)
from kubesim.controlplane.metrics.client import MetricsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a metric asks for.

    Attributes:
        replicas: How many replicas.
        name: What the metric is called in messages.
        status: Its entry in ``status.currentMetrics``.
    """

    replicas: int
    name: str
    status: MetricStatus


class MetricFailure(Exception):  # noqa: N818  # it stands for Go's returned error
    """A metric could not be computed.

    Args:
        message: What the caller reports.
        reason: Of the event and of the condition ScalingActive.
        cause: The message of the event, and the end of the condition's.
        by_spec: Whether the specification is to blame.
    """

    def __init__(self, message: str, *, reason: str, cause: str, by_spec: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.cause = cause
        self.by_spec = by_spec


def propose(
    spec: MetricSpec, *, calculator: ReplicaCalculator, scale: Scale, workload: Workload
) -> Proposal:
    """Compute one metric.

    Raises:
        MetricFailure: If it cannot be computed.
    """
    if spec.type == "Object" and spec.object is not None:
        return _object(spec.object, calculator, scale, workload)
    if spec.type == "Pods" and spec.pods is not None:
        return _pods(spec.pods, calculator, scale, workload)
    if spec.type == "Resource" and spec.resource is not None:
        source = spec.resource
        try:
            count, name = _resource((source.name, ""), source.target, calculator, scale, workload)
        except MetricsError as error:
            text = f"failed to get {source.name} resource metric value: {error}"
            reason = "FailedGetResourceMetric"
            raise MetricFailure(text, reason=reason, cause=str(error)) from error
        current = _resource_value(source.name, count)
        status = MetricStatus(
            type="Resource", resource=ResourceMetricStatus(name=source.name, current=current)
        )
        return Proposal(replicas=count.replicas, name=name, status=status)
    if spec.type == "ContainerResource" and spec.container_resource is not None:
        return _container_resource(spec, calculator, scale, workload)
    if spec.type == "External" and spec.external is not None:
        return _external(spec.external, calculator, scale, workload)
    text = f'unknown metric source type "{spec.type}"'
    raise MetricFailure(text, reason="InvalidMetricSourceType", cause=text, by_spec=True)


def _object(
    source: ObjectMetricSource, calculator: ReplicaCalculator, scale: Scale, workload: Workload
) -> Proposal:
    target, metric, described = source.target, source.metric, source.described_object
    by_value = target.type == "Value" and target.value is not None
    try:
        if by_value and target.value is not None:
            count = calculator.object_replicas(
                scale.spec.replicas,
                workload,
                target=target.value.milli_value(),
                metric=metric.name,
                reference=described,
                metric_selector=metric.selector,
            )
            name = f"{described.kind} metric {metric.name}"
        elif target.type == "AverageValue" and target.average_value is not None:
            count = calculator.object_per_pod_replicas(
                scale.status.replicas,
                workload,
                target=target.average_value.milli_value(),
                metric=metric.name,
                reference=described,
                metric_selector=metric.selector,
            )
            name = f"external metric {metric.name}({go_selector(metric.selector)})"
        else:
            raise MetricsError(_no_value_target("object"))
    except MetricsError as error:
        inner = str(error)
        if target.type == "AverageValue" and target.average_value is not None:
            inner = f"failed to get {metric.name} object metric: {error}"
        text = f"failed to get object metric value: {inner}"
        raise MetricFailure(text, reason="FailedGetObjectMetric", cause=str(error)) from error
    amount = Quantity.of_millis(count.usage)
    current = (
        MetricValueStatus(value=amount) if by_value else MetricValueStatus(average_value=amount)
    )
    status = ObjectMetricStatus(metric=metric, current=current, described_object=described)
    return Proposal(
        replicas=count.replicas, name=name, status=MetricStatus(type="Object", object=status)
    )


def _pods(
    source: PodsMetricSource, calculator: ReplicaCalculator, scale: Scale, workload: Workload
) -> Proposal:
    metric, target = source.metric, source.target.average_value
    try:
        if target is None:
            raise MetricsError("invalid pods metric source: no average value target was set")
        count = calculator.metric_replicas(
            scale.spec.replicas,
            workload,
            target=target.milli_value(),
            metric=metric.name,
            metric_selector=metric.selector,
        )
    except MetricsError as error:
        text = f"failed to get pods metric value: {error}"
        raise MetricFailure(text, reason="FailedGetPodsMetric", cause=str(error)) from error
    current = MetricValueStatus(average_value=Quantity.of_millis(count.usage))
    return Proposal(
        replicas=count.replicas,
        name=f"pods metric {metric.name}",
        status=MetricStatus(type="Pods", pods=PodsMetricStatus(metric=metric, current=current)),
    )


def _container_resource(
    spec: MetricSpec, calculator: ReplicaCalculator, scale: Scale, workload: Workload
) -> Proposal:
    source = spec.container_resource
    assert source is not None, spec
    try:
        count, name = _resource(
            (source.name, source.container), source.target, calculator, scale, workload
        )
    except MetricsError as error:
        text = f"failed to get {source.container} container metric value: {error}"
        reason = "FailedGetContainerResourceMetric"
        raise MetricFailure(text, reason=reason, cause=str(error)) from error
    status = ContainerResourceMetricStatus(
        name=source.name, container=source.container, current=_resource_value(source.name, count)
    )
    return Proposal(
        replicas=count.replicas,
        name=name,
        status=MetricStatus(type="ContainerResource", container_resource=status),
    )


def _resource(
    what: tuple[str, str],
    target: MetricTarget,
    calculator: ReplicaCalculator,
    scale: Scale,
    workload: Workload,
) -> tuple[ReplicaCount, str]:
    """The count for a resource (of one container), and the metric's name in messages."""
    resource, container = what
    current = scale.spec.replicas
    if target.average_value is not None:
        try:
            count = calculator.raw_resource_replicas(
                current,
                workload,
                target=target.average_value.milli_value(),
                resource=resource,
                container=container,
            )
        except MetricsError as error:
            raise MetricsError(f"failed to get {resource} usage: {error}") from error
        return count, f"{resource} resource"
    if target.average_utilization is None:
        raise MetricsError(
            "invalid resource metric source: neither an average utilization target nor an average "
            "value (usage) target was set"
        )
    try:
        count = calculator.resource_replicas(
            current,
            workload,
            target_percent=target.average_utilization,
            resource=resource,
            container=container,
        )
    except MetricsError as error:
        raise MetricsError(f"failed to get {resource} utilization: {error}") from error
    kind = "container resource" if container else "resource"
    return count, f"{resource} {kind} utilization (percentage of request)"


def _external(
    source: ExternalMetricSource, calculator: ReplicaCalculator, scale: Scale, workload: Workload
) -> Proposal:
    target, metric = source.target, source.metric
    per_pod = target.average_value is not None
    try:
        if target.average_value is not None:
            count = calculator.external_per_pod_replicas(
                scale.status.replicas,
                workload,
                target=target.average_value.milli_value(),
                metric=metric.name,
                metric_selector=metric.selector,
            )
        elif target.value is not None:
            count = calculator.external_replicas(
                scale.spec.replicas,
                workload,
                target=target.value.milli_value(),
                metric=metric.name,
                metric_selector=metric.selector,
            )
        else:
            raise MetricsError(_no_value_target("external"))
    except MetricsError as error:
        inner = str(error)
        if per_pod:
            inner = f"failed to get {metric.name} external metric: {error}"
        elif target.value is not None:
            inner = f"failed to get external metric {metric.name}: {error}"
        text = f"failed to get {metric.name} external metric value: {inner}"
        raise MetricFailure(text, reason="FailedGetExternalMetric", cause=str(error)) from error
    amount = Quantity.of_millis(count.usage)
    current = (
        MetricValueStatus(average_value=amount) if per_pod else MetricValueStatus(value=amount)
    )
    return Proposal(
        replicas=count.replicas,
        name=f"external metric {metric.name}({go_selector(metric.selector)})",
        status=MetricStatus(
            type="External", external=ExternalMetricStatus(metric=metric, current=current)
        ),
    )


def _no_value_target(kind: str) -> str:
    return (
        f"invalid {kind} metric source: neither a value target nor an average value target was set"
    )


def _resource_value(resource: str, count: ReplicaCount) -> MetricValueStatus:
    return MetricValueStatus(
        average_utilization=count.utilization,
        average_value=status_quantity(resource, count.usage),
    )


def status_quantity(resource: str, milli: int) -> Quantity:
    """A resource's amount as the status writes it: memory in binary units."""
    return Quantity.of_millis(milli, "BinarySI" if resource == "memory" else "DecimalSI")
