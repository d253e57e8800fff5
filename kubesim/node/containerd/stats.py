"""Usage in CRI's words, read from the cgroups at the instant at which somebody asks.

Mirrors: containerd internal/cri/server/container_stats_list.go, sandbox_stats_list.go,
sandbox_stats_linux.go.
Departs: nothing is collected on a timer; the rate is that since the runtime was asked before.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubesim.node.containerd.store import Container, Sandbox
from kubesim.node.cri.messages import ContainerState
from kubesim.node.cri.stats import ContainerStats, CpuUsage, MemoryUsage, PodSandboxStats
from kubesim.node.machine import Cgroup
from kubesim.sim import Sim
from kubesim.sim.time import SECOND


class StatsReader:
    """Reads usage, and remembers the reading before for the rate."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self._before: dict[str, tuple[int, int, int]] = {}  # when, use by then, rate

    def containers(self, containers: Iterable[Container]) -> tuple[ContainerStats, ...]:
        """The running ones of some containers."""
        found = []
        for container in containers:
            status, cgroup = container.status, container.task.stats()
            if status.state is not ContainerState.RUNNING or cgroup is None:
                continue
            found.append(
                ContainerStats(
                    id=status.id,
                    pod_sandbox_id=status.pod_sandbox_id,
                    name=status.name,
                    attempt=status.attempt,
                    cpu=self._cpu(status.id, cgroup, since_ns=status.started_at),
                    memory=self._memory(cgroup),
                )
            )
        return tuple(found)

    def sandbox(self, sandbox: Sandbox, containers: tuple[ContainerStats, ...]) -> PodSandboxStats:
        """A whole pod."""
        status = sandbox.status
        return PodSandboxStats(
            id=status.id,
            metadata=status.metadata,
            cpu=self._cpu(status.id, sandbox.cgroup, since_ns=status.created_at),
            memory=self._memory(sandbox.cgroup),
            containers=containers,
        )

    def forget(self, key: str) -> None:
        """A container or sandbox is removed."""
        self._before.pop(key, None)

    def _cpu(self, key: str, cgroup: Cgroup, *, since_ns: int) -> CpuUsage:
        now_ns, used_ns = self._sim.now, cgroup.cpu_usage_ns()
        before_ns, used_before_ns, rate = self._before.get(key, (since_ns, 0, 0))
        if now_ns > before_ns:
            rate = (used_ns - used_before_ns) * SECOND // (now_ns - before_ns)
            self._before[key] = (now_ns, used_ns, rate)
        return CpuUsage(
            timestamp=self._sim.wall_ns, usage_core_nano_seconds=used_ns, usage_nano_cores=rate
        )

    def _memory(self, cgroup: Cgroup) -> MemoryUsage:
        used, limit = cgroup.memory_bytes, cgroup.memory_limit_bytes
        return MemoryUsage(
            timestamp=self._sim.wall_ns,
            working_set_bytes=used,
            available_bytes=max(0, limit - used) if limit else 0,
            usage_bytes=used,
            rss_bytes=used,
        )
