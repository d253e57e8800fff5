"""What a kubelet reads of its machine: memory of cgroups, and how full memory and disk are.

Mirrors: github.com/google/cadvisor as pkg/kubelet/cadvisor and pkg/kubelet/server/stats use it.
Departs: what is read is never old; a working set is all memory that is in use.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.node.machine.cgroup import Cgroup
from kubesim.node.machine.gauge import Gauge
from kubesim.node.machine.machine import Machine


class Cadvisor:
    """The gauges of one machine.

    Args:
        machine: The machine.
        allocatable_memory_bytes: The limit of the cgroup of all pods; 0 where it has none.

    Attributes:
        memory: All of its memory.
        allocatable_memory: What all pods together use of what they may.
        disk: The disk that everything is on.
    """

    def __init__(self, machine: Machine, *, allocatable_memory_bytes: int = 0) -> None:
        self._machine = machine
        self.memory = _gauge(machine.root, machine.memory_bytes)
        self.allocatable_memory = _gauge(machine.kubepods, allocatable_memory_bytes)
        self.disk = machine.disk.gauge

    def memory_bytes(self, cgroup: str) -> int | None:
        """The memory of a cgroup; ``None`` when there is no such."""
        found = self._find(cgroup)
        return None if found is None else found.memory_bytes

    def watch_oom(self, killed: Callable[[str, int], None]) -> None:
        """Tell of every process that is killed because the machine has no memory: name and pid."""
        self._machine.memory.system_oom = killed

    def _find(self, path: str) -> Cgroup | None:
        cgroup: Cgroup | None = self._machine.root
        for name in path.strip("/").split("/"):
            cgroup = None if cgroup is None else cgroup.children.get(name)
        return cgroup


def _gauge(cgroup: Cgroup, capacity_bytes: int) -> Gauge:
    if cgroup.gauge is None:
        cgroup.gauge = Gauge()
    cgroup.gauge.capacity_bytes = capacity_bytes
    cgroup.gauge.move(cgroup.memory_bytes)
    return cgroup.gauge
