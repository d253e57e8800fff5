"""A disk's bandwidth and its space."""

from __future__ import annotations

import pytest

from kubesim.node.machine import Disk, DiskFullError
from kubesim.sim import Sim, SimProcess

SECOND = 10**9


def test_writers_share_the_bandwidth() -> None:
    """100 and 200 bytes at 100 a second: the first is done after two seconds, the second after three."""
    sim = Sim(seed=1)
    disk = Disk(sim, bandwidth=100, capacity_bytes=1000)
    ends: list[int] = []

    def write(size: int) -> SimProcess[None]:
        yield from disk.write(size)
        ends.append(sim.now)

    for size in (100, 200):
        sim.process(write(size))
    sim.run_until(10 * SECOND)

    assert [2 * SECOND, 3 * SECOND] == ends
    assert (300, 700) == (disk.used_bytes, disk.available_bytes)


def test_a_full_disk_refuses() -> None:
    """ENOSPC, and nothing of it is written; what is freed can be used again, by either file system."""
    disk = Disk(Sim(seed=1), capacity_bytes=100)
    disk.allocate(90)
    with pytest.raises(DiskFullError, match="no space left on device"):
        disk.allocate(11, filesystem="nodefs")
    disk.free(50)
    disk.allocate(60, filesystem="nodefs")

    assert (40, 60, 100) == (disk.used_by("imagefs"), disk.used_by("nodefs"), disk.used_bytes)
    assert 100 == disk.peak_bytes
