"""The interceptor: every request goes through it, is counted, and waits until somebody can answer.

A request without a route is a 404. One whose Service has no ready endpoint waits: for as long as it may
take in all, or for its readiness timeout and then goes to the fallback, if there is one. Whether it had
to wait stands in the answer's ``X-KEDA-HTTP-Cold-Start``.

Mirrors: kedacore/http-add-on@59b2f6a interceptor/proxy.go, interceptor/middleware, pkg/k8s/
ready_endpoints_cache.go, pkg/net/dial_context.go.
Departs: no direct routing to pods, no TLS, no texts from ConfigMaps; a dial that nobody answers is not
given up after KEDA_HTTP_CONNECT_TIMEOUT.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from kubesim.api.corev1 import Service
from kubesim.api.discoveryv1 import EndpointSlice
from kubesim.api.duration import parse_duration
from kubesim.api.kedahttpv1alpha1 import HTTPScaledObject
from kubesim.api.kedahttpv1beta1 import InterceptorRoute, ServiceRef, StaticResponse
from kubesim.controlplane.autoscaling.keda.httpaddon.config import HttpAddOnConfig
from kubesim.controlplane.autoscaling.keda.httpaddon.counting import RequestCounts
from kubesim.controlplane.autoscaling.keda.httpaddon.routes import (
    RoutingTable,
    route_of,
    static_route_of,
)
from kubesim.controlplane.client import Client
from kubesim.sim import Event, Sim, SimProcess
from kubesim.sim.time import SECOND
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse, Served

COLD_START = "X-KEDA-HTTP-Cold-Start"
SERVICE_LABEL = "kubernetes.io/service-name"
BY_SERVICE = "service"
FALLBACK_READINESS_NS = 30 * SECOND  # defaultFallbackReadinessTimeout
TEXTS = {404: "Not Found", 500: "Internal Server Error", 502: "Bad Gateway",
         504: "Gateway Timeout"}  # fmt: skip
TIMEOUT = "timeout"


class Upstream(Protocol):
    """The way from the interceptor to a Service's pods; it dials again until somebody answers."""

    def __call__(
        self, service_key: str, port: int, request: HttpRequest, timeout_ns: int
    ) -> SimProcess[Served | ConnectionRefused]:
        """Send a request to a port of a Service; the time-out is for its answer."""
        ...


