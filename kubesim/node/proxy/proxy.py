"""kube-proxy as one vantage point sees it: which backends a Service's port has, and which one is next.

Slices arrive by the watch and become rules at the next sync, which is at most so often; requests in
between still go by the old rules. A backend is chosen at random among the ready ones, as iptables
does, or among those still serving while they terminate when no other is left.

Mirrors: pkg/proxy (endpointslicecache.go, topology.go), pkg/proxy/iptables/proxier.go.
Departs: one proxy for each place where traffic enters, not one a node; no session affinity, no
traffic policies.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.api.corev1 import Service
from kubesim.api.discoveryv1 import Endpoint, EndpointSlice
from kubesim.controlplane.client import Client
from kubesim.facts import EndpointProgrammed
from kubesim.sim import Sim
from kubesim.sim.distribution import Distribution

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Backend:
    """One endpoint's port."""

    ip: str
    port: int
    pod: str
    pod_uid: str


class KubeProxy:
    """The rules of one vantage point.

    Args:
        sim: The run.
        client: Its connection to the API server.
        name: The vantage point; owns the random streams.
        sync: From the arrival of a change to the rules that follow it.
    """

    def __init__(self, sim: Sim, *, client: Client, name: str, sync: Distribution) -> None:
        self._sim = sim
        self._name = name
        self._sync = sync
        self._sync_rng = sim.rng(f"kube-proxy/{name}/sync")
        self._choice_rng = sim.rng(f"kube-proxy/{name}/choice")
        self._services = client.informer(Service)
        self._slices = client.informer(EndpointSlice)
        self._slices.add_index("service", _service_keys)
        self._slices.add_handler(self._slice_changed)
        self._rules: dict[str, dict[str, tuple[Backend, ...]]] = {}
        self._pending: dict[str, None] = {}
        self._sync_planned = False
        self._programmed: set[str] = set()

    def pick(self, service_key: str, port: int) -> Backend | None:
        """A backend for a new connection to a Service's port; ``None`` when it has none."""
        service = self._services.get(service_key)
        if service is None:
            return None
        name = next((p.name or "" for p in service.spec.ports if p.port == port), None)
        if name is None:
            return None
        backends = self._rules.get(service_key, {}).get(name, ())
        return self._choice_rng.choice(backends) if backends else None

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
            self._rules[key] = _rules(slices)
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


def _rules(slices: tuple[EndpointSlice, ...]) -> dict[str, tuple[Backend, ...]]:
    """Backends by the name of the Service's port."""
    ready: dict[str, list[Backend]] = {}
    serving: dict[str, list[Backend]] = {}
    for piece in slices:
        for port in piece.ports:
            for endpoint in piece.endpoints:
                if endpoint.conditions.ready:
                    ready.setdefault(port.name or "", []).append(_backend(endpoint, port.port))
                elif endpoint.conditions.serving and endpoint.conditions.terminating:
                    serving.setdefault(port.name or "", []).append(_backend(endpoint, port.port))
    names = dict.fromkeys([*ready, *serving])
    return {name: tuple(ready.get(name) or serving[name]) for name in names}


def _backend(endpoint: Endpoint, port: int | None) -> Backend:
    target = endpoint.target_ref
    return Backend(
        ip=endpoint.addresses[0],
        port=port or 0,
        pod=(target.name or "") if target else "",
        pod_uid=_pod_uid(endpoint),
    )


def _pod_uid(endpoint: Endpoint) -> str:
    target = endpoint.target_ref
    return (target.uid or "") if target is not None else ""


def _service_keys(piece: EndpointSlice) -> tuple[str, ...]:
    service = piece.metadata.labels.get(SERVICE_NAME_LABEL)
    return (f"{piece.namespace}/{service}",) if service else ()
