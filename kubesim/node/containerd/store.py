"""What containerd remembers of a sandbox and of a container.

A sandbox is a cgroup with the pause container in it, and a shim process outside: it belongs to the
node, unless the pod's RuntimeClass declares an overhead, which makes room for it in the pod's cgroup.

Mirrors: containerd internal/cri/store/sandbox, internal/cri/store/container.
Departs: how much a shim needs does not depend on what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from kubesim.facts import ContainerExited, ContainerThrottled
from kubesim.node.cri.messages import (
    ContainerConfig,
    ContainerState,
    ContainerStatus,
    LinuxContainerResources,
    LinuxPodSandboxConfig,
    PodSandboxStatus,
)
from kubesim.node.machine import (
    SHIM_OOM_SCORE_ADJ,
    Cgroup,
    Machine,
    Process,
    Resources,
    WritableLayer,
)
from kubesim.node.shim import ExitStatus, Shim, Task, TaskSpec
from kubesim.sim import Fact
from kubesim.wire.filetree import Directory, File
from kubesim.wire.image import Program

UNKNOWN_EXIT_CODE = 255  # unknownExitCode


@dataclass(slots=True)
class Sandbox:
    """A pod's sandbox."""

    status: PodSandboxStatus
    shim: Shim
    cgroup: Cgroup
    processes: tuple[Process, ...]
    containers: list[str] = field(default_factory=list)

    @property
    def has_network(self) -> bool:
        """Whether it has a network of its own, and not the host's."""
        return bool(self.status.ip)

    @classmethod
    def start(
        cls,
        machine: Machine,
        *,
        status: PodSandboxStatus,
        shim: Shim,
        linux: LinuxPodSandboxConfig,
    ) -> Sandbox:
        """Make the pod's cgroup and start shim, zygote and pause."""
        path = linux.cgroup_parent or f"/kubepods/besteffort/pod{status.metadata.uid}"
        cgroup = machine.pod_cgroup(path, cgroup_resources(linux.resources))
        outside = machine.system if linux.overhead is None else cgroup.child("shim")
        shim_bytes = shim.pod_overhead_bytes - shim.zygote_bytes - shim.pause_bytes
        processes = []
        for component, where, size_bytes in (
            ("shim", outside, shim_bytes),
            ("zygote", outside, shim.zygote_bytes),
            ("pause", cgroup.child("pause"), shim.pause_bytes),
        ):
            process = machine.memory.process(
                where, component=component, oom_score_adj=SHIM_OOM_SCORE_ADJ
            )
            process.allocate(size_bytes)
            processes.append(process)
        return cls(status, shim, cgroup, tuple(processes))

    def stop(self, machine: Machine) -> None:
        """End them, and take the cgroup away."""
        for process in self.processes:
            process.exit()
        machine.remove_pod_cgroup(self.cgroup)


@dataclass(slots=True)
class Container:
    """A container: its task is its process, from the moment that it has one; so is its cgroup."""

    status: ContainerStatus
    task: Task
    spec: TaskSpec
    cgroup: Cgroup | None = None

    def ended(self, exit_status: ExitStatus, *, node: str, now_ns: int) -> Iterator[Fact]:
        """Its process is over; gives what is to be told of that."""
        self.status = replace(
            self.status,
            state=ContainerState.EXITED,
            finished_at=now_ns,
            exit_code=exit_status.exit_code,
            reason=exit_status.reason,
            message=exit_status.message,
        )
        spec = self.spec
        who: dict[str, Any] = {
            "namespace": spec.namespace,
            "name": spec.pod,
            "uid": spec.uid,
            "node": node,
            "container": spec.container,
            "attempt": spec.attempt,
        }
        cpu = None if self.cgroup is None else self.cgroup.cpu_stat()
        if cpu is not None and cpu.nr_throttled:
            yield ContainerThrottled(
                **who,
                nr_periods=cpu.nr_periods,
                nr_throttled=cpu.nr_throttled,
                throttled_ns=cpu.throttled_ns,
            )
        yield ContainerExited(
            **who,
            exit_code=exit_status.exit_code,
            reason=exit_status.reason,
            message=exit_status.message,
        )

    def lost(self, now_ns: int) -> None:
        """It ran when the machine lost its power: it has ended, nobody knows how."""
        self.status = replace(
            self.status,
            state=ContainerState.EXITED,
            finished_at=now_ns,
            exit_code=UNKNOWN_EXIT_CODE,
            reason="Unknown",
            message="",
        )


class Layers:
    """What containers have on the disk, and who wants to know when it is more.

    Args:
        machine: The node's machine.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._watchers: dict[str, Callable[[], None]] = {}

    def watch(self, pod_uid: str, changed: Callable[[], None]) -> None:
        """Tell somebody of what containers of a pod, made from now on, write."""
        self._watchers[pod_uid] = changed

    def make(self, pod_uid: str) -> WritableLayer:
        """The layer of a new container."""
        return WritableLayer(self._machine.disk, self._watchers.get(pod_uid))

    def forget(self, pod_uid: str) -> None:
        """The pod is gone."""
        self._watchers.pop(pod_uid, None)


def disk_use(containers: Iterable[Container]) -> dict[str, int]:
    """Bytes of their writable layers and logs, by name."""
    found: dict[str, int] = {}
    for container in containers:
        name, layer = container.status.name, container.spec.layer
        found[name] = found.get(name, 0) + layer.rootfs_bytes + layer.log_bytes
    return found


def task_spec(
    sandbox: Sandbox,
    config: ContainerConfig,
    *,
    program: Program,
    annotations: tuple[tuple[str, str], ...] = (),
    layer: WritableLayer,
) -> TaskSpec:
    """What the shim is told of a container."""
    metadata = sandbox.status.metadata
    return TaskSpec(
        namespace=metadata.namespace,
        pod=metadata.name,
        uid=metadata.uid,
        container=config.name,
        attempt=config.attempt,
        program=program,
        ip=sandbox.status.ip,
        command=config.command,
        args=config.args,
        envs=config.envs,
        cgroup_parent=sandbox.cgroup.path,
        cpu_shares=config.linux.cpu_shares,
        cpu_quota=(config.linux.cpu_quota, config.linux.cpu_period),
        memory_limit_bytes=config.linux.memory_limit_in_bytes,
        oom_score_adj=config.linux.oom_score_adj,
        ports=config.ports,
        mounts=tuple(
            (mount.container_path, _mounted(mount.content, read_only=mount.readonly))
            for mount in config.mounts
        ),
        annotations=annotations,
        layer=layer,
    )


def _mounted(content: Directory | File, *, read_only: bool) -> Directory | File:
    return content if isinstance(content, File) else content.mount(read_only=read_only)


def cgroup_resources(linux: LinuxContainerResources) -> Resources:
    """The limits of a cgroup, as CRI writes them."""
    return Resources(
        cpu_shares=linux.cpu_shares,
        cpu_quota_us=linux.cpu_quota,
        cpu_period_us=linux.cpu_period,
        memory_limit_bytes=linux.memory_limit_in_bytes,
    )
