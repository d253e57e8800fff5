"""What an autoscaler asks the metrics APIs, and what it makes of their answers.

The resource metrics API answers with the usage of every container; a pod counts only when all of
its containers have a value. The custom metrics API answers with one value per pod or for one object,
the external one with any number of series. Everything is in thousandths: millicores, thousandths
of a byte, thousandths of a request a second.

Mirrors: pkg/controller/podautoscaler/metrics/{interfaces,client}.go,
staging/src/k8s.io/metrics/pkg/apis/{metrics,custom_metrics,external_metrics}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kubesim.api.autoscalingv2 import CrossVersionObjectReference
from kubesim.api.metav1 import LabelSelector
from kubesim.sim.time import SECOND

DEFAULT_WINDOW_NS = 60 * SECOND  # metricServerDefaultMetricWindow, for samples that name none


class MetricsError(Exception):
    """A metrics API did not give what was asked for; the text is what the autoscaler reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodMetric:
    """One pod's value.

    Attributes:
        value: In thousandths.
        timestamp_ns: The end of the window in which it was measured, wall clock.
        window_ns: The length of that window.
    """

    value: int
    timestamp_ns: int = 0
    window_ns: int = 0


PodMetricsInfo = dict[str, PodMetric]
"""Pods' values by the pods' names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerMetrics:
    """What one container uses: thousandths, by resource."""

    name: str
    usage_milli: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodMetrics:
    """``metrics.k8s.io/v1beta1 PodMetrics``: what one pod's containers use."""

    name: str
    timestamp_ns: int
    window_ns: int
    containers: tuple[ContainerMetrics, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricValue:
    """A value of the custom or the external metrics API.

    Attributes:
        value_milli: In thousandths.
        timestamp_ns: When it was so, wall clock.
        name: The object it describes; empty for an external one.
        window_ns: The window in which it was measured, if the adapter says so.
    """

    value_milli: int
    timestamp_ns: int
    name: str = ""
    window_ns: int | None = None


class ResourceMetricsAPI(Protocol):
    """``metrics.k8s.io``. It raises ``MetricsError`` when it cannot answer."""

    def pod_metrics(self, namespace: str, selector: LabelSelector) -> Sequence[PodMetrics]:
        """The usage of the pods that a selector picks."""
        ...


class CustomMetricsAPI(Protocol):
    """``custom.metrics.k8s.io``. It raises ``MetricsError`` when it cannot answer."""

    def for_pods(
        self, namespace: str, selector: LabelSelector, metric: str, labels: LabelSelector | None
    ) -> Sequence[MetricValue]:
        """One value per pod."""
        ...

    def for_object(
        self,
        namespace: str,
        reference: CrossVersionObjectReference,
        metric: str,
        labels: LabelSelector | None,
    ) -> MetricValue:
        """The value of one object."""
        ...


class ExternalMetricsAPI(Protocol):
    """``external.metrics.k8s.io``. It raises ``MetricsError`` when it cannot answer."""

    def series(
        self, namespace: str, metric: str, labels: LabelSelector | None
    ) -> Sequence[MetricValue]:
        """All series of a metric that have these labels."""
        ...


class SteadyMetrics(ExternalMetricsAPI, Protocol):
    """An external metrics API that knows whether time alone changes what it says."""

    def steady(self, namespace: str, metric: str, labels: LabelSelector | None) -> object | None:
        """Equal while it says the same; ``None`` when that may change though nothing happens."""
        ...


class MetricsClient(Protocol):
    """What the autoscaler sees of all three. Every call raises ``MetricsError``."""

    def get_resource_metric(
        self, resource: str, namespace: str, selector: LabelSelector, container: str
    ) -> tuple[PodMetricsInfo, int]:
        """A resource's usage by pod (or by one container of it), and its time."""
        ...

    def get_raw_metric(
        self, metric: str, namespace: str, selector: LabelSelector, labels: LabelSelector | None
    ) -> tuple[PodMetricsInfo, int]:
        """A custom metric by pod, and its time."""
        ...

    def get_object_metric(
        self,
        metric: str,
        namespace: str,
        reference: CrossVersionObjectReference,
        labels: LabelSelector | None,
    ) -> tuple[int, int]:
        """A custom metric of one object, and its time."""
        ...

    def get_external_metric(
        self, metric: str, namespace: str, labels: LabelSelector | None
    ) -> tuple[list[int], int]:
        """The values of an external metric's series, and their time."""
        ...


class RESTMetricsClient:
    """The client of the three metrics APIs."""

    def __init__(
        self,
        *,
        resource: ResourceMetricsAPI,
        custom: CustomMetricsAPI,
        external: ExternalMetricsAPI,
    ) -> None:
        self._resource = resource
        self._custom = custom
        self._external = external

    def get_resource_metric(
        self, resource: str, namespace: str, selector: LabelSelector, container: str
    ) -> tuple[PodMetricsInfo, int]:
        """See ``MetricsClient``."""
        try:
            items = self._resource.pod_metrics(namespace, selector)
        except MetricsError as error:
            text = f"unable to fetch metrics from resource metrics API: {error}"
            raise MetricsError(text) from error
        if not items:
            raise MetricsError("no metrics returned from resource metrics API")
        value_of = _container_value if container else _pod_value
        info: PodMetricsInfo = {}
        for item in items:
            value = value_of(item, resource, container)
            if value is not None:
                info[item.name] = PodMetric(
                    value=value, timestamp_ns=item.timestamp_ns, window_ns=item.window_ns
                )
        return info, items[0].timestamp_ns

    def get_raw_metric(
        self, metric: str, namespace: str, selector: LabelSelector, labels: LabelSelector | None
    ) -> tuple[PodMetricsInfo, int]:
        """See ``MetricsClient``."""
        try:
            items = self._custom.for_pods(namespace, selector, metric, labels)
        except MetricsError as error:
            text = f"unable to fetch metrics from custom metrics API: {error}"
            raise MetricsError(text) from error
        if not items:
            raise MetricsError("no metrics returned from custom metrics API")
        info = {
            item.name: PodMetric(
                value=item.value_milli,
                timestamp_ns=item.timestamp_ns,
                window_ns=DEFAULT_WINDOW_NS if item.window_ns is None else item.window_ns,
            )
            for item in items
        }
        return info, items[0].timestamp_ns

    def get_object_metric(
        self,
        metric: str,
        namespace: str,
        reference: CrossVersionObjectReference,
        labels: LabelSelector | None,
    ) -> tuple[int, int]:
        """See ``MetricsClient``."""
        try:
            item = self._custom.for_object(namespace, reference, metric, labels)
        except MetricsError as error:
            text = f"unable to fetch metrics from custom metrics API: {error}"
            raise MetricsError(text) from error
        return item.value_milli, item.timestamp_ns

    def get_external_metric(
        self, metric: str, namespace: str, labels: LabelSelector | None
    ) -> tuple[list[int], int]:
        """See ``MetricsClient``."""
        try:
            items = self._external.series(namespace, metric, labels)
        except MetricsError as error:
            text = f"unable to fetch metrics from external metrics API: {error}"
            raise MetricsError(text) from error
        if not items:
            raise MetricsError("no metrics returned from external metrics API")
        return [item.value_milli for item in items], items[0].timestamp_ns


def _container_value(pod: PodMetrics, resource: str, container: str) -> int | None:
    """The value of the first container of that name; ``None`` if it has none."""
    found = next((item for item in pod.containers if item.name == container), None)
    return None if found is None else found.usage_milli.get(resource)


def _pod_value(pod: PodMetrics, resource: str, _container: str) -> int | None:
    """The sum over the containers; ``None`` unless there are some and all have a value."""
    values = [item.usage_milli.get(resource) for item in pod.containers]
    if not values:
        return None
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total
