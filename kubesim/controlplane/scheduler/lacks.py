"""What a node lacks for a pod, as bits, for one node and for all: ports and resources.

Mirrors: pkg/scheduler/framework/plugins/{nodeports,noderesources}, for all nodes at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from kubesim.controlplane.scheduler.columns import Columns, Ints
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo, ports_conflict
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo, PodSignature
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.plugins import nodeports

Rows = Ints | slice
Mask = NDArray[np.bool_]

TOO_MANY_PODS, CPU, MEMORY, STORAGE = 1, 2, 4, 8
FIRST_SCALAR = 16


class Lacks:
    """The part of one signature's verdict that depends on the pods of the same node.

    A verdict is a number: 0 for a node that has everything, else one bit for each reason, and the
    highest of them (``for_good``) if evicting others would not help. ``ports`` stands alone,
    because it is looked at first.

    Args:
        signature: The pods.
        columns: The nodes.
        ignored: Resources that others take care of.
        too_big_is_final: Whether evicting others is ruled out where the pod would never fit.
    """

    def __init__(
        self,
        signature: PodSignature,
        columns: Columns,
        *,
        ignored: Collection[str],
        too_big_is_final: bool,
    ) -> None:
        self._too_big_is_final = too_big_is_final
        wanted = signature.requests
        self._columns = columns
        self.cpu, self.memory = wanted.milli_cpu, wanted.memory
        self.storage = wanted.ephemeral_storage
        self.scalars = tuple(
            (name, amount)
            for name, amount in wanted.scalars.items()
            if amount and name not in ignored
        )
        self.host_ports = signature.host_ports
        self.for_good = FIRST_SCALAR << len(self.scalars)
        self.ports = self.for_good << 1
        self.end = self.for_good << 2
        """Above all verdicts."""

    def fits(self, rows: Rows) -> Mask:
        """Which of ``rows`` lack nothing."""
        columns = self._columns
        fits: Mask = columns.pods[rows] < columns.allowed_pods[rows]
        if self.cpu:
            fits &= columns.used_cpu[rows] + self.cpu <= columns.cpu[rows]
        if self.memory:
            fits &= columns.used_memory[rows] + self.memory <= columns.memory[rows]
        if self.storage:
            fits &= columns.used_storage[rows] + self.storage <= columns.storage[rows]
        for name, amount in self.scalars:
            has, used = columns.scalar(name)
            fits &= used[rows] + amount <= has[rows]
        if self.host_ports:
            fits &= ~self._conflicts(rows)
        return fits

    def of_all(self) -> Ints:
        """The verdict on every node."""
        columns = self._columns
        verdicts = (columns.pods >= columns.allowed_pods).astype(np.int64)
        wanted = [
            (CPU, self.cpu, columns.cpu, columns.used_cpu),
            (MEMORY, self.memory, columns.memory, columns.used_memory),
            (STORAGE, self.storage, columns.storage, columns.used_storage),
        ]
        for i, (name, amount) in enumerate(self.scalars):
            wanted.append((FIRST_SCALAR << i, amount, *columns.scalar(name)))
        for bit, amount, has, used in wanted:
            if amount:
                verdicts |= bit * (used + amount > has) | self.for_good * (amount > has)
        if self.host_ports:
            verdicts[self._conflicts(slice(None))] = self.ports
        return verdicts

    def of_node(self, node: NodeInfo, others: Sequence[PodInfo] = ()) -> int:
        """The verdict on one node, if ``others`` were there too."""
        if self.host_ports:
            taken = {port for info in others for port in info.signature.host_ports}
            if node.conflicts_with(self.host_ports) or ports_conflict(taken, self.host_ports):
                return self.ports
        has, used = node.allocatable, node.requested
        requests = [info.signature.requests for info in others]
        verdict = 0
        if len(node.pods) + len(others) >= has.allowed_pod_number:
            verdict = TOO_MANY_PODS
        wanted = [
            (CPU, self.cpu, has.milli_cpu, used.milli_cpu, [r.milli_cpu for r in requests]),
            (MEMORY, self.memory, has.memory, used.memory, [r.memory for r in requests]),
            (
                STORAGE,
                self.storage,
                has.ephemeral_storage,
                used.ephemeral_storage,
                [r.ephemeral_storage for r in requests],
            ),
        ]
        for i, (name, amount) in enumerate(self.scalars):
            more = [r.scalars.get(name, 0) for r in requests]
            scalar = (has.scalars.get(name, 0), used.scalars.get(name, 0), more)
            wanted.append((FIRST_SCALAR << i, amount, *scalar))
        for bit, amount, capacity, taken_before, more in wanted:
            if amount and taken_before + sum(more) + amount > capacity:
                verdict |= bit | (self.for_good if amount > capacity else 0)
        return verdict

    def status(self, verdict: int) -> Status:
        """The refusal that a verdict stands for."""
        assert verdict, "a node that lacks nothing fits"
        if verdict == self.ports:
            return nodeports.REFUSAL
        names = ["cpu", "memory", "ephemeral-storage", *(name for name, _amount in self.scalars)]
        reasons = [f"Insufficient {name}" for i, name in enumerate(names) if verdict & CPU << i]
        if verdict & TOO_MANY_PODS:
            reasons.insert(0, "Too many pods")
        for_good = verdict & self.for_good and self._too_big_is_final
        code = Code.UNSCHEDULABLE_AND_UNRESOLVABLE if for_good else Code.UNSCHEDULABLE
        return Status(code, tuple(reasons), "NodeResourcesFit")

    def _conflicts(self, rows: Rows) -> Mask:
        numbers = range(self._columns.count) if isinstance(rows, slice) else rows.tolist()
        found = (self._columns.node(row).conflicts_with(self.host_ports) for row in numbers)
        return np.fromiter(found, dtype=np.bool_, count=len(numbers))
