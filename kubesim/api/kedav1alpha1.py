"""KEDA's ScaledObject and ScaledJob: pods for what happens outside of them.

Mirrors: kedacore/keda@8b4f083 apis/keda/v1alpha1 (scaledobject_types.go, scaledjob_types.go,
scaletriggers_types.go, condition_types.go, scaledobject_webhook.go and scaledjob_webhook.go).
"""

from typing import Literal

from pydantic.alias_generators import to_camel

from kubesim.api.autoscalingv2 import HorizontalPodAutoscalerBehavior
from kubesim.api.batchv1 import JobSpec
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
    use_cached_metrics: Bool | None = None
    metadata: FrozenMap[str, str] = FrozenMap()
    authentication_ref: Unsimulated[AuthenticationRef | None] = None
    metric_type: Literal["AverageValue", "Value", "Utilization"] | None = None


FallbackBehavior = Literal[
    "static",
    "currentReplicas",
    "currentReplicasIfHigher",
    "currentReplicasIfLower",
    "scalingModifiers",
]


class Fallback(KubeModel):
    """What to do when a trigger cannot be read."""

    failure_threshold: Int32
    replicas: Int32
    behavior: FallbackBehavior | None = None


class HorizontalPodAutoscalerConfig(KubeModel):
    """What the HorizontalPodAutoscaler is to be like."""

    behavior: HorizontalPodAutoscalerBehavior | None = None
    name: str | None = None


class ScalingModifiers(KubeModel):
    """A formula over several triggers."""

    formula: str | None = None
    target: str | None = None
    activation_target: str | None = None
    metric_type: Literal["AverageValue", "Value"] | None = None


class AdvancedConfig(KubeModel):
    """What few need."""

    horizontal_pod_autoscaler_config: HorizontalPodAutoscalerConfig | None = None
    restore_to_original_replica_count: Bool | None = None
    scaling_modifiers: ScalingModifiers | None = None


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
    fallback: Fallback | None = None


class KedaCondition(KubeModel):
    """One yes-or-no fact."""

    type: str
    status: ConditionStatus
    reason: str | None = None
    message: str | None = None


class HealthStatus(KubeModel):
    """How a trigger's source is, for the fallback."""

    number_of_failures: Int32 | None = None
    status: Literal["Happy", "Failing"] | None = None


class TriggerActivityStatus(KubeModel):
    """Whether a trigger was active at the last look."""

    is_active: Bool = False


class ScaledObjectStatus(KubeModel):
    """What the operator did."""

    scale_target_kind: str | None = None
    original_replica_count: Int32 | None = None
    last_active_time: Time | None = None
    external_metric_names: tuple[str, ...] = ()
    resource_metric_names: tuple[str, ...] = ()
    composite_scaler_name: str | None = None
    conditions: tuple[KedaCondition, ...] = ()
    health: FrozenMap[str, HealthStatus] = FrozenMap()
    triggers_activity: FrozenMap[str, TriggerActivityStatus] = FrozenMap()
    paused_replica_count: Int32 | None = None
    hpa_name: str | None = None
    triggers_types: str | None = None


class ScaledObject(KubeObject):
    """Scales a workload by events, from and to nothing."""

    api_version: Literal["keda.sh/v1alpha1"] = "keda.sh/v1alpha1"
    kind: Literal["ScaledObject"] = "ScaledObject"
    spec: ScaledObjectSpec
    status: ScaledObjectStatus = ScaledObjectStatus.zero()


class ScalingStrategy(KubeModel):
    """How many jobs are made of a queue."""

    strategy: Literal["default", "custom", "accurate", "eager"] | None = None
    custom_scaling_queue_length_deduction: Int32 | None = None
    custom_scaling_running_job_percentage: str | None = None
    pending_pod_conditions: tuple[str, ...] = ()
    multiple_scalers_calculation: Literal["min", "avg", "sum", "max"] | None = None


class Rollout(KubeModel):
    """What becomes of the jobs of an older version."""

    strategy: Literal["gradual", "immediate"] | None = None
    propagation_policy: Literal["foreground", "background"] | None = None


class ScaledJobSpec(KubeModel):
    """Which jobs to make, of what, and how many at most."""

    job_target_ref: JobSpec
    polling_interval: Int32 | None = None
    successful_jobs_history_limit: Int32 | None = None
    failed_jobs_history_limit: Int32 | None = None
    rollout_strategy: Literal["gradual", "immediate"] | None = None
    rollout: Rollout = Rollout.zero()
    env_source_container_name: Unsimulated[str | None] = None
    min_replica_count: Int32 | None = None
    max_replica_count: Int32 | None = None
    scaling_strategy: ScalingStrategy = ScalingStrategy.zero()
    triggers: tuple[ScaleTrigger, ...]


class ScaledJobStatus(KubeModel):
    """What the operator did."""

    last_active_time: Time | None = None
    conditions: tuple[KedaCondition, ...] = ()
    triggers_types: str | None = None
    external_metric_names: tuple[str, ...] = ()
    triggers_activity: FrozenMap[str, TriggerActivityStatus] = FrozenMap()


class ScaledJob(KubeObject):
    """Makes jobs of what waits in a queue."""

    api_version: Literal["keda.sh/v1alpha1"] = "keda.sh/v1alpha1"
    kind: Literal["ScaledJob"] = "ScaledJob"
    spec: ScaledJobSpec
    status: ScaledJobStatus = ScaledJobStatus.zero()


def hpa_min_replicas(spec: ScaledObjectSpec) -> int:
    """``minReplicas`` of the HorizontalPodAutoscaler, which cannot be 0."""
    return spec.min_replica_count or DEFAULT_MIN_REPLICAS


def hpa_max_replicas(spec: ScaledObjectSpec) -> int:
    """Its ``maxReplicas``."""
    return DEFAULT_MAX_REPLICAS if spec.max_replica_count is None else spec.max_replica_count


def only_resource_triggers(spec: ScaledObjectSpec) -> bool:
    """Whether nothing but cpu and memory is looked at: such a workload never goes to zero."""
    return all(trigger.type in RESOURCE_TRIGGERS for trigger in spec.triggers)


def _below(spec: KubeModel, least: dict[str, int]) -> list[FieldError]:
    """What the schema refuses: numbers that are too small."""
    found = ((name, getattr(spec, name), low) for name, low in least.items())
    return [
        invalid(("spec", to_camel(name)), value, f"should be greater than or equal to {low}")
        for name, value, low in found
        if value is not None and value < low
    ]


def scaled_job_errors(scaled: ScaledJob) -> list[FieldError]:
    """What is refused about a ScaledJob's numbers and strategy."""
    spec = scaled.spec
    errors = _below(
        spec,
        {
            "polling_interval": 1,
            "successful_jobs_history_limit": 0,
            "failed_jobs_history_limit": 0,
            "min_replica_count": 0,
            "max_replica_count": 1,
        },
    )
    if not spec.triggers:
        errors.append(invalid(("spec", "triggers"), 0, "should have at least 1 items"))
    return errors


def scaled_object_errors(scaled: ScaledObject) -> list[FieldError]:
    """What KEDA's webhook and the schema refuse about the numbers."""
    spec = scaled.spec
    low = 0 if spec.min_replica_count is None else hpa_min_replicas(spec)
    high, idle = hpa_max_replicas(spec), spec.idle_replica_count
    errors = _below(
        spec,
        {
            "polling_interval": 1,
            "initial_cooldown_period": 0,
            "cooldown_period": 0,
            "idle_replica_count": 0,
            "min_replica_count": 0,
            "max_replica_count": 1,
        },
    )
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
