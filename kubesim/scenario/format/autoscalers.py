"""Flags of the Cluster Autoscaler, of KEDA and of its HTTP add-on, by their names."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from kubesim.controlplane.autoscaler.clusterautoscaler import EXPANDERS
from kubesim.manifests import closest
from kubesim.scenario.format.values import Span


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _listed(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


def _known_expanders(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in EXPANDERS:
            near = closest(name, list(EXPANDERS))
            hint = f', did you mean "{near}"?' if near else f"; there are: {', '.join(EXPANDERS)}"
            raise ValueError(f'there is no expander "{name}"{hint}')
    return names


class ClusterAutoscalerFlags(BaseModel):
    """Flags of the Cluster Autoscaler; what is left out has the real one's default."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=_flag,
        validate_by_name=False,
        validate_by_alias=True,
        defer_build=True,
    )

    scan_interval: Span | None = Field(default=None, gt=0)
    expander: (
        Annotated[
            tuple[str, ...],
            BeforeValidator(_listed, json_schema_input_type=str),
            AfterValidator(_known_expanders),
        ]
        | None
    ) = None
    new_pod_scale_up_delay: Span | None = None
    max_node_provision_time: Span | None = None
    max_nodes_total: int | None = Field(default=None, ge=0)
    max_nodes_per_scaleup: int | None = Field(default=None, gt=0)
    balance_similar_node_groups: bool | None = None
    initial_node_group_backoff_duration: Span | None = None
    max_node_group_backoff_duration: Span | None = None
    node_group_backoff_reset_timeout: Span | None = None
    ok_total_unready_count: int | None = Field(default=None, ge=0)
    max_total_unready_percentage: int | None = Field(default=None, ge=0, le=100)
    expendable_pods_priority_cutoff: int | None = None
    scale_down_enabled: bool | None = None
    scale_down_unneeded_time: Span | None = None
    scale_down_unready_time: Span | None = None
    scale_down_utilization_threshold: float | None = Field(default=None, ge=0, le=1)
    scale_down_delay_after_add: Span | None = None
    scale_down_delay_after_delete: Span | None = None
    scale_down_delay_after_failure: Span | None = None
    unremovable_node_recheck_timeout: Span | None = None
    max_scale_down_parallelism: int | None = Field(default=None, gt=0)
    max_drain_parallelism: int | None = Field(default=None, gt=0)
    max_graceful_termination_sec: int | None = Field(default=None, ge=0)
    max_pod_eviction_time: Span | None = None
    node_delete_delay_after_taint: Span | None = None
    skip_nodes_with_system_pods: bool | None = None
    skip_nodes_with_local_storage: bool | None = None
    enforce_node_group_min_size: bool | None = None


class KedaFlags(BaseModel):
    """Flags of keda-operator, and its environment; what is left out has the real one's default."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=False,
        validate_by_alias=True,
        defer_build=True,
    )

    kube_api_qps: float | None = Field(default=None, gt=0, alias="kube-api-qps")
    kube_api_burst: int | None = Field(default=None, gt=0, alias="kube-api-burst")
    scaled_object_workers: int | None = Field(
        default=None, gt=0, alias="KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES"
    )
    scaled_job_workers: int | None = Field(
        default=None, gt=0, alias="KEDA_SCALEDJOB_CTRL_MAX_RECONCILES"
    )


class HttpAddOnSettings(BaseModel):
    """The environment of the HTTP add-on's interceptor and scaler; what is left out is as there."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=False,
        validate_by_alias=True,
        defer_build=True,
    )

    request_timeout: Span | None = Field(default=None, alias="KEDA_HTTP_REQUEST_TIMEOUT")
    response_header_timeout: Span | None = Field(
        default=None, alias="KEDA_HTTP_RESPONSE_HEADER_TIMEOUT"
    )
    readiness_timeout: Span | None = Field(default=None, alias="KEDA_HTTP_READINESS_TIMEOUT")
    cold_start_header: bool | None = Field(
        default=None, alias="KEDA_HTTP_ENABLE_COLD_START_HEADER"
    )
    queue_tick: Span | None = Field(default=None, gt=0, alias="KEDA_HTTP_QUEUE_TICK_DURATION")
    stream_interval_ms: int | None = Field(
        default=None, gt=0, alias="KEDA_HTTP_SCALER_STREAM_INTERVAL_MS"
    )
