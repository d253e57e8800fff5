"""The flags of the recommender and of the updater, with the real ones' defaults.

Mirrors: vertical-pod-autoscaler/pkg/recommender/config/config.go, pkg/updater/config/config.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.sim.time import DAY, HOUR, MINUTE

DEFAULT_RECOMMENDER_NAME = "default"
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommenderConfig:
    """The recommender.

    Attributes:
        name: ``--recommender-name``: it looks after autoscalers that name it; the default one also
            after those that name none.
        interval_ns: ``--recommender-interval``.
        margin_fraction: ``--recommendation-margin-fraction``: added to what is used.
        min_cpu_millis: ``--pod-recommendation-min-cpu-millicores``, of a whole pod.
        min_memory_mb: ``--pod-recommendation-min-memory-mb``, of a whole pod, in MiB.
        target_cpu: ``--target-cpu-percentile``.
        lower_bound_cpu: ``--recommendation-lower-bound-cpu-percentile``.
        upper_bound_cpu: ``--recommendation-upper-bound-cpu-percentile``.
        confidence_cpu_ns: ``--confidence-interval-cpu``.
        target_memory: ``--target-memory-percentile``.
        lower_bound_memory: ``--recommendation-lower-bound-memory-percentile``.
        upper_bound_memory: ``--recommendation-upper-bound-memory-percentile``.
        confidence_memory_ns: ``--confidence-interval-memory``.
        memory_interval_ns: ``--memory-aggregation-interval``: one peak is kept of each.
        memory_interval_count: ``--memory-aggregation-interval-count``.
        memory_half_life_ns: ``--memory-histogram-decay-half-life``.
        cpu_half_life_ns: ``--cpu-histogram-decay-half-life``.
        oom_bump_up_ratio: ``--oom-bump-up-ratio``.
        oom_min_bump_up_bytes: ``--oom-min-bump-up-bytes``.
        round_cpu_millis: ``--round-cpu-millicores``: recommendations are multiples of it.
        round_memory_bytes: ``--round-memory-bytes``.
        max_allowed: ``--container-recommendation-max-allowed-cpu`` and ``…-memory``.
    """

    name: str = DEFAULT_RECOMMENDER_NAME
    interval_ns: int = MINUTE
    margin_fraction: float = 0.15
    min_cpu_millis: float = 25.0
    min_memory_mb: float = 250.0
    target_cpu: float = 0.9
    lower_bound_cpu: float = 0.5
    upper_bound_cpu: float = 0.95
    confidence_cpu_ns: int = DAY
    target_memory: float = 0.9
    lower_bound_memory: float = 0.5
    upper_bound_memory: float = 0.95
    confidence_memory_ns: int = DAY
    memory_interval_ns: int = DAY
    memory_interval_count: int = 8
    memory_half_life_ns: int = DAY
    cpu_half_life_ns: int = DAY
    oom_bump_up_ratio: float = 1.2
    oom_min_bump_up_bytes: float = 100.0 * MEBIBYTE
    round_cpu_millis: int = 1
    round_memory_bytes: int = 1
    max_allowed: FrozenMap[str, Quantity] = field(default_factory=FrozenMap)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdaterConfig:
    """The updater.

    Attributes:
        interval_ns: ``--updater-interval``.
        min_replicas: ``--min-replicas``: a workload with fewer living pods is left alone.
        eviction_tolerance: ``--eviction-tolerance``: the part of the replicas that may be away.
        eviction_rate_limit: ``--eviction-rate-limit``: updates a second; 0 or less for no limit.
        eviction_rate_burst: ``--eviction-rate-burst``.
        in_place_skip_disruption_budget: ``--in-place-skip-disruption-budget``.
        update_threshold: ``--pod-update-threshold``: a smaller difference is not worth it.
        lifetime_threshold_ns: ``--in-recommendation-bounds-eviction-lifetime-threshold``.
        evict_after_oom_ns: ``--evict-after-oom-threshold``.
    """

    interval_ns: int = MINUTE
    min_replicas: int = 2
    eviction_tolerance: float = 0.5
    eviction_rate_limit: float = -1.0
    eviction_rate_burst: int = 1
    in_place_skip_disruption_budget: bool = False
    update_threshold: float = 0.1
    lifetime_threshold_ns: int = 12 * HOUR
    evict_after_oom_ns: int = 10 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class VPAConfig:
    """All components."""

    recommender: RecommenderConfig = RecommenderConfig()
    updater: UpdaterConfig = UpdaterConfig()
