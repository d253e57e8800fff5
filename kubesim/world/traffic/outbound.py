"""What a program in a pod asks of hosts by name: a client inside the cluster for each Service.

A name is looked up as a pod's resolver does it: ``name`` is a Service of the pod's own namespace,
``name.namespace``, ``name.namespace.svc`` and ``name.namespace.svc.cluster.local`` are what they
say. Nothing else is known here: there is no world outside of the cluster to answer.

Mirrors: kubelet's resolv.conf (search domains, ndots 5), CoreDNS's kubernetes plugin.
Departs: a lookup takes no time and follows the node's own view of Services; names of pods,
ExternalName, headless Services without endpoints of that port, and addresses of pods are unknown hosts;
a connection without a request takes no time, and the request on it may reach another endpoint; https is
carried without TLS.
"""

from __future__ import annotations

from typing import Protocol

from kubesim.sim import Sim, SimProcess
from kubesim.wire.http import (
    CONNECT_SCHEME,
    LOOKUP_SCHEME,
    NO_SUCH_HOST,
    ConnectionRefused,
    HttpRequest,
    HttpResponse,
    Served,
)
from kubesim.world.traffic.client import Client
from kubesim.world.traffic.config import TrafficConfig
from kubesim.world.traffic.exchange import Exchange, Transport
from kubesim.world.traffic.meters import Meters

SCHEME_PORTS = {"http": 80, "https": 443, "redis": 6379}
CLUSTER_SUFFIXES = (".svc.cluster.local", ".svc")


class Directory(Protocol):
    """Which Services there are, as a node knows them."""

    def knows(self, service_key: str) -> bool:
        """Whether there is such a Service."""
        ...

    def address_of(self, service_key: str) -> str:
        """Its address; empty when it has none."""
        ...

    def service_at(self, address: str) -> str | None:
        """The Service of an address."""
        ...


class OutboundCalls:
    """The calls of one pod.

    Args:
        sim: The run.
        namespace: The pod's namespace.
        pod: Its name.
        transport: The way from its node.
        meters: Where requests are counted.
        services: Which Services there are.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        namespace: str,
        pod: str,
        transport: Transport,
        meters: Meters,
        services: Directory,
    ) -> None:
        self._sim = sim
        self._namespace = namespace
        self._pod = pod
        self._transport = transport
        self._meters = meters
        self._services = services
        self._clients: dict[tuple[str, int], Client] = {}

    def send(
        self, request: HttpRequest, scheme: str
    ) -> SimProcess[HttpResponse | ConnectionRefused]:
        """Send a request to the host that it names, and wait for what becomes of it."""
        host, _, given = request.host.partition(":")
        service = self._services.service_at(host) or service_key(host, self._namespace)
        port = int(given) if given.isdigit() else SCHEME_PORTS.get(scheme, 0)
        if service is None or not self._services.knows(service):
            return ConnectionRefused(NO_SUCH_HOST)
        if scheme == LOOKUP_SCHEME:
            address = self._services.address_of(service)
            return (
                HttpResponse(body=address.encode()) if address else ConnectionRefused(NO_SUCH_HOST)
            )
        if scheme == CONNECT_SCHEME:
            return self._connected(service, port)
        client = self._clients.get((service, port))
        if client is None:
            client = self._clients[service, port] = self._client(service, port)
        done = self._sim.event()

        def ended(exchange: Exchange, answer: Served | None) -> None:
            failed = ConnectionRefused(exchange.failure)
            done.succeed(failed if answer is None else answer.response)

        client.begin(then=ended, request=request)
        answered: HttpResponse | ConnectionRefused = yield done
        return answered

    def _connected(self, service: str, port: int) -> HttpResponse | ConnectionRefused:
        """Whether somebody of a Service accepts a connection now."""
        found = self._transport.pick(service, port, self._pod)
        if found is None or self._transport.socket(found.ip, found.port) is None:
            return ConnectionRefused()
        return HttpResponse()

    def at_end(self) -> None:
        """The run is over: say what is undecided."""
        for client in self._clients.values():
            client.at_end()

    def _client(self, key: str, port: int) -> Client:
        namespace, _, service = key.partition("/")
        config = TrafficConfig(
            name=f"pod/{self._namespace}/{self._pod} to {service}.{namespace}:{port}",
            namespace=namespace,
            service=service,
            port=port,
        )
        return Client(self._sim, config=config, transport=self._transport, meters=self._meters)


def service_key(host: str, namespace: str) -> str | None:
    """The namespace and name of the Service that a name may stand for, in a pod of a namespace."""
    name = host.lower().removesuffix(".")
    for suffix in CLUSTER_SUFFIXES:
        if name.endswith(suffix):
            parts = name.removesuffix(suffix).split(".")
            return f"{parts[1]}/{parts[0]}" if len(parts) == 2 and all(parts) else None
    parts = name.split(".")
    if len(parts) > 2 or not all(parts):
        return None
    return f"{parts[1] if len(parts) == 2 else namespace}/{parts[0]}"
