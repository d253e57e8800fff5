"""metrics-server: what pods use, from two readings of their counters.

It reads every kubelet once in a resolution. A kubelet answers with what its last housekeeping found, so
a reading is some seconds old when it arrives. CPU is the difference of two readings over the time
between them; memory is the later one. A pod with one reading has no metrics yet, unless it started
since the reading before: then it began with nothing used.

Nothing is read while nobody wants it. When the first reader comes there is a reading at once, as if the
server had been at work before.

Mirrors: kubernetes-sigs/metrics-server pkg/storage/pod.go, pkg/scraper; kubelet /metrics/resource.
Departs: a node's housekeeping has a phase of its own that does not drift (cAdvisor's interval is 10 to
15 s); a read never fails; readings are not spread over the first part of the period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kubesim.api.corev1 import Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector
from kubesim.controlplane.client import Client, Informer
from kubesim.controlplane.metrics.client import ContainerMetrics, PodMetrics
from kubesim.sim import Sim
from kubesim.sim.time import SECOND

METRIC_RESOLUTION_NS = 15 * SECOND  # --metric-resolution in the shipped manifest
FRESH_CONTAINER_NS = 10 * SECOND  # freshContainerMinMetricsResolution
HOUSEKEEPING_NS = 10 * SECOND  # cAdvisor's --housekeeping-interval in a kubelet
NANO_PER_MILLI = 10**6
BY_NAMESPACE = "namespace"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerReading:
    """A running container's counters.

    Attributes:
        pod_uid: Its pod.
        container: Its name.
        attempt: A restarted one begins anew.
        started_ns: Since when it runs, wall clock.
        cpu_ns: CPU time since then.
        memory_bytes: Its working set.
    """

    pod_uid: str
    container: str
    attempt: int
    started_ns: int
    cpu_ns: int
    memory_bytes: int


class KubeletStats(Protocol):
    """One node's kubelet, asked for usage."""

    @property
    def name(self) -> str:
        """The node."""
        ...

    def readings(self) -> Iterable[ContainerReading]:
        """All running containers, now."""
        ...


@dataclass(frozen=True, slots=True)
class _Point:
    """One container's reading and its instant."""

    at_ns: int
    reading: ContainerReading


class MetricsServer:
    """The resource metrics API.

    Args:
        sim: The run.
        client: Its connection to the API server.
        kubelets: The kubelets that answer, in order.
        resolution_ns: ``--metric-resolution``.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        kubelets: Callable[[], Sequence[KubeletStats]],
        resolution_ns: int = METRIC_RESOLUTION_NS,
    ) -> None:
        self._sim = sim
        self._kubelets = kubelets
        self._resolution_ns = resolution_ns
        self._client = client
        self._pods: Informer[Pod] | None = None
        self._readers: dict[str, None] = {}
        self._points: dict[tuple[str, str], tuple[_Point | None, _Point]] = {}
        self._round = 0

    def want(self, reader: str) -> None:
        """Somebody will read from now on."""
        if reader in self._readers:
            return
        first = not self._readers
        self._readers[reader] = None
        if first:
            self._pods = self._client.informer(Pod)
            self._pods.add_index(BY_NAMESPACE, lambda pod: (pod.namespace,))
            self._round += 1
            self._points.clear()
            for kubelet in self._kubelets():
                self._arrived(self._now(), tuple(kubelet.readings()))
            wait_ns = self._resolution_ns - self._sim.now % self._resolution_ns
            self._sim.call_in(wait_ns, self._scrape, self._round)

    def release(self, reader: str) -> None:
        """They will not."""
        self._readers.pop(reader, None)

    def pod_metrics(self, namespace: str, selector: LabelSelector) -> Sequence[PodMetrics]:
        """See ``ResourceMetricsAPI``."""
        if self._pods is None:
            return []
        found = (
            self._pod_metrics(pod)
            for pod in self._pods.by_index(BY_NAMESPACE, namespace)
            if label_selector_matches(selector, pod.metadata.labels)
        )
        return [metrics for metrics in found if metrics is not None]

    def _scrape(self, number: int) -> None:
        if number != self._round or not self._readers:
            return
        for kubelet in self._kubelets():
            age_ns = self._sim.rng(f"metrics-server/{kubelet.name}").uniform(0, HOUSEKEEPING_NS)
            # What housekeeping finds now is what the next read of this kubelet brings.
            self._sim.call_in(age_ns, self._arrived, self._now(), tuple(kubelet.readings()))
        self._sim.call_in(self._resolution_ns, self._scrape, number)

    def _arrived(self, at_ns: int, readings: tuple[ContainerReading, ...]) -> None:
        for reading in readings:
            key = (reading.pod_uid, reading.container)
            known = self._points.get(key)
            before = known[1] if known is not None else None
            if before is not None and before.reading.attempt != reading.attempt:
                before = None
            if before is None:
                before = self._fresh(at_ns, reading)
            self._points[key] = (before, _Point(at_ns, reading))

    def _fresh(self, at_ns: int, reading: ContainerReading) -> _Point | None:
        """Where a container that started since the last reading began."""
        age_ns = at_ns - reading.started_ns
        if not FRESH_CONTAINER_NS <= age_ns < self._resolution_ns:
            return None
        nothing = ContainerReading(
            pod_uid=reading.pod_uid,
            container=reading.container,
            attempt=reading.attempt,
            started_ns=reading.started_ns,
            cpu_ns=0,
            memory_bytes=0,
        )
        return _Point(reading.started_ns, nothing)

    def _pod_metrics(self, pod: Pod) -> PodMetrics | None:
        """A pod's metrics; none unless all of its containers have two readings."""
        names = [status.name for status in pod.status.container_statuses if status.state.running]
        containers: list[ContainerMetrics] = []
        timestamp_ns = window_ns = 0
        for name in names:
            before, last = self._points.get((pod.uid, name), (None, None))
            if before is None or last is None:
                return None
            span_ns = last.at_ns - before.at_ns
            used_ns = last.reading.cpu_ns - before.reading.cpu_ns
            if span_ns <= 0 or used_ns < 0:
                return None
            usage = {
                "cpu": -(-used_ns * 1000 // span_ns),
                "memory": last.reading.memory_bytes * 1000,
            }
            containers.append(ContainerMetrics(name=name, usage_milli=usage))
            if not timestamp_ns or last.at_ns < timestamp_ns:
                timestamp_ns, window_ns = last.at_ns, span_ns
        if not containers:
            return None
        return PodMetrics(
            name=pod.name,
            timestamp_ns=timestamp_ns,
            window_ns=window_ns,
            containers=tuple(containers),
        )

    def _now(self) -> int:
        return self._sim.wall_ns
