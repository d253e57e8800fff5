"""What the eviction manager sees: how much is left of what on its node, and what each pod has of it.

Mirrors: pkg/kubelet/eviction/helpers.go (makeSignalObservations), staging/src/k8s.io/kubelet/pkg/apis/
stats/v1alpha1.
Departs: images, writable layers, logs and volumes are on one disk, so nodefs, imagefs and containerfs
have the same figures; there are no inodes and no process ids to run out of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

NODEFS = "nodefs.available"
DISK_SIGNALS = (NODEFS, "imagefs.available", "containerfs.available")
MEMORY, ALLOCATABLE_MEMORY = "memory.available", "allocatableMemory.available"


class Meter(Protocol):
    """An amount in use out of a capacity, that can be watched."""

    @property
    def capacity_bytes(self) -> int:
        """How much there is; 0 when there is no limit."""
        ...

    @property
    def used_bytes(self) -> int:
        """How much of it is in use."""
        ...

    def watch(self, levels: Iterable[int], crossed: Callable[[], None]) -> None:
        """Be told when use reaches or leaves one of these amounts."""
        ...


class Meters(Protocol):
    """The meters of one machine."""

    @property
    def memory(self) -> Meter:
        """All of its memory."""
        ...

    @property
    def allocatable_memory(self) -> Meter:
        """What all pods together use of what they may."""
        ...

    @property
    def disk(self) -> Meter:
        """Its disk."""
        ...

    def memory_bytes(self, cgroup: str) -> int | None:
        """The memory of a cgroup, if it is there."""
        ...

    def watch_oom(self, killed: Callable[[str, int], None]) -> None:
        """Be told the name and pid of what the kernel kills when the machine has no memory."""
        ...


@dataclass(frozen=True, slots=True)
class Observation:
    """How much of something there is, and how much of that is left."""

    available: int
    capacity: int


def meter_of(signal: str, meters: Meters) -> Meter | None:
    """What a signal is read from; ``None`` where nothing is measured."""
    found: Meter | None = None
    if signal == MEMORY:
        found = meters.memory
    elif signal == ALLOCATABLE_MEMORY:
        found = meters.allocatable_memory
    elif signal in DISK_SIGNALS:
        found = meters.disk
    return found if found is not None and found.capacity_bytes else None


def observe(signals: Iterable[str], meters: Meters) -> dict[str, Observation]:
    """The signals as they are now."""
    seen: dict[str, Observation] = {}
    for signal in signals:
        meter = meter_of(signal, meters)
        if meter is not None:
            capacity = meter.capacity_bytes
            seen[signal] = Observation(max(0, capacity - meter.used_bytes), capacity)
    return seen


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStats:
    """What one pod uses.

    Attributes:
        memory_bytes: Of its whole cgroup.
        container_memory: Of each running container.
        container_disk: The writable layer and the log of each container.
        volumes: What is in its volumes on the node's own disk, by name.
    """

    memory_bytes: int = 0
    container_memory: Mapping[str, int] = field(default_factory=dict)
    container_disk: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)

    @property
    def disk_bytes(self) -> int:
        """All that it has on the node's disk."""
        return sum(self.container_disk.values()) + sum(self.volumes.values())
