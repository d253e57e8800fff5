"""CRI v1 messages about usage: what containers and sandboxes have used up to now.

Mirrors: k8s.io/cri-api pkg/apis/runtime/v1/api.proto (ContainerStats, PodSandboxStats); field names
are the proto's, values are plain integers where the proto wraps them.
Departs: no writable layer, swap, I/O, network, process and inode figures.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.node.cri.messages import PodSandboxMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuUsage:
    """CPU use of one cgroup.

    Attributes:
        timestamp: When it was read, nanoseconds since the epoch.
        usage_core_nano_seconds: CPU time since the cgroup was made.
        usage_nano_cores: CPU time a second since the runtime was asked before; since the beginning
            the first time.
    """

    timestamp: int
    usage_core_nano_seconds: int
    usage_nano_cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUsage:
    """Memory of one cgroup.

    Attributes:
        timestamp: When it was read, nanoseconds since the epoch.
        working_set_bytes: What cannot be reclaimed easily: the figure of metrics-server and of
            evictions.
        available_bytes: Limit minus working set; 0 without a limit.
        usage_bytes: All of it.
        rss_bytes: Anonymous memory.
    """

    timestamp: int
    working_set_bytes: int
    available_bytes: int
    usage_bytes: int
    rss_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStats:
    """A running container's use; ``attempt`` tells a restarted one, whose counters begin anew."""

    id: str
    pod_sandbox_id: str
    name: str
    attempt: int
    cpu: CpuUsage
    memory: MemoryUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSandboxStats:
    """A ready sandbox's use: of the pod's whole cgroup, pause included, and of its containers."""

    id: str
    metadata: PodSandboxMetadata
    cpu: CpuUsage
    memory: MemoryUsage
    containers: tuple[ContainerStats, ...]
