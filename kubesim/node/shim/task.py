"""The task API: what every shim offers, and what it is given.

Mirrors: containerd api/runtime/task/v3/shim.proto (Create, Start, Kill, Wait).
Departs: Exec, Pause, Checkpoint and Stats come with the rooms that need them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kubesim.node.machine import Machine
from kubesim.sim import Event, Sim, SimProcess
from kubesim.wire.http import Handler
from kubesim.wire.image import Program

SIGTERM = 15
SIGKILL = 9
EXIT_SIGNAL_BASE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One container as its shim sees it: the OCI runtime spec's part that matters here.

    Attributes:
        cpu_quota_ratio: CPU time a second of wall time as quota and period in one pair; (0, 1) means
            no limit.
        memory_limit_bytes: 0 means no limit.
        ip: The sandbox's address.
        ports: Ports the manifest declares, for a program that does not say where it listens.
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
    cpu_quota: tuple[int, int] = (0, 1)
    memory_limit_bytes: int = 0
    ports: tuple[int, ...] = ()

    @property
    def scope(self) -> str:
        """The name of the container's random streams; the same whatever else is in the cluster."""
        return f"pod/{self.namespace}/{self.pod}/{self.container}/{self.attempt}"

    def throttled(self, cpu_ns: int) -> int:
        """Wall time that ``cpu_ns`` of one thread take under the CFS quota."""
        quota, period = self.cpu_quota
        if not quota or quota >= period:
            return cpu_ns
        return cpu_ns * period // quota


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitStatus:
    """How a task ended; ``reason`` in the kubelet's words, ``message`` for people."""

    exit_code: int
    reason: str
    message: str = ""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeServices:
    """What a node offers to everything that runs on it."""

    sim: Sim
    node: str
    machine: Machine
    sockets: Sockets
