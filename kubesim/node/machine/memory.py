"""Who has memory on a machine, and whom the kernel kills when there is no more.

Memory is charged to a cgroup and to all above it. A charge that takes one of them over its limit has
the kernel kill a process in that cgroup; one that takes the machine over what it has, a process
anywhere. The one with the most points goes: its memory, plus ``oom_score_adj`` thousandths of what
may be used. The kubelet sets that so that best effort goes first and guaranteed last. When it was the
machine that had no more, whoever reads the kernel's log is told who went.

Mirrors: Linux mm/oom_kill.c (oom_badness), mm/memcontrol.c (try_charge); memory by component as one
reads it from /proc and cgroupfs.
Departs: nothing is reclaimed or swapped before something is killed: there is no page cache, so a
working set is all that is used; page tables count nothing; only what has memory here has a pid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubesim.node.machine.cgroup import Cgroup

OOM_SCORE_ADJ_MIN = -1000  # such a process is never chosen
SHIM_OOM_SCORE_ADJ = -998  # of a shim and of pause, as containerd sets them

COMPONENTS = ("app", "shim", "zygote", "pause", "system")
COMM_LENGTH = 15  # TASK_COMM_LEN without the byte that ends it
COMM = {"shim": "containerd-shim", "zygote": "containerd-shim"}  # a zygote is forked from its shim
RESERVED_PIDS = 300  # those of the boot


class Process:
    """Something with memory in one cgroup.

    Attributes:
        component: What it is, one of ``COMPONENTS``.
        memory_bytes: What it has now.
        name: Its ``/proc/<pid>/comm``.
        pid: Its process id on the node.
    """

    __slots__ = (
        "_memory",
        "_on_oom_kill",
        "cgroup",
        "component",
        "memory_bytes",
        "name",
        "oom_score_adj",
        "pid",
    )

    def __init__(  # noqa: PLR0913  # what a process is
        self,
        memory: Memory,
        *,
        cgroup: Cgroup,
        component: str,
        name: str,
        pid: int,
        oom_score_adj: int,
        on_oom_kill: Callable[[], None] | None,
    ) -> None:
        self._memory = memory
        self._on_oom_kill = on_oom_kill
        self.cgroup = cgroup
        self.component = component
        self.name = name
        self.pid = pid
        self.oom_score_adj = oom_score_adj
        self.memory_bytes = 0

    def allocate(self, memory_bytes: int) -> None:
        """Take memory; the kernel may kill somebody for it, this one included."""
        assert memory_bytes >= 0, memory_bytes
        self._memory.charge(self, memory_bytes)

    def free(self, memory_bytes: int) -> None:
        """Give memory back; what has ended has nothing any more."""
        self._memory.uncharge(self, memory_bytes)

    def exit(self) -> None:
        """End, and give everything back; idempotent."""
        self._memory.exit(self)

    def oom_kill(self) -> None:
        """The kernel ends it: its memory is free at once, and whoever watches it is told."""
        self.exit()
        if self._on_oom_kill is not None:
            self._on_oom_kill()


class Memory:
    """The memory of one machine.

    Args:
        capacity_bytes: Physical memory.
        root: The cgroup that everything is in.
    """

    def __init__(self, *, capacity_bytes: int, root: Cgroup) -> None:
        self.capacity_bytes = capacity_bytes
        self.peak_bytes = 0
        self.oom_kills = 0
        self.disturbed: Callable[[], None] | None = None  # told of the next change, once
        self.changes = 0
        self.system_oom: Callable[[str, int], None] | None = (
            None  # told of name and pid of a victim
        )
        self._root = root
        self._last_pid = RESERVED_PIDS
        self._processes: dict[Process, None] = {}
        self._by_component = dict.fromkeys(COMPONENTS, 0)
        self._peak_by_component = dict(self._by_component)

    @property
    def used_bytes(self) -> int:
        """What all processes have together."""
        return self._root.memory_bytes

    @property
    def by_component(self) -> dict[str, int]:
        """The same by what the processes are."""
        return dict(self._by_component)

    @property
    def peak_by_component(self) -> dict[str, int]:
        """How it was divided when the most was used."""
        return dict(self._peak_by_component)

    def pod_by_component(self, cgroup: Cgroup) -> dict[str, int]:
        """Memory below one cgroup by what its processes are."""
        amounts = dict.fromkeys(COMPONENTS, 0)
        for process in self._processes:
            if process.cgroup.is_within(cgroup):
                amounts[process.component] += process.memory_bytes
        return amounts

    def process(
        self,
        cgroup: Cgroup,
        *,
        component: str,
        name: str = "",
        oom_score_adj: int = 0,
        on_oom_kill: Callable[[], None] | None = None,
    ) -> Process:
        """A process without memory yet.

        Args:
            cgroup: Whom its memory is charged to.
            component: What it is.
            name: The name of its executable, if it is not the component's.
            oom_score_adj: Its ``/proc/<pid>/oom_score_adj``.
            on_oom_kill: Called when the kernel has killed it.
        """
        self._last_pid += 1
        process = Process(
            self,
            cgroup=cgroup,
            component=component,
            name=(name or COMM.get(component, component))[:COMM_LENGTH],
            pid=self._last_pid,
            oom_score_adj=oom_score_adj,
            on_oom_kill=on_oom_kill,
        )
        self._processes[process] = None
        return process

    def charge(self, process: Process, memory_bytes: int) -> None:
        """Charge a process and its cgroups; kill for it when a limit says so."""
        self._add(process, memory_bytes)
        for cgroup in process.cgroup.ancestry():
            limit_bytes = cgroup.memory_limit_bytes
            while limit_bytes and cgroup.memory_bytes > limit_bytes:
                if not self._kill_one(cgroup, limit_bytes):
                    break
        while self.used_bytes > self.capacity_bytes > 0:
            if not self._kill_one(self._root, self.capacity_bytes):
                break
        if self.used_bytes > self.peak_bytes:
            self.peak_bytes = self.used_bytes
            self._peak_by_component = dict(self._by_component)

    def uncharge(self, process: Process, memory_bytes: int) -> None:
        """The other way; what was killed meanwhile has given everything back already."""
        assert memory_bytes >= 0, memory_bytes
        if process in self._processes:
            assert memory_bytes <= process.memory_bytes, (memory_bytes, process.memory_bytes)
        self._add(process, -memory_bytes)

    def exit(self, process: Process) -> None:
        """Forget a process and free what it had."""
        if process in self._processes:
            self._add(process, -process.memory_bytes)
            del self._processes[process]

    def _add(self, process: Process, memory_bytes: int) -> None:
        if process not in self._processes:
            return  # it was killed for the memory that it asks for
        if self.disturbed is not None and memory_bytes:
            self.disturbed()
        self.changes += 1
        process.memory_bytes += memory_bytes
        self._by_component[process.component] += memory_bytes
        for cgroup in process.cgroup.ancestry():
            cgroup.memory_bytes += memory_bytes
            if cgroup.gauge is not None:
                cgroup.gauge.move(cgroup.memory_bytes)

    def _kill_one(self, cgroup: Cgroup, total_bytes: int) -> bool:
        """Kill the process with the most points in a cgroup; the youngest of equal ones."""
        chosen: Process | None = None
        most = 0
        for process in self._processes:
            if process.oom_score_adj == OOM_SCORE_ADJ_MIN or not process.cgroup.is_within(cgroup):
                continue
            points = process.memory_bytes + process.oom_score_adj * total_bytes // 1000
            if chosen is None or points >= most:
                chosen, most = process, points
        if chosen is None:
            return False
        self.oom_kills += 1
        if cgroup is self._root and self.system_oom is not None:
            self.system_oom(chosen.name, chosen.pid)
        chosen.oom_kill()
        return True
