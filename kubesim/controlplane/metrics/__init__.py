"""The metrics APIs: what pods use, what a Service is asked, how long a queue is.

``client`` is what an autoscaler asks. Behind it are three APIs, as in a real cluster: the resource
metrics API (metrics-server), the custom and the external metrics API (an adapter).

Mirrors: pkg/controller/podautoscaler/metrics, kubernetes-sigs/metrics-server.
"""

from kubesim.controlplane.metrics.adapter import RequestMetricsAdapter
from kubesim.controlplane.metrics.client import (
    ContainerMetrics,
    CustomMetricsAPI,
    ExternalMetricsAPI,
    MetricsClient,
    MetricsError,
    MetricValue,
    PodMetric,
    PodMetrics,
    PodMetricsInfo,
    ResourceMetricsAPI,
    RESTMetricsClient,
    SteadyMetrics,
)
from kubesim.controlplane.metrics.server import ContainerReading, KubeletStats, MetricsServer

__all__ = [
    "ContainerMetrics",
    "ContainerReading",
    "CustomMetricsAPI",
    "ExternalMetricsAPI",
    "KubeletStats",
    "MetricValue",
    "MetricsClient",
    "MetricsError",
    "MetricsServer",
    "PodMetric",
    "PodMetrics",
    "PodMetricsInfo",
    "RESTMetricsClient",
    "RequestMetricsAdapter",
    "ResourceMetricsAPI",
    "SteadyMetrics",
]
