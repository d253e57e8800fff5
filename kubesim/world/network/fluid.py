"""Transfers that share links, as fluids: each gets its max-min fair share of every link on its way.

The shares follow from progressive filling: all transfers grow at the same pace until some link is
full; those on it stay as they are, the others grow on. When a transfer begins or ends, or a link is
cut or healed, shares change only for those that are connected with it through links, so only they
are computed again, and one event is planned for the next of them that ends.

Mirrors: nothing upstream; TCP flows of equal round-trip time, in the fluid limit (D. Bertsekas and
R. Gallager, Data Networks, section 6.5.2).
Departs: no slow start, no packets, no unfairness by round-trip time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from kubesim.sim import Event, Sim, SimProcess
from kubesim.sim.time import SECOND

WHOLE_BYTES = 1e-3
"""A transfer that lacks no more than this is whole: rounding to nanoseconds must not cost an event."""


class Pipe:
    """One direction of a link.

    Attributes:
        bandwidth: Bytes a second; 0 while it is cut.
    """

    __slots__ = ("bandwidth", "flows", "name")

    def __init__(self, name: str, bandwidth: int) -> None:
        assert bandwidth > 0, bandwidth
        self.name = name
        self.bandwidth = bandwidth
        self.flows: dict[Flow, None] = {}


class Flow:
    """One transfer under way.

    Attributes:
        left: Bytes that are still to come, as of ``updated_ns``.
        rate: Bytes a second since then.
        moved_ns: When the last byte arrived, as of now or of the moment it stalled.
    """

    __slots__ = ("done", "left", "moved_ns", "pipes", "plan", "rate", "updated_ns")

    def __init__(self, pipes: tuple[Pipe, ...], size: int, done: Event, now_ns: int) -> None:
        self.pipes = pipes
        self.left = float(size)
        self.rate = 0.0
        self.updated_ns = self.moved_ns = now_ns
        self.done = done
        self.plan: _Plan | None = None


class _Plan:
    """A wake-up for the next flow of a component that ends; void when shares changed before."""

    __slots__ = ("flows", "void")

    def __init__(self, flows: Sequence[Flow]) -> None:
        self.flows = flows
        self.void = False


class FluidNetwork:
    """All transfers of a run.

    Args:
        sim: The run.
    """

    def __init__(self, sim: Sim) -> None:
        self._sim = sim

    def begin(self, pipes: Sequence[Pipe], size_bytes: int) -> Flow:
        """Begin to move bytes through pipes; ``flow.done`` happens when the last one is there."""
        assert pipes
        flow = Flow(tuple(dict.fromkeys(pipes)), size_bytes, self._sim.event(), self._sim.now)
        for pipe in flow.pipes:
            pipe.flows[flow] = None
        self._share(flow.pipes)
        return flow

    def cancel(self, flow: Flow) -> None:
        """Stop a transfer; ``done`` never happens."""
        if not flow.done.triggered:
            connected = list(_connected(flow.pipes))
            self._advance(connected)
            self._remove(flow)
            self._plan_components([other for other in connected if other is not flow])

    def transfer(self, pipes: Sequence[Pipe], size_bytes: int) -> SimProcess[None]:
        """Move bytes through pipes; returns when the last one is there."""
        if size_bytes > 0 and pipes:
            yield self.begin(pipes, size_bytes).done

    def set_bandwidth(self, pipe: Pipe, bandwidth: int) -> None:
        """A pipe has another bandwidth from now on; 0 when it is cut."""
        if bandwidth != pipe.bandwidth:
            connected = list(_connected((pipe,)))
            self._advance(connected)
            pipe.bandwidth = bandwidth
            self._plan(connected)

    def _share(self, pipes: Iterable[Pipe]) -> None:
        connected = list(_connected(pipes))
        self._advance(connected)
        self._plan(connected)

    def _advance(self, flows: Iterable[Flow]) -> None:
        """Let what was under way until now arrive."""
        now_ns = self._sim.now
        for flow in flows:
            if flow.rate:
                flow.left -= flow.rate * (now_ns - flow.updated_ns) / SECOND
                flow.moved_ns = now_ns
            flow.updated_ns = now_ns
            if flow.plan is not None:
                flow.plan.void = True
                flow.plan = None

    def _plan(self, flows: Sequence[Flow]) -> None:
        """Give everyone its share and wake up when the first is whole."""
        for flow, rate in fair_shares(flows).items():
            flow.rate = rate
        ends = [max(0.0, flow.left) / flow.rate for flow in flows if flow.rate]
        if not ends:
            return
        plan = _Plan(flows)
        for flow in flows:
            flow.plan = plan
        self._sim.call_in(math.ceil(min(ends) * SECOND), self._finish, plan)

    def _finish(self, plan: _Plan) -> None:
        if plan.void:
            return
        self._advance(plan.flows)
        ended = [flow for flow in plan.flows if flow.left <= WHOLE_BYTES]
        for flow in ended:
            self._remove(flow)
            flow.done.succeed()
        self._plan_components([flow for flow in plan.flows if not flow.done.triggered])

    def _plan_components(self, flows: list[Flow]) -> None:
        """Plan for flows that were one component and may have come apart."""
        while flows:
            component = list(_connected(flows[0].pipes))
            self._plan(component)
            inside = set(component)
            flows = [flow for flow in flows if flow not in inside]

    def _remove(self, flow: Flow) -> None:
        for pipe in flow.pipes:
            del pipe.flows[flow]


def fair_shares(flows: Sequence[Flow]) -> dict[Flow, float]:
    """The max-min fair rate of each flow, by progressive filling.

    Args:
        flows: All flows of one or more whole components.
    """
    rates: dict[Flow, float] = {}
    room = {pipe: float(pipe.bandwidth) for flow in flows for pipe in flow.pipes}
    users = {pipe: len(pipe.flows) for pipe in room}
    while users:
        # The pipe that is full first, when everyone on it gets the same part of what is left.
        tightest = min(users, key=lambda pipe: room[pipe] / users[pipe])
        share = max(0.0, room[tightest] / users[tightest])
        for flow in tightest.flows:
            if flow in rates:
                continue
            rates[flow] = share
            for pipe in flow.pipes:
                room[pipe] -= share
                users[pipe] -= 1
        users = {pipe: number for pipe, number in users.items() if number}
    return rates


def _connected(pipes: Iterable[Pipe]) -> Iterable[Flow]:
    """The flows that share a pipe with these, or with such a flow, and so on; in a fixed order."""
    seen: dict[Flow, None] = {}
    looked: set[Pipe] = set()
    waiting = list(pipes)
    while waiting:
        pipe = waiting.pop()
        if pipe in looked:
            continue
        looked.add(pipe)
        for flow in pipe.flows:
            if flow not in seen:
                seen[flow] = None
                waiting += flow.pipes
    return seen
