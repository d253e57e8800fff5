"""The flags of the VerticalPodAutoscaler's recommender and updater, by their names."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kubesim.api.quantity import Quantity
from kubesim.scenario.format.flags import Flags
from kubesim.scenario.format.values import Span

Fraction = Annotated[float, Field(ge=0, le=1)]


class RecommenderFlags(Flags):
    """Flags of the recommender; what is left out has the real one's default."""

    recommender_name: str | None = None
    recommender_interval: Span | None = Field(default=None, gt=0)
    recommendation_margin_fraction: float | None = Field(default=None, ge=0)
    pod_recommendation_min_cpu_millicores: float | None = Field(default=None, ge=0)
    pod_recommendation_min_memory_mb: float | None = Field(default=None, ge=0)
    target_cpu_percentile: Fraction | None = None
    recommendation_lower_bound_cpu_percentile: Fraction | None = None
    recommendation_upper_bound_cpu_percentile: Fraction | None = None
    confidence_interval_cpu: Span | None = Field(default=None, gt=0)
    target_memory_percentile: Fraction | None = None
    recommendation_lower_bound_memory_percentile: Fraction | None = None
    recommendation_upper_bound_memory_percentile: Fraction | None = None
    confidence_interval_memory: Span | None = Field(default=None, gt=0)
    memory_aggregation_interval: Span | None = Field(default=None, gt=0)
    memory_aggregation_interval_count: int | None = Field(default=None, gt=0)
    memory_histogram_decay_half_life: Span | None = Field(default=None, gt=0)
    cpu_histogram_decay_half_life: Span | None = Field(default=None, gt=0)
    oom_bump_up_ratio: float | None = Field(default=None, ge=1)
    oom_min_bump_up_bytes: float | None = Field(default=None, ge=0)
    round_cpu_millicores: int | None = Field(default=None, gt=0)
    round_memory_bytes: int | None = Field(default=None, gt=0)
    container_recommendation_max_allowed_cpu: Quantity | None = None
    container_recommendation_max_allowed_memory: Quantity | None = None


class UpdaterFlags(Flags):
    """Flags of the updater; what is left out has the real one's default."""

    updater_interval: Span | None = Field(default=None, gt=0)
    min_replicas: int | None = Field(default=None, gt=0)
    eviction_tolerance: Fraction | None = None
    eviction_rate_limit: float | None = None
    eviction_rate_burst: int | None = Field(default=None, ge=0)
    in_place_skip_disruption_budget: bool | None = None
    pod_update_threshold: float | None = Field(default=None, ge=0)
    in_recommendation_bounds_eviction_lifetime_threshold: Span | None = None
    evict_after_oom_threshold: Span | None = None
