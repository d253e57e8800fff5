"""From kube-controller-manager's flags to what the controllers are configured with."""

from __future__ import annotations

from typing import Any

from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.kedav1alpha1 import RESOURCE_TRIGGERS, ScaledObject
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.autoscaling.hpa import HPAConfig, HPAFeatures
from kubesim.scenario.format.controllermanager import ControllerManagerFlags

_SETTINGS = {
    "horizontal_pod_autoscaler_sync_period": "sync_period_ns",
    "horizontal_pod_autoscaler_downscale_stabilization": "downscale_stabilization_ns",
    "horizontal_pod_autoscaler_tolerance": "tolerance",
    "horizontal_pod_autoscaler_cpu_initialization_period": "cpu_initialization_period_ns",
    "horizontal_pod_autoscaler_initial_readiness_delay": "initial_readiness_delay_ns",
    "concurrent_horizontal_pod_autoscaler_syncs": "concurrent_syncs",
}
_GATES = {
    "HPAScaleToZero": "scale_to_zero",
    "HPAConfigurableTolerance": "configurable_tolerance",
    "PodLevelResources": "pod_level_resources",
}


def asks_for_usage(obj: KubeObject) -> bool:
    """Whether an object makes somebody read what pods use; an autoscaler's default metric does."""
    if isinstance(obj, ScaledObject):
        return any(trigger.type in RESOURCE_TRIGGERS for trigger in obj.spec.triggers)
    if not isinstance(obj, HorizontalPodAutoscaler):
        return False
    metrics = obj.spec.metrics
    return not metrics or any(m.type in ("Resource", "ContainerResource") for m in metrics)


def autoscaler_config(flags: ControllerManagerFlags | None) -> HPAConfig:
    """The settings of the HorizontalPodAutoscaler."""
    if flags is None:
        return HPAConfig()
    given: dict[str, Any] = {
        setting: value
        for flag, setting in _SETTINGS.items()
        if (value := getattr(flags, flag)) is not None
    }
    features = {_GATES[name]: value for name, value in flags.gates().items()}
    return HPAConfig(**given, features=HPAFeatures(**features))
