"""The pod worker: one per pod, from the pod's first appearance to its last.

It syncs, sleeps until something gives it a reason to look again (a relist, a new version of the
pod, a back-off that ends), and syncs again. A sync makes the sandbox if there is none, starts the
init containers one after another and then the ordinary ones, strictly one after another, and leaves
whatever failed for the next time. When the pod is to be deleted, whatever sync is under way is
cancelled; the containers are stopped within the grace period, and the API object goes last.

Mirrors: pkg/kubelet/pod_workers.go, pkg/kubelet/kubelet.go (SyncPod, SyncTerminatingPod,
SyncTerminatedPod), pkg/kubelet/kuberuntime/kuberuntime_manager.go (SyncPod, computePodActions).
Departs: no sidecars, no ephemeral containers, no hooks, no probes yet. A back-off ends exactly when
it is over, where upstream adds a jitter of up to half of it; and a pod's own status, when it comes
back with the watch, is a reason to look again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from kubesim.api.corev1 import ConfigMap, Container, Pod, PodStatus, Secret
from kubesim.api.quantity import Quantity
from kubesim.controlplane.client import Recorder
from kubesim.facts import StartupPhaseEnded
from kubesim.node.cri import messages as cri
from kubesim.node.cri.services import RuntimeService
from kubesim.node.kubelet.backoff import BackOff
from kubesim.node.kubelet.cm import linux_pod_sandbox_config, oom_score_adj
from kubesim.node.kubelet.container import container_config, should_restart
from kubesim.node.kubelet.environment import ConfigError, Surroundings, environment, references
from kubesim.node.kubelet.images import ImageManager
from kubesim.node.kubelet.status import Observation, generate_pod_status
from kubesim.node.kubelet.status_manager import StatusManager
from kubesim.sim import Event, Interrupt, Rng, Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.sim.time import SECOND

SYNC_BACKOFF_NS = 10 * SECOND  # backOffPeriod, jittered by up to half of it
MIN_GRACE_NS = 2 * SECOND  # minimumGracePeriodInSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What all workers of a kubelet share.

    Attributes:
        cached: A pod's containers as the last relist saw them.
        volumes: Admission, cgroup and mounts, before the first sync.
        runtime_handler: The handler of a RuntimeClass by the class's name.
        fetch: A ConfigMap or a Secret from the API server.
        allocatable: What of the node's resources pods may have.
        memory_capacity_bytes: The machine's memory.
    """

    sim: Sim
    node: str
    host_ip: str
    runtime: RuntimeService
    images: ImageManager
    statuses: StatusManager
    recorder: Recorder
    rng: Rng
    cached: Callable[[str], tuple[cri.ContainerStatus, ...]]
    volumes: Distribution
    runtime_handler: Callable[[str], str | None]
    fetch: Callable[[type[ConfigMap | Secret], str], SimProcess[ConfigMap | Secret | None]]
    allocatable: Mapping[str, Quantity]
    memory_capacity_bytes: int


