"""KEDA in a cluster: its operator, what it asks, and what it answers.

Mirrors: keda-operator and keda-operator-metrics-apiserver, two processes of which one asks the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kubesim.api.corev1 import Pod
from kubesim.api.kedav1alpha1 import ScaledObject
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector
from kubesim.api.podutil import is_pod_ready
from kubesim.controlplane.autoscaling.keda import (
    KedaConfig,
    KedaMetrics,
    ScaledJobController,
    ScaledObjectController,
    ScaleHandler,
    Sources,
)
from kubesim.controlplane.autoscaling.keda.hpaobject import target_of
from kubesim.controlplane.autoscaling.keda.httpaddon.counting import BY_OBJECT, BY_ROUTE
from kubesim.controlplane.autoscaling.keda.sources import HttpScaler
from kubesim.controlplane.client import Client
from kubesim.controlplane.client.scale import scalable_kind, scale_of
from kubesim.controlplane.metrics import SteadyMetrics
from kubesim.sim import Sim, Ticks
from kubesim.world.broker import Broker
from kubesim.world.traffic import Meters

BY_NAMESPACE = "namespace"
PODS_TRIGGER = "kubernetes-workload"
PUSHING = "external-push"


class Keda:
    """The operator and its metrics server.

    Args:
        sim: The run.
        client: Its connection to the API server.
        config: Its flags.
        meters: Where requests are counted.
        broker: The queues.
        ticks: Where looks are planned.
        others: Who has external metrics that are not KEDA's.
    """

    def __init__(  # noqa: PLR0913 - what it asks, and whom it tells
        self,
        sim: Sim,
        *,
        client: Client,
        config: KedaConfig,
        meters: Meters,
        broker: Broker,
        ticks: Ticks,
        others: SteadyMetrics,
    ) -> None:
        self._sim = sim
        self._client = client
        sources = Sources(
            now=lambda: sim.wall_ns, requests=meters, queues=broker, pods=self._list_pods
        )
        self.handler = ScaleHandler(sources, size=self._size)
        self.metrics = KedaMetrics(client=client, handler=self.handler, others=others)
        self.scaled_objects = ScaledObjectController(
            sim,
            client=client,
            handler=self.handler,
            ticks=ticks,
            workers=config.scaled_object_workers,
        )
        self.scaled_jobs = ScaledJobController(
            sim, client=client, sources=sources, ticks=ticks, workers=config.scaled_job_workers
        )
        client.informer(ScaledObject).add_handler(self._scaled_changed)

    def use_http(self, scaler: HttpScaler) -> None:
        """Ask the HTTP add-on's scaler, too."""
        self.handler.sources = replace(self.handler.sources, http=scaler)

    def push(self, route: str) -> None:
        """The scaler says that a route has become active: whoever is scaled by it is looked at."""
        for key in self._scaled_by(route):
            self.scaled_objects.push(key)

    def was_active(self, route: str, at_ns: int) -> None:
        """A route is not active any more; it last was at that virtual instant."""
        for key in self._scaled_by(route):
            self.scaled_objects.was_active(key, self._sim.start_time_ns + at_ns)

    def _scaled_by(self, route: str) -> list[str]:
        namespace, _, name = route.partition("/")
        return [
            scaled.key
            for scaled in self._client.informer(ScaledObject).values()
            if scaled.namespace == namespace
            and any(
                trigger.type == PUSHING
                and name in (trigger.metadata.get(BY_ROUTE), trigger.metadata.get(BY_OBJECT))
                for trigger in scaled.spec.triggers
            )
        ]

    def _scaled_changed(self, _old: ScaledObject | None, new: ScaledObject | None) -> None:
        """Listen to pods and workloads, if something of them is to be known."""
        if new is None:
            return
        if new.spec.fallback is not None:
            self._client.informer(scalable_kind(target_of(new)))
        if new.spec.fallback is not None or any(
            trigger.type == PODS_TRIGGER for trigger in new.spec.triggers
        ):
            pods = self._client.informer(Pod)
            pods.add_index(BY_NAMESPACE, lambda pod: (pod.namespace,))

    def _list_pods(self, namespace: str, selector: LabelSelector) -> Sequence[Pod]:
        pods = self._client.informer(Pod)
        pods.add_index(BY_NAMESPACE, lambda pod: (pod.namespace,))
        return [
            pod
            for pod in pods.by_index(BY_NAMESPACE, namespace)
            if label_selector_matches(selector, pod.metadata.labels)
        ]

    def _size(self, scaled: ScaledObject) -> tuple[int, int]:
        reference = target_of(scaled)
        informer = self._client.informer(scalable_kind(reference))
        workload: object = informer.get(f"{scaled.namespace}/{reference.name}")
        if workload is None:
            return 0, 0
        scale = scale_of(workload)
        selector = getattr(workload, "spec").selector  # noqa: B009  # whatever kind it is
        if not isinstance(selector, LabelSelector):
            selector = LabelSelector(match_labels=selector)
        ready = [
            pod
            for pod in self._list_pods(scaled.namespace, selector)
            if pod.status.phase == "Running" and is_pod_ready(pod)
        ]
        return scale.spec.replicas, len(ready)
