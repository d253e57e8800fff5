"""kube-proxy as one vantage point sees it: which backends a Service's port has, and which one is next.

Slices arrive by the watch and become rules at the next sync, which is at most so often; requests in
between still go by the old rules. A backend is chosen at random among the ready ones, as iptables
does, or among those still serving while they terminate when no other is left. With session affinity
a client comes back to its backend for as long as the rules have it. Policy Local keeps to the node:
for a proxy on a node to that node's own endpoints, and from outside to nodes that have some, as a load
balancer's health checks see to it. Hints of the endpoints keep callers to their node or zone, as long as
every ready endpoint has one and one of them is for them.

Mirrors: pkg/proxy (endpointslicecache.go, topology.go), pkg/proxy/iptables/proxier.go.
Departs: a proxy only where clients are: one for all traffic from outside, and one on each node from
which pods or traffic sources call Services.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kubesim.api.corev1 import Service
from kubesim.api.discoveryv1 import Endpoint, EndpointHints, EndpointSlice
from kubesim.controlplane.client import Client
from kubesim.facts import EndpointProgrammed
from kubesim.sim import Sim
from kubesim.sim.distribution import Distribution
from kubesim.sim.time import SECOND

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
DEFAULT_AFFINITY_SECONDS = 10800  # v1.DefaultClientIPServiceAffinitySeconds
EXTERNAL_TYPES = ("NodePort", "LoadBalancer")


@dataclass(frozen=True, slots=True)
class Backend:
    """One endpoint's port."""

    ip: str
    port: int
    pod: str
    pod_uid: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    """The backends of one port of a Service.

    Attributes:
        all: For whoever may go anywhere.
        by_node: Each node's own.
        nodes: Those that a load balancer's health checks pass.
    """

    all: tuple[Backend, ...] = ()
    by_node: dict[str, tuple[Backend, ...]] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()


class KubeProxy:
    """The rules of one vantage point.

    Args:
        sim: The run.
        client: Its connection to the API server.
        name: The vantage point; owns the random streams.
        sync: From the arrival of a change to the rules that follow it.
        node: The node it is on; empty for the way in from outside.
        zone: The zone that the node is in by now; empty for none.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        name: str,
        sync: Distribution,
        node: str = "",
        zone: Callable[[], str] = lambda: "",
    ) -> None:
        self._sim = sim
        self._name = name
        self._node = node
        self._zone = zone
        self._sync = sync
        self._sync_rng = sim.rng(f"kube-proxy/{name}/sync")
        self._choice_rng = sim.rng(f"kube-proxy/{name}/choice")
        self._services = client.informer(Service)
        self._slices = client.informer(EndpointSlice)
        self._slices.add_index("service", _service_keys)
        self._slices.add_handler(self._slice_changed)
        self._rules: dict[str, dict[str, _Rule]] = {}
        self._affinity: dict[tuple[str, int, str], tuple[Backend, int]] = {}
        self._pending: dict[str, None] = {}
        self._sync_planned = False
        self._programmed: set[str] = set()

    def pick(self, service_key: str, port: int, client: str = "") -> Backend | None:
        """A backend for a client's new connection to a Service's port; ``None`` when it has none."""
        service = self._services.get(service_key)
        if service is None:
            return None
        name = next((p.name or "" for p in service.spec.ports if p.port == port), None)
        if name is None:
            return None
        rule = self._rules.get(service_key, {}).get(name, _NO_RULE)
        backends = self._eligible(service, rule)
        if not backends:
            return None
        if service.spec.session_affinity == "ClientIP":
            return self._sticky(service, port, client, backends)
        return self._choice_rng.choice(backends)

    def knows(self, service_key: str) -> bool:
        """Whether there is such a Service."""
        return self._services.get(service_key) is not None

    def address_of(self, service_key: str) -> str:
        """A Service's own address; empty when it has none."""
        service = self._services.get(service_key)
        address = service.spec.cluster_ip if service is not None else None
        return address if address and address != "None" else ""

    def service_at(self, address: str) -> str | None:
        """The Service of an address."""
        found = (s.key for s in self._services.values() if s.spec.cluster_ip == address)
        return next(found, None)

    def _eligible(self, service: Service, rule: _Rule) -> tuple[Backend, ...]:
        spec = service.spec
        if self._node:
            if spec.internal_traffic_policy == "Local":
                return rule.by_node.get(self._node, ())
        elif spec.external_traffic_policy == "Local" and spec.type in EXTERNAL_TYPES:
            return rule.by_node[self._choice_rng.choice(rule.nodes)] if rule.nodes else ()
        return rule.all

    def _sticky(
        self, service: Service, port: int, client: str, backends: tuple[Backend, ...]
    ) -> Backend:
        """The backend that this client had, if that is not too long ago and it is still there."""
        config = service.spec.session_affinity_config
        given = config.client_ip.timeout_seconds if config and config.client_ip else None
        timeout_ns = (given or DEFAULT_AFFINITY_SECONDS) * SECOND
        key = (service.key, port, client)
        backend, seen_ns = self._affinity.get(key, (None, 0))
        if backend not in backends or self._sim.now - seen_ns > timeout_ns:
            backend = self._choice_rng.choice(backends)
        assert backend is not None
        self._affinity[key] = (backend, self._sim.now)
        return backend

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        changed = new or old
        assert changed is not None
        for key in _service_keys(changed):
            self._pending[key] = None
        if not self._sync_planned:
            self._sync_planned = True
            self._sim.call_in(self._sync.draw(self._sync_rng), self._sync_rules)

    def _sync_rules(self) -> None:
        self._sync_planned = False
        pending, self._pending = self._pending, {}
        for key in pending:
            slices = self._slices.by_index("service", key)
            self._rules[key] = _rules(slices, node=self._node, zone=self._zone())
            self._note_programmed(key, slices)

    def _note_programmed(self, key: str, slices: tuple[EndpointSlice, ...]) -> None:
        namespace, _, service = key.partition("/")
        for endpoint in (e for s in slices for e in s.endpoints if e.conditions.ready):
            uid = _pod_uid(endpoint)
            if f"{key}/{uid}" not in self._programmed:
                self._programmed.add(f"{key}/{uid}")
                self._sim.emit(
                    EndpointProgrammed(
                        proxy=self._name, namespace=namespace, service=service, pod_uid=uid
                    )
                )


