"""What triggers ask: requests, queues, pods, the HTTP add-on, the clock.

Everything here can be asked at any instant and answers for that instant; what cannot answer says so
with ``SourceError``, and the fallback is what that is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import LabelSelector
from kubesim.controlplane.metrics.adapter import RequestMeters


class SourceError(Exception):
    """A trigger's source did not answer; the text is what the event says."""


class QueueMeter(Protocol):
    """One queue, as its broker's management interface shows it."""

    @property
    def is_up(self) -> bool:
        """Whether the broker answers."""
        ...

    @property
    def ready(self) -> int:
        """Messages that wait for a consumer."""
        ...

    @property
    def unacknowledged(self) -> int:
        """Messages that are with a consumer and still the queue's."""
        ...

    def publish_rate(self, window_ns: int) -> float:
        """Messages a second that came in the window before now."""
        ...

    def deliver_rate(self, window_ns: int) -> float:
        """Messages a second that were handed out in the window before now."""
        ...


class QueueMeters(Protocol):
    """The queues that there are."""

    def find(self, kind: str, name: str) -> QueueMeter | None:
        """The queue of that name at a broker of that kind, if there is one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMetric:
    """One metric of the HTTP add-on's external scaler.

    Attributes:
        name: Its name, without the index of the trigger.
        target: What a replica should have.
    """

    name: str
    target: int


class HttpScaler(Protocol):
    """The HTTP add-on's external scaler; it raises ``SourceError`` for what it does not know."""

    def metrics(self, namespace: str, metadata: Mapping[str, str]) -> Sequence[HttpMetric]:
        """``GetMetricSpec``: the metrics of the object that a trigger names."""
        ...

    def value_milli(self, namespace: str, metadata: Mapping[str, str], metric: str) -> int:
        """``GetMetrics``: the value of one of them, in thousandths."""
        ...

    def is_quiet(self, namespace: str, metadata: Mapping[str, str]) -> bool:
        """Whether all of them are nothing, and stay so while no request comes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that triggers can ask.

    Attributes:
        now: The wall clock.
        requests: Where requests are counted.
        queues: The queues, if there are any brokers.
        http: The HTTP add-on's scaler, if that is installed.
        pods: The pods of a namespace that a selector picks.
    """

    now: Callable[[], int]
    requests: RequestMeters
    queues: QueueMeters | None = None
    http: HttpScaler | None = None
    pods: Callable[[str, LabelSelector], Sequence[Pod]] | None = None
