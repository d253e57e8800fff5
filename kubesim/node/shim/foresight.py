"""Which requests a module is known to answer alike, and until when that can be promised.

A run that touched nothing outside its input is a function of it. As long as no other request is
under way, asking again would only find the same answer: a prober may leave it out.

Mirrors: nothing upstream; it lets probes be computed instead of run.
Departs: how busy the node is otherwise is not looked at.
"""

from __future__ import annotations

from collections import OrderedDict

from kubesim.sim import Event, Sim
from kubesim.wasm.execution import Execution
from kubesim.wasm.memo import NEVER_REPLAYED
from kubesim.wire.http import HttpRequest, Outlook

PURE_REQUESTS_MAX = 16  # a container has three probes at most


class Foresight:
    """What one HTTP trigger can promise."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self._pure: OrderedDict[HttpRequest, None] = OrderedDict()
        self._disturbed: Event | None = None

    def executed(self, request: HttpRequest, execution: Execution) -> None:
        """A request was answered."""
        if not execution.touched & NEVER_REPLAYED:
            self._pure[request] = None
            self._pure.move_to_end(request)
            if len(self._pure) > PURE_REQUESTS_MAX:
                self._pure.popitem(last=False)

    def outlook(self, request: HttpRequest) -> Outlook | None:
        """The promise for a request, when there can be one."""
        if request not in self._pure:
            return None
        if self._disturbed is None:
            self._disturbed = self._sim.event()
        return Outlook(broken=self._disturbed)

    def disturb(self) -> None:
        """Requests are under way at the same time: no promise holds."""
        if self._disturbed is not None:
            self._disturbed.succeed()
            self._disturbed = None
