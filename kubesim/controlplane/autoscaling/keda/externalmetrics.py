"""keda-operator-metrics-apiserver: answers the autoscaler's questions about a trigger.

The autoscaler asks for ``s0-prometheus`` with the label of the ScaledObject; the number is that of the
trigger, or of its fallback. What is not KEDA's is asked of somebody else.

Mirrors: kedacore/keda pkg/provider/provider.go.
Departs: several servers of external metrics in one cluster are possible here, where a real cluster has
one APIService for the group.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubesim.api.kedav1alpha1 import ScaledObject
from kubesim.api.metav1 import LabelSelector
from kubesim.controlplane.autoscaling.keda.hpaobject import OWNER_LABEL
from kubesim.controlplane.autoscaling.keda.scalehandler import ScaleHandler
from kubesim.controlplane.autoscaling.keda.scaler import FOREVER_NS, ScalerError
from kubesim.controlplane.client import Client
from kubesim.controlplane.metrics.client import MetricsError, MetricValue, SteadyMetrics
from kubesim.sim.time import MILLISECOND


class KedaMetrics:
    """``external.metrics.k8s.io`` with KEDA installed.

    Args:
        client: Its connection to the API server.
        handler: Reads the triggers.
        others: Who has the other metrics.
    """

    def __init__(self, *, client: Client, handler: ScaleHandler, others: SteadyMetrics) -> None:
        self._scaled = client.informer(ScaledObject)
        self._handler = handler
        self._others = others

    def steady(self, namespace: str, metric: str, labels: LabelSelector | None) -> object | None:
        """See ``SteadyMetrics``."""
        owner = labels.match_labels.get(OWNER_LABEL) if labels is not None else None
        if owner is None:
            return self._others.steady(namespace, metric, labels)
        scaled = self._scaled.get(f"{namespace}/{owner}")
        try:
            outlook = self._handler.outlook(scaled) if scaled is not None else None
        except ScalerError:
            return None
        return outlook[0] if outlook is not None and outlook[1] >= FOREVER_NS else None

    def series(
        self, namespace: str, metric: str, labels: LabelSelector | None
    ) -> Sequence[MetricValue]:
        """See ``ExternalMetricsAPI``."""
        owner = labels.match_labels.get(OWNER_LABEL) if labels is not None else None
        if owner is None:
            return self._others.series(namespace, metric, labels)
        scaled = self._scaled.get(f"{namespace}/{owner}")
        if scaled is None:
            raise MetricsError(f"No matching metrics found for {metric}")
        try:
            value = self._handler.metric_milli(scaled, metric)
        except ScalerError as error:
            raise MetricsError(f"error getting scalers {error}") from error
        at_ns = self._handler.sources.now() // MILLISECOND * MILLISECOND
        return [MetricValue(value_milli=value, timestamp_ns=at_ns, name=metric)]
