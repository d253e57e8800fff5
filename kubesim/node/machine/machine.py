"""Cores and memory of one node.

Work that needs a core takes one of them for as long as it runs and waits for it in order; this is
what makes fifty containers that start at once slower than one.

Mirrors: nothing upstream; facts of the kernel.
Departs: a core is held to the end (first come, first served), where CFS shares it in slices; memory
is counted, not enforced.
"""

from __future__ import annotations

from kubesim.sim import Sim, SimProcess


class Machine:
    """One machine.

    Args:
        sim: The run.
        cpu_millis: Cores in thousandths; work is served by whole cores, at least one.
        memory_bytes: Physical memory.
    """

    def __init__(self, sim: Sim, *, cpu_millis: int, memory_bytes: int) -> None:
        self._sim = sim
        self._cores = sim.resource(max(1, cpu_millis // 1000))
        self.memory_bytes = memory_bytes
        self.memory_used_bytes = 0
        self.memory_peak_bytes = 0

    def compute(self, cpu_ns: int) -> SimProcess[int]:
        """Hold a core for ``cpu_ns``; returns how long it was waited for."""
        asked_ns = self._sim.now
        with self._cores.request() as core:
            yield core
            waited_ns = self._sim.now - asked_ns
            yield self._sim.timeout(cpu_ns)
        return waited_ns

    def allocate(self, memory_bytes: int) -> None:
        """Memory came into use."""
        self.memory_used_bytes += memory_bytes
        self.memory_peak_bytes = max(self.memory_peak_bytes, self.memory_used_bytes)

    def free(self, memory_bytes: int) -> None:
        """Memory went out of use."""
        self.memory_used_bytes -= memory_bytes
        assert self.memory_used_bytes >= 0, self.memory_used_bytes
