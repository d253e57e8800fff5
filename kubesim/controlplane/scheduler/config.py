"""The scheduler's configuration: ``KubeSchedulerConfiguration`` v1 with its defaults.

A file may leave out almost everything; ``defaulted`` fills in what upstream would: sixteen
workers, adaptive sampling of nodes, one profile with the default plugins and weights, and every
plugin's arguments. A profile's own plugin lists are merged with the defaults as upstream merges
them.

Mirrors: staging/src/k8s.io/kube-scheduler/config/v1, pkg/scheduler/apis/config/v1.
Departs: extenders are refused; leader election and debugging settings have no effect.
"""

from __future__ import annotations

from typing import Any, Literal

from kubesim.api.corev1 import NodeAffinity, Pod, TopologySpreadConstraint
from kubesim.api.frozenmap import FrozenMap, RawObject
from kubesim.api.model import Bool, Int32, Int64, KubeModel

DEFAULT_SCHEDULER_NAME = "default-scheduler"


def scheduler_name(pod: Pod) -> str:
    """The scheduler that a pod asks for."""
    return pod.spec.scheduler_name or DEFAULT_SCHEDULER_NAME


DEFAULT_PLUGINS: tuple[tuple[str, int | None], ...] = (
    ("SchedulingGates", None),
    ("PrioritySort", None),
    ("NodeUnschedulable", None),
    ("NodeName", None),
    ("TaintToleration", 3),
    ("NodeAffinity", 2),
    ("NodePorts", None),
    ("NodeResourcesFit", 1),
    ("VolumeRestrictions", None),
    ("NodeVolumeLimits", None),
    ("VolumeBinding", None),
    ("VolumeZone", None),
    ("PodTopologySpread", 2),
    ("InterPodAffinity", 2),
    ("DynamicResources", 2),
    ("DefaultPreemption", None),
    ("NodeResourcesBalancedAllocation", 1),
    ("ImageLocality", 1),
    ("DefaultBinder", None),
)
"""What runs when a profile says nothing, in order, with the weights of those that score."""


class PluginRef(KubeModel):
    """A plugin by name, with the weight of its scores."""

    name: str
    weight: Int32 | None = None


class PluginSet(KubeModel):
    """What a profile switches on and off; ``*`` switches all defaults off."""

    enabled: tuple[PluginRef, ...] = ()
    disabled: tuple[PluginRef, ...] = ()


class Plugins(KubeModel):
    """A profile's plugins by extension point; ``multiPoint`` is for all points at once."""

    pre_enqueue: PluginSet = PluginSet()
    queue_sort: PluginSet = PluginSet()
    pre_filter: PluginSet = PluginSet()
    filter: PluginSet = PluginSet()
    post_filter: PluginSet = PluginSet()
    pre_score: PluginSet = PluginSet()
    score: PluginSet = PluginSet()
    reserve: PluginSet = PluginSet()
    permit: PluginSet = PluginSet()
    pre_bind: PluginSet = PluginSet()
    bind: PluginSet = PluginSet()
    post_bind: PluginSet = PluginSet()
    multi_point: PluginSet = PluginSet()
    placement_generate: PluginSet = PluginSet()
    placement_score: PluginSet = PluginSet()


class PluginArgs(KubeModel):
    """The arguments of a plugin; files may repeat which type they are."""

    api_version: str | None = None
    kind: str | None = None


class ResourceSpec(KubeModel):
    """A resource and what it weighs in a score."""

    name: str
    weight: Int64 = 1


class UtilizationShapePoint(KubeModel):
    """A point of a scoring curve: utilization in percent, score from 0 to 10."""

    utilization: Int32
    score: Int32


class RequestedToCapacityRatioParam(KubeModel):
    """The scoring curve."""

    shape: tuple[UtilizationShapePoint, ...] = ()


DEFAULT_RESOURCES = (ResourceSpec(name="cpu"), ResourceSpec(name="memory"))


class ScoringStrategy(KubeModel):
    """How free or taken resources become a score."""

    type: Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] = "LeastAllocated"
    resources: tuple[ResourceSpec, ...] = ()
    requested_to_capacity_ratio: RequestedToCapacityRatioParam | None = None


