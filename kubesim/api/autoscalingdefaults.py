"""Defaults of a HorizontalPodAutoscaler: one replica at least, cpu at 80 %, and how fast.

Rules of ``spec.behavior`` are filled in only when there is a ``behavior``: without one the controller
has a limiter of its own. A missing window downwards stays open: it is the controller's flag.

Mirrors: pkg/apis/autoscaling/v2/defaults.go.
"""

from __future__ import annotations

from kubesim.api.autoscalingv2 import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)

__all__ = ["horizontal_pod_autoscaler_defaults", "scale_down_rules", "scale_up_rules"]

DEFAULT_CPU_UTILIZATION = 80
_DEFAULT_METRIC = MetricSpec(
    type="Resource",
    resource=ResourceMetricSource(
        name="cpu",
        target=MetricTarget(type="Utilization", average_utilization=DEFAULT_CPU_UTILIZATION),
    ),
)
_UP_POLICIES = (
    HPAScalingPolicy(type="Pods", value=4, period_seconds=15),
    HPAScalingPolicy(type="Percent", value=100, period_seconds=15),
)
_DOWN_POLICIES = (HPAScalingPolicy(type="Percent", value=100, period_seconds=15),)


def horizontal_pod_autoscaler_defaults(hpa: HorizontalPodAutoscaler) -> HorizontalPodAutoscaler:
    """The autoscaler with everything filled in that was left open."""
    spec = hpa.spec
    if spec.min_replicas is None:
        spec = spec.replace(min_replicas=1)
    if not spec.metrics:
        spec = spec.replace(metrics=(_DEFAULT_METRIC,))
    if spec.behavior is not None:
        behavior = HorizontalPodAutoscalerBehavior(
            scale_up=scale_up_rules(spec.behavior.scale_up),
            scale_down=scale_down_rules(spec.behavior.scale_down),
        )
        if behavior != spec.behavior:
            spec = spec.replace(behavior=behavior)
    return hpa if spec is hpa.spec else hpa.replace(spec=spec)


def scale_up_rules(given: HPAScalingRules | None) -> HPAScalingRules:
    """Upwards: at once, four pods or as many again within 15 s, whichever is more."""
    default = HPAScalingRules(
        stabilization_window_seconds=0, select_policy="Max", policies=_UP_POLICIES
    )
    return _filled(given, default)


def scale_down_rules(given: HPAScalingRules | None) -> HPAScalingRules:
    """Downwards: everything within 15 s, after the controller's window."""
    return _filled(given, HPAScalingRules(select_policy="Max", policies=_DOWN_POLICIES))


def _filled(given: HPAScalingRules | None, default: HPAScalingRules) -> HPAScalingRules:
    if given is None:
        return default
    window = given.stabilization_window_seconds
    return HPAScalingRules(
        stabilization_window_seconds=(
            default.stabilization_window_seconds if window is None else window
        ),
        select_policy=given.select_policy or default.select_policy,
        policies=given.policies or default.policies,
        tolerance=given.tolerance,
    )
