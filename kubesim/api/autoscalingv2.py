"""Horizontal pod autoscalers.

Mirrors: staging/src/k8s.io/api/autoscaling/v2/types.go.
"""

from typing import Literal

from kubesim.api.metav1 import ConditionStatus, KubeObject, LabelSelector, Time
from kubesim.api.model import Int32, Int64, KubeModel
from kubesim.api.quantity import Quantity


class CrossVersionObjectReference(KubeModel):
    """The object that is scaled or measured."""

    kind: str
    name: str
    api_version: str | None = None


class MetricIdentifier(KubeModel):
    """A metric, by name and labels."""

    name: str
    selector: LabelSelector | None = None


class MetricTarget(KubeModel):
    """The value a metric should have."""

    type: str
    value: Quantity | None = None
    average_value: Quantity | None = None
    average_utilization: Int32 | None = None


class MetricValueStatus(KubeModel):
    """The value a metric has."""

    value: Quantity | None = None
    average_value: Quantity | None = None
    average_utilization: Int32 | None = None


class ObjectMetricSource(KubeModel):
    """A metric of one object."""

    described_object: CrossVersionObjectReference
    target: MetricTarget
    metric: MetricIdentifier


class PodsMetricSource(KubeModel):
    """A custom metric of the pods, averaged."""

    metric: MetricIdentifier
    target: MetricTarget


class ResourceMetricSource(KubeModel):
    """A resource of the pods, averaged."""

    name: str
    target: MetricTarget


class ContainerResourceMetricSource(KubeModel):
    """A resource of one container of the pods, averaged."""

    name: str
    target: MetricTarget
    container: str


class ExternalMetricSource(KubeModel):
    """A metric from outside the cluster."""

    metric: MetricIdentifier
    target: MetricTarget


class MetricSpec(KubeModel):
    """One metric to scale by."""

    type: str
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None
    container_resource: ContainerResourceMetricSource | None = None
    external: ExternalMetricSource | None = None


class HPAScalingPolicy(KubeModel):
    """How much may change within a period."""

    type: str
    value: Int32
    period_seconds: Int32


class HPAScalingRules(KubeModel):
    """How fast to scale in one direction."""

    stabilization_window_seconds: Int32 | None = None
    select_policy: str | None = None
    policies: tuple[HPAScalingPolicy, ...] = ()
    tolerance: Quantity | None = None


class HorizontalPodAutoscalerBehavior(KubeModel):
    """How fast to scale up and down."""

    scale_up: HPAScalingRules | None = None
    scale_down: HPAScalingRules | None = None


class HorizontalPodAutoscalerSpec(KubeModel):
    """What to scale, by what, within which bounds."""

    scale_target_ref: CrossVersionObjectReference
    min_replicas: Int32 | None = None
    max_replicas: Int32
    metrics: tuple[MetricSpec, ...] = ()
    behavior: HorizontalPodAutoscalerBehavior | None = None


class ObjectMetricStatus(KubeModel):
    """The value of a metric of one object."""

    metric: MetricIdentifier
    current: MetricValueStatus
    described_object: CrossVersionObjectReference


class PodsMetricStatus(KubeModel):
    """The value of a custom metric of the pods."""

    metric: MetricIdentifier
    current: MetricValueStatus


class ResourceMetricStatus(KubeModel):
    """The value of a resource of the pods."""

    name: str
    current: MetricValueStatus


class ContainerResourceMetricStatus(KubeModel):
    """The value of a resource of one container of the pods."""

    name: str
    current: MetricValueStatus
    container: str


class ExternalMetricStatus(KubeModel):
    """The value of a metric from outside the cluster."""

    metric: MetricIdentifier
    current: MetricValueStatus


class MetricStatus(KubeModel):
    """The value of one metric."""

    type: str
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None
    container_resource: ContainerResourceMetricStatus | None = None
    external: ExternalMetricStatus | None = None


class HorizontalPodAutoscalerCondition(KubeModel):
    """One yes-or-no fact about an autoscaler."""

    type: str
    status: ConditionStatus
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class HorizontalPodAutoscalerStatus(KubeModel):
    """What an autoscaler has seen and decided."""

    observed_generation: Int64 | None = None
    last_scale_time: Time | None = None
    current_replicas: Int32 | None = None
    desired_replicas: Int32
    current_metrics: tuple[MetricStatus, ...] = ()
    conditions: tuple[HorizontalPodAutoscalerCondition, ...] = ()


class HorizontalPodAutoscaler(KubeObject):
    """Changes the number of pods with their load."""

    api_version: Literal["autoscaling/v2"] = "autoscaling/v2"
    kind: Literal["HorizontalPodAutoscaler"] = "HorizontalPodAutoscaler"
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus = HorizontalPodAutoscalerStatus.zero()
