"""From a scenario's autoscalers to what the cluster is configured with. Pure functions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from kubesim.controlplane.autoscaler.clusterautoscaler import Options
from kubesim.scenario.format import ScenarioSpec


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
    if "scale_down_utilization_threshold" in given:
        threshold = given["scale_down_utilization_threshold"]
        given["scale_down_utilization_threshold"] = Fraction(str(threshold))
    return Options(**given)
