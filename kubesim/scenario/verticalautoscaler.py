"""From a scenario's flags to the VerticalPodAutoscaler's settings, and what to say of its objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.batchv1 import CronJob
from kubesim.api.corev1 import Container, Pod
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.kedav1alpha1 import RESOURCE_TRIGGERS, ScaledObject
from kubesim.api.metav1 import KubeObject
from kubesim.api.quantity import Quantity
from kubesim.api.vpav1 import VerticalPodAutoscaler, controlled_resources, update_mode
from kubesim.cluster.apply import DEFAULT_NAMESPACE
from kubesim.controlplane.autoscaling.vpa import RecommenderConfig, UpdaterConfig, VPAConfig
from kubesim.controlplane.autoscaling.vpa.targets import (
    WELL_KNOWN,
    Controller,
    controller_of_pod,
)
from kubesim.scenario.format import ScenarioSpec
from kubesim.telemetry.sizes import size_rows

_RECOMMENDER = {
    "recommender_name": "name",
    "recommender_interval": "interval_ns",
    "recommendation_margin_fraction": "margin_fraction",
    "pod_recommendation_min_cpu_millicores": "min_cpu_millis",
    "pod_recommendation_min_memory_mb": "min_memory_mb",
    "target_cpu_percentile": "target_cpu",
    "recommendation_lower_bound_cpu_percentile": "lower_bound_cpu",
    "recommendation_upper_bound_cpu_percentile": "upper_bound_cpu",
    "confidence_interval_cpu": "confidence_cpu_ns",
    "target_memory_percentile": "target_memory",
    "recommendation_lower_bound_memory_percentile": "lower_bound_memory",
    "recommendation_upper_bound_memory_percentile": "upper_bound_memory",
    "confidence_interval_memory": "confidence_memory_ns",
    "memory_aggregation_interval": "memory_interval_ns",
    "memory_aggregation_interval_count": "memory_interval_count",
    "memory_histogram_decay_half_life": "memory_half_life_ns",
    "cpu_histogram_decay_half_life": "cpu_half_life_ns",
    "oom_bump_up_ratio": "oom_bump_up_ratio",
    "oom_min_bump_up_bytes": "oom_min_bump_up_bytes",
    "round_cpu_millicores": "round_cpu_millis",
    "round_memory_bytes": "round_memory_bytes",
}
_UPDATER = {
    "updater_interval": "interval_ns",
    "min_replicas": "min_replicas",
    "eviction_tolerance": "eviction_tolerance",
    "eviction_rate_limit": "eviction_rate_limit",
    "eviction_rate_burst": "eviction_rate_burst",
    "in_place_skip_disruption_budget": "in_place_skip_disruption_budget",
    "pod_update_threshold": "update_threshold",
    "in_recommendation_bounds_eviction_lifetime_threshold": "lifetime_threshold_ns",
    "evict_after_oom_threshold": "evict_after_oom_ns",
}


def vertical_pod_autoscaler_config(
    spec: ScenarioSpec, objects: Iterable[KubeObject]
) -> VPAConfig | None:
    """The flags of its components; ``None`` where nobody has a VerticalPodAutoscaler."""
    if not any(isinstance(obj, VerticalPodAutoscaler) for obj in objects):
        return None
    recommender = _given(spec.vpa_recommender, _RECOMMENDER)
    flags, most = spec.vpa_recommender, dict[str, Quantity]()
    if flags is not None:
        for name, quantity in (
            ("cpu", flags.container_recommendation_max_allowed_cpu),
            ("memory", flags.container_recommendation_max_allowed_memory),
        ):
            if quantity is not None:
                most[name] = quantity
    return VPAConfig(
        recommender=RecommenderConfig(**recommender, max_allowed=FrozenMap(most)),
        updater=UpdaterConfig(**_given(spec.vpa_updater, _UPDATER)),
    )


def contended(objects: Iterable[KubeObject]) -> Iterator[str]:
    """Workloads of which one autoscaler sets the requests by which another one counts replicas."""
    objects = tuple(objects)
    vertical = [obj for obj in objects if isinstance(obj, VerticalPodAutoscaler)]
    for vpa in vertical:
        if update_mode(vpa) == "Off":
            continue
        namespace, target = vpa.namespace or DEFAULT_NAMESPACE, vpa.spec.target_ref
        own = _controlled(vpa)
        for other in objects:
            named = _scaled(other)
            if named is None or (other.namespace or DEFAULT_NAMESPACE) != namespace:
                continue
            kind, name, resources = named
            shared = [item for item in ("cpu", "memory") if item in own and item in resources]
            if (kind, name) == (target.kind, target.name) and shared:
                yield (
                    f"VerticalPodAutoscaler {namespace}/{vpa.name} and {other.kind} "
                    f"{namespace}/{other.name} both act on the {' and '.join(shared)} of {kind} "
                    f"{name}: they are simulated, and work against each other as on a cluster"
                )


def sizes_of(store: Any) -> list[dict[str, Any]]:
    """What every VerticalPodAutoscaler of a cluster recommends: one row a container."""
    rows: list[dict[str, Any]] = []
    vertical = sorted(store.values(VerticalPodAutoscaler), key=lambda vpa: vpa.key)
    pods = list(store.values(Pod)) if vertical else []
    for vpa in vertical:
        reference, namespace = vpa.spec.target_ref, vpa.namespace or ""
        kind = WELL_KNOWN.get(reference.kind)
        target = None if kind is None else store.get(kind, f"{namespace}/{reference.name}")
        named = Controller(reference.kind, namespace, reference.name)
        own = [
            pod
            for pod in pods
            if pod.namespace == namespace
            and pod.metadata.deletion_timestamp is None
            and controller_of_pod(pod, store.get) == named
        ]
        rows += size_rows(vpa, _template(target), own)
    return rows


def _template(target: Any) -> tuple[Container, ...]:
    """The containers that a workload makes pods of."""
    if target is None:
        return ()
    spec = target.spec.job_template.spec if isinstance(target, CronJob) else target.spec
    return spec.template.spec.containers if spec.template is not None else ()


def _controlled(vpa: VerticalPodAutoscaler) -> frozenset[str]:
    """The resources that an autoscaler sets for some container."""
    policy = vpa.spec.resource_policy
    policies = policy.container_policies if policy is not None else ()
    found: set[str] = set()
    if not any(item.container_name == "*" for item in policies):
        found.update(controlled_resources(None))
    for item in policies:
        if item.mode != "Off":
            found.update(controlled_resources(item))
    return frozenset(found)


def _scaled(obj: KubeObject) -> tuple[str, str, frozenset[str]] | None:
    """The kind and name of what an autoscaler scales, and by the usage of what."""
    if isinstance(obj, HorizontalPodAutoscaler):
        names = {
            source.name
            for metric in obj.spec.metrics
            for source in (metric.resource, metric.container_resource)
            if source is not None
        }
        target = obj.spec.scale_target_ref
        return target.kind, target.name, frozenset(names if obj.spec.metrics else {"cpu"})
    if isinstance(obj, ScaledObject):
        names = {item.type for item in obj.spec.triggers if item.type in RESOURCE_TRIGGERS}
        given = obj.spec.scale_target_ref
        return given.kind or "Deployment", given.name, frozenset(names)
    return None


def _given(flags: BaseModel | None, settings: dict[str, str]) -> dict[str, Any]:
    if flags is None:
        return {}
    return {
        setting: value
        for flag, setting in settings.items()
        if (value := getattr(flags, flag)) is not None
    }
