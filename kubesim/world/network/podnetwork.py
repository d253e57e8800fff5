"""The flat network of pods: every pod has an address, and some listen on ports of it.

What becomes of a connection follows from who is there. A pod without that socket refuses at once, as
its kernel does; an address whose pod is gone has no route once neighbour discovery has given up; a
node without power says nothing at all, and whoever waits for it waits until its own patience ends.

Mirrors: Linux net/ipv4 (tcp_syn_retries, neighbour unreachability), as far as a client sees it.
Departs: a path that is cut while a request is under way lets its answer through. Data on a connection
to a dead node is given up as a connect is (127 s), not after tcp_retries2 (924 s).
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.sim.time import SECOND
from kubesim.wire.http import (
    ConnectionRefused,
    Foreseeable,
    Handler,
    HttpRequest,
    Outlook,
    Served,
)
from kubesim.world.network.topology import USERS

# Linux defaults: tcp_syn_retries 6 from 1 s on, doubling; mcast_solicit 3 at retrans_time 1 s.
CONNECT_TIMEOUT_NS = (1 + 2 + 4 + 8 + 16 + 32 + 64) * SECOND
NO_ROUTE_AFTER_NS = 3 * SECOND

TIMED_OUT = ConnectionRefused("connection timed out")
NO_ROUTE = ConnectionRefused("no route to host")


def _everywhere_at_once(_source: str, _target: str) -> int:
    return 0


class PodNetwork:
    """Who listens where.

    Args:
        sim: The run.
        round_trip: From a client to a pod and back, where the path adds nothing.
        local_round_trip: The same between a pod and another of its node.
        latency_ns: What the path between two places adds each way; ``None`` when there is none.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        round_trip: Distribution,
        local_round_trip: Distribution | None = None,
        latency_ns: Callable[[str, str], int | None] = _everywhere_at_once,
    ) -> None:
        self._sim = sim
        self._round_trip = round_trip
        self._local_round_trip = local_round_trip or round_trip
        self._latency_ns = latency_ns
        self._rng = sim.rng("network/round-trip")
        self._listeners: dict[tuple[str, int], Handler] = {}
        self._ports: dict[str, dict[int, None]] = {}
        self._node_of: dict[str, str] = {}
        self._left: set[str] = set()
        self._dark: set[str] = set()
        self._ghosts: dict[tuple[str, int], Handler] = {}

    def attach(self, ip: str, node: str) -> None:
        """A pod on a node has an address."""
        self._node_of[ip] = node
        self._left.discard(ip)
        for key in [key for key in self._ghosts if key[0] == ip]:
            del self._ghosts[key]

    def detach(self, ip: str) -> None:
        """The address is nobody's any more."""
        if self._node_of.pop(ip, None) is not None:
            self._left.add(ip)
            self._ports.pop(ip, None)

    def power_off(self, node: str) -> None:
        """Nothing on that node answers any more, not even by a refusal."""
        self._dark.add(node)

    def power_on(self, node: str) -> None:
        """The node is up again; nobody listens on it yet."""
        self._dark.discard(node)
        for key in [key for key in self._ghosts if self._node_of.get(key[0]) == node]:
            del self._ghosts[key]

    def listen(self, ip: str, port: int, handler: Handler) -> bool:
        """Open a socket; False when somebody listens there already."""
        self._ports.setdefault(ip, {})[port] = None
        return self._listeners.setdefault((ip, port), handler) is handler

    def close(self, ip: str, port: int) -> None:
        """Close a socket; idempotent."""
        handler = self._listeners.pop((ip, port), None)
        if handler is not None and self._is_dark(ip):
            self._ghosts[ip, port] = handler

    def socket(self, ip: str, port: int) -> Handler | None:
        """Who listens at an address, as far as a client with a connection to it can know."""
        return self._listeners.get((ip, port)) or self._ghosts.get((ip, port))

    def waiting(self, ip: str) -> int:
        """How many requests wait inside the pod of that address."""
        found = (self._listeners.get((ip, port)) for port in self._ports.get(ip, ()))
        return sum(handler.waiting for handler in found if handler is not None)

    def request(
        self, ip: str, port: int, request: HttpRequest, *, source: str = ""
    ) -> SimProcess[tuple[Served | ConnectionRefused, int]]:
        """Send a request; returns the answer and how long the wire took, in nanoseconds.

        Args:
            ip: Whom to.
            port: Which port of it.
            request: What.
            source: The node from which it comes; empty for a user outside.
        """
        target = self._node_of.get(ip, "")
        local = bool(source) and source == target
        round_trip_ns = (self._local_round_trip if local else self._round_trip).draw(self._rng)
        if target and not local:
            latency_ns = self._latency_ns(f"node/{source}" if source else USERS, f"node/{target}")
            if latency_ns is None:
                yield self._sim.timeout(CONNECT_TIMEOUT_NS)
                return TIMED_OUT, CONNECT_TIMEOUT_NS
            round_trip_ns += 2 * latency_ns
        outbound_ns = round_trip_ns // 2
        yield self._sim.timeout(outbound_ns)
        handler = self._listeners.get((ip, port))
        answer: Served | ConnectionRefused = ConnectionRefused()
        if handler is not None:
            answer = yield from handler.serve(request)
            if self._dark and self._is_dark(ip):
                yield self._sim.event()  # the answer never comes, and nobody says so
        elif self._is_dark(ip):
            yield self._sim.timeout(CONNECT_TIMEOUT_NS)
            return TIMED_OUT, round_trip_ns
        elif ip in self._left:
            yield self._sim.timeout(NO_ROUTE_AFTER_NS)
            answer = NO_ROUTE
        yield self._sim.timeout(round_trip_ns - outbound_ns)
        return answer, round_trip_ns

    def _is_dark(self, ip: str) -> bool:
        return self._node_of.get(ip) in self._dark

    def listening(self, ip: str, port: int) -> bool:
        """Whether a connection to that port is accepted."""
        return (ip, port) in self._listeners

    def local_request(
        self, ip: str, port: int, request: HttpRequest
    ) -> SimProcess[Served | ConnectionRefused]:
        """Ask a pod from its own node: over a bridge, which takes no time worth modelling."""
        handler = self._listeners.get((ip, port))
        if handler is None:
            return ConnectionRefused()
        return (yield from handler.serve(request))

    def outlook(self, ip: str, port: int, request: HttpRequest) -> Outlook | None:
        """Until when the same request gets the same answer, if whoever listens knows."""
        handler: object = self._listeners.get((ip, port))
        return handler.outlook(request) if isinstance(handler, Foreseeable) else None
