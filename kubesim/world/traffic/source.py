"""Sources of requests: open loops follow the clock, closed loops follow their answers.

Mirrors: open loop, a population of users too large to notice its own waiting; closed loop, load
generators such as wrk, hey and ab.
Departs: a closed loop that fails waits a moment before it sends again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kubesim.sim import Sim
from kubesim.wire.http import Served
from kubesim.world.traffic.client import Client
from kubesim.world.traffic.config import ClosedLoad, OpenLoad, TrafficConfig
from kubesim.world.traffic.exchange import Endpoint, Exchange, Transport
from kubesim.world.traffic.meters import Meters
from kubesim.world.traffic.profiles import arrival_times

Send = Callable[[], None]


class TrafficSource:
    """Sends the requests of one source.

    Args:
        sim: The run.
        config: What to send.
        transport: The way to the pods.
        meters: Where requests are counted.
    """

    def __init__(
        self, sim: Sim, *, config: TrafficConfig, transport: Transport, meters: Meters
    ) -> None:
        self._client = Client(sim, config=config, transport=transport, meters=meters)
        if isinstance(config.load, OpenLoad):
            _OpenLoop(sim, config=config, load=config.load, send=self._client.begin)
        elif config.load is not None:
            for number in range(config.load.connections):
                _Connection(
                    sim, config=config, client=self._client, transport=transport, number=number
                )

    def at_end(self) -> None:
        """The run is over: say what is undecided."""
        self._client.at_end()


class Producer:
    """Puts the messages of one source into a queue, whatever becomes of them.

    Args:
        sim: The run.
        config: When; its load is an open loop.
        publish: Puts one in.
    """

    def __init__(self, sim: Sim, *, config: TrafficConfig, publish: Send) -> None:
        assert isinstance(config.load, OpenLoad), config.name
        _OpenLoop(sim, config=config, load=config.load, send=publish)


class _OpenLoop:
    """One event for each arrival: it sends, and plans the next."""

    def __init__(self, sim: Sim, *, config: TrafficConfig, load: OpenLoad, send: Send) -> None:
        self._sim = sim
        self._send = send
        self._times: Iterator[int] = arrival_times(
            load.profile,
            load.arrival,
            rng=sim.rng(f"traffic/{config.name}/arrivals"),
            states=sim.rng(f"traffic/{config.name}/states"),
            begin_ns=config.begin_ns,
            end_ns=config.end_ns,
        )
        self._plan()

    def _plan(self) -> None:
        at_ns = next(self._times, None)
        if at_ns is not None:
            self._sim.call_in(max(0, at_ns - self._sim.now), self._arrive)

    def _arrive(self) -> None:
        self._send()
        self._plan()


class _Connection:
    """One connection of a closed loop: a request, its answer, a thought, the next request."""

    def __init__(
        self, sim: Sim, *, config: TrafficConfig, client: Client, transport: Transport, number: int
    ) -> None:
        assert isinstance(config.load, ClosedLoad)
        self._sim = sim
        self._load = load = config.load
        self._client = client
        self._transport = transport
        self._number = number
        self._end_ns = config.end_ns
        self._rng = sim.rng(f"traffic/{config.name}/think")
        self._endpoint: Endpoint | None = None
        self._socket: object | None = None
        begin_ns = config.begin_ns + load.ramp_ns * number // load.connections
        if begin_ns < config.end_ns:
            sim.call_in(max(0, begin_ns - sim.now), self._ask)

    def _ask(self) -> None:
        if self._sim.now >= self._end_ns:
            return
        endpoint = self._endpoint
        if endpoint is not None and self._closed_by_peer(endpoint):
            endpoint = None
        if endpoint is None:
            endpoint = self._client.pick(self._number)
        self._client.begin(endpoint=endpoint, then=self._ended)

    def _closed_by_peer(self, endpoint: Endpoint) -> bool:
        """Whether the other side is gone and its kernel said so; the dead say nothing."""
        return self._transport.socket(endpoint.ip, endpoint.port) is not self._socket

    def _ended(self, exchange: Exchange, answer: Served | None) -> None:
        load = self._load
        pause_ns = load.think.draw(self._rng)
        self._endpoint = None
        if answer is None:
            pause_ns = max(pause_ns, load.reconnect_ns)
        elif load.keep_alive and exchange.endpoint is not None:
            self._endpoint = endpoint = exchange.endpoint
            self._socket = self._transport.socket(endpoint.ip, endpoint.port)
        self._sim.call_in(pause_ns, self._ask)
