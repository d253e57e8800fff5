"""Pods, samples, rules and metrics as the cases describe them, made into what production code takes.

Instants in the cases are seconds from now; now is a fixed point well after 1970.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubesim.api.autoscalingv2 import (
    CrossVersionObjectReference,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricTarget,
)
from kubesim.api.corev1 import (
    Container,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    ResourceRequirements,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector, ObjectMeta
from kubesim.api.quantity import Quantity
from kubesim.controlplane.autoscaling.hpa.behaviors import Recommendation, ScaleEvent
from kubesim.controlplane.metrics import (
    ContainerMetrics,
    MetricsError,
    MetricValue,
    PodMetric,
    PodMetrics,
    RESTMetricsClient,
)
from kubesim.sim.time import SECOND

Case = Mapping[str, Any]

NOW_NS = 2_000_000_000 * SECOND
NAMESPACE = "test-namespace"
LABELS = {"name": "test-pod"}
SELECTOR = LabelSelector(match_labels=FrozenMap(LABELS))


def at_ns(offset_s: float) -> int:
    """An instant."""
    return NOW_NS + int(offset_s * SECOND)


def offset_s(instant_ns: int) -> int:
    """Its way back."""
    return (instant_ns - NOW_NS) // SECOND


def pod_of(case: Case, resource: str) -> Pod:
    """A pod."""
    phase, ready, start = case.get("phase"), case.get("ready"), case.get("start_s")
    conditions: tuple[PodCondition, ...] = ()
    if ready is not None:
        condition = PodCondition.model_validate({"type": "Ready", "status": ready})
        since = case.get("ready_since_s")
        conditions = (condition.replace(last_transition_time=at_ns(since or 0)),)
    return Pod(
        metadata=ObjectMeta(
            name=case["name"],
            namespace=NAMESPACE,
            labels=FrozenMap(case.get("labels") or LABELS),
            deletion_timestamp=NOW_NS if case.get("deleting") else None,
        ),
        spec=PodSpec(
            containers=tuple(_container(item, resource) for item in case.get("containers") or ()),
            init_containers=tuple(
                _container(item, resource) for item in case.get("init_containers") or ()
            ),
            resources=_requests(case.get("pod_request_m"), resource),
        ),
        status=PodStatus(
            phase=phase,
            conditions=conditions,
            start_time=None if start is None else at_ns(start),
        ),
    )


def _container(case: Case, resource: str) -> Container:
    container = Container(name=case["name"], restart_policy=case.get("restart_policy"))
    requests = _requests(case.get("request_m"), resource)
    return container if requests is None else container.replace(resources=requests)


def _requests(milli: int | None, resource: str) -> ResourceRequirements | None:
    if milli is None:
        return None
    return ResourceRequirements(requests=FrozenMap({resource: Quantity.of_millis(milli)}))


def lister(pods: Iterable[Pod]) -> Any:
    """A pod lister over fixed pods."""
    listed = tuple(pods)

    def pods_of(_namespace: str, selector: LabelSelector) -> Sequence[Pod]:
        return [pod for pod in listed if label_selector_matches(selector, pod.metadata.labels)]

    return pods_of


def samples(case: Case) -> list[Case]:
    """All samples of a replica case, each with its pod's name."""
    own = [{"pod": pod["name"], **pod["metric"]} for pod in case["pods"] if pod.get("metric")]
    return own + list(case.get("extra_metrics") or ())


def pod_metric(sample: Case) -> PodMetric:
    """A sample whose value does not matter."""
    return PodMetric(
        value=sample["value_m"],
        timestamp_ns=at_ns(sample["timestamp_s"]),
        window_ns=int(sample["window_s"] * SECOND),
    )


