"""What one container has on its node's disk: a writable layer, and a log.

Mirrors: the overlay's upper directory (containerd's snapshots of containers); /var/log/pods with
containerLogMaxSize and containerLogMaxFiles at their defaults.
Departs: a log is rotated by not growing any more; a write that finds no room fails without anybody
noticing.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.node.machine.disk import Disk

LOG_BYTES_MAX = 5 * (10 << 20)  # containerLogMaxFiles of containerLogMaxSize


class WritableLayer:
    """One container's.

    Args:
        disk: The node's disk; without one, nothing is taken from it.
        changed: Is told of every change, if somebody wants to know.
    """

    __slots__ = ("_changed", "_disk", "log_bytes", "rootfs_bytes")

    def __init__(
        self, disk: Disk | None = None, changed: Callable[[], None] | None = None
    ) -> None:
        self._disk = disk
        self._changed = changed
        self.rootfs_bytes = 0
        self.log_bytes = 0

    def write(self, size_bytes: int) -> None:
        """Write into the container's own file system."""
        if self._disk is None or self._disk.try_allocate(size_bytes):
            self.rootfs_bytes += size_bytes
            self._tell()

    def log(self, size_bytes: int) -> None:
        """Write into its log."""
        size_bytes = min(size_bytes, LOG_BYTES_MAX - self.log_bytes)
        if size_bytes > 0 and (
            self._disk is None or self._disk.try_allocate(size_bytes, filesystem="nodefs")
        ):
            self.log_bytes += size_bytes
            self._tell()

    def drop(self) -> None:
        """The container is removed, and this with it."""
        if self._disk is not None:
            self._disk.free(self.rootfs_bytes)
            self._disk.free(self.log_bytes, filesystem="nodefs")
        self.rootfs_bytes = self.log_bytes = 0

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed()