class Interceptor:
    """Listens for the requests of all routes.

    Args:
        sim: The run.
        client: Its connection to the API server.
        config: The add-on's settings.
        counts: What it counts with.
        upstream: The way to pods.
    """

    waiting = 0

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        config: HttpAddOnConfig,
        counts: RequestCounts,
        upstream: Upstream,
    ) -> None:
        self._sim = sim
        self._config = config
        self._counts = counts
        self._upstream = upstream
        self._services = client.informer(Service)
        self._slices = client.informer(EndpointSlice)
        self._slices.add_index(BY_SERVICE, _service_keys)
        self._slices.add_handler(self._slice_changed)
        self._routes = client.informer(InterceptorRoute)
        self._routes.add_handler(self._routes_changed)
        self._objects = client.informer(HTTPScaledObject)
        self._objects.add_handler(self._routes_changed)
        self._table = RoutingTable()
        self._known: dict[str, InterceptorRoute] = {}
        self._waiting: dict[str, list[Event]] = {}

    def route(self, key: str) -> tuple[InterceptorRoute, bool] | None:
        """The route of a namespace and name, and whether it was an HTTPScaledObject."""
        found = self._known.get(key)
        return None if found is None else (found, self._routes.get(key) is None)

    def serve(self, request: HttpRequest) -> SimProcess[Served | ConnectionRefused]:
        """Answer one request."""
        began_ns = self._sim.now
        route = self._table.find(request)
        if route is None:
            return Served(response=_static(404))
        static = static_route_of(request, route)
        if static is not None:
            if static.response_mode == "Always" or not self._is_ready(_target(route)):
                return Served(response=_response(static.response, 200))
            return (yield from self._forward(route, request, began_ns))
        key = f"{route.namespace}/{route.name}"
        self._counts.began(key)
        try:
            return (yield from self._counted(route, request, began_ns))
        finally:
            self._counts.ended(key)

    def _counted(
        self, route: InterceptorRoute, request: HttpRequest, began_ns: int
    ) -> SimProcess[Served]:
        cold_start = route.spec.cold_start
        placeholder = cold_start.placeholder if cold_start is not None else None
        fallback = cold_start.fallback if cold_start is not None else None
        service = _target(route)
        was_ready = self._is_ready(service)
        if placeholder is not None and placeholder.response is not None and not was_ready:
            return Served(response=_response(placeholder.response, 503))
        other = fallback.service if fallback is not None else None
        deadline_ns = self._deadline(route, began_ns)
        if not was_ready:
            came = yield from self._wait(
                service, self._readiness_ns(route, has_fallback=other is not None), deadline_ns
            )
            if not came:
                if other is None or (deadline_ns and self._sim.now >= deadline_ns):
                    return Served(response=_static(504), queue_ns=self._sim.now - began_ns)
                return (yield from self._forward(route, request, began_ns, to=other))
        served = yield from self._forward(route, request, began_ns)
        if not self._config.cold_start_header:
            return served
        response = served.response
        header = (COLD_START, "false" if was_ready else "true")
        return replace(served, response=replace(response, headers=(header, *response.headers)))

    def _forward(
        self,
        route: InterceptorRoute,
        request: HttpRequest,
        began_ns: int,
        *,
        to: ServiceRef | None = None,
    ) -> SimProcess[Served]:
        """Send it on; whatever comes back is an answer."""
        target = route.spec.target
        to = to or ServiceRef(name=target.service, port=target.port, port_name=target.port_name)
        key = f"{route.namespace}/{to.name}"
        port = self._port(key, to)
        if port is None:
            return Served(response=_static(500), queue_ns=self._sim.now - began_ns)
        timeout_ns = _given(
            route.spec.timeouts.response_header, self._config.response_header_timeout_ns
        )
        deadline_ns = self._deadline(route, began_ns)
        if deadline_ns:
            left_ns = max(1, deadline_ns - self._sim.now)
            timeout_ns = min(timeout_ns, left_ns) if timeout_ns else left_ns
        answer = yield from self._upstream(key, port, request, timeout_ns)
        held_ns = self._sim.now - began_ns
        if isinstance(answer, ConnectionRefused):
            late = answer.reason == TIMEOUT
            return Served(response=_static(504 if late else 502), queue_ns=held_ns)
        used_ns = answer.instantiate_ns + answer.execute_ns
        return replace(answer, queue_ns=max(0, held_ns - used_ns))

    def _wait(self, service: str, readiness_ns: int, deadline_ns: int) -> SimProcess[bool]:
        """Wait until a Service has a ready endpoint; whether it came to that."""
        until_ns = self._sim.now + readiness_ns if readiness_ns else 0
        if deadline_ns:
            until_ns = min(until_ns, deadline_ns) if until_ns else deadline_ns
        turn = self._sim.event()
        self._waiting.setdefault(service, []).append(turn)
        if not until_ns:
            yield turn
            return True
        yield self._sim.any_of([turn, self._sim.timeout(max(0, until_ns - self._sim.now))])
        if not turn.triggered:
            self._waiting[service].remove(turn)
        return turn.triggered

    def _readiness_ns(self, route: InterceptorRoute, *, has_fallback: bool) -> int:
        found_ns = _given(route.spec.timeouts.readiness, self._config.readiness_timeout_ns)
        return FALLBACK_READINESS_NS if has_fallback and not found_ns else found_ns

    def _deadline(self, route: InterceptorRoute, began_ns: int) -> int:
        """When a request has to be over; 0 for never."""
        timeout_ns = _given(route.spec.timeouts.request, self._config.request_timeout_ns)
        return began_ns + timeout_ns if timeout_ns else 0

    def _port(self, key: str, to: ServiceRef) -> int | None:
        if to.port:
            return to.port
        service = self._services.get(key)
        ports = service.spec.ports if service is not None else ()
        return next(
            (port.port for port in ports if to.port_name and port.name == to.port_name), None
        )

    def _is_ready(self, service: str) -> bool:
        return any(
            endpoint.conditions.ready is not False and endpoint.addresses
            for piece in self._slices.by_index(BY_SERVICE, service)
            for endpoint in piece.endpoints
        )

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        changed = new or old
        assert changed is not None
        for service in _service_keys(changed):
            if self._waiting.get(service) and self._is_ready(service):
                for turn in self._waiting.pop(service):
                    turn.succeed()

    def _routes_changed(
        self,
        old: InterceptorRoute | HTTPScaledObject | None,
        new: InterceptorRoute | HTTPScaledObject | None,
    ) -> None:
        if old is not None and new is not None and old.spec == new.spec:
            return
        known = {route.key: route for route in self._routes.values()}
        for scaled in self._objects.values():
            known.setdefault(scaled.key, route_of(scaled))
        for key in self._known:
            if key not in known:
                self._counts.forget(key)
        for key in known:
            self._counts.ensure(key)
        self._known = known
        self._table = RoutingTable(known.values())


def _target(route: InterceptorRoute) -> str:
    return f"{route.namespace}/{route.spec.target.service}"


def _given(text: str | None, otherwise_ns: int) -> int:
    return otherwise_ns if text is None else parse_duration(text)


def _static(status: int) -> HttpResponse:
    return HttpResponse(
        status=status,
        headers=(("Content-Type", "text/plain; charset=utf-8"),),
        body=f"{TEXTS[status]}\n".encode(),
    )


def _response(given: StaticResponse, status: int) -> HttpResponse:
    return HttpResponse(
        status=given.status_code or status,
        headers=tuple(given.headers.items()),
        body=(given.body or "").encode(),
    )


def _service_keys(piece: EndpointSlice) -> tuple[str, ...]:
    service = piece.metadata.labels.get(SERVICE_LABEL)
    return (f"{piece.namespace}/{service}",) if service else ()