class FixedMetrics:
    """The three metrics APIs with one answer.

    Args:
        resource: What the samples of containers are of.
        pods: Samples by pod; those of containers or of a custom metric.
        value: The value of an object.
        values: External series.
        error: What the API says instead.
    """

    def __init__(
        self,
        *,
        resource: str = "",
        pods: Sequence[Case] = (),
        value: int = 0,
        values: Sequence[int] = (),
        error: str = "",
    ) -> None:
        self._resource = resource
        self._pods = pods
        self._value = value
        self._values = values
        self._error = error

    def client(self) -> RESTMetricsClient:
        """The production client over these answers."""
        return RESTMetricsClient(resource=self, custom=self, external=self)

    def pod_metrics(self, _namespace: str, _selector: LabelSelector) -> Sequence[PodMetrics]:
        """The resource metrics API."""
        self._raise()
        return [
            PodMetrics(
                name=sample["pod"],
                timestamp_ns=at_ns(sample["timestamp_s"]),
                window_ns=int(sample["window_s"] * SECOND),
                containers=tuple(
                    ContainerMetrics(
                        name=name, usage_milli={} if used is None else {self._resource: used}
                    )
                    for name, used in sample["usage_m"].items()
                ),
            )
            for sample in self._pods
        ]

    def for_pods(
        self,
        _namespace: str,
        _selector: LabelSelector,
        _metric: str,
        _labels: LabelSelector | None,
    ) -> Sequence[MetricValue]:
        """The custom metrics API, of pods."""
        self._raise()
        return [
            MetricValue(
                name=sample["pod"],
                value_milli=sample["value_m"],
                timestamp_ns=at_ns(sample["timestamp_s"]),
                window_ns=int(sample["window_s"] * SECOND),
            )
            for sample in self._pods
        ]

    def for_object(
        self,
        _namespace: str,
        _reference: CrossVersionObjectReference,
        _metric: str,
        _labels: LabelSelector | None,
    ) -> MetricValue:
        """The custom metrics API, of an object."""
        self._raise()
        return MetricValue(value_milli=self._value, timestamp_ns=NOW_NS)

    def series(
        self, _namespace: str, _metric: str, _labels: LabelSelector | None
    ) -> Sequence[MetricValue]:
        """The external metrics API."""
        self._raise()
        return [MetricValue(value_milli=value, timestamp_ns=NOW_NS) for value in self._values]

    def _raise(self) -> None:
        if self._error:
            raise MetricsError(self._error)


def target_of(case: Case | None) -> MetricTarget:
    """A metric's target; one without a value when the case has none."""
    if case is None:
        return MetricTarget(type="")
    match case["type"]:
        case "utilization":
            return MetricTarget(type="Utilization", average_utilization=case["percent"])
        case "average_value":
            amount = Quantity.of_millis(case["milli"])
            return MetricTarget(type="AverageValue", average_value=amount)
        case "value":
            return MetricTarget(type="Value", value=Quantity.of_millis(case["milli"]))
        case other:
            raise ValueError(f"unknown target type {other!r}")


def rules_of(case: Case | None) -> HPAScalingRules | None:
    """Scaling rules as specified."""
    if case is None:
        return None
    tolerance = case.get("tolerance")
    return HPAScalingRules(
        stabilization_window_seconds=case.get("stabilization_window_s"),
        select_policy=case.get("select_policy"),
        policies=tuple(
            HPAScalingPolicy(
                type=policy["type"], value=policy["value"], period_seconds=policy["period_s"]
            )
            for policy in case.get("policies") or ()
        ),
        tolerance=None if tolerance is None else Quantity(repr(tolerance)),
    )


def events_of(cases: Sequence[Case]) -> tuple[ScaleEvent, ...]:
    """Scale events."""
    return tuple(ScaleEvent(item["change"], at_ns(item["at_s"])) for item in cases)


def recommendations_of(cases: Sequence[Case]) -> tuple[Recommendation, ...]:
    """A recommendation log."""
    return tuple(Recommendation(item["replicas"], at_ns(item["at_s"])) for item in cases)


def shown_recommendations(log: Sequence[Recommendation]) -> list[dict[str, int]]:
    """A recommendation log as the files write it."""
    return [{"replicas": item.replicas, "at_s": offset_s(item.at_ns)} for item in log]


def shown_events(events: Sequence[ScaleEvent], *, outdated: bool) -> list[dict[str, Any]]:
    """Scale events as the files write them."""
    shown: list[dict[str, Any]] = []
    for event in events:
        item: dict[str, Any] = {"change": event.change, "at_s": offset_s(event.at_ns)}
        shown.append({**item, "outdated": event.outdated} if outdated else item)
    return shown
