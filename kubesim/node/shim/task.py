"""The task API: what every shim offers, and what it is given.

Mirrors: containerd api/runtime/task/v3/shim.proto (Create, Start, Kill, Wait, Exec, Checkpoint).
Departs: no Pause; a checkpoint has no content: there is nothing that could restore one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from kubesim.node.machine import Cgroup, Machine, Resources, WritableLayer
from kubesim.sim import Event, Sim, SimProcess
from kubesim.wire.filetree import Directory, File
from kubesim.wire.http import Handler, Outlook
from kubesim.wire.image import Program
from kubesim.world.workload.consumer import Queue

SIGTERM = 15
SIGKILL = 9
EXIT_SIGNAL_BASE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One container as its shim sees it: the OCI runtime spec's part that matters here.

    Attributes:
        cgroup_parent: The pod's cgroup; empty is that of a best-effort pod.
        cpu_shares: The container's weight among those of the pod.
        cpu_quota: CPU time a period as a pair of microseconds; a quota of 0 means no limit.
        memory_limit_bytes: 0 means no limit.
        oom_score_adj: Who is killed first when the node has no memory left.
        ip: The sandbox's address.
        mounts: What is mounted, by absolute path.
        ports: Ports the manifest declares, for a program that does not say where it listens.
        annotations: Those of the pod that the runtime table hands on.
        layer: What the container has on the disk.
    """

    namespace: str
    pod: str
    uid: str
    container: str
    attempt: int
    program: Program
    ip: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    envs: tuple[tuple[str, str], ...] = ()
    cgroup_parent: str = ""
    cpu_shares: int = 2
    cpu_quota: tuple[int, int] = (0, 1)
    memory_limit_bytes: int = 0
    oom_score_adj: int = 0
    ports: tuple[int, ...] = ()
    mounts: tuple[tuple[str, Directory | File], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    layer: WritableLayer = field(default_factory=WritableLayer, compare=False, repr=False)

    @property
    def scope(self) -> str:
        """The name of the container's random streams; the same whatever else is in the cluster."""
        return f"pod/{self.namespace}/{self.pod}/{self.container}/{self.attempt}"

    @property
    def process_name(self) -> str:
        """What its process is called; an entrypoint of the image's own is not known by name."""
        return self.command[0].rpartition("/")[2] if self.command else self.container

    @property
    def pod_cgroup(self) -> str:
        """The pod's cgroup."""
        return self.cgroup_parent or f"/kubepods/besteffort/pod{self.uid}"

    def write(self, path: str, size_bytes: int) -> None:
        """Write so many bytes at a path: into the volume that is mounted there, else into the layer."""
        best, where = "", None
        for mounted, content in self.mounts:
            inside = path == mounted or path.startswith(mounted.rstrip("/") + "/")
            if inside and len(mounted) >= len(best):
                best, where = mounted, content
        if where is None:
            self.layer.write(size_bytes)
        elif isinstance(where, Directory) and where.space is not None:
            where.space.fill(size_bytes)

    def make_cgroup(self, machine: Machine) -> Cgroup:
        """The container's cgroup, with its limits."""
        quota_us, period_us = self.cpu_quota
        return machine.pod_cgroup(self.pod_cgroup).make(
            f"{self.container}-{self.attempt}",
            Resources(
                cpu_shares=self.cpu_shares,
                cpu_quota_us=quota_us,
                cpu_period_us=period_us,
                memory_limit_bytes=self.memory_limit_bytes,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitStatus:
    """How a task ended; ``reason`` in the kubelet's words, ``message`` for people."""

    exit_code: int
    reason: str
    message: str = ""


OOM_KILLED = ExitStatus(exit_code=EXIT_SIGNAL_BASE + SIGKILL, reason="OOMKilled")


class ShimError(Exception):
    """The shim could not create or start a task; the message is the runtime's."""


class Task(Protocol):
    """One container's process, from its creation to its end."""

    @property
    def exited(self) -> Event:
        """Happens with an ``ExitStatus`` when the process has ended."""
        ...

    def start(self) -> SimProcess[None]:
        """Start the process; returns when it runs.

        Raises:
            ShimError: If it cannot be started.
        """
        ...

    def kill(self, signal: int) -> None:
        """Send a signal; what it leads to shows in ``exited``."""
        ...

    def stats(self) -> Cgroup | None:
        """The cgroup with its use up to now; ``None`` when no process runs."""
        ...

    def execute(self, command: tuple[str, ...]) -> SimProcess[int]:
        """Run another command in the container; gives its exit code.

        Raises:
            ShimError: If the runtime cannot.
        """
        ...

    def exec_outlook(self) -> Outlook | None:
        """Until when a command would end alike; ``None`` when nobody knows."""
        ...

    def checkpoint(self) -> None:
        """Freeze the container into an image.

        Raises:
            ShimError: If the runtime cannot.
        """
        ...


class Shim(Protocol):
    """A runtime."""

    @property
    def name(self) -> str:
        """The binary's name, such as ``containerd-shim-spin-v2``."""
        ...

    @property
    def runs_wasm(self) -> bool:
        """Whether it takes Wasm images; such containers have no root file system."""
        ...

    @property
    def pod_overhead_bytes(self) -> int:
        """Memory of the shim process and the pause container, one of each a pod."""
        ...

    @property
    def zygote_bytes(self) -> int:
        """The part of it that is the process from which containers are forked."""
        ...

    @property
    def pause_bytes(self) -> int:
        """The part of it that is the pause container, in the pod's own cgroup."""
        ...

    def create(self, spec: TaskSpec) -> Task:
        """A task that is not started yet.

        Raises:
            ShimError: If the runtime cannot run such a program.
        """
        ...


class Sockets(Protocol):
    """The network stack, as far as a process on the node sees it."""

    def listen(self, ip: str, port: int, handler: Handler) -> bool:
        """Open a listening socket; False when the address is taken."""
        ...

    def close(self, ip: str, port: int) -> None:
        """Close it; idempotent."""
        ...


class Content(Protocol):
    """containerd's content store, as far as a shim uses it."""

    def attach(self, digest: str, size_bytes: int) -> None:
        """Store something that lives as long as a blob does."""
        ...

    def on_dropped(self, listener: Callable[[str], None]) -> None:
        """Tell ``listener`` the digest of every blob that goes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeServices:
    """What a node offers to everything that runs on it."""

    sim: Sim
    node: str
    machine: Machine
    sockets: Sockets
    content: Content | None = None
    queues: Callable[[str], Queue] | None = None
