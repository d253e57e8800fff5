"""What a reconciliation works with: the calls it makes, what it remembers, what it reports.

Mirrors: pkg/controller/podautoscaler/horizontal.go, monitor/monitor.go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from kubesim.api.autoscalingv1 import Scale
from kubesim.api.autoscalingv2 import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerCondition,
    HorizontalPodAutoscalerStatus,
    MetricStatus,
)
from kubesim.controlplane.autoscaling.hpa import behaviors
from kubesim.controlplane.autoscaling.hpa.behaviors import Recommendation, ScaleEvent
from kubesim.controlplane.autoscaling.hpa.conditions import Conditions, with_condition
from kubesim.sim import SimProcess

Action = Literal["scale_up", "scale_down", "none"]
ErrorLabel = Literal["none", "internal", "spec"]

ABLE, ACTIVE, LIMITED, ZERO = "AbleToScale", "ScalingActive", "ScalingLimited", "ScaledToZero"


class Backend(Protocol):
    """The calls that take time; those to the API server raise ``StatusError``."""

    def get_scale(
        self, namespace: str, reference: CrossVersionObjectReference
    ) -> SimProcess[Scale]:
        """Read a workload's scale."""
        ...

    def update_scale(
        self, namespace: str, reference: CrossVersionObjectReference, scale: Scale
    ) -> SimProcess[Scale]:
        """Write a workload's scale."""
        ...

    def update_status(self, hpa: HorizontalPodAutoscaler) -> SimProcess[None]:
        """Write an autoscaler's status."""
        ...

    def before_metrics(self, requests: int) -> SimProcess[None]:
        """Let the time of so many requests to the metrics APIs pass."""
        ...

    def pause(self, delay_ns: int) -> SimProcess[None]:
        """Wait."""
        ...

    def record(self, hpa: HorizontalPodAutoscaler, kind: str, reason: str, message: str) -> None:
        """Record an event about an autoscaler."""
        ...


@dataclass(slots=True)
class History:
    """What the controller remembers of one autoscaler.

    Attributes:
        recommendations: The log; ``None`` before the first reconciliation.
        scale_ups: Changes upwards that took place.
        scale_downs: Changes downwards that took place.
    """

    recommendations: tuple[Recommendation, ...] | None = None
    scale_ups: tuple[ScaleEvent, ...] = ()
    scale_downs: tuple[ScaleEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricComputation:
    """What monitoring is told about one metric."""

    type: str
    action: Action
    error: ErrorLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm:
    """A reconciliation that changed nothing, and that time alone will not make change anything.

    Attributes:
        requests: How many requests it made.
        replicas: What it recommended, as all recommendations that still count do; ``None`` when it
            recommended nothing.
    """

    requests: int
    replicas: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What monitoring is told about one reconciliation.

    Attributes:
        action: What was done.
        error: Who is to blame for what went wrong.
        computations: The metrics, in order.
        desired: The gauge of desired replicas; ``None`` when it was not set.
        calm: What it takes to know that the next one will change nothing either, if it will not.
    """

    action: Action = "none"
    error: ErrorLabel = "none"
    computations: tuple[MetricComputation, ...] = ()
    desired: int | None = None
    calm: Calm | None = None


@dataclass(slots=True)
class Work:
    """An autoscaler while it is being reconciled: its next status, bit by bit."""

    hpa: HorizontalPodAutoscaler
    now: Callable[[], int]
    conditions: Conditions
    history: History
    computations: list[MetricComputation] = field(default_factory=list)

    @property
    def minimum(self) -> int:
        """``spec.minReplicas``."""
        low = self.hpa.spec.min_replicas
        return 1 if low is None else low

    def set(self, type_: str, status: Literal["True", "False"], reason: str, message: str) -> None:
        """Set a condition."""
        condition = HorizontalPodAutoscalerCondition(
            type=type_, status=status, reason=reason, message=message
        )
        self.conditions = with_condition(self.conditions, condition, now_ns=self.now())

    def set_able(self, *, held_back: bool, why: tuple[str, str]) -> None:
        """Set AbleToScale after stabilization."""
        if held_back:
            self.set(ABLE, "True", *why)
        else:
            self.set(ABLE, "True", "ReadyForNewScale", "recommended size matches current size")

    def set_limited(self, stable: int, limited: behaviors.Limited) -> None:
        """Set ScalingLimited after the limiter."""
        status: Literal["True", "False"] = "False" if limited.replicas == stable else "True"
        self.set(LIMITED, status, limited.reason, limited.message)

    def status(
        self, current: int, desired: int, statuses: tuple[MetricStatus, ...]
    ) -> HorizontalPodAutoscalerStatus:
        """The new status; it is made anew, but for the time of the last scaling."""
        return HorizontalPodAutoscalerStatus(
            last_scale_time=self.hpa.status.last_scale_time,
            current_replicas=current,
            desired_replicas=desired,
            current_metrics=statuses,
            conditions=self.conditions,
        )


def measures_beyond_pods(hpa: HorizontalPodAutoscaler) -> bool:
    """Whether a metric can say something when there is no pod."""
    return any(metric.type in ("Object", "External") for metric in hpa.spec.metrics)


def action_of(current: int, proposed: int) -> Action:
    """The direction of a change."""
    if proposed == current:
        return "none"
    return "scale_up" if proposed > current else "scale_down"
