"""The custom and external metrics adapter: requests, as pods and Services are asked.

Three metrics: ``http_requests_per_second`` (the rate over the last minute), ``http_requests_in_flight``
and ``http_requests_queue_length``. The custom metrics API has them by pod, and for an object of kind
Service; the external one has one series per Service, with the label ``service``.

Mirrors: kubernetes-sigs/prometheus-adapter (the shape of its answers; rate over ``[1m]``).
Departs: values are read at the instant of the question, not from a Prometheus that scrapes; names are
fixed, there is no query language.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from kubesim.api.autoscalingv2 import CrossVersionObjectReference
from kubesim.api.corev1 import Pod, Service
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector
from kubesim.controlplane.client import Client
from kubesim.controlplane.metrics.client import MetricsError, MetricValue
from kubesim.sim import Sim
from kubesim.sim.time import SECOND

RATE_WINDOW_NS = 60 * SECOND
SERVICE_LABEL = "service"
RATE = "http_requests_per_second"
BY_NAMESPACE = "namespace"


class RequestMeter(Protocol):
    """The requests of one Service or pod."""

    def rps(self, *, window_ns: int, at_ns: int | None = None) -> float:
        """Requests a second in the window before now."""
        ...

    def in_flight(self, at_ns: int | None = None) -> int:
        """How many are under way."""
        ...

    def queue_length(self) -> int:
        """How many wait inside."""
        ...


class RequestMeters(Protocol):
    """The meters of a cluster, by namespace and name."""

    def service(self, key: str) -> RequestMeter:
        """A Service's."""
        ...

    def pod(self, key: str) -> RequestMeter:
        """A pod's."""
        ...


METRICS: dict[str, Callable[[RequestMeter], float]] = {
    RATE: lambda meter: meter.rps(window_ns=RATE_WINDOW_NS),
    "http_requests_in_flight": lambda meter: meter.in_flight(),
    "http_requests_queue_length": lambda meter: meter.queue_length(),
}


class RequestMetricsAdapter:
    """``custom.metrics.k8s.io`` and ``external.metrics.k8s.io``.

    Args:
        sim: The run.
        client: Its connection to the API server.
        meters: Where requests are counted.
    """

    def __init__(self, sim: Sim, *, client: Client, meters: RequestMeters) -> None:
        self._sim = sim
        self._meters = meters
        self._client = client
        self._listening = False

    def want(self) -> None:
        """Somebody will ask from now on."""
        if not self._listening:
            self._listening = True
            pods, services = self._client.informer(Pod), self._client.informer(Service)
            pods.add_index(BY_NAMESPACE, lambda pod: (pod.namespace,))
            services.add_index(BY_NAMESPACE, lambda service: (service.namespace,))

    def for_pods(
        self, namespace: str, selector: LabelSelector, metric: str, labels: LabelSelector | None
    ) -> Sequence[MetricValue]:
        """See ``CustomMetricsAPI``."""
        measure = _measure(metric, "pods")
        _without_labels(labels)
        self.want()
        return [
            self._value(measure(self._meters.pod(pod.key)), pod.name)
            for pod in self._client.informer(Pod).by_index(BY_NAMESPACE, namespace)
            if label_selector_matches(selector, pod.metadata.labels) and pod.status.pod_ip
        ]

    def for_object(
        self,
        namespace: str,
        reference: CrossVersionObjectReference,
        metric: str,
        labels: LabelSelector | None,
    ) -> MetricValue:
        """See ``CustomMetricsAPI``."""
        what = f"{reference.kind.lower()}s"
        measure = _measure(metric, what)
        _without_labels(labels)
        self.want()
        key = f"{namespace}/{reference.name}"
        if reference.kind != "Service" or self._client.informer(Service).get(key) is None:
            text = f"the server could not find the metric {metric} for {what} {reference.name}"
            raise MetricsError(text)
        return self._value(measure(self._meters.service(key)), reference.name)

    def series(
        self, namespace: str, metric: str, labels: LabelSelector | None
    ) -> Sequence[MetricValue]:
        """See ``ExternalMetricsAPI``."""
        measure = _measure(metric, "external metrics")
        self.want()
        return [
            self._value(measure(self._meters.service(service.key)), service.name)
            for service in self._client.informer(Service).by_index(BY_NAMESPACE, namespace)
            if labels is None
            or label_selector_matches(labels, FrozenMap({SERVICE_LABEL: service.name}))
        ]

    def steady(self, namespace: str, metric: str, labels: LabelSelector | None) -> object | None:
        """See ``SteadyMetrics``: a rate is when there is none any more."""
        try:
            values = [
                (item.name, item.value_milli) for item in self.series(namespace, metric, labels)
            ]
        except MetricsError:
            return None
        moves = metric == RATE and any(milli for _, milli in values)
        return None if moves else tuple(values)

    def _value(self, value: float, name: str) -> MetricValue:
        return MetricValue(
            value_milli=round(value * 1000),
            timestamp_ns=self._sim.wall_ns,
            name=name,
            window_ns=RATE_WINDOW_NS,
        )


def _measure(metric: str, what: str) -> Callable[[RequestMeter], float]:
    measure = METRICS.get(metric)
    if measure is None:
        raise MetricsError(f"the server could not find the metric {metric} for {what}")
    return measure


def _without_labels(labels: LabelSelector | None) -> None:
    if labels is not None and (labels.match_labels or labels.match_expressions):
        raise MetricsError("the adapter has no labels on metrics of pods and objects")
