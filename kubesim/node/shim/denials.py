"""What a container's module tried and was not granted, said once for each container.

Mirrors: Spin crates/outbound-networking-config (who is refused is said aloud).
Departs: a fact of the simulator; the real runtimes say it, if at all, in the container's log.
"""

from __future__ import annotations

from kubesim.facts import AccessDenied
from kubesim.node.shim.task import TaskSpec
from kubesim.sim import Sim
from kubesim.wasm.execution import Denied, Execution

KINDS_MAX = 1000  # a guest can think of any number of names


class Denials:
    """The denials of one container.

    Args:
        sim: The run.
        spec: The container.
    """

    def __init__(self, sim: Sim, spec: TaskSpec) -> None:
        self._sim = sim
        self._spec = spec
        self._noted: set[Denied] = set()

    def note(self, execution: Execution) -> None:
        """Say what is new in a run."""
        for denied in execution.denied:
            if denied in self._noted or len(self._noted) >= KINDS_MAX:
                continue
            self._noted.add(denied)
            self._sim.emit(
                AccessDenied(
                    namespace=self._spec.namespace,
                    name=self._spec.pod,
                    uid=self._spec.uid,
                    container=self._spec.container,
                    function=denied.function,
                    target=denied.target,
                    errno=denied.errno,
                )
            )
