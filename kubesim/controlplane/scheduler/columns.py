"""The cluster in columns: one array a quantity, one row a node, kept up as pods come and go.

The reference path asks every plugin about every node. The columns hold the same numbers the other
way round, so that one operation answers for all nodes. Only rows of nodes that changed are
rewritten.

Invariant: row ``i`` is ``cache.node_infos[i]`` as it is now, whenever ``sync`` has been called.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kubesim.controlplane.scheduler.cache import Cache
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.nominator import PodNominator

Ints = NDArray[np.int64]

MAX_LOG_LENGTH = 20_000


class Columns:
    """Arrays over the nodes of a cache.

    Args:
        cache: The cache that they follow.
        nominator: Who waits for which node; a nomination is a change of the node's row.

    Attributes:
        structure: Changes whenever the rows themselves were rebuilt.
        changes: The rows that changed since the last rebuilding, in order.
    """

    def __init__(self, cache: Cache, nominator: PodNominator) -> None:
        self._cache = cache
        self._nominator = nominator
        self._row_of: dict[str, int] = {}
        self.structure = -1
        self.changes: list[int] = []
        self._seen_structure = -1
        self._allocate(0)

    def sync(self) -> None:
        """Follow the cache."""
        cache = self._cache
        if self._seen_structure != cache.structure or len(self.changes) > MAX_LOG_LENGTH:
            self._rebuild()
        elif cache.touched:
            for name in cache.touched:
                row = self._row_of.get(name)
                if row is not None:
                    self._write_pods(row)
                    self.changes.append(row)
        cache.touched.clear()
        if self._nominator.touched:
            rows = (self._row_of.get(name) for name in self._nominator.touched)
            self.changes.extend(row for row in rows if row is not None)
            self._nominator.touched.clear()

    def scalar(self, name: str) -> tuple[Ints, Ints]:
        """How much of an extended resource (or another scalar) there is, and how much is taken."""
        column = self._scalars.get(name)
        if column is None:
            nodes = self._cache.node_infos
            has = [node.allocatable.scalars.get(name, 0) for node in nodes]
            used = [node.requested.scalars.get(name, 0) for node in nodes]
            column = (np.array(has, dtype=np.int64), np.array(used, dtype=np.int64))
            self._scalars[name] = column
        return column

    def row(self, node_name: str) -> int | None:
        """The row of a node."""
        return self._row_of.get(node_name)

    @property
    def nodes(self) -> Sequence[NodeInfo]:
        """The nodes, by row."""
        return self._cache.node_infos

    @property
    def lowest_priority(self) -> int:
        """No pod is less important than this."""
        return self._cache.pod_infos.lowest_priority

    def node(self, row: int) -> NodeInfo:
        """The node of a row."""
        return self._cache.node_infos[row]

    def _rebuild(self) -> None:
        nodes = self._cache.node_infos
        self._allocate(len(nodes))
        self._row_of = {node.name: row for row, node in enumerate(nodes)}
        for row, node in enumerate(nodes):
            allocatable = node.allocatable
            self.cpu[row] = allocatable.milli_cpu
            self.memory[row] = allocatable.memory
            self.storage[row] = allocatable.ephemeral_storage
            self.allowed_pods[row] = allocatable.allowed_pod_number
            self._write_pods(row)
        self._seen_structure = self._cache.structure
        self.structure += 1
        self.changes = []

    def _allocate(self, count: int) -> None:
        def column() -> Ints:
            return np.zeros(count, dtype=np.int64)

        self.count = count
        self._scalars: dict[str, tuple[Ints, Ints]] = {}
        self.cpu, self.memory, self.storage, self.allowed_pods = (column() for _ in range(4))
        self.used_cpu, self.used_memory, self.used_storage = (column() for _ in range(3))
        self.scored_cpu, self.scored_memory, self.pods = (column() for _ in range(3))

    def _write_pods(self, row: int) -> None:
        node = self._cache.node_infos[row]
        used = node.requested
        self.used_cpu[row] = used.milli_cpu
        self.used_memory[row] = used.memory
        self.used_storage[row] = used.ephemeral_storage
        self.scored_cpu[row] = node.non_zero_milli_cpu
        self.scored_memory[row] = node.non_zero_memory
        self.pods[row] = len(node.pods)
        for name, (_has, taken) in self._scalars.items():
            taken[row] = used.scalars.get(name, 0)
