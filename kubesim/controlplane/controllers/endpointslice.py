"""The EndpointSlice controller: which pods are behind a Service, and which of them take traffic.

Its own writes come back to it with the watch. A sync that came before them would write the same
endpoints again, so it is put off by a second, as upstream puts it off.

Mirrors: pkg/controller/endpointslice, staging/src/k8s.io/endpointslice (reconciler.go, utils.go,
util/endpointslice_tracker.go, trafficdist).
Departs: one slice for each set of ports and hundred endpoints, filled in order; hints by
trafficDistribution only; no headless hostnames, no batching period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from typing_extensions import override

from kubesim.api.corev1 import Node, ObjectReference, Pod, Service, ServicePort
from kubesim.api.discoveryv1 import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.labels import labels_match
from kubesim.api.metav1 import ObjectMeta, new_controller_ref
from kubesim.api.podutil import is_pod_ready, is_pod_terminal
from kubesim.controlplane.client import Client, Controller, NotFound, StatusError
from kubesim.controlplane.controllers.indexes import BY_OWNER, owner_uids
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

WORKERS = 5  # --concurrent-service-endpoint-syncs
RETRY_DELAY_NS = SECOND  # defaultSyncBackOff
MAX_ENDPOINTS_PER_SLICE = 100
BY_NAMESPACE = "namespace"
ZONE_LABEL = "topology.kubernetes.io/zone"
NEAR = ("PreferClose", "PreferSameZone", "PreferSameNode")
"""Kinds of trafficDistribution; the first is an old name of the second."""
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"

Ports = tuple[EndpointPort, ...]


class StaleCacheError(StatusError):
    """The cache does not have what the controller wrote last."""

    reason = "StaleInformerCache"


class EndpointSliceController(Controller):
    """Reconciles the slices of Services."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers, retry_delay_ns=RETRY_DELAY_NS)
        self._client = client
        self._written: dict[str, dict[str, int]] = {}  # by Service: the revisions of its slices
        self._services = client.informer(Service)
        self._services.add_index(BY_NAMESPACE, _namespace)
        self._services.add_handler(self._service_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_NAMESPACE, _namespace)
        self._pods.add_handler(self._pod_changed)
        self._nodes = client.informer(Node)
        self._slices = client.informer(EndpointSlice)
        self._slices.add_index(BY_OWNER, owner_uids)
        self._slices.add_handler(self._slice_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Make the Service's slices list its pods."""
        service = self._services.get(key)
        if service is None:
            self._written.pop(key, None)
            return
        if not service.spec.selector or service.spec.type == "ExternalName":
            return
        self._raise_if_stale(key)
        pods = [
            pod
            for pod in self._pods.by_index(BY_NAMESPACE, service.namespace)
            if labels_match(service.spec.selector, pod.metadata.labels)
        ]
        wanted = list(desired_slices(service, pods, zone_of=self._zone_of))
        existing = list(self._slices.by_index(BY_OWNER, service.uid))
        for number, (ports, endpoints) in enumerate(wanted):
            if number < len(existing):
                current = existing[number]
                if (current.ports, current.endpoints) != (ports, endpoints):
                    changed = current.replace(ports=ports, endpoints=endpoints)
                    self._wrote(key, (yield from self._client.update(changed)))
            else:
                made = yield from self._client.create(_new_slice(service, ports, endpoints))
                self._wrote(key, made)
        for surplus in existing[len(wanted) :]:
            self._written.get(key, {}).pop(surplus.key, None)
            try:
                yield from self._client.delete(EndpointSlice, surplus.key)
            except NotFound:
                continue

    def _zone_of(self, node_name: str) -> str | None:
        node = self._nodes.get(node_name)
        return None if node is None else node.metadata.labels.get(ZONE_LABEL)

    def _wrote(self, key: str, piece: EndpointSlice) -> None:
        self._written.setdefault(key, {})[piece.key] = _revision(piece)

    def _raise_if_stale(self, key: str) -> None:
        for slice_key, revision in self._written.get(key, {}).items():
            known = self._slices.get(slice_key)
            if known is None or _revision(known) < revision:
                raise StaleCacheError("EndpointSlice informer cache is out of date")

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        """Somebody else changed or deleted a slice: put it right."""
        piece = new or old
        assert piece is not None
        service = piece.metadata.labels.get(SERVICE_NAME_LABEL)
        key = f"{piece.namespace}/{service}"
        written = self._written.get(key, {})
        if new is None and written.pop(piece.key, None) is None:
            return  # its own doing
        if new is None or _revision(new) > written.get(new.key, 0):
            self.queue.add(key)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if new is None or old is None or old.spec != new.spec:
            changed = new or old
            assert changed is not None
            self.queue.add(changed.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and new is not None and _endpoint_facts(old) == _endpoint_facts(new):
            return
        labels = [pod.metadata.labels for pod in (old, new) if pod is not None]
        pod = new or old
        assert pod is not None
        for service in self._services.by_index(BY_NAMESPACE, pod.namespace):
            selector = service.spec.selector
            if selector and any(labels_match(selector, of) for of in labels):
                self.queue.add(service.key)


def desired_slices(
    service: Service, pods: list[Pod], *, zone_of: Callable[[str], str | None] = lambda _: None
) -> Iterator[tuple[Ports, tuple[Endpoint, ...]]]:
    """Ports and endpoints of each slice that the Service should have; at least one slice."""
    by_ports: dict[Ports, list[Endpoint]] = {}
    for pod in pods:
        if pod.status.pod_ip and not is_pod_terminal(pod):
            ports = tuple(
                EndpointPort(
                    name=port.name or "",
                    protocol=port.protocol or "TCP",
                    port=number,
                    app_protocol=port.app_protocol,
                )
                for port in service.spec.ports
                if (number := target_port(port, pod)) is not None
            )
            by_ports.setdefault(ports, []).append(_endpoint(service, pod, zone_of))
    if not by_ports:
        yield (), ()
    for ports, endpoints in by_ports.items():
        for start in range(0, len(endpoints), MAX_ENDPOINTS_PER_SLICE):
            yield ports, tuple(endpoints[start : start + MAX_ENDPOINTS_PER_SLICE])


def target_port(port: ServicePort, pod: Pod) -> int | None:
    """The pod's port behind a Service's port; ``None`` when a named one is not there."""
    target = port.target_port
    if target is None:
        return port.port
    if isinstance(target, int):
        return target
    for container in pod.spec.containers:
        for candidate in container.ports:
            same_protocol = (candidate.protocol or "TCP") == (port.protocol or "TCP")
            if candidate.name == target and same_protocol:
                return candidate.container_port
    return None


def _endpoint(service: Service, pod: Pod, zone_of: Callable[[str], str | None]) -> Endpoint:
    zone = zone_of(pod.spec.node_name or "")
    serving = is_pod_ready(pod)
    terminating = pod.metadata.deletion_timestamp is not None
    assert pod.status.pod_ip is not None
    ready = bool(service.spec.publish_not_ready_addresses) or (serving and not terminating)
    return Endpoint(
        addresses=(pod.status.pod_ip,),
        conditions=EndpointConditions(
            ready=ready,
            serving=serving,
            terminating=terminating,
        ),
        target_ref=ObjectReference(
            kind="Pod", namespace=pod.namespace, name=pod.name, uid=pod.uid
        ),
        node_name=pod.spec.node_name,
        zone=zone,
        hints=_hints(service, zone, pod.spec.node_name) if ready else None,
    )


def _hints(service: Service, zone: str | None, node_name: str | None) -> EndpointHints | None:
    """Who should use an endpoint, if its Service wants callers to stay near."""
    wanted = service.spec.traffic_distribution
    if wanted not in NEAR:
        return None
    zones = (ForZone(name=zone),) if zone else ()
    nodes = (ForNode(name=node_name),) if node_name and wanted == "PreferSameNode" else ()
    return EndpointHints(for_zones=zones, for_nodes=nodes) if zones or nodes else None


def _endpoint_facts(pod: Pod) -> tuple[object, ...]:
    """What of a pod its endpoint shows."""
    return (
        pod.status.pod_ip,
        is_pod_ready(pod),
        is_pod_terminal(pod),
        pod.metadata.deletion_timestamp is not None,
        pod.metadata.labels,
    )


def _new_slice(service: Service, ports: Ports, endpoints: tuple[Endpoint, ...]) -> EndpointSlice:
    owner = new_controller_ref(service)
    return EndpointSlice(
        metadata=ObjectMeta(
            generate_name=f"{service.name}-",
            namespace=service.namespace,
            labels=FrozenMap(
                {
                    SERVICE_NAME_LABEL: service.name,
                    MANAGED_BY_LABEL: "endpointslice-controller.k8s.io",
                }
            ),
            owner_references=(owner,),
        ),
        address_type="IPv4",
        endpoints=endpoints,
        ports=ports,
    )


def _revision(piece: EndpointSlice) -> int:
    return int(piece.metadata.resource_version or 0)


def _namespace(obj: Service | Pod) -> tuple[str, ...]:
    return (obj.namespace or "",)
