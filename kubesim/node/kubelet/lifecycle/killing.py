"""Ending containers: the hook first, then SIGTERM, then SIGKILL, within one grace period.

All containers of a pod are ended at the same time, but sidecars wait for their turn: after the
ordinary containers, in the reverse of the order in which they were started.

Mirrors: pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer, executePreStopHook,
setTerminationGracePeriod), kuberuntime_termination_order.go.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubesim.api.corev1 import Container, Pod
from kubesim.controlplane.client import Recorder
from kubesim.node.cri import messages as cri
from kubesim.node.cri.services import RuntimeService
from kubesim.node.kubelet.container import is_restartable_init
from kubesim.node.kubelet.lifecycle.hooks import run_hook
from kubesim.node.kubelet.prober.asking import Asker, Target
from kubesim.node.kubelet.prober.results import ProbeType
from kubesim.sim import Event, Sim, SimProcess
from kubesim.sim.time import SECOND

MIN_GRACE_S = 2  # minimumGracePeriodInSeconds


class Killer:
    """Ends containers for one kubelet."""

    def __init__(
        self, sim: Sim, *, runtime: RuntimeService, recorder: Recorder, asker: Asker
    ) -> None:
        self._sim = sim
        self._runtime = runtime
        self._recorder = recorder
        self._asker = asker

    def kill(
        self,
        pod: Pod,
        target: Target,
        *,
        message: str = "",
        probe: ProbeType | None = None,
        grace_s: int | None = None,
        turn: tuple[Event, ...] = (),
    ) -> SimProcess[None]:
        """End one container.

        Args:
            pod: Its pod.
            target: The container.
            message: What the event says, when it is not the usual.
            probe: The probe because of which, which may have a grace period of its own.
            grace_s: A grace period instead of the pod's.
            turn: What has to happen before it gets its SIGTERM, if there is time.
        """
        container = target.container
        text = message or f"Stopping container {container.name}"
        self._recorder.normal(pod, "Killing", text)
        left_s = grace_seconds(pod, container, probe) if grace_s is None else grace_s
        hook = container.lifecycle.pre_stop if container.lifecycle is not None else None
        if hook is not None and left_s > 0:
            began_ns = self._sim.now
            running = self._sim.process(run_hook(self._sim, self._asker, pod, target, hook))
            yield self._sim.any_of([running, self._sim.timeout(left_s * SECOND)])
            if running.triggered and running.value is not None:
                self._recorder.warning(pod, "FailedPreStopHook", "PreStopHook failed")
            left_s -= (self._sim.now - began_ns) // SECOND
        if turn and left_s > 0:
            began_ns = self._sim.now
            over = self._sim.timeout(left_s * SECOND)
            yield self._sim.any_of([self._sim.all_of(turn), over])
            left_s -= (self._sim.now - began_ns) // SECOND
        grace_ns = max(left_s, MIN_GRACE_S) * SECOND
        yield from self._runtime.stop_container(target.container_id, grace_ns)

    def kill_all(
        self,
        pod: Pod,
        running: Iterable[cri.ContainerStatus],
        *,
        pod_ip: str,
        grace_s: int | None = None,
    ) -> SimProcess[None]:
        """End everything that runs in a pod, in the order of termination."""
        ids = {status.name: status.id for status in running}
        ended: dict[str, Event] = {}
        order = [c for c in pod.spec.containers if c.name in ids]
        order += [c for c in reversed(pod.spec.init_containers) if c.name in ids]
        mains = {container.name for container in pod.spec.containers}
        for container in order:
            turn: tuple[Event, ...] = ()
            if is_restartable_init(container) and container.name not in mains:
                turn = tuple(ended.values())
            target = Target(container=container, container_id=ids[container.name], pod_ip=pod_ip)
            killing = self.kill(pod, target, grace_s=grace_s, turn=turn)
            ended[container.name] = self._sim.process(killing)
        yield self._sim.all_of(list(ended.values()))


def grace_seconds(pod: Pod, container: Container, probe: ProbeType | None = None) -> int:
    """How long a container gets to end by itself."""
    if pod.metadata.deletion_grace_period_seconds is not None:
        return pod.metadata.deletion_grace_period_seconds
    own = None
    if probe is ProbeType.STARTUP and container.startup_probe is not None:
        own = container.startup_probe.termination_grace_period_seconds
    elif probe is ProbeType.LIVENESS and container.liveness_probe is not None:
        own = container.liveness_probe.termination_grace_period_seconds
    if own is not None:
        return own
    grace_s = pod.spec.termination_grace_period_seconds
    return 30 if grace_s is None else grace_s
