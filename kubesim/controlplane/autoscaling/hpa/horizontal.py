"""The controller: each autoscaler is looked at once in a sync period, and never sooner.

Whatever happens to an autoscaler, it waits in the queue for the whole period: nothing is looked at
when it was created or changed. A period begins when the look before has ended.

Mirrors: pkg/controller/podautoscaler/horizontal.go (NewHorizontalController, enqueueHPA,
processNextWorkItem), rate_limiters.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from kubesim.api.autoscalingv1 import Scale
from kubesim.api.autoscalingv2 import CrossVersionObjectReference, HorizontalPodAutoscaler
from kubesim.api.corev1 import Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector
from kubesim.controlplane.autoscaling.hpa.config import HPAConfig
from kubesim.controlplane.autoscaling.hpa.reconcile import Reconciler
from kubesim.controlplane.client import Client, Controller, Recorder
from kubesim.controlplane.client.scale import ScaleClient
from kubesim.controlplane.metrics.client import MetricsClient
from kubesim.sim import Sim, SimProcess

BY_NAMESPACE = "namespace"


class _ClusterBackend:
    """The calls of a reconciliation, made through the controller's client."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        self._sim = sim
        self._client = client
        self._scales = ScaleClient(client)
        self._recorder = Recorder(sim, component="horizontal-pod-autoscaler")

    def get_scale(
        self, namespace: str, reference: CrossVersionObjectReference
    ) -> SimProcess[Scale]:
        return self._scales.get(namespace, reference)

    def update_scale(
        self, namespace: str, reference: CrossVersionObjectReference, scale: Scale
    ) -> SimProcess[Scale]:
        return self._scales.update(namespace, reference, scale)

    def update_status(self, hpa: HorizontalPodAutoscaler) -> SimProcess[None]:
        yield from self._client.update_status(hpa)

    def before_metrics(self, requests: int) -> SimProcess[None]:
        for _ in range(requests):
            yield from self._client.ask()

    def pause(self, delay_ns: int) -> SimProcess[None]:
        yield self._sim.timeout(delay_ns)

    def record(self, hpa: HorizontalPodAutoscaler, kind: str, reason: str, message: str) -> None:
        note = self._recorder.warning if kind == "Warning" else self._recorder.normal
        note(hpa, reason, message)


class HorizontalController(Controller):
    """Reconciles HorizontalPodAutoscalers.

    Args:
        sim: The run.
        client: Its connection to the API server.
        metrics: The metrics APIs.
        config: Its settings.
    """

    def __init__(
        self, sim: Sim, *, client: Client, metrics: MetricsClient, config: HPAConfig
    ) -> None:
        super().__init__(sim, workers=config.concurrent_syncs)
        self._period_ns = config.sync_period_ns
        self._hpas = client.informer(HorizontalPodAutoscaler)
        self._hpas.add_handler(self._hpa_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_NAMESPACE, lambda pod: (pod.namespace,))
        self._reconciler = Reconciler(
            config=config,
            backend=_ClusterBackend(sim, client=client),
            metrics=metrics,
            pods=self._list_pods,
            now=lambda: sim.wall_ns,
        )

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Look at one autoscaler, and again in a period."""
        hpa = self._hpas.get(key)
        if hpa is None:
            self._reconciler.forget(key)
            return
        yield from self._reconciler.reconcile(hpa)
        self.queue.add_after(key, self._period_ns)

    def _hpa_changed(
        self, old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None
    ) -> None:
        if new is None:
            assert old is not None
            self._reconciler.forget(old.key)
            return
        self._reconciler.register(new.key)
        self.queue.add_after(new.key, self._period_ns)

    def _list_pods(self, namespace: str, selector: LabelSelector) -> Sequence[Pod]:
        return [
            pod
            for pod in self._pods.by_index(BY_NAMESPACE, namespace)
            if label_selector_matches(selector, pod.metadata.labels)
        ]