_NO_RULE = _Rule()


Found = list[tuple[Backend, EndpointHints | None]]


def _rules(
    slices: tuple[EndpointSlice, ...], *, node: str = "", zone: str = ""
) -> dict[str, _Rule]:
    """Backends by the name of the Service's port."""
    ready: dict[str, Found] = {}
    serving: dict[str, list[Backend]] = {}
    for piece in slices:
        for port in piece.ports:
            name = port.name or ""
            for endpoint in piece.endpoints:
                if endpoint.conditions.ready:
                    found = (_backend(endpoint, port.port), endpoint.hints)
                    ready.setdefault(name, []).append(found)
                elif endpoint.conditions.serving and endpoint.conditions.terminating:
                    serving.setdefault(name, []).append(_backend(endpoint, port.port))
    return {
        name: _rule(ready.get(name, []), serving.get(name, []), node=node, zone=zone)
        for name in dict.fromkeys([*ready, *serving])
    }


def _rule(ready: Found, serving: list[Backend], *, node: str, zone: str) -> _Rule:
    """Those that terminate count only where no other is left: anywhere, or on their node."""
    by_node: dict[str, list[Backend]] = {}
    for backend, _hints in ready:
        by_node.setdefault(backend.node, []).append(backend)
    with_ready = tuple(by_node)
    for backend in serving:
        if backend.node not in with_ready:
            by_node.setdefault(backend.node, []).append(backend)
    return _Rule(
        all=tuple(near(ready, node=node, zone=zone) or serving),
        by_node={node: tuple(found) for node, found in by_node.items()},
        nodes=with_ready or tuple(by_node),
    )


def near(ready: Found, *, node: str, zone: str) -> list[Backend]:
    """The ready backends that hints leave to a node in a zone: all, if any of them has no hint."""
    hints = [hint or EndpointHints.zero() for _, hint in ready]
    of_node = [node in {one.name for one in hint.for_nodes} for hint in hints]
    of_zone = [zone in {one.name for one in hint.for_zones} for hint in hints]
    if any(of_node) and all(hint.for_nodes for hint in hints):
        mine = of_node
    elif any(of_zone) and all(hint.for_zones for hint in hints):
        mine = of_zone
    else:
        mine = [True] * len(ready)
    return [backend for (backend, _), is_mine in zip(ready, mine, strict=True) if is_mine]


def _backend(endpoint: Endpoint, port: int | None) -> Backend:
    target = endpoint.target_ref
    return Backend(
        ip=endpoint.addresses[0],
        port=port or 0,
        pod=(target.name or "") if target else "",
        pod_uid=_pod_uid(endpoint),
        node=endpoint.node_name or "",
    )


def _pod_uid(endpoint: Endpoint) -> str:
    target = endpoint.target_ref
    return (target.uid or "") if target is not None else ""


def _service_keys(piece: EndpointSlice) -> tuple[str, ...]:
    service = piece.metadata.labels.get(SERVICE_NAME_LABEL)
    return (f"{piece.namespace}/{service}",) if service else ()
