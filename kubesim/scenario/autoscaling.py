"""From a scenario's autoscalers to what the cluster is configured with. Pure functions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from kubesim.controlplane.autoscaler.clusterautoscaler import Options
from kubesim.controlplane.autoscaling.keda import KedaConfig
from kubesim.controlplane.autoscaling.keda.httpaddon import HttpAddOnConfig
from kubesim.scenario.format import ScenarioSpec
from kubesim.sim.time import MILLISECOND

RATIOS = (
    "scale_down_utilization_threshold",
    "scale_down_gpu_utilization_threshold",
    "memory_difference_ratio",
    "max_free_difference_ratio",
    "max_allocatable_difference_ratio",
)


def cluster_autoscaler_options(spec: ScenarioSpec) -> Options | None:
    """The flags of the Cluster Autoscaler; ``None`` where it does not run.

    It runs when the scenario has its flags, or a pool that is to be autoscaled.
    """
    flags = spec.cluster_autoscaler
    if flags is None:
        grows = any(pool.autoscaling is not None for pool in spec.node_pools)
        return Options() if grows else None
    given: dict[str, Any] = {
        name: value
        for name in type(flags).model_fields
        if (value := getattr(flags, name)) is not None
    }
    for name in RATIOS:
        if name in given:
            given[name] = Fraction(str(given[name]))
    if "memory_total" in given:
        given["memory_total"] = (0, given["memory_total"][1] << 30)
    return Options(**given)


def keda_config(spec: ScenarioSpec) -> KedaConfig:
    """The flags of KEDA's operator."""
    return KedaConfig(**_given(spec.keda))


def http_add_on_config(spec: ScenarioSpec) -> HttpAddOnConfig:
    """The settings of KEDA's HTTP add-on."""
    given = _given(spec.http_add_on)
    if (interval_ms := given.pop("stream_interval_ms", None)) is not None:
        given["stream_interval_ns"] = interval_ms * MILLISECOND
    return HttpAddOnConfig(
        **{
            name if name.endswith(("_ns", "_header")) else f"{name}_ns": value
            for name, value in given.items()
        }
    )


def _given(flags: Any) -> dict[str, Any]:
    """The settings that a scenario makes."""
    if flags is None:
        return {}
    names = type(flags).model_fields
    return {name: value for name in names if (value := getattr(flags, name)) is not None}
