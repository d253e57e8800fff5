"""What takes a machine's resources and is no pod's: a log that fills the disk, a daemon that leaks.

Mirrors: what an operator sees as ``No space left on device`` and as the kernel's global OOM kill.
Departs: the space is taken at once; the daemon is one that the kernel never chooses.
"""

from __future__ import annotations

from kubesim.node.machine.machine import Machine
from kubesim.node.machine.memory import OOM_SCORE_ADJ_MIN, Process


class Strain:
    """Disk and memory of a machine that somebody took who has no business there.

    Args:
        machine: The machine.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._disk_bytes = 0
        self._processes: list[Process] = []

    def after_boot(self, machine: Machine) -> Strain:
        """The same on the machine after a boot: the disk is as full, the daemons are gone."""
        strain = Strain(machine)
        strain._disk_bytes = self._disk_bytes
        return strain

    def fill_disk(self) -> None:
        """Take all the space that is left."""
        disk = self._machine.disk
        size_bytes = disk.available_bytes
        disk.allocate(size_bytes, filesystem="nodefs")
        self._disk_bytes += size_bytes

    def empty_disk(self) -> None:
        """Give that space back."""
        self._machine.disk.free(self._disk_bytes, filesystem="nodefs")
        self._disk_bytes = 0

    def take_memory(self, memory_bytes: int) -> None:
        """Take memory, at most what the machine has; the kernel makes room by killing others."""
        memory = self._machine.memory
        taken = sum(process.memory_bytes for process in self._processes)
        most_bytes = memory.capacity_bytes - taken if memory.capacity_bytes else memory_bytes
        process = memory.process(
            self._machine.system, component="system", oom_score_adj=OOM_SCORE_ADJ_MIN
        )
        self._processes.append(process)
        process.allocate(min(memory_bytes, most_bytes))

    def give_memory(self) -> None:
        """Give that memory back."""
        for process in self._processes:
            process.exit()
        self._processes.clear()
