"""The VerticalPodAutoscaler: how large the containers of a workload are to be.

Mirrors: kubernetes/autoscaler vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1 (types.go),
pkg/admission-controller/resource/vpa/validation.go.
Departs: the alpha feature gates PerVPAConfig, InPlace and CPUStartupBoost are off, as by default: what
they guard is refused.
"""

from collections.abc import Iterable
from typing import Literal

from kubesim.api.autoscalingv2 import CrossVersionObjectReference
from kubesim.api.fielderrors import (
    FieldError,
    KeyPath,
    forbidden,
    invalid,
    not_supported,
    required,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ConditionStatus, KubeObject, Time
from kubesim.api.model import Float, Int32, Int64, KubeModel
from kubesim.api.quantity import Quantity

ResourceList = FrozenMap[str, Quantity]

UpdateMode = Literal["Off", "Initial", "Recreate", "InPlaceOrRecreate", "InPlace", "Auto"]
ContainerScalingMode = Literal["Auto", "Off"]
ContainerControlledValues = Literal["RequestsAndLimits", "RequestsOnly"]
EvictionChangeRequirement = Literal["TargetHigherThanRequests", "TargetLowerThanRequests"]

DEFAULT_CONTAINER_RESOURCE_POLICY = "*"
DEFAULT_UPDATE_MODE: UpdateMode = "Recreate"
RESOURCES = ("cpu", "memory")
NANO, MILLI_NANOS = 10**9, 10**6


class VerticalPodAutoscalerRecommenderSelector(KubeModel):
    """A recommender other than the default one."""

    name: str


class GenericStartupBoost(KubeModel):
    """More of a resource while a container starts."""

    type: Literal["Factor", "Quantity"]
    factor: Int32 | None = None
    quantity: Quantity | None = None
    duration_seconds: Int32 | None = None


class StartupBoost(KubeModel):
    """What is more while a pod starts."""

    cpu: GenericStartupBoost | None = None


class EvictionRequirement(KubeModel):
    """What must be so for a pod to be evicted."""

    resources: tuple[str, ...]
    change_requirement: EvictionChangeRequirement


class PodUpdatePolicy(KubeModel):
    """How a recommendation gets to the pods."""

    update_mode: UpdateMode | None = None
    min_replicas: Int32 | None = None
    eviction_requirements: tuple[EvictionRequirement, ...] = ()
    evict_after_oom_seconds: Int32 | None = None


class ContainerResourcePolicy(KubeModel):
    """How the recommendation for a container is made."""

    container_name: str | None = None
    mode: ContainerScalingMode | None = None
    min_allowed: ResourceList = FrozenMap()
    max_allowed: ResourceList = FrozenMap()
    controlled_resources: tuple[str, ...] | None = None
    controlled_values: ContainerControlledValues | None = None
    oom_bump_up_ratio: Quantity | None = None
    oom_min_bump_up: Quantity | None = None
    memory_aggregation_interval_seconds: Int32 | None = None
    memory_aggregation_interval_count: Int64 | None = None
    startup_boost: StartupBoost | None = None


class PodResourcePolicy(KubeModel):
    """The policies of the containers; ``*`` is that of those which have none of their own."""

    container_policies: tuple[ContainerResourcePolicy, ...] = ()


class VerticalPodAutoscalerSpec(KubeModel):
    """Whose containers, and how."""

    target_ref: CrossVersionObjectReference
    update_policy: PodUpdatePolicy | None = None
    resource_policy: PodResourcePolicy | None = None
    recommenders: tuple[VerticalPodAutoscalerRecommenderSelector, ...] = ()
    startup_boost: StartupBoost | None = None


class RecommendedContainerResources(KubeModel):
    """What is recommended for one container."""

    container_name: str | None = None
    target: ResourceList
    lower_bound: ResourceList = FrozenMap()
    upper_bound: ResourceList = FrozenMap()
    uncapped_target: ResourceList = FrozenMap()


class RecommendedPodResources(KubeModel):
    """What is recommended for a pod's containers."""

    container_recommendations: tuple[RecommendedContainerResources, ...] = ()


class VerticalPodAutoscalerCondition(KubeModel):
    """One yes-or-no fact about an autoscaler."""

    type: str
    status: ConditionStatus
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None
    observed_generation: Int64 | None = None


class VerticalPodAutoscalerStatus(KubeModel):
    """What the recommender found."""

    recommendation: RecommendedPodResources | None = None
    conditions: tuple[VerticalPodAutoscalerCondition, ...] = ()
    observed_generation: Int64 | None = None


class VerticalPodAutoscaler(KubeObject):
    """Sizes the containers of a workload by what they use."""

    api_version: Literal["autoscaling.k8s.io/v1"] = "autoscaling.k8s.io/v1"
    kind: Literal["VerticalPodAutoscaler"] = "VerticalPodAutoscaler"
    spec: VerticalPodAutoscalerSpec
    status: VerticalPodAutoscalerStatus = VerticalPodAutoscalerStatus.zero()


class VerticalPodAutoscalerCheckpointSpec(KubeModel):
    """Whose memory it is."""

    vpa_object_name: str | None = None
    container_name: str | None = None


class HistogramCheckpoint(KubeModel):
    """A histogram: the weights of its buckets, of which the greatest is 10,000."""

    reference_timestamp: Time | None = None
    bucket_weights: FrozenMap[str, Int64] = FrozenMap()
    total_weight: Float | None = None


class VerticalPodAutoscalerCheckpointStatus(KubeModel):
    """What a recommender remembers of a container."""

    last_update_time: Time | None = None
    version: str | None = None
    cpu_histogram: HistogramCheckpoint | None = None
    memory_histogram: HistogramCheckpoint | None = None
    first_sample_start: Time | None = None
    last_sample_start: Time | None = None
    total_samples_count: Int64 | None = None


class VerticalPodAutoscalerCheckpoint(KubeObject):
    """What a recommender remembers across its restarts."""

    api_version: Literal["autoscaling.k8s.io/v1"] = "autoscaling.k8s.io/v1"
    kind: Literal["VerticalPodAutoscalerCheckpoint"] = "VerticalPodAutoscalerCheckpoint"
    spec: VerticalPodAutoscalerCheckpointSpec = VerticalPodAutoscalerCheckpointSpec.zero()
    status: VerticalPodAutoscalerCheckpointStatus = VerticalPodAutoscalerCheckpointStatus.zero()


def update_mode(vpa: VerticalPodAutoscaler) -> UpdateMode:
    """How a recommendation gets to the pods; ``Recreate`` unless it says otherwise."""
    policy = vpa.spec.update_policy
    return (policy.update_mode if policy is not None else None) or DEFAULT_UPDATE_MODE


def container_policy(
    name: str, policy: PodResourcePolicy | None
) -> ContainerResourcePolicy | None:
    """The policy of a container: its own, or the one for all that have none."""
    default = None
    for item in policy.container_policies if policy is not None else ():
        if item.container_name == name:
            return item
        if item.container_name == DEFAULT_CONTAINER_RESOURCE_POLICY:
            default = item
    return default


def controlled_values(name: str, policy: PodResourcePolicy | None) -> ContainerControlledValues:
    """Whether limits follow the requests."""
    found = container_policy(name, policy)
    return (found.controlled_values if found is not None else None) or "RequestsAndLimits"


def controlled_resources(policy: ContainerResourcePolicy | None) -> tuple[str, ...]:
    """Which resources are recommended."""
    if policy is None or policy.controlled_resources is None:
        return RESOURCES
    return policy.controlled_resources


def vertical_pod_autoscaler_errors(vpa: VerticalPodAutoscaler) -> list[FieldError]:
    """What the webhook refuses about an autoscaler."""
    spec, errors = vpa.spec, list[FieldError]()
    if spec.update_policy is not None:
        errors += _update_policy_errors(spec.update_policy, ("spec", "updatePolicy"))
    if spec.resource_policy is not None:
        for index, policy in enumerate(spec.resource_policy.container_policies):
            path: KeyPath = ("spec", "resourcePolicy", "containerPolicies", index)
            errors += _container_policy_errors(policy, path)
    if spec.startup_boost is not None:
        errors.append(_boost_error(("spec", "startupBoost")))
    if len(spec.recommenders) > 1:
        path = ("spec", "recommenders")
        text = f"Too many: {len(spec.recommenders)}: must have at most 1 item"
        errors.append(FieldError(path, "FieldValueTooMany", text))
    return errors


def _update_policy_errors(policy: PodUpdatePolicy, path: KeyPath) -> Iterable[FieldError]:
    if policy.update_mode is None:
        yield required((*path, "updateMode"), "updateMode is required if UpdatePolicy is used")
    elif policy.update_mode == "InPlace":
        text = (
            "in order to use UpdateMode InPlace, you must enable feature gate InPlace in the "
            "admission-controller args"
        )
        yield forbidden((*path, "updateMode"), text)
    if policy.min_replicas is not None and policy.min_replicas <= 0:
        text = "minReplicas has to be positive"
        yield invalid((*path, "minReplicas"), policy.min_replicas, text)
    if policy.evict_after_oom_seconds is not None:
        yield _gated((*path, "evictAfterOOMSeconds"))


def _container_policy_errors(
    policy: ContainerResourcePolicy, path: KeyPath
) -> Iterable[FieldError]:
    if not policy.container_name:
        yield required((*path, "containerName"))
    for name, least in policy.min_allowed.items():
        yield from _resolution_errors(name, least, (*path, "minAllowed"))
        most = policy.max_allowed.get(name)
        if most is not None and most < least:
            text = f'max resource for {name} is lower than min of "{least}"'
            yield invalid((*path, "maxAllowed"), str(most), text)
    for name, most in policy.max_allowed.items():
        yield from _resolution_errors(name, most, (*path, "maxAllowed"))
    if policy.mode == "Off" and policy.controlled_values == "RequestsAndLimits":
        text = "controlledValues shouldn't be specified if container scaling mode is off"
        yield forbidden((*path, "controlledValues"), text)
    for index, name in enumerate(policy.controlled_resources or ()):
        if name not in RESOURCES:
            yield not_supported((*path, "controlledResources", index), name, RESOURCES)
    for wire, value in (
        ("oomBumpUpRatio", policy.oom_bump_up_ratio),
        ("oomMinBumpUp", policy.oom_min_bump_up),
        ("memoryAggregationIntervalSeconds", policy.memory_aggregation_interval_seconds),
        ("memoryAggregationIntervalCount", policy.memory_aggregation_interval_count),
    ):
        if value is not None:
            yield _gated((*path, wire))
    if policy.startup_boost is not None:
        yield _boost_error((*path, "startupBoost"))


def _resolution_errors(name: str, amount: Quantity, path: KeyPath) -> Iterable[FieldError]:
    if name == "cpu" and amount.nanos % MILLI_NANOS:
        yield invalid((*path, name), str(amount), "must be a whole number of milli CPUs")
    if name == "memory" and amount.nanos % NANO:
        yield invalid((*path, name), str(amount), "must be a whole number of bytes")


def _gated(path: KeyPath) -> FieldError:
    return forbidden(path, "not supported when feature flag PerVPAConfig is disabled")


def _boost_error(path: KeyPath) -> FieldError:
    text = (
        "in order to use startupBoost, you must enable feature gate CPUStartupBoost in the "
        "admission-controller args"
    )
    return forbidden(path, text)
