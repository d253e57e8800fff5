"""Flags of the Cluster Autoscaler, of KEDA and of its HTTP add-on, by their names."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    create_model,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from kubesim.controlplane.autoscaler.clusterautoscaler import EXPANDERS, REFUSED_FLAGS
from kubesim.manifests import closest
from kubesim.scenario.format.flags import Flags
from kubesim.scenario.format.values import Span


def _listed(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


def _known_expanders(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in EXPANDERS:
            near = closest(name, list(EXPANDERS))
            hint = f', did you mean "{near}"?' if near else f"; there are: {', '.join(EXPANDERS)}"
            raise ValueError(f'there is no expander "{name}"{hint}')
    return names


def _refused(name: str, why: str) -> Any:
    def refuse(_value: object) -> None:
        raise ValueError(f"--{name} is not supported: {why}")

    return Annotated[Any, BeforeValidator(refuse), SkipJsonSchema()]  # type: ignore[type-arg]


def _total(value: object) -> object:
    """``<min>:<max>``, as the real flags have it."""
    match = re.fullmatch(r"(\d+):(\d+)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'expected <min>:<max> such as "0:320000", got {value!r}')
    if int(match[1]):
        raise ValueError("a minimum other than 0 is not supported")
    return 0, int(match[2])


def _priorities(value: object) -> object:
    """``10000:20,1000:100,0:60``: priorities and their termination grace periods in seconds."""
    if not isinstance(value, str) or not re.fullmatch(r"-?\d+:\d+(,-?\d+:\d+)*", value):
        raise ValueError(f'expected pairs such as "1000:100,0:60", got {value!r}')
    return tuple(tuple(int(part) for part in pair.split(":")) for pair in value.split(","))


Strings = Annotated[
    tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])
]
Ratio = Annotated[float, Field(ge=0, le=1)]
Total = Annotated[tuple[int, int], BeforeValidator(_total, json_schema_input_type=str)]


_Refused = create_model(
    "_Refused",
    __base__=Flags,
    **{name.replace("-", "_"): (_refused(name, why), None) for name, why in REFUSED_FLAGS.items()},
)  # type: ignore[call-overload]


class ClusterAutoscalerFlags(_Refused):
    """Flags of the Cluster Autoscaler; what is left out has the real one's default."""

    namespace: str | None = None
    kube_client_qps: float | None = Field(default=None, gt=0)
    kube_client_burst: int | None = Field(default=None, gt=0)
    scan_interval: Span | None = Field(default=None, gt=0)
    expander: (
        Annotated[
            tuple[str, ...],
            BeforeValidator(_listed, json_schema_input_type=str),
            AfterValidator(_known_expanders),
        ]
        | None
    ) = None
    frequent_loops_enabled: bool | None = None
    new_pod_scale_up_delay: Span | None = None
    max_node_provision_time: Span | None = None
    max_node_startup_time: Span | None = None
    max_nodes_total: int | None = Field(default=None, ge=0)
    cores_total: Total | None = None
    memory_total: Total | None = None
    scale_up_from_zero: bool | None = None
    max_nodes_per_scaleup: int | None = Field(default=None, gt=0)
    balance_similar_node_groups: bool | None = None
    balancing_ignore_label: Strings | None = None
    balancing_label: Strings | None = None
    memory_difference_ratio: Ratio | None = None
    max_free_difference_ratio: Ratio | None = None
    max_allocatable_difference_ratio: Ratio | None = None
    startup_taint: Strings | None = None
    status_taint: Strings | None = None
    ignore_taint: Strings | None = None
    initial_node_group_backoff_duration: Span | None = None
    max_node_group_backoff_duration: Span | None = None
    node_group_backoff_reset_timeout: Span | None = None
    ok_total_unready_count: int | None = Field(default=None, ge=0)
    max_total_unready_percentage: int | None = Field(default=None, ge=0, le=100)
    expendable_pods_priority_cutoff: int | None = None
    allowed_scheduler_names: Strings | None = None
    scale_down_enabled: bool | None = None
    scale_down_unready_enabled: bool | None = None
    scale_down_unneeded_time: Span | None = None
    scale_down_unready_time: Span | None = None
    scale_down_utilization_threshold: float | None = Field(default=None, ge=0, le=1)
    scale_down_gpu_utilization_threshold: Ratio | None = None
    ignore_daemonsets_utilization: bool | None = None
    ignore_mirror_pods_utilization: bool | None = None
    scale_down_delay_after_add: Span | None = None
    scale_down_delay_after_delete: Span | None = None
    scale_down_delay_after_failure: Span | None = None
    unremovable_node_recheck_timeout: Span | None = None
    max_scale_down_parallelism: int | None = Field(default=None, gt=0)
    max_drain_parallelism: int | None = Field(default=None, gt=0)
    max_bulk_soft_taint_count: int | None = Field(default=None, ge=0)
    max_graceful_termination_sec: int | None = Field(default=None, ge=0)
    drain_priority_config: (
        Annotated[
            tuple[tuple[int, int], ...], BeforeValidator(_priorities, json_schema_input_type=str)
        ]
        | None
    ) = None
    max_pod_eviction_time: Span | None = None
    node_delete_delay_after_taint: Span | None = None
    node_deletion_delay_timeout: Span | None = None
    cordon_node_before_terminating: bool | None = None
    daemonset_eviction_for_empty_nodes: bool | None = None
    daemonset_eviction_for_occupied_nodes: bool | None = None
    skip_nodes_with_system_pods: bool | None = None
    blocking_system_pod_distruption_timeout: Span | None = None
    skip_nodes_with_local_storage: bool | None = None
    skip_nodes_with_custom_controller_pods: bool | None = None
    min_replica_count: int | None = Field(default=None, ge=0)
    enforce_node_group_min_size: bool | None = None
    force_delete_unregistered_nodes: bool | None = None
    write_status_configmap: bool | None = None
    status_config_map_name: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ClusterAutoscalerFlags:
        if self.drain_priority_config and self.max_graceful_termination_sec is not None:
            raise ValueError(
                "could not use --drain-priority-config together with "
                "--max-graceful-termination-sec"
            )
        if self.balancing_label and self.balancing_ignore_label:
            raise ValueError("--balancing-label cannot be combined with --balancing-ignore-label")
        return self


class KarpenterFlags(Flags):
    """Settings of Karpenter that are simulated; what is left out has the real one's default."""

    batch_idle_duration: Span | None = Field(default=None, gt=0)
    batch_max_duration: Span | None = Field(default=None, gt=0)
    feature_gates: dict[Literal["SpotToSpotConsolidation"], bool] | None = None


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