class NodeResourcesFitArgs(PluginArgs):
    """Arguments of NodeResourcesFit."""

    ignored_resources: tuple[str, ...] = ()
    ignored_resource_groups: tuple[str, ...] = ()
    scoring_strategy: ScoringStrategy = ScoringStrategy()


class NodeResourcesBalancedAllocationArgs(PluginArgs):
    """Arguments of NodeResourcesBalancedAllocation."""

    resources: tuple[ResourceSpec, ...] = ()


class NodeAffinityArgs(PluginArgs):
    """Arguments of NodeAffinity."""

    added_affinity: NodeAffinity | None = None


class InterPodAffinityArgs(PluginArgs):
    """Arguments of InterPodAffinity."""

    hard_pod_affinity_weight: Int32 = 1
    ignore_preferred_terms_of_existing_pods: Bool = False


class PodTopologySpreadArgs(PluginArgs):
    """Arguments of PodTopologySpread."""

    default_constraints: tuple[TopologySpreadConstraint, ...] = ()
    defaulting_type: Literal["System", "List"] = "System"


class DefaultPreemptionArgs(PluginArgs):
    """Arguments of DefaultPreemption."""

    min_candidate_nodes_percentage: Int32 = 10
    min_candidate_nodes_absolute: Int32 = 100


class VolumeBindingArgs(PluginArgs):
    """Arguments of VolumeBinding."""

    bind_timeout_seconds: Int64 = 600
    shape: tuple[UtilizationShapePoint, ...] = ()


class PluginConfig(KubeModel):
    """The arguments of one plugin, as the file has them."""

    name: str
    args: RawObject = FrozenMap()


class KubeSchedulerProfile(KubeModel):
    """One scheduler by name: its plugins and their arguments."""

    scheduler_name: str | None = None
    percentage_of_nodes_to_score: Int32 | None = None
    plugins: Plugins = Plugins()
    plugin_config: tuple[PluginConfig, ...] = ()

    @property
    def name(self) -> str:
        """The name that pods ask for."""
        return self.scheduler_name or DEFAULT_SCHEDULER_NAME

    def args_of(self, plugin: str) -> FrozenMap[str, Any]:
        """The arguments of a plugin, as the file has them."""
        for item in self.plugin_config:
            if item.name == plugin:
                return item.args
        return FrozenMap()


class KubeSchedulerConfiguration(KubeModel):
    """The whole file."""

    api_version: Literal["kubescheduler.config.k8s.io/v1"] = "kubescheduler.config.k8s.io/v1"
    kind: Literal["KubeSchedulerConfiguration"] = "KubeSchedulerConfiguration"
    parallelism: Int32 = 16
    leader_election: RawObject = FrozenMap()
    client_connection: RawObject = FrozenMap()
    enable_profiling: Bool | None = None
    enable_contention_profiling: Bool | None = None
    percentage_of_nodes_to_score: Int32 = 0
    pod_initial_backoff_seconds: Int64 = 1
    pod_max_backoff_seconds: Int64 = 10
    profiles: tuple[KubeSchedulerProfile, ...] = (KubeSchedulerProfile(),)
    delay_cache_until_active: Bool | None = None


def merged_multi_point(profile: KubeSchedulerProfile) -> PluginSet:
    """The profile's ``multiPoint`` list merged with the default plugins.

    A default that is named again keeps its place and takes the new weight; what is new comes last.
    """
    custom = profile.plugins.multi_point
    disabled = {ref.name for ref in custom.disabled}
    named = {ref.name: ref for ref in custom.enabled}
    enabled: list[PluginRef] = []
    if "*" not in disabled:
        for name, weight in DEFAULT_PLUGINS:
            if name not in disabled:
                enabled.append(named.pop(name, PluginRef(name=name, weight=weight)))
    enabled.extend(ref for ref in custom.enabled if ref.name in named)
    return PluginSet(enabled=tuple(enabled), disabled=custom.disabled)
