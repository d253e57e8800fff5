"""The containers of one pod: have each of them running, or know why it waits.

Image, environment, CreateContainer, StartContainer, postStart hook, one after the other. What has
ended is started again as its restart policy says, within the back-off; what a liveness or a startup
probe gave up is killed first, and started again in the same sync.

Mirrors: pkg/kubelet/kuberuntime/kuberuntime_manager.go (SyncPod, doBackOff),
kuberuntime_container.go (startContainer).
Departs: a back-off ends exactly when it is over, where upstream adds a jitter of up to half of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kubesim.api.corev1 import ConfigMap, Container, Pod, ResourceRequirements, Secret
from kubesim.facts import StartupPhaseEnded
from kubesim.node.cri import messages as cri
from kubesim.node.kubelet.backoff import BackOff
from kubesim.node.kubelet.cm import oom_score_adj
from kubesim.node.kubelet.container import container_config, is_restartable_init, should_restart
from kubesim.node.kubelet.context import WorkerContext
from kubesim.node.kubelet.environment import ConfigError, environment, references
from kubesim.node.kubelet.lifecycle import run_hook
from kubesim.node.kubelet.prober import PodProber
from kubesim.node.kubelet.prober.asking import Target
from kubesim.node.kubelet.volumes import PodVolumes
from kubesim.sim import SimProcess
from kubesim.sim.time import SECOND

SYNC_BACKOFF_NS = 10 * SECOND  # backOffPeriod, jittered by up to half of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The sandbox that the containers are in."""

    id: str
    ip: str
    config: cri.PodSandboxConfig


