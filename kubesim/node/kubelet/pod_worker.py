"""The pod worker: one per pod, from the pod's first appearance to its last.

It syncs, sleeps until something gives it a reason to look again (a relist, a new version of the
pod, a back-off that ends), and syncs again. A sync makes the sandbox if there is none, starts the
init containers one after another and then the ordinary ones, strictly one after another, and leaves
whatever failed for the next time. When the pod is to be deleted, whatever sync is under way is
cancelled; the containers are stopped within the grace period, and the API object goes last.

Mirrors: pkg/kubelet/pod_workers.go, pkg/kubelet/kubelet.go (SyncPod, SyncTerminatingPod,
SyncTerminatedPod), pkg/kubelet/kuberuntime/kuberuntime_manager.go (SyncPod, computePodActions,
computeInitContainerActions), pkg/kubelet/active_deadline.go.
Departs: no ephemeral containers; why a container waits is reported a second
after the sync that found out, where upstream reports it with the next sync, which is mostly due to a
dead container that is removed then; an active deadline is noticed when it passes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from kubesim.api.corev1 import Container, Pod, PodStatus
from kubesim.facts import StartupPhaseEnded
from kubesim.node.cri import messages as cri
from kubesim.node.kubelet.cm import linux_pod_sandbox_config
from kubesim.node.kubelet.container import is_restartable_init, should_restart
from kubesim.node.kubelet.containers import PodContainers, Sandbox
from kubesim.node.kubelet.context import WorkerContext
from kubesim.node.kubelet.prober import PodProber
from kubesim.node.kubelet.resizing import PodResizer
from kubesim.node.kubelet.status import Ending, Observation, generate_pod_status
from kubesim.node.kubelet.volumes import PodVolumes
from kubesim.sim import Event, Interrupt, SimProcess
from kubesim.sim.time import SECOND

MIN_GRACE_NS = 2 * SECOND  # minimumGracePeriodInSeconds
RELOOK_NS = SECOND
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


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
        self._linux = linux_pod_sandbox_config(pod, context.settings.cfs_period_us)
        self._pod_ip = ""
        self._prober = PodProber(context.probes, pod=lambda: self.pod, updated=self.kick)
        self._volumes = PodVolumes(
            self._sim,
            host=context.volume_host,
            recorder=context.recorder,
            rng=context.rng,
            fetch=context.fetch,
        )
        self._containers = PodContainers(
            context, pod=lambda: self.pod, prober=self._prober, volumes=self._volumes
        )
        self.resizer = PodResizer(context, pod=lambda: self.pod, containers=self._containers)
        self._ending: Ending | None = None
        self._kicked = False
        self._wake: Event | None = None
        self._living = False
        self._terminating = pod.metadata.deletion_timestamp is not None
        self._over = False
        self._sandbox_ready = False
        self._terminated = False
        self._ended = False
        self._when_over: Event | None = None
        self._known = bool(context.runtime.list_containers(pod.uid))
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
        elif _worth_a_sync(before, pod):
            self.kick()

    def allocate(self, pod: Pod, *, resized: Callable[[], None]) -> None:
        """The pod has other resources from now on; ``resized`` is called when they are in force."""
        self.update(pod)
        self.resizer.begin(resized)
        self.kick()

    def end(self, ending: Ending) -> None:
        """End the pod for the kubelet's own reasons, unless it is going already."""
        if not self._terminating and self._ending is None and self._living:
            self._ending = ending
            self._process.interrupt()

    def evict(self, ending: Ending) -> Event:
        """End the pod because the node needs what it has; what is going already goes sooner."""
        if self._terminating or self._ending is not None:
            self._stop_within(max(ending.grace_s or 0, MIN_GRACE_NS // SECOND) * SECOND)
        self.end(ending)
        return self.when_over()

    def when_over(self) -> Event:
        """Happens when nothing of the pod runs any more."""
        if self._when_over is None:
            self._when_over = self._sim.event()
            if self.is_over:
                self._when_over.succeed()
        return self._when_over

    @property
    def evicted(self) -> bool:
        """Whether the node has got rid of it."""
        return self._terminated and self._ending is not None and self._ending.reason == "Evicted"

    @property
    def sandbox_id(self) -> str:
        """Its sandbox; empty before it has one."""
        return self._sandbox_id

    @property
    def cgroup(self) -> str:
        """The path of its cgroup."""
        return self._linux.cgroup_parent

    def volume_use(self) -> dict[str, int]:
        """Bytes in its volumes on the node's own disk, by name."""
        return self._volumes.use()

    @property
    def is_over(self) -> bool:
        """Whether nothing of the pod runs or will."""
        return self._terminated or self._over or self._ended

    def report_again(self) -> None:
        """Whatever the API server was told before, tell it how the pod is."""
        self._context.statuses.forget(self.pod.uid)
        if self._living and self._reported is not None:
            self._context.statuses.report(self.pod, self._reported)

    def kick(self) -> None:
        """There is a reason to look again."""
        self._kicked = True
        if self._wake is not None and not self._wake.triggered:
            self._wake.succeed()

    def power_off(self) -> None:
        """The node is gone: stop in the middle of whatever it is."""
        self._over = True
        self._tell_over()
        self._volumes.tear_down(self.pod.uid)
        self._prober.stop()
        if self._living:
            self._process.interrupt()

    def observe(self) -> PodStatus:
        """The pod's status as the last relist showed it."""
        return self._status(self._context.cached(self.pod.uid))

    def _status(self, containers: tuple[cri.ContainerStatus, ...]) -> PodStatus:
        context = self._context
        # What was reported last counts, even if the API server does not have it yet: a start time
        # or a transition does not move because two reports followed each other closely.
        pod = self.pod
        if self._reported is not None:
            own = {condition.type for condition in self._reported.conditions}
            others = tuple(c for c in pod.status.conditions if c.type not in own)
            conditions = self._reported.conditions + others
            pod = pod.replace(status=self._reported.replace(conditions=conditions))
        return generate_pod_status(
            pod,
            Observation(
                containers=containers,
                pod_ip=self._pod_ip,
                sandbox_ready=self._sandbox_ready,
                terminated=self._terminated,
                waiting=self._containers.waiting,
                unstarted=self._prober.unstarted(containers),
                unready=self._prober.unready(containers),
                ending=self._ending,
                resizing=self.resizer.conditions(),
                in_force=self.resizer.in_force(),
                host_ip=context.host_ip,
                epoch_ns=self._sim.start_time_ns,
                now_ns=self._sim.now,
            ),
        )

    def _run(self) -> SimProcess[None]:
        self._living = not self._terminating
        if self._living:
            with suppress(Interrupt):  # a deletion, an ending, or the end of the node
                yield from self._live()
            if self._ending is not None and not (self._terminating or self._over):
                with suppress(Interrupt):
                    yield from self._end(self._ending)
        self._living = False
        if not self._over:
            yield from self._terminate()

    def _live(self) -> SimProcess[None]:
        """Sync until the pod has ended by itself; a deletion interrupts it anywhere."""
        self._phase_ended("watch", _scheduled_ns(self.pod) - self._sim.start_time_ns)
        self._watch_deadline(self._report())
        began_ns = self._sim.now
        yield self._sim.timeout(self._context.volumes.draw(self._context.rng))
        if self.pod.spec.volumes:
            yield from self._volumes.set_up(self.pod, self._context.surroundings(""))
        self._phase_ended("volumes", began_ns)
        while True:
            self.resizer.settle()
            # The status is made at the beginning of a sync, from what the last relist saw: what
            # this sync starts becomes visible with the relist after it.
            status = self._report()
            if status.phase in ("Succeeded", "Failed"):
                break
            self._kicked = False
            self._containers.retry_at_ns = None
            waiting = dict(self._containers.waiting)
            yield from self._sync()
            if waiting != self._containers.waiting:
                self._containers.retry_in(RELOOK_NS)  # why containers wait has to be reported
            if not self._kicked:
                yield from self._sleep()
        self._prober.stop()
        self._ended = True
        # It ended by itself: the sandbox goes, the object stays until somebody deletes it.
        self._sandbox_ready = False
        yield from self._context.runtime.stop_pod_sandbox(self._sandbox_id)
        self._report()
        self._volumes.tear_down(self.pod.uid)
        self._tell_over()
        yield self._sim.event()  # until it is interrupted

    def _end(self, ending: Ending) -> SimProcess[None]:
        """End it now; it is Failed when nothing of it runs any more, and its object stays."""
        self._prober.stop()
        shown = self.observe()
        before = self._reported or self.pod.status
        self._show(shown.replace(phase=before.phase, reason=before.reason, message=before.message))
        yield from self._kill_all(ending.grace_s)
        self._sandbox_ready = False
        yield from self._context.runtime.stop_pod_sandbox(self._sandbox_id)
        self._containers.waiting.clear()
        self._terminated = True
        self._show(self._status(self._context.runtime.list_containers(self.pod.uid)))
        self._volumes.tear_down(self.pod.uid)
        self._tell_over()
        yield self._sim.event()  # until it is interrupted

    def _tell_over(self) -> None:
        if self._when_over is not None and not self._when_over.triggered:
            self._when_over.succeed()

    def _past_deadline(self) -> None:
        self._context.recorder.normal(self.pod, "DeadlineExceeded", DEADLINE_MESSAGE)
        self.end(Ending(reason="DeadlineExceeded", message=DEADLINE_MESSAGE))

    def _watch_deadline(self, status: PodStatus) -> None:
        """The deadline counts from the pod's start time."""
        deadline_s = self.pod.spec.active_deadline_seconds
        if deadline_s is not None and status.start_time is not None:
            due_ns = status.start_time - self._sim.start_time_ns + deadline_s * SECOND
            self._sim.call_in(max(0, due_ns - self._sim.now), self._past_deadline)

    def _sleep(self) -> SimProcess[None]:
        self._wake = self._sim.event()
        retry_at_ns = self._containers.retry_at_ns
        if retry_at_ns is None:
            yield self._wake
        else:
            delay_ns = max(0, retry_at_ns - self._sim.now)
            yield self._sim.any_of([self._wake, self._sim.timeout(delay_ns)])
        self._wake = None

    def _sync(self) -> SimProcess[None]:
        if not self._sandbox_id and not (yield from self._create_sandbox()):
            return
        sandbox = Sandbox(id=self._sandbox_id, ip=self._pod_ip, config=self._sandbox_config())
        if not (yield from self._initialize(sandbox)):
            return
        yield from self.resizer.resize(sandbox)
        for container in self.pod.spec.containers:
            yield from self._containers.ensure(container, sandbox)
        if self.pod.spec.init_containers and self._finished_mains():
            yield from self._kill_all()

    def _kill_all(self, grace_s: int | None = None) -> SimProcess[None]:
        running = self._running()
        if running:
            yield from self._context.killer.kill_all(
                self.pod, running, pod_ip=self._pod_ip, grace_s=grace_s
            )

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
            self._containers.sync_failed()
            return False
        self._sandbox_id = sandbox_id
        status = yield from context.runtime.pod_sandbox_status(sandbox_id)
        self._pod_ip = status.ip
        self._sandbox_ready = True
        self._report()
        return True

    def _initialize(self, sandbox: Sandbox) -> SimProcess[bool]:
        """Whether the ordinary containers may be started; starts what comes before them."""
        spec = self.pod.spec
        runs = self._context.runtime.list_containers(self.pod.uid)
        mains = {container.name for container in spec.containers}
        done = any(
            run.name in mains and run.state is not cri.ContainerState.EXITED for run in runs
        )
        for container in spec.init_containers:
            if is_restartable_init(container):
                if not (yield from self._sidecar(container, sandbox)) and not done:
                    return False
            elif not done and not (yield from self._initialized(container, sandbox)):
                return False
        return True

    def _initialized(self, container: Container, sandbox: Sandbox) -> SimProcess[bool]:
        """Whether an init container has done its work; starts it when it has not."""
        latest = self._containers.latest(container)
        ran_here = latest is not None and latest.pod_sandbox_id == sandbox.id
        if latest is not None and latest.state is cri.ContainerState.EXITED and ran_here:
            if latest.exit_code == 0:
                return True
            if not should_restart(self.pod, latest.exit_code, container):
                return False
        yield from self._containers.ensure(container, sandbox)
        return False

    def _sidecar(self, container: Container, sandbox: Sandbox) -> SimProcess[bool]:
        """Whether a sidecar has started, as the last relist saw it; starts it when it must."""
        latest = self._containers.latest(container)
        yield from self._containers.ensure(container, sandbox)
        seen = self._context.cached(self.pod.uid)
        running = latest is not None and any(
            run.id == latest.id and run.state is cri.ContainerState.RUNNING for run in seen
        )
        return running and container.name not in self._prober.unstarted(seen)

    def _finished_mains(self) -> bool:
        """Whether no ordinary container runs or will: then sidecars have no reason to."""
        for container in self.pod.spec.containers:
            latest = self._containers.latest(container)
            if latest is None or latest.state is not cri.ContainerState.EXITED:
                return False
            if should_restart(self.pod, latest.exit_code, container):
                return False
        return True

    def _terminate(self) -> SimProcess[None]:
        """Stop everything within the grace period, then let the API object go."""
        context, pod = self._context, self.pod
        self._prober.stop_liveness_and_startup()
        yield from self._kill_all()
        self._prober.stop()
        self._sandbox_ready = False
        yield from context.runtime.stop_pod_sandbox(self._sandbox_id)
        if self._over:
            return
        self._containers.waiting.clear()
        self._terminated = True
        self._tell_over()
        last = self._status(context.runtime.list_containers(pod.uid))
        context.statuses.report(self.pod, last)
        yield from context.statuses.delete(self.pod)
        yield from context.runtime.remove_pod_sandbox(self._sandbox_id)
        self._volumes.tear_down(pod.uid)
        self._finished(pod.uid)

    def _hurry(self) -> None:
        """The grace period became shorter while the containers were being stopped."""
        self._stop_within(_grace_ns(self.pod))

    def _stop_within(self, grace_ns: int) -> None:
        for status in self._running():
            self._sim.process(self._context.runtime.stop_container(status.id, grace_ns))

    def _running(self) -> list[cri.ContainerStatus]:
        statuses = self._context.runtime.list_containers(self.pod.uid)
        return [status for status in statuses if status.state is cri.ContainerState.RUNNING]

    def _report(self) -> PodStatus:
        return self._show(self.observe())

    def _show(self, status: PodStatus) -> PodStatus:
        self._reported = status
        self._context.statuses.report(self.pod, status)
        self._prober.saw(status)
        return status

    def _sandbox_config(self) -> cri.PodSandboxConfig:
        pod = self.pod
        return cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(
                name=pod.name, namespace=pod.namespace or "", uid=pod.uid
            ),
            annotations=tuple(pod.metadata.annotations.items()),
            linux=self._linux,
        )

    def _phase_ended(self, phase: str, began_ns: int, container: str = "") -> None:
        if self._known:
            return  # not its first start
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


def _worth_a_sync(before: Pod, after: Pod) -> bool:
    """Whether a new version is more than the echo of a status."""
    if after.spec.readiness_gates:
        return True
    old, new = before.metadata, after.metadata
    return (before.spec, old.labels, old.annotations) != (after.spec, new.labels, new.annotations)


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
