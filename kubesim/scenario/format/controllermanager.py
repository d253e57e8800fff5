"""kube-controller-manager's flags, by their names; those of the HorizontalPodAutoscaler."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kubesim.manifests import closest
from kubesim.scenario.format.values import Span

GATES = ("HPAScaleToZero", "HPAConfigurableTolerance", "PodLevelResources")


def _flag(name: str) -> str:
    return name.replace("_", "-")


class ControllerManagerFlags(BaseModel):
    """Flags of kube-controller-manager; what is left out has the real one's default.

    Attributes:
        feature_gates: ``NAME=true,NAME=false``, as the flag is written.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=_flag,
        validate_by_name=False,
        validate_by_alias=True,
        defer_build=True,
    )

    horizontal_pod_autoscaler_sync_period: Span | None = Field(default=None, gt=0)
    horizontal_pod_autoscaler_downscale_stabilization: Span | None = None
    horizontal_pod_autoscaler_tolerance: float | None = Field(default=None, ge=0)
    horizontal_pod_autoscaler_cpu_initialization_period: Span | None = None
    horizontal_pod_autoscaler_initial_readiness_delay: Span | None = None
    concurrent_horizontal_pod_autoscaler_syncs: int | None = Field(default=None, gt=0)
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
