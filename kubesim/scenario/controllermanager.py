"""From kube-controller-manager's flags to what the controllers are configured with."""

from __future__ import annotations

from typing import Any

from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.kedav1alpha1 import RESOURCE_TRIGGERS, ScaledObject
from kubesim.api.metav1 import KubeObject
from kubesim.cluster.controllermanager import ControllerManagerConfig
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


_NO_QPS, _NO_BURST = 5.0, 10
"""What client-go takes for 0."""


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


def manager_config(flags: ControllerManagerFlags | None) -> ControllerManagerConfig:
    """The settings of the manager and of its controllers."""
    if flags is None:
        return ControllerManagerConfig()
    names = (
        "node_monitor_period", "node_monitor_grace_period", "terminated_pod_gc_threshold",
        "kube_api_qps", "kube_api_burst",
    )  # fmt: skip
    given: dict[str, Any] = {
        f"{name}_ns" if name.startswith("node_monitor") else name: value
        for name in names
        if (value := getattr(flags, name)) is not None
    }
    if given.get("kube_api_qps") is not None:
        given["kube_api_qps"] = max(given["kube_api_qps"] or _NO_QPS, 0.0)  # below 0: no limit
    if given.get("kube_api_burst") == 0:
        given["kube_api_burst"] = _NO_BURST
    workers = {
        controller: value
        for flag, controller in _WORKERS.items()
        if (value := getattr(flags, f"concurrent_{flag}_syncs")) is not None
    }
    return ControllerManagerConfig(**given, workers=workers)


_WORKERS = {
    "deployment": "deployment-controller",
    "replicaset": "replicaset-controller",
    "statefulset": "statefulset-controller",
    "daemonset": "daemonset-controller",
    "job": "job-controller",
    "cron_job": "cronjob-controller",
    "service_endpoint": "endpointslice-controller",
    "gc": "generic-garbage-collector",
    "resource_quota": "resourcequota-controller",
    "namespace": "namespace-controller",
    "ttl_after_finished": "ttl-after-finished-controller",
}
