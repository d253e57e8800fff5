"""The flat network of pods: every pod has an address, and some listen on ports of it.

A connection to an address where nobody listens is refused at once, as by a kernel without that
socket.

Departs: one distance between any two points; latency and partitions come with the topology.
"""

from __future__ import annotations

from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.wire.http import ConnectionRefused, Handler, HttpRequest, Served


class PodNetwork:
    """Who listens where.

    Args:
        sim: The run.
        round_trip: From a client to a pod and back.
    """

    def __init__(self, sim: Sim, *, round_trip: Distribution) -> None:
        self._sim = sim
        self._round_trip = round_trip
        self._rng = sim.rng("network/round-trip")
        self._listeners: dict[tuple[str, int], Handler] = {}

    def listen(self, ip: str, port: int, handler: Handler) -> bool:
        """Open a socket; False when somebody listens there already."""
        return self._listeners.setdefault((ip, port), handler) is handler

    def close(self, ip: str, port: int) -> None:
        """Close a socket; idempotent."""
        self._listeners.pop((ip, port), None)

    def request(
        self, ip: str, port: int, request: HttpRequest
    ) -> SimProcess[tuple[Served | ConnectionRefused, int]]:
        """Send a request; returns the answer and how long the wire took, in nanoseconds."""
        round_trip_ns = self._round_trip.draw(self._rng)
        outbound_ns = round_trip_ns // 2
        yield self._sim.timeout(outbound_ns)
        handler = self._listeners.get((ip, port))
        answer: Served | ConnectionRefused = ConnectionRefused()
        if handler is not None:
            answer = yield from handler.serve(request)
        yield self._sim.timeout(round_trip_ns - outbound_ns)
        return answer, round_trip_ns
