"""Which requests a module is known to answer alike, and until when that can be promised.

A run that touched nothing outside its input is a function of it. As long as no other request is
under way, asking again would only find the same answer: a prober may leave it out.

Mirrors: nothing upstream; it lets probes be computed instead of run.
Departs: how busy the node is otherwise is not looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from kubesim.sim import Event, Sim
from kubesim.wasm.execution import Execution
from kubesim.wasm.memo import NEVER_REPLAYED
from kubesim.wire.http import HttpRequest, Outlook

PURE_REQUESTS_MAX = 16  # a container has three probes at most


class Foresight:
    """What one HTTP trigger can promise.

    Args:
        sim: The run.
        steady: Begins to use so much CPU in each of such periods; gives what ends that.
        overhead_ns: What a request takes beside its handler.
    """

    def __init__(
        self, sim: Sim, *, steady: Callable[[int, int], Callable[[], None]], overhead_ns: int
    ) -> None:
        self._sim = sim
        self._steady = steady
        self._overhead_ns = overhead_ns
        self._pure: OrderedDict[HttpRequest, int] = OrderedDict()
        self._disturbed: Event | None = None

    def executed(self, request: HttpRequest, execution: Execution) -> None:
        """A request was answered."""
        if not execution.touched & NEVER_REPLAYED:
            self._pure[request] = execution.cpu_ns
            self._pure.move_to_end(request)
            if len(self._pure) > PURE_REQUESTS_MAX:
                self._pure.popitem(last=False)

    def outlook(self, request: HttpRequest) -> Outlook | None:
        """The promise for a request, when there can be one."""
        if request not in self._pure:
            return None
        if self._disturbed is None:
            self._disturbed = self._sim.event()
        cpu_ns = self._pure[request] + self._overhead_ns
        return Outlook(
            broken=self._disturbed, steady=lambda every_ns: self._steady(cpu_ns, every_ns)
        )

    def disturb(self) -> None:
        """Requests are under way at the same time: no promise holds."""
        if self._disturbed is not None:
            self._disturbed.succeed()
            self._disturbed = None
