"""A machine's disk: its bandwidth, shared equally by those who use it, and its space by file system.

The kubelet tells two file systems apart, ``nodefs`` (volumes, logs) and ``imagefs`` (images and the
containers' writable layers). Here both are on one disk: its space and its bandwidth are shared, and
what each takes is counted.

Mirrors: pkg/kubelet/stats (nodefs, imagefs) on one partition; the block layer's fair sharing.
Departs: one figure for reads and writes, however large they are; no inodes; no page cache.
"""

from __future__ import annotations

from kubesim.node.machine.cfs import Cfs
from kubesim.node.machine.cgroup import Cgroup
from kubesim.node.machine.gauge import Gauge
from kubesim.node.machine.resources import Resources
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

FILESYSTEMS = ("imagefs", "nodefs")


class DiskFullError(Exception):
    """ENOSPC: no space left on device."""


class Disk:
    """One disk.

    Args:
        sim: The run.
        bandwidth: Bytes a second for all together; 0 means that it takes no time.
        capacity_bytes: Its space; 0 means that it is never full.

    Attributes:
        gauge: How full it is.
    """

    def __init__(self, sim: Sim, *, bandwidth: int = 0, capacity_bytes: int = 0) -> None:
        self.bandwidth = bandwidth
        self.capacity_bytes = capacity_bytes
        self.peak_bytes = 0
        self.gauge = Gauge(capacity_bytes)
        self._used = dict.fromkeys(FILESYSTEMS, 0)
        # Sharing a disk is sharing one core: equally, among those who want it.
        cfs = Cfs(sim, cpu_millis=1000)
        root = Cgroup("", parent=None, resources=Resources(), cfs=cfs)
        self._transfers = root.child("transfers")

    @property
    def used_bytes(self) -> int:
        """Space taken by all file systems together."""
        return sum(self._used.values())

    @property
    def available_bytes(self) -> int:
        """Space that is left; 0 also when there is no limit."""
        return max(0, self.capacity_bytes - self.used_bytes)

    def used_by(self, filesystem: str) -> int:
        """Space taken by one file system."""
        return self._used[filesystem]

    def write(self, size_bytes: int, *, filesystem: str = "imagefs") -> SimProcess[None]:
        """Write a file: the space is taken at once, the time it takes depends on the others.

        Raises:
            DiskFullError: If there is not so much space; nothing is written then.
        """
        self.allocate(size_bytes, filesystem=filesystem)
        yield from self.read(size_bytes)

    def read(self, size_bytes: int) -> SimProcess[None]:
        """Read or overwrite so many bytes."""
        if self.bandwidth:
            yield from self._transfers.compute(-(-size_bytes * SECOND // self.bandwidth))

    def allocate(self, size_bytes: int, *, filesystem: str = "imagefs") -> None:
        """Take space without the time of writing.

        Raises:
            DiskFullError: If there is not so much space.
        """
        assert size_bytes >= 0, size_bytes
        if self.capacity_bytes and size_bytes > self.available_bytes:
            raise DiskFullError("no space left on device")
        self._used[filesystem] += size_bytes
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)
        self.gauge.move(self.used_bytes)

    def try_allocate(self, size_bytes: int, *, filesystem: str = "imagefs") -> bool:
        """Take space if there is so much."""
        if self.capacity_bytes and size_bytes > self.available_bytes:
            return False
        self.allocate(size_bytes, filesystem=filesystem)
        return True

    def free(self, size_bytes: int, *, filesystem: str = "imagefs") -> None:
        """Give space back."""
        assert 0 <= size_bytes <= self._used[filesystem], (size_bytes, self._used)
        self._used[filesystem] -= size_bytes
        self.gauge.move(self.used_bytes)