class PodContainers:
    """Starts, restarts and kills the containers of one pod.

    Attributes:
        waiting: Why containers wait that are not running: name to reason and message.
        retry_at_ns: When there is a reason to try again, if there is one.
        actuated: The id and the resources of each container that was created last, by name.
    """

    def __init__(
        self,
        context: WorkerContext,
        *,
        pod: Callable[[], Pod],
        prober: PodProber,
        volumes: PodVolumes,
    ) -> None:
        self.waiting: dict[str, tuple[str, str]] = {}
        self.retry_at_ns: int | None = None
        self.actuated: dict[str, tuple[str, ResourceRequirements]] = {}
        self._restarting: set[str] = set()
        self._context = context
        self._sim = context.sim
        self._pod = pod
        self._prober = prober
        self._volumes = volumes
        self._crash_loop = BackOff(max_ns=context.settings.crash_loop_max_ns)

    def latest(self, container: Container) -> cri.ContainerStatus | None:
        """The last run of a container, whatever the last relist saw."""
        runs = self._context.runtime.list_containers(self._pod().uid)
        return next((run for run in reversed(runs) if run.name == container.name), None)

    def ensure(self, container: Container, sandbox: Sandbox) -> SimProcess[None]:
        """Have a container running, unless it has ended for good or has to wait."""
        latest = self.latest(container)
        attempt = 0 if latest is None else latest.attempt + 1
        if latest is not None and latest.state is cri.ContainerState.RUNNING:
            self.waiting.pop(container.name, None)
            if not (yield from self._killed(container, latest, sandbox)):
                return
        elif latest is not None and container.name in self._restarting:
            self._restarting.discard(container.name)
        elif latest is not None and latest.state is cri.ContainerState.EXITED:
            if not should_restart(self._pod(), latest.exit_code, container):
                return
            if not self._backed_off(container, latest):
                return
        began_ns = self._sim.now
        waiting = yield from self._context.images.ensure_image_exists(
            self._pod(), container, sandbox.config
        )
        if waiting is not None:
            self.waiting[container.name] = (waiting.reason, waiting.message)
            if waiting.retry_in_ns:
                self.retry_in(waiting.retry_in_ns)
            return
        self._phase_ended("pull", container, attempt, began_ns)
        yield from self._create_and_start(container, attempt, sandbox)

    def restart_now(self, container: Container) -> None:
        """A container was ended to be started again, whatever its policy, without a back-off."""
        self._restarting.add(container.name)

    def retry_in(self, delay_ns: int) -> None:
        """There is a reason to sync again after a while."""
        at_ns = self._sim.now + delay_ns
        self.retry_at_ns = at_ns if self.retry_at_ns is None else min(self.retry_at_ns, at_ns)

    def sync_failed(self) -> None:
        """Try again after the back-off of a failed sync."""
        self.retry_in(SYNC_BACKOFF_NS + self._context.rng.uniform(0, SYNC_BACKOFF_NS // 2))

    def _killed(
        self, container: Container, latest: cri.ContainerStatus, sandbox: Sandbox
    ) -> SimProcess[bool]:
        """Kill a running container that a probe gave up; whether it is to be started again now."""
        failed = self._prober.failed(latest.id)
        if failed is None:
            return False
        pod = self._pod()
        # Of what ended before, only what a relist saw counts for the back-off.
        before = [
            run
            for run in self._context.cached(pod.uid)
            if run.name == container.name and run.state is cri.ContainerState.EXITED
        ]
        sidecar = is_restartable_init(container)
        restart = sidecar or (container.restart_policy or pod.spec.restart_policy) != "Never"
        kind = "Init container" if container in pod.spec.init_containers else "Container"
        message = f"{kind} {container.name} failed {failed.value.lower()} probe"
        if restart and kind == "Container":
            message += ", will be restarted"
        target = Target(container=container, container_id=latest.id, pod_ip=sandbox.ip)
        yield from self._context.killer.kill(pod, target, message=message, probe=failed)
        return restart and (not before or self._backed_off(container, before[-1]))

    def _backed_off(self, container: Container, ended: cri.ContainerStatus) -> bool:
        """Whether the back-off after an end is over; says so when it is not."""
        pod, now_ns = self._pod(), self._sim.now
        remaining_ns = self._crash_loop.remaining_ns(
            container.name, since_ns=ended.finished_at, now_ns=now_ns
        )
        if not remaining_ns:
            self._crash_loop.next(container.name, now_ns=now_ns, since_ns=ended.finished_at)
            return True
        delay = _go_duration(self._crash_loop.delay_ns(container.name))
        where = f"{pod.name}_{pod.namespace}({pod.uid})"
        message = f"back-off {delay} restarting failed container={container.name} pod={where}"
        if self.waiting.get(container.name, ("", ""))[0] != "CrashLoopBackOff":
            text = f"Back-off restarting failed container {container.name} in pod {where}"
            self._context.recorder.warning(pod, "BackOff", text)
        self.waiting[container.name] = ("CrashLoopBackOff", message)
        self.retry_in(remaining_ns)
        return False

    def _create_and_start(
        self, container: Container, attempt: int, sandbox: Sandbox
    ) -> SimProcess[None]:
        context, pod = self._context, self._pod()
        began_ns = self._sim.now
        try:
            envs = yield from self._environment(container, sandbox.ip)
            capacity_bytes = context.memory_capacity_bytes
            score = oom_score_adj(pod, container, memory_capacity_bytes=capacity_bytes)
            config = container_config(
                container,
                attempt=attempt,
                envs=envs,
                oom_score_adj=score,
                period_us=context.settings.cfs_period_us,
            )
            if container.volume_mounts:
                mounts = self._volumes.mounts(pod, container, dict(envs))
                config = replace(config, mounts=mounts)
            yield from context.images.image_user(pod, container)
            container_id = yield from context.runtime.create_container(
                sandbox.id, config, sandbox.config
            )
        except ConfigError as error:
            self._refused(container, "CreateContainerConfigError", str(error))
            return
        except cri.CriError as error:
            self._refused(container, "CreateContainerError", error.message)
            return
        self.actuated[container.name] = (container_id, container.resources)
        context.recorder.normal(pod, "Created", "Container created")
        self._phase_ended("create", container, attempt, began_ns)
        began_ns = self._sim.now
        self.waiting.pop(container.name, None)
        try:
            yield from context.runtime.start_container(container_id)
        except cri.CriError as error:
            self._refused(container, "RunContainerError", error.message)
            return
        context.recorder.normal(pod, "Started", "Container started")
        self._phase_ended("start", container, attempt, began_ns)
        if container.lifecycle is not None and container.lifecycle.post_start is not None:
            target = Target(container=container, container_id=container_id, pod_ip=sandbox.ip)
            yield from self._post_start(target)

    def _post_start(self, target: Target) -> SimProcess[None]:
        context, pod, container = self._context, self._pod(), target.container
        assert container.lifecycle is not None
        hook = container.lifecycle.post_start
        assert hook is not None
        problem = yield from run_hook(self._sim, context.asker, pod, target, hook)
        if problem is None:
            return
        context.recorder.warning(pod, "FailedPostStartHook", "PostStartHook failed")
        yield from context.killer.kill(pod, target, message="FailedPostStartHook")
        self.waiting[container.name] = ("PostStartHookError", problem)
        self.sync_failed()

    def _environment(
        self, container: Container, pod_ip: str
    ) -> SimProcess[tuple[tuple[str, str], ...]]:
        """The container's variables; what they refer to is asked for when it is created."""
        context, pod = self._context, self._pod()
        config_maps: dict[str, ConfigMap] = {}
        secrets: dict[str, Secret] = {}
        for kind, name in dict.fromkeys(references(container)):
            found = yield from context.fetch(kind, f"{pod.namespace}/{name}")
            if isinstance(found, ConfigMap):
                config_maps[name] = found
            elif found is not None:
                secrets[name] = found
        around = context.surroundings(pod_ip, config_maps=config_maps, secrets=secrets)
        return environment(pod, container, around)

    def _refused(self, container: Container, reason: str, message: str) -> None:
        self._context.recorder.warning(self._pod(), "Failed", f"Error: {message}")
        latest = self.latest(container)
        ended = latest is not None and latest.state is cri.ContainerState.EXITED
        if latest is None or not ended or should_restart(self._pod(), latest.exit_code, container):
            self.waiting[container.name] = (reason, message)
            self.sync_failed()

    def _phase_ended(self, phase: str, container: Container, attempt: int, began_ns: int) -> None:
        if attempt == 0:
            pod = self._pod()
            self._sim.emit(
                StartupPhaseEnded(
                    namespace=pod.namespace or "",
                    name=pod.name,
                    uid=pod.uid,
                    container=container.name,
                    phase=phase,
                    began_ns=began_ns,
                )
            )


def _go_duration(duration_ns: int) -> str:
    """``10s``, ``1m20s``: whole seconds as Go prints them."""
    minutes, seconds = divmod(duration_ns // SECOND, 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
