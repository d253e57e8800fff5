"""KEDA's ScaledObject: a workload that is scaled by what happens outside of its pods.

Mirrors: kedacore/keda apis/keda/v1alpha1 (scaledobject_types.go, scaletriggers_types.go,
condition_types.go), apis/keda/v1alpha1/scaledobject_webhook.go (validation).
"""

from typing import Literal

from kubesim.api.autoscalingv2 import HorizontalPodAutoscalerBehavior
from kubesim.api.fielderrors import FieldError, invalid
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ConditionStatus, KubeObject, Time
from kubesim.api.model import Bool, Int32, KubeModel, Unsimulated

RESOURCE_TRIGGERS = ("cpu", "memory")
DEFAULT_MIN_REPLICAS = 1  # of the HorizontalPodAutoscaler
DEFAULT_MAX_REPLICAS = 100


class ScaleTarget(KubeModel):
    """The workload; a Deployment unless it says otherwise."""

    name: str
    api_version: str | None = None
    kind: str | None = None
    env_source_container_name: Unsimulated[str | None] = None


class AuthenticationRef(KubeModel):
    """Where a trigger's credentials are."""

    name: str
    kind: str | None = None


class ScaleTrigger(KubeModel):
    """One thing to scale by; ``metadata`` depends on the type."""

    type: str
    name: str | None = None
    use_cached_metrics: Unsimulated[Bool | None] = None
    metadata: FrozenMap[str, str] = FrozenMap()
    authentication_ref: Unsimulated[AuthenticationRef | None] = None
    metric_type: Literal["AverageValue", "Value", "Utilization"] | None = None


class Fallback(KubeModel):
    """What to do when a trigger cannot be read."""

    failure_threshold: Int32
    replicas: Int32
    behavior: str | None = None


class HorizontalPodAutoscalerConfig(KubeModel):
    """What the HorizontalPodAutoscaler is to be like."""

    behavior: HorizontalPodAutoscalerBehavior | None = None
    name: str | None = None


class ScalingModifiers(KubeModel):
    """A formula over several triggers."""

    formula: str | None = None
    target: str | None = None
    activation_target: str | None = None
    metric_type: str | None = None


class AdvancedConfig(KubeModel):
    """What few need."""

    horizontal_pod_autoscaler_config: HorizontalPodAutoscalerConfig | None = None
    restore_to_original_replica_count: Unsimulated[Bool | None] = None
    scaling_modifiers: Unsimulated[ScalingModifiers | None] = None


class ScaledObjectSpec(KubeModel):
    """What to scale, by what, and when to nothing."""

    scale_target_ref: ScaleTarget
    polling_interval: Int32 | None = None
    initial_cooldown_period: Int32 | None = None
    cooldown_period: Int32 | None = None
    idle_replica_count: Int32 | None = None
    min_replica_count: Int32 | None = None
    max_replica_count: Int32 | None = None
    advanced: AdvancedConfig | None = None
    triggers: tuple[ScaleTrigger, ...]
    fallback: Unsimulated[Fallback | None] = None


class KedaCondition(KubeModel):
    """One yes-or-no fact."""

    type: str
    status: ConditionStatus
    reason: str | None = None
    message: str | None = None


class ScaledObjectStatus(KubeModel):
    """What the operator did."""

    scale_target_kind: str | None = None
    original_replica_count: Int32 | None = None
    last_active_time: Time | None = None
    external_metric_names: tuple[str, ...] = ()
    resource_metric_names: tuple[str, ...] = ()
    conditions: tuple[KedaCondition, ...] = ()
    paused_replica_count: Int32 | None = None
    hpa_name: str | None = None
    triggers_types: str | None = None


class ScaledObject(KubeObject):
    """Scales a workload by events, from and to nothing."""

    api_version: Literal["keda.sh/v1alpha1"] = "keda.sh/v1alpha1"
    kind: Literal["ScaledObject"] = "ScaledObject"
    spec: ScaledObjectSpec
    status: ScaledObjectStatus = ScaledObjectStatus.zero()


def hpa_min_replicas(spec: ScaledObjectSpec) -> int:
    """``minReplicas`` of the HorizontalPodAutoscaler, which cannot be 0."""
    return spec.min_replica_count or DEFAULT_MIN_REPLICAS


def hpa_max_replicas(spec: ScaledObjectSpec) -> int:
    """Its ``maxReplicas``."""
    return DEFAULT_MAX_REPLICAS if spec.max_replica_count is None else spec.max_replica_count


def only_resource_triggers(spec: ScaledObjectSpec) -> bool:
    """Whether nothing but cpu and memory is looked at: such a workload never goes to zero."""
    return all(trigger.type in RESOURCE_TRIGGERS for trigger in spec.triggers)


def scaled_object_errors(scaled: ScaledObject) -> list[FieldError]:
    """What KEDA's webhook refuses about the numbers."""
    spec = scaled.spec
    low = 0 if spec.min_replica_count is None else hpa_min_replicas(spec)
    high, idle = hpa_max_replicas(spec), spec.idle_replica_count
    errors: list[FieldError] = []
    if low > high:
        text = f"MinReplicaCount={low} must be less than MaxReplicaCount={high}"
        errors.append(invalid(("spec", "minReplicaCount"), low, text))
    if idle is not None and idle >= low:
        text = f"IdleReplicaCount={idle} must be less than MinReplicaCount={low}"
        errors.append(invalid(("spec", "idleReplicaCount"), idle, text))
    if spec.min_replica_count == 0 and only_resource_triggers(spec):
        text = (
            "scaledobject has only cpu/memory triggers AND min replica is 0 (scale to zero doesn't "
            "work in this case)"
        )
        errors.append(invalid(("spec", "minReplicaCount"), 0, text))
    return errors
