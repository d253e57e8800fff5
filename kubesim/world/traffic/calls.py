"""What pods ask of other Services: clients inside the cluster, one for each pod and Service."""

from __future__ import annotations

from kubesim.sim import Sim, SimProcess
from kubesim.wire.http import HttpRequest, Served
from kubesim.wire.image import ServiceCall
from kubesim.world.traffic.client import Client
from kubesim.world.traffic.config import TrafficConfig
from kubesim.world.traffic.exchange import Exchange, Transport
from kubesim.world.traffic.meters import Meters


class PodCalls:
    """The calls of one pod.

    Args:
        sim: The run.
        namespace: The pod's namespace.
        pod: Its name.
        transport: The way from its node.
        meters: Where requests are counted.
    """

    def __init__(
        self, sim: Sim, *, namespace: str, pod: str, transport: Transport, meters: Meters
    ) -> None:
        self._sim = sim
        self._namespace = namespace
        self._pod = pod
        self._transport = transport
        self._meters = meters
        self._clients: dict[ServiceCall, Client] = {}

    def call(self, call: ServiceCall) -> SimProcess[bool]:
        """Ask once and wait; whether the answer was one, and no 5xx."""
        client = self._clients.get(call)
        if client is None:
            client = self._clients[call] = self._client(call)
        done = self._sim.event()

        def ended(_exchange: Exchange, answer: Served | None) -> None:
            done.succeed(answer is not None and answer.response.status < 500)

        client.begin(then=ended)
        answered: bool = yield done
        return answered

    def at_end(self) -> None:
        """The run is over: say what is undecided."""
        for client in self._clients.values():
            client.at_end()

    def _client(self, call: ServiceCall) -> Client:
        namespace = call.namespace or self._namespace
        target = f"{call.service}.{namespace}:{call.port}{call.path}"
        config = TrafficConfig(
            name=f"pod/{self._namespace}/{self._pod} to {target}",
            namespace=namespace,
            service=call.service,
            port=call.port,
            request=HttpRequest(path=call.path, host=f"{call.service}.{namespace}.svc"),
            timeout_ns=call.timeout_ns,
        )
        return Client(self._sim, config=config, transport=self._transport, meters=self._meters)
