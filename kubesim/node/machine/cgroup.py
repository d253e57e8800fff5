"""A node of the tree in which the kernel accounts for CPU and memory, and limits them.

``/system.slice`` holds the kubelet, containerd and the shims; ``/kubepods`` the pods: guaranteed ones
directly, the others below ``burstable`` and ``besteffort``; each pod has a cgroup, and each container
one in it. Use is counted at the leaves and stays with the parent when a leaf is removed.

Mirrors: Linux cgroups as pkg/kubelet/cm lays them out (cpu.shares, cpu.cfs_quota_us, memory.max).
Departs: work runs in leaves only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kubesim.node.machine.cfs import Cfs
from kubesim.node.machine.entity import Entity
from kubesim.node.machine.gauge import Gauge
from kubesim.node.machine.resources import Resources
from kubesim.node.machine.shares import ONE
from kubesim.sim import SimProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuStat:
    """``cpu.stat`` of a cgroup; times in nanoseconds where the file has microseconds."""

    usage_ns: int
    nr_periods: int
    nr_throttled: int
    throttled_ns: int


class Cgroup:
    """One cgroup.

    Attributes:
        name: Its directory's name; the root's is empty.
        parent: The cgroup above; ``None`` for the root.
        children: The cgroups below, by name.
        resources: Its limits.
        lineage: Itself and everything above it, upwards.
        memory_bytes: What is charged to it and to everything below.
        gauge: Who watches that, if somebody does.
        cpu: What the scheduler knows of it.
    """

    __slots__ = ("_cfs", "_own_rate", "children", "cpu", "gauge", "lineage", "memory_bytes", "name",
                 "parent", "resources")  # fmt: skip

    def __init__(
        self, name: str, *, parent: Cgroup | None, resources: Resources, cfs: Cfs
    ) -> None:
        self.name = name
        self.parent = parent
        self.children: dict[str, Cgroup] = {}
        self.resources = resources
        self.lineage: tuple[Cgroup, ...] = (self, *(parent.lineage if parent else ()))
        self.memory_bytes = 0
        self.gauge: Gauge | None = None
        self._cfs = cfs
        self._own_rate = 0
        self.cpu: Entity = cfs.join(parent.cpu if parent else None, resources)

    @property
    def path(self) -> str:
        """Such as ``/kubepods/burstable/pod1234/main-0``."""
        return "/".join(reversed([cgroup.name for cgroup in self.lineage])) or "/"

    @property
    def memory_limit_bytes(self) -> int:
        """``memory.max``; 0 means none."""
        return self.resources.memory_limit_bytes

    def is_within(self, other: Cgroup) -> bool:
        """Whether it is that cgroup or below it."""
        return other in self.lineage

    def child(self, name: str, resources: Resources | None = None) -> Cgroup:
        """The cgroup of that name below; made, with those limits, when it is not there."""
        found = self.children.get(name)
        if found is None:
            made = Cgroup(name, parent=self, resources=resources or Resources(), cfs=self._cfs)
            found = self.children[name] = made
        elif resources is not None and resources != found.resources:
            found.update(resources)
        return found

    def make(self, name: str, resources: Resources) -> Cgroup:
        """A new cgroup below, of that name or, when it is taken, one like it."""
        free, number = name, 1
        while free in self.children:
            number += 1
            free = f"{name}-{number}"
        return self.child(free, resources)

    def update(self, resources: Resources) -> None:
        """Change its limits."""
        before, self.resources = self.resources, resources
        self._cfs.update(self.cpu, before, resources)

    def remove(self) -> None:
        """Take it away with everything below it; whoever waits for CPU in it is told now."""
        for child in list(self.children.values()):
            child.remove()
        if self.parent is not None and self.parent.children.get(self.name) is self:
            self._cfs.leave(self.cpu)
            del self.parent.children[self.name]

    def compute(self, cpu_ns: int) -> SimProcess[int]:
        """Use so much CPU with one thread; returns how much longer than that it took.

        Returns early when the cgroup is removed: the thread is gone.
        """
        return self._cfs.compute(self.cpu, cpu_ns)

    def kill(self) -> None:
        """End all its threads; whoever waits for one is told now."""
        self._cfs.kill(self.cpu)

    def set_background(self, milli_cpu: int) -> None:
        """From now on something in it wants so many thousandths of a core all the time."""
        rate = milli_cpu * ONE // 1000
        self._cfs.add_background(self.cpu, rate - self._own_rate)
        self._own_rate = rate

    def add_steady(self, cpu_ns: int, every_ns: int) -> Callable[[], None]:
        """Use so much CPU in each of such periods, evenly; gives what ends that."""
        rate = cpu_ns * ONE // every_ns
        if not rate or not self.exists:
            return _nothing
        self._cfs.add_background(self.cpu, rate)

        def end() -> None:
            nonlocal rate
            if self.exists:
                self._cfs.add_background(self.cpu, -rate)
            rate = 0

        return end

    @property
    def exists(self) -> bool:
        """Whether it was not removed."""
        return self.parent is None or self.parent.children.get(self.name) is self

    def cpu_usage_ns(self) -> int:
        """CPU time used up to this instant, here and below, also by what is gone."""
        return self._cfs.usage_ns(self.cpu)

    def cpu_stat(self) -> CpuStat:
        """Use and throttling up to this instant."""
        nr_periods, nr_throttled, throttled_ns = self._cfs.throttling(self.cpu)
        return CpuStat(
            usage_ns=self.cpu_usage_ns(),
            nr_periods=nr_periods,
            nr_throttled=nr_throttled,
            throttled_ns=throttled_ns,
        )

    def ancestry(self) -> Iterator[Cgroup]:
        """Itself and everything above it, upwards."""
        return iter(self.lineage)


def _nothing() -> None:
    """There is nothing to end."""