class PodWorker:
    """One pod's worker.

    Args:
        context: What it shares with the other workers of the kubelet.
        pod: The pod as it first appeared.
        finished: Called when the pod is gone from the node for good.
    """

    def __init__(
        self, context: WorkerContext, *, pod: Pod, finished: Callable[[str], None]
    ) -> None:
        self.pod = pod
        self._context = context
        self._sim = context.sim
        self._finished = finished
        self._sandbox_id = ""
        self._linux = linux_pod_sandbox_config(pod)
        self._pod_ip = ""
        self._waiting: dict[str, tuple[str, str]] = {}
        self._crash_loop = BackOff()
        self._retry_at_ns: int | None = None
        self._kicked = False
        self._wake: Event | None = None
        self._living = False
        self._terminating = pod.metadata.deletion_timestamp is not None
        self._over = False
        self._sandbox_ready = False
        self._terminated = False
        self._reported: PodStatus | None = None
        self._process = self._sim.process(self._run())

    def update(self, pod: Pod, *, removed: bool = False) -> None:
        """A new version of the pod arrived; or its last one, when the object was removed."""
        before, self.pod = self.pod, pod
        if self._terminating:
            if _grace_ns(pod) < _grace_ns(before):
                self._hurry()
        elif removed or pod.metadata.deletion_timestamp is not None:
            self._terminating = True
            if self._living:
                self._process.interrupt()
        else:
            self.kick()

    def kick(self) -> None:
        """There is a reason to look again."""
        self._kicked = True
        if self._wake is not None and not self._wake.triggered:
            self._wake.succeed()

    def power_off(self) -> None:
        """The node is gone: stop in the middle of whatever it is."""
        self._over = True
        if self._living:
            self._process.interrupt()

    def observe(self) -> PodStatus:
        """The pod's status as the last relist showed it."""
        return self._status(self._context.cached(self.pod.uid))

    def _status(self, containers: tuple[cri.ContainerStatus, ...]) -> PodStatus:
        context = self._context
        # What was reported last counts, even if the API server does not have it yet: a start time
        # or a transition does not move because two reports followed each other closely.
        pod = self.pod if self._reported is None else self.pod.replace(status=self._reported)
        return generate_pod_status(
            pod,
            Observation(
                containers=containers,
                pod_ip=self._pod_ip,
                sandbox_ready=self._sandbox_ready,
                terminated=self._terminated,
                waiting=self._waiting,
                host_ip=context.host_ip,
                epoch_ns=self._sim.start_time_ns,
                now_ns=self._sim.now,
            ),
        )

    def _run(self) -> SimProcess[None]:
        with suppress(Interrupt):  # a deletion, or the end of the node
            self._living = not self._terminating
            if self._living:
                yield from self._live()
        self._living = False
        if not self._over:
            yield from self._terminate()

    def _live(self) -> SimProcess[None]:
        """Sync until the pod has ended by itself; a deletion interrupts it anywhere."""
        self._phase_ended("watch", _scheduled_ns(self.pod) - self._sim.start_time_ns)
        self._report()
        began_ns = self._sim.now
        yield self._sim.timeout(self._context.volumes.draw(self._context.rng))
        self._phase_ended("volumes", began_ns)
        while True:
            # The status is made at the beginning of a sync, from what the last relist saw: what
            # this sync starts becomes visible with the relist after it.
            status = self._report()
            if status.phase in ("Succeeded", "Failed"):
                break
            self._kicked = False
            self._retry_at_ns = None
            yield from self._sync()
            if not self._kicked:
                yield from self._sleep()
        # It ended by itself: the sandbox goes, the object stays until somebody deletes it.
        self._sandbox_ready = False
        yield from self._context.runtime.stop_pod_sandbox(self._sandbox_id)
        self._report()
        yield self._sim.event()  # until it is interrupted

    def _sleep(self) -> SimProcess[None]:
        self._wake = self._sim.event()
        if self._retry_at_ns is None:
            yield self._wake
        else:
            delay_ns = max(0, self._retry_at_ns - self._sim.now)
            yield self._sim.any_of([self._wake, self._sim.timeout(delay_ns)])
        self._wake = None

    def _sync(self) -> SimProcess[None]:
        if not self._sandbox_id and not (yield from self._create_sandbox()):
            return
        for container in self.pod.spec.init_containers:
            if not (yield from self._initialized(container)):
                return
        for container in self.pod.spec.containers:
            yield from self._started(container)

    def _create_sandbox(self) -> SimProcess[bool]:
        context, pod = self._context, self.pod
        class_name = pod.spec.runtime_class_name
        handler = context.runtime_handler(class_name) if class_name else ""
        try:
            if handler is None:
                raise cri.CriError("NotFound", f'RuntimeClass "{class_name}" not found')
            sandbox_id = yield from context.runtime.run_pod_sandbox(
                self._sandbox_config(), handler
            )
        except cri.CriError as error:
            message = f"Failed to create pod sandbox: {error}"
            context.recorder.warning(pod, "FailedCreatePodSandBox", message)
            self._retry_in(SYNC_BACKOFF_NS + context.rng.uniform(0, SYNC_BACKOFF_NS // 2))
            return False
        self._sandbox_id = sandbox_id
        status = yield from context.runtime.pod_sandbox_status(sandbox_id)
        self._pod_ip = status.ip
        self._sandbox_ready = True
        self._report()
        return True

    def _initialized(self, container: Container) -> SimProcess[bool]:
        """Whether an init container has done its work; starts it when it has not."""
        latest = self._latest(container)
        if latest is not None and latest.state is cri.ContainerState.EXITED:
            if latest.exit_code == 0:
                return True
            if (self.pod.spec.restart_policy or "Always") == "Never":
                return False
        yield from self._started(container)
        return False

    def _started(self, container: Container) -> SimProcess[None]:
        """Have a container running, unless it has ended for good or has to wait."""
        latest = self._latest(container)
        if latest is not None and latest.state is cri.ContainerState.RUNNING:
            self._waiting.pop(container.name, None)
            return
        attempt = 0
        if latest is not None and latest.state is cri.ContainerState.EXITED:
            if not self._may_restart(container, latest):
                return
            attempt = latest.attempt + 1
        began_ns = self._sim.now
        waiting = yield from self._context.images.ensure_image_exists(
            self.pod, container, self._sandbox_config()
        )
        if waiting is not None:
            self._waiting[container.name] = (waiting.reason, waiting.message)
            if waiting.retry_in_ns:
                self._retry_in(waiting.retry_in_ns)
            return
        self._container_phase_ended("pull", container, attempt, began_ns)
        yield from self._create_and_start(container, attempt)

    def _may_restart(self, container: Container, latest: cri.ContainerStatus) -> bool:
        pod, now_ns = self.pod, self._sim.now
        if not should_restart(pod, latest.exit_code):
            return False
        remaining_ns = self._crash_loop.remaining_ns(
            container.name, since_ns=latest.finished_at, now_ns=now_ns
        )
        if remaining_ns:
            delay = _go_duration(self._crash_loop.delay_ns(container.name))
            where = f"{pod.name}_{pod.namespace}({pod.uid})"
            message = f"back-off {delay} restarting failed container={container.name} pod={where}"
            if self._waiting.get(container.name, ("", ""))[0] != "CrashLoopBackOff":
                text = f"Back-off restarting failed container {container.name} in pod {where}"
                self._context.recorder.warning(pod, "BackOff", text)
            self._waiting[container.name] = ("CrashLoopBackOff", message)
            self._retry_in(remaining_ns)
            return False
        self._crash_loop.next(container.name, now_ns=now_ns, since_ns=latest.finished_at)
        return True

    def _create_and_start(self, container: Container, attempt: int) -> SimProcess[None]:
        context, pod, sandbox = self._context, self.pod, self._sandbox_config()
        began_ns = self._sim.now
        try:
            envs = yield from self._environment(container)
            capacity_bytes = context.memory_capacity_bytes
            score = oom_score_adj(pod, container, memory_capacity_bytes=capacity_bytes)
            config = container_config(container, attempt=attempt, envs=envs, oom_score_adj=score)
            container_id = yield from context.runtime.create_container(
                self._sandbox_id, config, sandbox
            )
        except ConfigError as error:
            self._refused(container, "CreateContainerConfigError", str(error))
            return
        except cri.CriError as error:
            self._refused(container, "CreateContainerError", error.message)
            return
        context.recorder.normal(pod, "Created", "Container created")
        self._container_phase_ended("create", container, attempt, began_ns)
        began_ns = self._sim.now
        self._waiting.pop(container.name, None)
        try:
            yield from context.runtime.start_container(container_id)
        except cri.CriError as error:
            self._refused(container, "RunContainerError", error.message)
            return
        context.recorder.normal(pod, "Started", "Container started")
        self._container_phase_ended("start", container, attempt, began_ns)

    def _environment(self, container: Container) -> SimProcess[tuple[tuple[str, str], ...]]:
        """The container's variables; what they refer to is asked for when it is created."""
        context, pod = self._context, self.pod
        config_maps: dict[str, ConfigMap] = {}
        secrets: dict[str, Secret] = {}
        for kind, name in dict.fromkeys(references(container)):
            found = yield from context.fetch(kind, f"{pod.namespace}/{name}")
            if isinstance(found, ConfigMap):
                config_maps[name] = found
            elif found is not None:
                secrets[name] = found
        around = Surroundings(
            config_maps=config_maps,
            secrets=secrets,
            node=context.node,
            host_ip=context.host_ip,
            pod_ip=self._pod_ip,
            allocatable=context.allocatable,
        )
        return environment(pod, container, around)

    def _refused(self, container: Container, reason: str, message: str) -> None:
        self._context.recorder.warning(self.pod, "Failed", f"Error: {message}")
        self._waiting[container.name] = (reason, message)
        self._retry_in(SYNC_BACKOFF_NS + self._context.rng.uniform(0, SYNC_BACKOFF_NS // 2))

    def _terminate(self) -> SimProcess[None]:
        """Stop everything within the grace period, then let the API object go."""
        context, pod = self._context, self.pod
        running = self._running()
        for status in running:
            context.recorder.normal(pod, "Killing", f"Stopping container {status.name}")
        grace_ns = _grace_ns(pod)
        stops = [context.runtime.stop_container(status.id, grace_ns) for status in running]
        yield self._sim.all_of([self._sim.process(stop) for stop in stops])
        self._sandbox_ready = False
        yield from context.runtime.stop_pod_sandbox(self._sandbox_id)
        if self._over:
            return
        self._waiting.clear()
        self._terminated = True
        last = self._status(context.runtime.list_containers(pod.uid))
        context.statuses.report(self.pod, last)
        yield from context.statuses.delete(self.pod)
        yield from context.runtime.remove_pod_sandbox(self._sandbox_id)
        self._finished(pod.uid)

    def _hurry(self) -> None:
        """The grace period became shorter while the containers were being stopped."""
        for status in self._running():
            stop = self._context.runtime.stop_container(status.id, _grace_ns(self.pod))
            self._sim.process(stop)

    def _running(self) -> list[cri.ContainerStatus]:
        statuses = self._context.runtime.list_containers(self.pod.uid)
        return [status for status in statuses if status.state is cri.ContainerState.RUNNING]

    def _report(self) -> PodStatus:
        status = self._reported = self.observe()
        self._context.statuses.report(self.pod, status)
        return status

    def _latest(self, container: Container) -> cri.ContainerStatus | None:
        runs = self._context.runtime.list_containers(self.pod.uid)
        return next((run for run in reversed(runs) if run.name == container.name), None)

    def _sandbox_config(self) -> cri.PodSandboxConfig:
        pod = self.pod
        return cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(
                name=pod.name, namespace=pod.namespace or "", uid=pod.uid
            ),
            annotations=tuple(pod.metadata.annotations.items()),
            linux=self._linux,
        )

    def _retry_in(self, delay_ns: int) -> None:
        at_ns = self._sim.now + delay_ns
        self._retry_at_ns = at_ns if self._retry_at_ns is None else min(self._retry_at_ns, at_ns)

    def _phase_ended(self, phase: str, began_ns: int, container: str = "") -> None:
        pod = self.pod
        self._sim.emit(
            StartupPhaseEnded(
                namespace=pod.namespace or "",
                name=pod.name,
                uid=pod.uid,
                container=container,
                phase=phase,
                began_ns=began_ns,
            )
        )

    def _container_phase_ended(
        self, phase: str, container: Container, attempt: int, began_ns: int
    ) -> None:
        if attempt == 0:
            self._phase_ended(phase, began_ns, container.name)


def _grace_ns(pod: Pod) -> int:
    """How long its containers get between SIGTERM and SIGKILL."""
    grace_s = pod.metadata.deletion_grace_period_seconds
    if grace_s is None:
        grace_s = pod.spec.termination_grace_period_seconds
    return max(30 * SECOND if grace_s is None else grace_s * SECOND, MIN_GRACE_NS)


def _scheduled_ns(pod: Pod) -> int:
    times = [c.last_transition_time for c in pod.status.conditions if c.type == "PodScheduled"]
    return next(
        (at_ns for at_ns in times if at_ns is not None), pod.metadata.creation_timestamp or 0
    )


def _go_duration(duration_ns: int) -> str:
    """``10s``, ``1m20s``: whole seconds as Go prints them."""
    minutes, seconds = divmod(duration_ns // SECOND, 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
