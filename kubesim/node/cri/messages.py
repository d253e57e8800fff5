"""CRI v1 messages: what the kubelet asks for and what the runtime answers.

Mirrors: k8s.io/cri-api pkg/apis/runtime/v1/api.proto; field names are the proto's.
Departs: only the fields that something in the simulator reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from typing_extensions import override

from kubesim.wire.filetree import Directory, File


class PodSandboxState(Enum):
    """State of a sandbox."""

    READY = "SANDBOX_READY"
    NOTREADY = "SANDBOX_NOTREADY"


class ContainerState(Enum):
    """State of a container."""

    CREATED = "CONTAINER_CREATED"
    RUNNING = "CONTAINER_RUNNING"
    EXITED = "CONTAINER_EXITED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSandboxMetadata:
    """Whose sandbox it is; ``attempt`` counts re-creations."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSandboxStatus:
    """What PodSandboxStatus answers."""

    id: str
    metadata: PodSandboxMetadata
    state: PodSandboxState
    ip: str
    runtime_handler: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxContainerResources:
    """Limits of one container as the kubelet computes them; 0 means none.

    Attributes:
        cpu_period: CFS period in microseconds.
        cpu_quota: CFS quota in microseconds per period.
        cpu_shares: CFS shares (1024 a core).
        memory_limit_in_bytes: Memory limit.
        oom_score_adj: Who is killed first when the node has no memory left.
    """

    cpu_period: int = 100_000
    cpu_quota: int = 0
    cpu_shares: int = 2
    memory_limit_in_bytes: int = 0
    oom_score_adj: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxPodSandboxConfig:
    """A sandbox's cgroup.

    Attributes:
        cgroup_parent: The pod's cgroup; empty leaves it to the runtime.
        resources: The limits of the whole pod.
        overhead: What the pod's RuntimeClass adds for the runtime itself; ``None`` when nothing.
        host_network: CRI's ``namespace_options.network: NODE``: no network of its own, and no address.
            The kubelet never asks for it: ``hostNetwork`` is not simulated.
    """

    cgroup_parent: str = ""
    resources: LinuxContainerResources = LinuxContainerResources()
    overhead: LinuxContainerResources | None = None
    host_network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSandboxConfig:
    """What RunPodSandbox is given."""

    metadata: PodSandboxMetadata
    annotations: tuple[tuple[str, str], ...] = ()
    linux: LinuxPodSandboxConfig = LinuxPodSandboxConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mount of a container.

    ``content`` stands for CRI's ``host_path``: what is there on the host, which exists in memory only.
    """

    container_path: str
    readonly: bool
    content: Directory | File


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerConfig:
    """What CreateContainer is given.

    ``ports`` is not CRI's: a real process opens its own sockets; a simulated one is told by the
    container's ``ports`` where to listen when its image does not say.
    """

    name: str
    attempt: int
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    envs: tuple[tuple[str, str], ...] = ()
    linux: LinuxContainerResources = LinuxContainerResources()
    ports: tuple[int, ...] = ()
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """What ContainerStatus answers; times are virtual nanoseconds, 0 when not reached."""

    id: str
    pod_sandbox_id: str
    name: str
    attempt: int
    image: str
    image_ref: str
    state: ContainerState
    created_at: int
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSyncResponse:
    """What ExecSync answers; ``output`` is both streams together."""

    exit_code: int
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image the runtime has."""

    id: str
    repo_tags: tuple[str, ...]
    size: int


class CriError(Exception):
    """A gRPC error of a CRI call.

    Args:
        code: The gRPC code's name, such as ``NotFound`` or ``Unavailable``.
        message: The runtime's own words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @override
    def __str__(self) -> str:
        return f"rpc error: code = {self.code} desc = {self.message}"
