"""The EndpointSlice controller: which pods are behind a Service, and which of them take traffic.

Mirrors: pkg/controller/endpointslice, staging/src/k8s.io/endpointslice (reconciler.go, utils.go).
Departs: one slice for each set of ports and hundred endpoints, filled in order; no topology hints,
no headless hostnames, no batching period.
"""

from __future__ import annotations

from collections.abc import Iterator

from typing_extensions import override

from kubesim.api.corev1 import ObjectReference, Pod, Service, ServicePort
from kubesim.api.discoveryv1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.labels import labels_match
from kubesim.api.metav1 import ObjectMeta, new_controller_ref
from kubesim.api.podutil import is_pod_ready, is_pod_terminal
from kubesim.controlplane.client import Client, Controller, NotFound
from kubesim.controlplane.controllers.indexes import BY_OWNER, owner_uids
from kubesim.sim import Sim, SimProcess

WORKERS = 5  # --concurrent-service-endpoint-syncs
MAX_ENDPOINTS_PER_SLICE = 100
BY_NAMESPACE = "namespace"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"

Ports = tuple[EndpointPort, ...]


class EndpointSliceController(Controller):
    """Reconciles the slices of Services."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._services = client.informer(Service)
        self._services.add_index(BY_NAMESPACE, _namespace)
        self._services.add_handler(self._service_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_NAMESPACE, _namespace)
        self._pods.add_handler(self._pod_changed)
        self._slices = client.informer(EndpointSlice)
        self._slices.add_index(BY_OWNER, owner_uids)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Make the Service's slices list its pods."""
        service = self._services.get(key)
        if service is None or not service.spec.selector:
            return
        pods = [
            pod
            for pod in self._pods.by_index(BY_NAMESPACE, service.namespace)
            if labels_match(service.spec.selector, pod.metadata.labels)
        ]
        wanted = list(desired_slices(service, pods))
        existing = list(self._slices.by_index(BY_OWNER, service.uid))
        for number, (ports, endpoints) in enumerate(wanted):
            if number < len(existing):
                current = existing[number]
                if (current.ports, current.endpoints) != (ports, endpoints):
                    changed = current.replace(ports=ports, endpoints=endpoints)
                    yield from self._client.update(changed)
            else:
                yield from self._client.create(_new_slice(service, ports, endpoints))
        for surplus in existing[len(wanted) :]:
            try:
                yield from self._client.delete(EndpointSlice, surplus.key)
            except NotFound:
                continue

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if new is not None and (old is None or old.spec != new.spec):
            self.queue.add(new.key)

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
    service: Service, pods: list[Pod]
) -> Iterator[tuple[Ports, tuple[Endpoint, ...]]]:
    """Ports and endpoints of each slice that the Service should have; at least one slice."""
    by_ports: dict[Ports, list[Endpoint]] = {}
    for pod in pods:
        if pod.status.pod_ip and not is_pod_terminal(pod):
            ports = tuple(
                EndpointPort(name=port.name or "", protocol=port.protocol or "TCP", port=number)
                for port in service.spec.ports
                if (number := target_port(port, pod)) is not None
            )
            by_ports.setdefault(ports, []).append(_endpoint(pod))
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
            if candidate.name == target:
                return candidate.container_port
    return None


def _endpoint(pod: Pod) -> Endpoint:
    serving = is_pod_ready(pod)
    terminating = pod.metadata.deletion_timestamp is not None
    assert pod.status.pod_ip is not None
    return Endpoint(
        addresses=(pod.status.pod_ip,),
        conditions=EndpointConditions(
            ready=serving and not terminating, serving=serving, terminating=terminating
        ),
        target_ref=ObjectReference(
            kind="Pod", namespace=pod.namespace, name=pod.name, uid=pod.uid
        ),
        node_name=pod.spec.node_name,
    )


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


def _namespace(obj: Service | Pod) -> tuple[str, ...]:
    return (obj.namespace or "",)
