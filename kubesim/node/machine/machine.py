"""The machine under a node: cores, memory and a disk, shared by what runs on it.

What runs is in cgroups, laid out as the kubelet does it: ``/system.slice`` for the kubelet, containerd
and the shims, ``/kubepods`` for the pods.

Mirrors: pkg/kubelet/cm (node_container_manager_linux.go, qos_container_manager_linux.go) and the
kernel below it.
Departs: the shares of ``burstable`` are brought up to date with each pod, not also once a minute; the
kubelet, containerd and the kernel themselves use no CPU and no memory of their own; no cpuset, huge
pages or NUMA.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kubesim.node.machine.cfs import MIN_SHARES, Cfs
from kubesim.node.machine.cgroup import Cgroup
from kubesim.node.machine.disk import Disk
from kubesim.node.machine.memory import Memory
from kubesim.node.machine.resources import Resources
from kubesim.sim import Sim, SimProcess

SHARES_PER_CORE = 1024
BURSTABLE = "burstable"
BEST_EFFORT = "besteffort"


class Machine:
    """One machine.

    Args:
        sim: The run.
        cpu_millis: Cores in thousandths, at least one core.
        memory_bytes: Physical memory; 0 means more than anybody can use.
        disk: Its disk; one that is never full and takes no time, when it is left out.

    Attributes:
        root: The cgroup that holds everything.
        system: The cgroup of the node's own daemons and of the shims.
        kubepods: The cgroup of all pods.
        memory: Who has which memory.
        disk: Its disk.
    """

    def __init__(
        self, sim: Sim, *, cpu_millis: int, memory_bytes: int, disk: Disk | None = None
    ) -> None:
        cfs = self._cfs = Cfs(sim, cpu_millis=cpu_millis)
        shares = max(MIN_SHARES, cpu_millis * SHARES_PER_CORE // 1000)
        self.root = Cgroup("", parent=None, resources=Resources(), cfs=cfs)
        self.system = self.root.child("system.slice")
        self.kubepods = self.root.child("kubepods", Resources(cpu_shares=shares))
        for qos in (BURSTABLE, BEST_EFFORT):
            self.kubepods.child(qos, Resources(cpu_shares=MIN_SHARES))
        self._burstable_shares = 0
        self.memory = Memory(capacity_bytes=memory_bytes, root=self.root)
        self.disk = disk or Disk(sim)

    def limit_pods(self, *, memory_bytes: int) -> None:
        """All pods together may have so much memory (``enforceNodeAllocatable: [pods]``); 0: any."""
        self.kubepods.update(replace(self.kubepods.resources, memory_limit_bytes=memory_bytes))

    @property
    def pods_rest(self) -> bool:
        """Whether no pod wants any CPU."""
        return not self.kubepods.cpu.wanted

    @property
    def changes(self) -> int:
        """How often anybody's use of CPU or memory has changed: equal numbers, equal use."""
        return self._cfs.changes + self.memory.changes

    @property
    def memory_bytes(self) -> int:
        """Physical memory."""
        return self.memory.capacity_bytes

    @property
    def memory_used_bytes(self) -> int:
        """What all processes have together."""
        return self.memory.used_bytes

    @property
    def memory_peak_bytes(self) -> int:
        """The most that they had at one time."""
        return self.memory.peak_bytes

    @property
    def threads(self) -> int:
        """How many threads want CPU now."""
        return self._cfs.threads

    def watch(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` once, when a thread begins or ends, or memory is taken or given back."""

        def disturbed() -> None:
            self._cfs.disturbed = self.memory.disturbed = None
            listener()

        self._cfs.disturbed = self.memory.disturbed = disturbed

    def compute(self, cpu_ns: int) -> SimProcess[int]:
        """Use so much CPU as one of the node's daemons; returns how much longer it took."""
        return self.system.compute(cpu_ns)

    def pod_cgroup(self, path: str, resources: Resources | None = None) -> Cgroup:
        """The cgroup of a pod, such as ``/kubepods/burstable/pod1234``; made if need be."""
        cgroup = self.root
        *above, name = path.strip("/").split("/")
        for part in above:
            cgroup = cgroup.child(part)
        before = cgroup.children.get(name)
        weight = before.resources.cpu_shares if before else 0
        made = cgroup.child(name, resources)
        self._weigh_burstable(made, made.resources.cpu_shares - weight)
        return made

    def remove_pod_cgroup(self, cgroup: Cgroup) -> None:
        """Take away the cgroup of a pod that has ended."""
        if cgroup.parent is None or cgroup.name not in cgroup.parent.children:
            return
        cgroup.remove()
        self._weigh_burstable(cgroup, -cgroup.resources.cpu_shares)

    def _weigh_burstable(self, pod: Cgroup, change: int) -> None:
        """The burstable pods together weigh as much as all of them want."""
        burstable = self.kubepods.children[BURSTABLE]
        if change and pod.parent is burstable:
            self._burstable_shares += change
            shares = max(MIN_SHARES, self._burstable_shares)
            burstable.update(replace(burstable.resources, cpu_shares=shares))
