"""The probes of one pod.

Mirrors: pkg/kubelet/prober/prober_manager.go (AddPod, UpdatePodStatus, StopLivenessAndStartup,
RemovePod).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kubesim.api.corev1 import Container, ContainerStatus, Pod, PodStatus, Probe
from kubesim.node.cri import messages as cri
from kubesim.node.kubelet.container import is_restartable_init
from kubesim.node.kubelet.prober.results import ProbeType, Result
from kubesim.node.kubelet.prober.worker import ProbeContext, ProbeWorker, Results, Seen, Subject

ProberContext = ProbeContext


class PodProber:
    """All probes of a pod; without any it costs nothing.

    Args:
        context: What the probes of a kubelet share.
        pod: The pod as it is now.
        updated: Called when a result changed in a way that the pod has to be synced for.
    """

    def __init__(
        self, context: ProbeContext, *, pod: Callable[[], Pod], updated: Callable[[], None]
    ) -> None:
        self._epoch_ns = context.sim.start_time_ns
        self._updated = updated
        self._results = Results()
        self._workers: dict[tuple[str, ProbeType], ProbeWorker] = {}
        for container in _probed(pod()):
            for type_, probe in probes(container):
                self._workers[container.name, type_] = ProbeWorker(
                    context,
                    subject=Subject(type_=type_, probe=probe, container=container),
                    pod=pod,
                    results=self._results,
                    updated=self._changed,
                )

    def failed(self, container_id: str) -> ProbeType | None:
        """Which probe says that a container has to be killed."""
        for type_ in (ProbeType.LIVENESS, ProbeType.STARTUP):
            if self._results.by_container.get((type_, container_id)) is Result.FAILURE:
                return type_
        return None

    def unstarted(self, containers: Iterable[cri.ContainerStatus]) -> frozenset[str]:
        """The names of the containers whose startup probe has not succeeded yet."""
        return self._held(ProbeType.STARTUP, containers)

    def unready(self, containers: Iterable[cri.ContainerStatus]) -> frozenset[str]:
        """The names of the containers whose readiness probe does not succeed."""
        return self._held(ProbeType.READINESS, containers)

    def saw(self, status: PodStatus) -> None:
        """The pod's status was made: the workers look at it, and readiness is asked at once."""
        if not self._workers:
            return
        ip = status.pod_ip or ""
        for shown in (*status.init_container_statuses, *status.container_statuses):
            seen = self._seen(shown, ip)
            for type_ in ProbeType:
                worker = self._workers.get((shown.name, type_))
                if worker is None:
                    continue
                worker.saw(seen)
                waits = seen.started and not shown.ready and type_ is ProbeType.READINESS
                if waits and seen.started_ns is not None:
                    worker.trigger()

    def stop_liveness_and_startup(self) -> None:
        """The pod is going: nothing is restarted any more."""
        for (_, type_), worker in self._workers.items():
            if type_ is not ProbeType.READINESS:
                worker.stop()

    def stop(self) -> None:
        """The pod is gone."""
        for worker in self._workers.values():
            worker.stop()

    def _held(self, type_: ProbeType, containers: Iterable[cri.ContainerStatus]) -> frozenset[str]:
        if not self._workers:
            return frozenset()
        latest = {run.name: run.id for run in containers}
        return frozenset(
            name
            for name, of_type in self._workers
            if of_type is type_
            and self._results.by_container.get((type_, latest.get(name, ""))) is not Result.SUCCESS
        )

    def _seen(self, shown: ContainerStatus, ip: str) -> Seen:
        running = shown.state.running
        started_ns = None
        if running is not None:
            started_ns = (running.started_at or 0) - self._epoch_ns
        return Seen(
            container_id=(shown.container_id or "").removeprefix("containerd://"),
            started_ns=started_ns,
            ended=shown.state.terminated is not None,
            started=bool(shown.started),
            pod_ip=ip,
        )

    def _changed(self, type_: ProbeType, result: Result) -> None:
        if type_ is not ProbeType.LIVENESS or result is Result.FAILURE:
            self._updated()


def probes(container: Container) -> list[tuple[ProbeType, Probe]]:
    """A container's probes."""
    candidates = (
        (ProbeType.STARTUP, container.startup_probe),
        (ProbeType.READINESS, container.readiness_probe),
        (ProbeType.LIVENESS, container.liveness_probe),
    )
    return [(type_, probe) for type_, probe in candidates if probe is not None]


def _probed(pod: Pod) -> list[Container]:
    sidecars = [c for c in pod.spec.init_containers if is_restartable_init(c)]
    return [*pod.spec.containers, *sidecars]
