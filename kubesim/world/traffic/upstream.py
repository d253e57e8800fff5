"""What a proxy inside the cluster asks of Services: it dials until somebody answers.

Mirrors: kedacore/http-add-on@59b2f6a pkg/net/dial_context.go (every 50 ms, for a minute at most).
"""

from __future__ import annotations

from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MILLISECOND, SECOND
from kubesim.wire.http import ConnectionRefused, HttpRequest, Served
from kubesim.world.traffic.client import Client
from kubesim.world.traffic.config import RetryPolicy, TrafficConfig
from kubesim.world.traffic.exchange import Exchange, Transport
from kubesim.world.traffic.meters import Meters

RETRY_INTERVAL_NS = 50 * MILLISECOND
MAX_RETRY_DURATION_NS = 60 * SECOND
DIALS = RetryPolicy(
    attempts=MAX_RETRY_DURATION_NS // RETRY_INTERVAL_NS,
    on=("connect",),
    backoff_ns=RETRY_INTERVAL_NS,
    max_backoff_ns=RETRY_INTERVAL_NS,
    jitter=False,
)


class UpstreamCalls:
    """The requests of one proxy.

    Args:
        sim: The run.
        name: The proxy's name.
        transport: The way from where it sits.
        meters: Where requests are counted.
    """

    def __init__(self, sim: Sim, *, name: str, transport: Transport, meters: Meters) -> None:
        self._sim = sim
        self._name = name
        self._transport = transport
        self._meters = meters
        self._clients: dict[tuple[str, int, int], Client] = {}

    def send(
        self, service_key: str, port: int, request: HttpRequest, timeout_ns: int
    ) -> SimProcess[Served | ConnectionRefused]:
        """Send a request to a port of a Service, and wait for what becomes of it."""
        known = (service_key, port, timeout_ns)
        client = self._clients.get(known)
        if client is None:
            client = self._clients[known] = self._client(service_key, port, timeout_ns)
        done = self._sim.event()

        def ended(exchange: Exchange, answer: Served | None) -> None:
            done.succeed(ConnectionRefused(exchange.failure) if answer is None else answer)

        client.begin(then=ended, request=request)
        answered: Served | ConnectionRefused = yield done
        return answered

    def at_end(self) -> None:
        """The run is over: say what is undecided."""
        for client in self._clients.values():
            client.at_end()

    def _client(self, key: str, port: int, timeout_ns: int) -> Client:
        namespace, _, service = key.partition("/")
        config = TrafficConfig(
            name=f"{self._name} to {service}.{namespace}:{port}",
            namespace=namespace,
            service=service,
            port=port,
            timeout_ns=timeout_ns,
            retry=DIALS,
        )
        return Client(self._sim, config=config, transport=self._transport, meters=self._meters)
