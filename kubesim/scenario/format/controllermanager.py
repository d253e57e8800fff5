"""kube-controller-manager's flags, by their names."""

from __future__ import annotations

from pydantic import Field, field_validator

from kubesim.manifests import closest
from kubesim.scenario.format.flags import Flags
from kubesim.scenario.format.values import Span

GATES = ("HPAScaleToZero", "HPAConfigurableTolerance", "PodLevelResources")


class ControllerManagerFlags(Flags):
    """Flags of kube-controller-manager; what is left out has the real one's default.

    Attributes:
        kube_api_qps: For each controller's client; below 0 for no limit.
        feature_gates: ``NAME=true,NAME=false``, as the flag is written.
    """

    horizontal_pod_autoscaler_sync_period: Span | None = Field(default=None, gt=0)
    horizontal_pod_autoscaler_downscale_stabilization: Span | None = None
    horizontal_pod_autoscaler_tolerance: float | None = Field(default=None, ge=0)
    horizontal_pod_autoscaler_cpu_initialization_period: Span | None = None
    horizontal_pod_autoscaler_initial_readiness_delay: Span | None = None
    concurrent_horizontal_pod_autoscaler_syncs: int | None = Field(default=None, gt=0)
    kube_api_qps: float | None = None
    kube_api_burst: int | None = Field(default=None, ge=0)
    node_monitor_period: Span | None = Field(default=None, gt=0)
    node_monitor_grace_period: Span | None = Field(default=None, gt=0)
    terminated_pod_gc_threshold: int | None = None
    concurrent_deployment_syncs: int | None = Field(default=None, gt=0)
    concurrent_replicaset_syncs: int | None = Field(default=None, gt=0)
    concurrent_statefulset_syncs: int | None = Field(default=None, gt=0)
    concurrent_daemonset_syncs: int | None = Field(default=None, gt=0)
    concurrent_job_syncs: int | None = Field(default=None, gt=0)
    concurrent_cron_job_syncs: int | None = Field(default=None, gt=0)
    concurrent_service_endpoint_syncs: int | None = Field(default=None, gt=0)
    concurrent_gc_syncs: int | None = Field(default=None, gt=0)
    concurrent_resource_quota_syncs: int | None = Field(default=None, gt=0)
    concurrent_namespace_syncs: int | None = Field(default=None, gt=0)
    concurrent_ttl_after_finished_syncs: int | None = Field(default=None, gt=0)
    feature_gates: str | None = None

    @field_validator("feature_gates")
    @classmethod
    def _known_gates(cls, text: str | None) -> str | None:
        for item in (text or "").split(","):
            name, _, value = item.strip().partition("=")
            if not item.strip():
                continue
            if name not in GATES:
                near = closest(name, list(GATES))
                hint = f', did you mean "{near}"?' if near else f"; there are: {', '.join(GATES)}"
                raise ValueError(f'no feature gate "{name}" is simulated{hint}')
            if value not in ("true", "false"):
                raise ValueError(f'{name} is "{value}"; it can be true or false')
        return text

    def gates(self) -> dict[str, bool]:
        """The feature gates that are set."""
        items = (item.strip().partition("=") for item in (self.feature_gates or "").split(","))
        return {name: value == "true" for name, _, value in items if name}
