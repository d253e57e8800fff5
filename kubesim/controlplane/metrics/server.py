"""metrics-server: what pods use, from two readings of their counters.

It reads every kubelet once in a resolution. A kubelet answers with what its last housekeeping found, so
a reading is some seconds old when it arrives. CPU is the difference of two readings over the time
between them; memory is the later one. A pod with one reading has no metrics yet, unless it started
since the reading before: then it began with nothing used.

Nothing is read while nobody wants it. When the first reader comes there is a reading at once, as if the
server had been at work before. A reading that would find what the one before found is passed over; when
somebody asks, it is as if it had taken place.

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
from kubesim.sim import Sim, Ticks
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

    def activity(self) -> object:
        """Equal as long as nobody's use of CPU or memory has changed."""
        ...


@dataclass(frozen=True, slots=True)
class _Calm:
    """What is known of a node on which nothing uses CPU.

    Attributes:
        activity: As it was at the reading.
        readings: What was found, at that reading and at the one before.
    """

    activity: object
    readings: tuple[ContainerReading, ...]


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
        ticks: Where its readings are planned.
        resolution_ns: ``--metric-resolution``.

    Attributes:
        version: Grows whenever an answer may be another than before.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        kubelets: Callable[[], Sequence[KubeletStats]],
        ticks: Ticks | None = None,
        resolution_ns: int = METRIC_RESOLUTION_NS,
    ) -> None:
        self._ticks = ticks or Ticks(sim)
        self._sim = sim
        self._kubelets = kubelets
        self._resolution_ns = resolution_ns
        self._client = client
        self._pods: Informer[Pod] | None = None
        self._readers: dict[str, None] = {}
        self._points: dict[tuple[str, str], tuple[_Point | None, _Point]] = {}
        self._usage: dict[tuple[str, str], tuple[int, int] | None] = {}
        self._round = 0
        self.version = 0
        self._calm: dict[str, _Calm] = {}
        self._ages_ahead: dict[str, int] = {}
        self._passed: list[int] = []

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
            self._calm.clear()
            self._passed.clear()
            self.version += 1
            for kubelet in self._kubelets():
                self._arrived(self._now(), tuple(kubelet.readings()))
            wait_ns = self._resolution_ns - self._sim.now % self._resolution_ns
            self._ticks.add(wait_ns, _Scrape(self, self._round))

    def release(self, reader: str) -> None:
        """They will not."""
        self._readers.pop(reader, None)

    def pod_metrics(self, namespace: str, selector: LabelSelector) -> Sequence[PodMetrics]:
        """See ``ResourceMetricsAPI``."""
        if self._pods is None:
            return []
        self._catch_up()
        found = (
            self._pod_metrics(pod)
            for pod in self._pods.by_index(BY_NAMESPACE, namespace)
            if label_selector_matches(selector, pod.metadata.labels)
        )
        return [metrics for metrics in found if metrics is not None]

    def scrape(self, number: int) -> None:
        """Read all kubelets, if that is still wanted, and plan to do it again."""
        if number != self._round or not self._readers:
            return
        self._catch_up()
        kubelets = self._kubelets()
        names = {kubelet.name for kubelet in kubelets}
        self._calm = {name: calm for name, calm in self._calm.items() if name in names}
        for kubelet in kubelets:
            readings, activity = tuple(kubelet.readings()), kubelet.activity()
            self._note_calm(kubelet.name, readings, activity)
            # What housekeeping finds now is what the next read of this kubelet brings.
            self._sim.call_in(self._age_ns(kubelet.name), self._arrived, self._now(), readings)
        self._ticks.add(self._resolution_ns, _Scrape(self, number))

    def pass_over(self, number: int, at_ns: int, before_ns: int) -> int | None:
        """Whether a scrape would find nothing new; see ``Tick.skip``."""
        if number != self._round or not self._readers:
            return None
        kubelets, ages = self._kubelets(), {}
        for kubelet in kubelets:
            calm = self._calm.get(kubelet.name)
            if calm is None or calm.activity != kubelet.activity():
                return None
        for kubelet in kubelets:
            ages[kubelet.name] = self._age_ns(kubelet.name)
            if at_ns + ages[kubelet.name] >= before_ns:
                self._ages_ahead.update(ages)
                return None
        self._passed = [*self._passed[-1:], self._sim.start_time_ns + at_ns]
        return at_ns + self._resolution_ns

    def _age_ns(self, kubelet: str) -> int:
        """How old a reading is when it arrives; one that was looked at already, or a new one."""
        ahead_ns = self._ages_ahead.pop(kubelet, None)
        if ahead_ns is not None:
            return ahead_ns
        return self._sim.rng(f"metrics-server/{kubelet}").uniform(0, HOUSEKEEPING_NS)

    def _note_calm(
        self, kubelet: str, readings: tuple[ContainerReading, ...], activity: object
    ) -> None:
        """Remember a node that reads as it did before; it does so while nothing stirs there."""
        before = self._calm.get(kubelet)
        same = before is not None and before.readings == readings
        self._calm[kubelet] = _Calm(activity if same else object(), readings)

    def _catch_up(self) -> None:
        """The last readings that were passed over, as if they had taken place."""
        passed, self._passed = self._passed, []
        for at_ns in passed:
            for calm in self._calm.values():
                self._note_usage(at_ns, calm.readings)

    def _arrived(self, at_ns: int, readings: tuple[ContainerReading, ...]) -> None:
        self._catch_up()
        self._note_usage(at_ns, readings)

    def _note_usage(self, at_ns: int, readings: tuple[ContainerReading, ...]) -> None:
        for reading in readings:
            key = (reading.pod_uid, reading.container)
            known = self._points.get(key)
            before = known[1] if known is not None else None
            if before is not None and before.reading.attempt != reading.attempt:
                before = None
            if before is None:
                before = self._fresh(at_ns, reading)
            pair = self._points[key] = (before, _Point(at_ns, reading))
            usage = _usage(*pair)
            if self._usage.get(key, ()) != usage:
                self._usage[key] = usage
                self.version += 1

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
            found = _usage(before, last)
            if found is None or before is None or last is None:
                return None
            usage = {"cpu": found[0], "memory": found[1]}
            containers.append(ContainerMetrics(name=name, usage_milli=usage))
            if not timestamp_ns or last.at_ns < timestamp_ns:
                timestamp_ns, window_ns = last.at_ns, last.at_ns - before.at_ns
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


def _usage(before: _Point | None, last: _Point | None) -> tuple[int, int] | None:
    """Millicores and thousandths of a byte, from two readings; ``None`` where they do not do."""
    if before is None or last is None:
        return None
    span_ns = last.at_ns - before.at_ns
    used_ns = last.reading.cpu_ns - before.reading.cpu_ns
    if span_ns <= 0 or used_ns < 0:
        return None
    return -(-used_ns * 1000 // span_ns), last.reading.memory_bytes * 1000


@dataclass(frozen=True, slots=True, eq=False)
class _Scrape:
    """One reading of all kubelets."""

    server: MetricsServer
    number: int

    def run(self) -> None:
        self.server.scrape(self.number)

    def skip(self, at_ns: int, before_ns: int) -> int | None:
        return self.server.pass_over(self.number, at_ns, before_ns)
