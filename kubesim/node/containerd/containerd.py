"""The CRI server: sandboxes and containers, each call by its real name and with its time.

RunPodSandbox makes the network first and the pause container second, as containerd does, and fails
when the runtime table has no entry for the handler. CreateContainer prepares a snapshot and a spec,
without a process; StartContainer makes the task through the pod's shim. Every call is a fact
(``CriCalled``), so that a pod's call log can be printed as ``crictl`` would.

Mirrors: containerd internal/cri/server (sandbox_run.go, container_create.go, container_start.go,
container_stop.go, sandbox_stop.go).
Departs: no NRI, no leases.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace

from kubesim.facts import (
    ContainerdRestarted,
    ContainerStarted,
    StartupPhaseEnded,
)
from kubesim.node.containerd.calls import CallLog, no_work
from kubesim.node.containerd.cni import Cni
from kubesim.node.containerd.config import ContainerdConfig
from kubesim.node.containerd.content import ContentStore
from kubesim.node.containerd.execsync import ExecServer
from kubesim.node.containerd.images import ImageStore, cri_image
from kubesim.node.containerd.remotes import Remote
from kubesim.node.containerd.stats import StatsReader
from kubesim.node.containerd.store import Container, Layers, Sandbox, disk_use, task_spec
from kubesim.node.containerd.updating import ResourceUpdates
from kubesim.node.cri.messages import (
    ContainerConfig,
    ContainerState,
    ContainerStatus,
    CriError,
    Image,
    PodSandboxConfig,
    PodSandboxState,
    PodSandboxStatus,
)
from kubesim.node.cri.services import PodListener
from kubesim.node.cri.stats import ContainerStats, PodSandboxStats
from kubesim.node.shim import ExitStatus, NodeServices, Shim, ShimError
from kubesim.node.shim.task import SIGKILL, SIGTERM
from kubesim.sim import Event, SimProcess
from kubesim.sim.distribution import Distribution


class Containerd(ResourceUpdates, ExecServer):
    """One node's container runtime; implements CRI's RuntimeService and ImageService.

    Args:
        services: The node.
        config: Settings and latencies.
        runtimes: The runtime table: handler to shim.
        remote: The registry.
        cni: The network plugin.
        content: The content store; an empty one of its own when it is left out.

    Attributes:
        runtimes: The runtime table as it is configured; a change of it is real after a restart.
    """

    def __init__(  # what a runtime is made of
        self,
        services: NodeServices,
        *,
        config: ContainerdConfig,
        runtimes: Mapping[str, Shim],
        remote: Remote,
        cni: Cni,
        content: ContentStore | None = None,
    ) -> None:
        self._services = services
        self._sim = services.sim
        self._config = config
        self.runtimes = dict(runtimes)
        self._cni = cni
        self._rng = self._sim.rng(f"containerd/{services.node}")
        self._serial = itertools.count(1)
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}
        self._pods: dict[str, list[str]] = {}
        self._listeners: list[PodListener] = []
        self._cut_off: list[Container] = []
        self._stats = StatsReader(self._sim)
        self._layers = Layers(services.machine)
        self._calls = CallLog(self._sim, services.node)
        self.images = ImageStore(
            self._sim,
            node=services.node,
            machine=services.machine,
            remote=remote,
            config=config.images,
            content=content,
        )

    # RuntimeService

    def run_pod_sandbox(self, config: PodSandboxConfig, runtime_handler: str) -> SimProcess[str]:
        """Network namespace and CNI, then the pause container.

        Raises:
            CriError: If the runtime table does not have the handler.
        """
        uid = config.metadata.uid
        work = self._run_pod_sandbox(config, runtime_handler)
        return (yield from self._calls.call("RunPodSandbox", uid, config.metadata.name, work))

    def stop_pod_sandbox(self, pod_sandbox_id: str) -> SimProcess[None]:
        """Kill what still runs in it and give the network back."""
        sandbox = self._sandboxes.get(pod_sandbox_id)
        if sandbox is None:
            return
        uid = sandbox.status.metadata.uid
        work = self._stop_pod_sandbox(sandbox)
        yield from self._calls.call("StopPodSandbox", uid, pod_sandbox_id, work)

    def remove_pod_sandbox(self, pod_sandbox_id: str) -> SimProcess[None]:
        """Forget a sandbox and its containers."""
        sandbox = self._sandboxes.pop(pod_sandbox_id, None)
        if sandbox is None:
            return
        uid = sandbox.status.metadata.uid
        for container_id in sandbox.containers:
            self._containers.pop(container_id).spec.layer.drop()
            self._stats.forget(container_id)
        self._stats.forget(pod_sandbox_id)
        self._pods[uid].remove(pod_sandbox_id)
        if not self._pods[uid]:
            del self._pods[uid]
            self._layers.forget(uid)
        work = self._spend(*self._config.ending.of_removal(sandbox.has_network))
        yield from self._calls.call("RemovePodSandbox", uid, pod_sandbox_id, work)

    def pod_sandbox_status(self, pod_sandbox_id: str) -> SimProcess[PodSandboxStatus]:
        """The state of one sandbox.

        Raises:
            CriError: If there is none of that id.
        """
        sandbox = self._sandboxes.get(pod_sandbox_id)
        if sandbox is None:
            raise CriError(
                "NotFound", f'an error occurred when try to find sandbox: "{pod_sandbox_id}"'
            )
        uid = sandbox.status.metadata.uid
        yield from self._calls.call("PodSandboxStatus", uid, pod_sandbox_id, no_work())
        return sandbox.status

    def create_container(
        self, pod_sandbox_id: str, config: ContainerConfig, sandbox_config: PodSandboxConfig
    ) -> SimProcess[str]:
        """Snapshot and spec; no process yet.

        Raises:
            CriError: If the sandbox or the image is not there.
        """
        work = self._create_container(pod_sandbox_id, config, sandbox_config.annotations)
        uid = sandbox_config.metadata.uid
        return (yield from self._calls.call("CreateContainer", uid, config.name, work))

    def start_container(self, container_id: str) -> SimProcess[None]:
        """Make the task through the pod's shim and start it.

        Raises:
            CriError: If the runtime cannot start it.
        """
        container = self._containers.get(container_id)
        if container is None:
            raise CriError("NotFound", f'failed to find container "{container_id}": not found')
        work = self._start_container(container)
        yield from self._calls.call(
            "StartContainer", container.spec.uid, container.status.name, work
        )

    def stop_container(self, container_id: str, timeout_ns: int) -> SimProcess[None]:
        """SIGTERM, and SIGKILL after the timeout."""
        container = self._containers.get(container_id)
        if container is None:
            return
        work = self._stop_container(container, timeout_ns)
        yield from self._calls.call(
            "StopContainer", container.spec.uid, container.status.name, work
        )

    def remove_container(self, container_id: str) -> SimProcess[None]:
        """Forget a container, killing it if it runs."""
        container = self._containers.pop(container_id, None)
        if container is None:
            return
        self._stats.forget(container_id)
        container.task.kill(SIGKILL)
        container.spec.layer.drop()
        self._sandboxes[container.status.pod_sandbox_id].containers.remove(container_id)
        yield from self._calls.call(
            "RemoveContainer",
            container.spec.uid,
            container.status.name,
            self._spend(self._config.ending.remove_container),
        )

    def list_containers(self, pod_uid: str) -> tuple[ContainerStatus, ...]:
        """The containers of a pod, oldest first."""
        return tuple(
            self._containers[container_id].status
            for sandbox_id in self._pods.get(pod_uid, ())
            for container_id in self._sandboxes[sandbox_id].containers
            if container_id in self._containers
        )

    def list_container_stats(self, pod_sandbox_id: str = "") -> tuple[ContainerStats, ...]:
        """What every running container (of one sandbox) has used up to this instant."""
        containers = self._containers.values()
        return self._stats.containers(
            c for c in containers if pod_sandbox_id in ("", c.status.pod_sandbox_id)
        )

    def list_pod_sandbox_stats(self) -> tuple[PodSandboxStats, ...]:
        """What every ready sandbox has used up to this instant."""
        return tuple(
            self._stats.sandbox(sandbox, self.list_container_stats(sandbox_id))
            for sandbox_id, sandbox in self._sandboxes.items()
            if sandbox.status.state is PodSandboxState.READY
        )

    def container_disk(self, pod_uid: str) -> dict[str, int]:
        """Bytes of the writable layers and logs of a pod's containers, by name."""
        return disk_use(self._containers[status.id] for status in self.list_containers(pod_uid))

    def watch_disk(self, pod_uid: str, changed: Callable[[], None]) -> None:
        """Tell somebody of what containers of a pod, made from now on, write."""
        self._layers.watch(pod_uid, changed)

    def subscribe(self, listener: PodListener) -> None:
        """Tell ``listener`` of every change from now on."""
        self._listeners.append(listener)

    # ImageService

    def image_status(self, image: str, *, pod_uid: str = "") -> SimProcess[Image | None]:
        """The image if it is here; costs no time worth modelling."""
        yield from self._calls.call("ImageStatus", pod_uid, image, no_work())
        found = self.images.get(image)
        return None if found is None else cri_image(found)

    def pull_image(self, image: str, sandbox_config: PodSandboxConfig) -> SimProcess[str]:
        """Resolve, download and unpack.

        Raises:
            CriError: If the registry does not have it.
        """
        uid = sandbox_config.metadata.uid
        pulled = yield from self._calls.call("PullImage", uid, image, self.images.pull(image))
        return pulled.digest

    def remove_image(self, image_id: str) -> SimProcess[None]:
        """Take an image off the node, with everything that only it needed."""
        self.images.remove(image_id)
        yield from self._calls.call("RemoveImage", "", image_id, no_work())

    def image_fs_info(self) -> int:
        """Bytes that are taken of the file system which images are on."""
        return self._services.machine.disk.used_bytes

    def list_images(self) -> tuple[Image, ...]:
        """All images here, largest first."""
        return tuple(cri_image(image) for image in self.images.all())

    def shim(self, handler: str) -> Shim | None:
        """The shim of a handler; the default one's when it is empty."""
        return self.runtimes.get(handler or self._config.cri.default_runtime_name)

    def restart(self, took_ns: int) -> SimProcess[None]:
        """Go down and come back: nobody answers meanwhile, and everything that ran runs on."""
        began_ns = self._sim.now
        yield from self._calls.shut(took_ns)
        if not self._calls.off:
            self._sim.emit(ContainerdRestarted(node=self._services.node, began_ns=began_ns))

    def power_off(self) -> None:
        """The machine is gone: every process ends at once, and nobody is told."""
        self._calls.off = True
        self.images.power_off()
        running = ContainerState.RUNNING
        self._cut_off = [c for c in self._containers.values() if c.status.state is running]
        for container in self._containers.values():
            container.task.kill(SIGKILL)

    def recover(self, before: Containerd) -> None:
        """Start after the machine did: what the runtime before this one had on its disk is here.

        What ran then has ended, nobody knows how: exit code 255, reason Unknown.
        """
        self.images.recover(before.images)
        self._serial = before._serial
        self._sandboxes, self._containers = before._sandboxes, before._containers
        self._pods = before._pods
        for container in before._cut_off:
            container.lost(self._sim.now)
        for sandbox in self._sandboxes.values():
            if sandbox.status.state is PodSandboxState.READY:
                sandbox.status = replace(sandbox.status, state=PodSandboxState.NOTREADY)
                self._give_back(sandbox)

    def _run_pod_sandbox(self, config: PodSandboxConfig, handler: str) -> SimProcess[str]:
        shim = self.shim(handler)
        if shim is None:
            raise CriError(
                "Unknown",
                "failed to create containerd task: failed to get sandbox runtime: "
                f'no runtime for "{handler}" is configured',
            )
        metadata = config.metadata
        ip = "" if config.linux.host_network else (yield from self._set_up_network(config))
        began_ns = self._sim.now
        yield from self._services.machine.compute(self._config.sandbox_runtime.draw(self._rng))
        self._phase_ended("sandbox-runtime", config, began_ns=began_ns)
        sandbox_id = f"{self._services.node}-sandbox-{next(self._serial)}"
        status = PodSandboxStatus(
            id=sandbox_id,
            metadata=metadata,
            state=PodSandboxState.READY,
            ip=ip,
            runtime_handler=handler,
            created_at=self._sim.now,
        )
        self._sandboxes[sandbox_id] = Sandbox.start(
            self._services.machine, status=status, shim=shim, linux=config.linux
        )
        self._pods.setdefault(metadata.uid, []).append(sandbox_id)
        self._notify(metadata.uid)
        return sandbox_id

    def _set_up_network(self, config: PodSandboxConfig) -> SimProcess[str]:
        began_ns = self._sim.now
        yield self._sim.timeout(self._config.sandbox_network.draw(self._rng))
        try:
            ip = self._cni.add()
        except RuntimeError as error:
            raise CriError("Unknown", f"failed to setup network for sandbox: {error}") from None
        self._phase_ended("sandbox-network", config, began_ns=began_ns)
        return ip

    def _give_back(self, sandbox: Sandbox) -> None:
        """Give its address back, unless it was in the host's network."""
        if sandbox.has_network:
            self._cni.delete(sandbox.status.ip)

    def _stop_pod_sandbox(self, sandbox: Sandbox) -> SimProcess[None]:
        for container_id in sandbox.containers:
            container = self._containers.get(container_id)
            if container is not None and not container.task.exited.triggered:
                container.task.kill(SIGKILL)
        if sandbox.status.state is PodSandboxState.READY:
            sandbox.status = replace(sandbox.status, state=PodSandboxState.NOTREADY)
            sandbox.stop(self._services.machine)
            self._give_back(sandbox)
            self._notify(sandbox.status.metadata.uid)
            yield from self._spend(*self._config.ending.of_stop(sandbox.has_network))
        yield self._sim.timeout(0)

    def _create_container(
        self,
        sandbox_id: str,
        config: ContainerConfig,
        annotations: tuple[tuple[str, str], ...],
    ) -> SimProcess[str]:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or sandbox.status.state is not PodSandboxState.READY:
            raise CriError("NotFound", f'failed to find sandbox id "{sandbox_id}": not found')
        image = self.images.get(config.image)
        if image is None:
            raise CriError("NotFound", f'failed to resolve image "{config.image}": not found')
        wasm = sandbox.shim.runs_wasm
        cost = self._config.create_wasm_container if wasm else self._config.create_container
        yield self._sim.timeout(cost.draw(self._rng))
        metadata = sandbox.status.metadata
        entry = self._config.cri.entry(sandbox.status.runtime_handler)
        spec = task_spec(
            sandbox,
            config,
            program=image.program,
            annotations=() if entry is None else entry.passed(annotations),
            layer=self._layers.make(metadata.uid),
        )
        try:
            task = sandbox.shim.create(spec)
        except ShimError as error:
            raise CriError("Unknown", str(error)) from None
        container_id = f"{self._services.node}-container-{next(self._serial)}"
        status = ContainerStatus(
            id=container_id,
            pod_sandbox_id=sandbox_id,
            name=config.name,
            attempt=config.attempt,
            image=config.image,
            image_ref=image.digest,
            state=ContainerState.CREATED,
            created_at=self._sim.now,
        )
        self._containers[container_id] = Container(status, task, spec)
        sandbox.containers.append(container_id)
        self._notify(metadata.uid)
        return container_id

    def _start_container(self, container: Container) -> SimProcess[None]:
        image = self.images.get(container.status.image)
        if image is not None:
            yield from self.images.arrived(image)
        try:
            yield from container.task.start()
        except ShimError as error:
            container.status = replace(
                container.status,
                state=ContainerState.EXITED,
                finished_at=self._sim.now,
                exit_code=128,
                reason="StartError",
                message=str(error),
            )
            raise CriError("Unknown", str(error)) from None
        container.cgroup = container.task.stats()
        spec = container.spec
        container.status = replace(
            container.status, state=ContainerState.RUNNING, started_at=self._sim.now
        )
        self._sim.emit(
            ContainerStarted(
                namespace=spec.namespace,
                name=spec.pod,
                uid=spec.uid,
                node=self._services.node,
                container=spec.container,
                attempt=spec.attempt,
            )
        )
        self._notify(spec.uid)
        exited = container.task.exited
        self._sim.when(exited, lambda event: self._exited(container, event))

    def _exited(self, container: Container, exited: Event) -> None:
        exit_status = exited.value
        assert isinstance(exit_status, ExitStatus)
        node = self._services.node
        for fact in container.ended(exit_status, node=node, now_ns=self._sim.now):
            self._sim.emit(fact)
        self._notify(container.spec.uid)

    def _stop_container(self, container: Container, timeout_ns: int) -> SimProcess[None]:
        exited = container.task.exited
        if exited.triggered:
            return
        container.task.kill(SIGTERM)
        if not exited.triggered:
            yield self._sim.any_of([exited, self._sim.timeout(timeout_ns)])
        if not exited.triggered:
            container.task.kill(SIGKILL)
            yield exited
            yield from self._spend(self._config.ending.kill_container)

    def _spend(self, *parts: Distribution) -> SimProcess[None]:
        took_ns = sum(part.draw(self._rng) for part in parts)
        if took_ns:
            yield self._sim.timeout(took_ns)

    def _phase_ended(self, phase: str, config: PodSandboxConfig, *, began_ns: int) -> None:
        metadata = config.metadata
        self._sim.emit(
            StartupPhaseEnded(
                namespace=metadata.namespace,
                name=metadata.name,
                uid=metadata.uid,
                container="",
                phase=phase,
                began_ns=began_ns,
            )
        )

    def _notify(self, pod_uid: str) -> None:
        if not self._calls.off:
            for listener in self._listeners:
                listener(pod_uid)
