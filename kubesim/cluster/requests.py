"""The way of a request through the cluster: meters, kube-proxies where clients sit, their sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kubesim.controlplane.client import Client
from kubesim.node.proxy import Backend, KubeProxy
from kubesim.node.shim.outbound import Outbound, Outbounds
from kubesim.node.shim.runc import Call
from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.wire.http import HttpRequest
from kubesim.world.broker import Broker
from kubesim.world.network import PodNetwork
from kubesim.world.traffic import Meters, OutboundCalls, PodCalls, TrafficConfig, TrafficSource
from kubesim.world.traffic.exchange import Answer
from kubesim.world.traffic.source import Producer
from kubesim.world.traffic.upstream import UpstreamCalls

INGRESS = "ingress"


@dataclass(frozen=True, slots=True)
class _Way:
    """One vantage point's way to pods."""

    proxy: KubeProxy
    network: PodNetwork
    node: str

    def pick(self, service_key: str, port: int, client: str) -> Backend | None:
        return self.proxy.pick(service_key, port, client)

    def send(self, ip: str, port: int, request: HttpRequest) -> SimProcess[tuple[Answer, int]]:
        return self.network.request(ip, port, request, source=self.node)

    def socket(self, ip: str, port: int) -> object | None:
        return self.network.socket(ip, port)


class Requests:
    """All requests of a cluster.

    Args:
        sim: The run.
        network: Where pods are.
        client: Makes a kube-proxy's connection to the API server, by its name.
        sync: A kube-proxy's delay.
        broker: The queues that producers fill.
        zone_of: The zone of a node; empty for none.

    Attributes:
        meters: What a metrics adapter reads.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        network: PodNetwork,
        client: Callable[[str], Client],
        sync: Distribution,
        broker: Broker,
        zone_of: Callable[[str], str],
    ) -> None:
        self._zone_of = zone_of
        self._broker = broker
        self._sim = sim
        self._network = network
        self._client = client
        self._sync = sync
        self.meters = Meters(sim, waiting=network.waiting)
        self._ways: dict[str, _Way] = {}
        self._sources: list[TrafficSource | PodCalls | OutboundCalls | UpstreamCalls] = []

    def start(self, traffic: Iterable[TrafficConfig]) -> None:
        """Let the users come."""
        self._way("")
        for config in traffic:
            if config.queue:
                publish = self._broker.queue(config.queue).publish
                Producer(self._sim, config=config, publish=publish)
                continue
            way = self._way(config.node)
            source = TrafficSource(self._sim, config=config, transport=way, meters=self.meters)
            self._sources.append(source)

    def calls_from(self, node: str) -> Callable[[str, str], Call]:
        """The calls of pods on a node, by a pod's namespace and name; it has a kube-proxy from now."""
        way = self._way(node)

        def calls(namespace: str, pod: str) -> Call:
            made = PodCalls(
                self._sim, namespace=namespace, pod=pod, transport=way, meters=self.meters
            )
            self._sources.append(made)
            return made.call

        return calls

    def outbound_from(self, node: str) -> Outbounds:
        """The way from components on a node to Services that they name; it has a kube-proxy then."""
        way = self._way(node)

        def outbound(namespace: str, pod: str) -> Outbound:
            made = OutboundCalls(
                self._sim,
                namespace=namespace,
                pod=pod,
                transport=way,
                meters=self.meters,
                services=way.proxy,
            )
            self._sources.append(made)
            return made.send

        return outbound

    def upstream_from(self, node: str, name: str) -> UpstreamCalls:
        """The way from a proxy on a node to Services; the node has a kube-proxy from now."""
        made = UpstreamCalls(self._sim, name=name, transport=self._way(node), meters=self.meters)
        self._sources.append(made)
        return made

    def at_end(self) -> None:
        """The run is over: say what is undecided."""
        for source in self._sources:
            source.at_end()

    def _way(self, node: str) -> _Way:
        way = self._ways.get(node)
        if way is None:
            name = node or INGRESS
            proxy = KubeProxy(
                self._sim,
                client=self._client(f"kube-proxy/{name}"),
                name=name,
                sync=self._sync,
                node=node,
                zone=lambda: self._zone_of(node),
            )
            way = self._ways[node] = _Way(proxy, self._network, node)
        return way
