"""Which request is whose: by host, path and headers, the most specific rule first.

An exact host comes before ``*.example.com``, that before ``*.com``, and ``*`` is last; of the paths of a
host the longest beginning that fits, of equal ones the one with more headers.

Mirrors: kedacore/http-add-on@59b2f6a pkg/routing (key.go, tablememory.go, table.go, match.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubesim.api.duration import parse_duration
from kubesim.api.kedahttpv1alpha1 import HTTPScaledObject
from kubesim.api.kedahttpv1beta1 import (
    ColdStartFallback,
    ColdStartSpec,
    ConcurrencyTargetSpec,
    HeaderMatch,
    InterceptorRoute,
    InterceptorRouteSpec,
    InterceptorRouteTimeouts,
    PathMatch,
    RequestRateTargetSpec,
    RouteScalingMetricSpec,
    RoutingRule,
    ServiceRef,
    StaticRoute,
    TargetRef,
)
from kubesim.api.metav1 import ObjectMeta
from kubesim.wire.http import HttpRequest

EVERY_HOST = "*"


def route_of(scaled: HTTPScaledObject) -> InterceptorRoute:
    """An HTTPScaledObject as a route."""
    spec, target = scaled.spec, scaled.spec.scale_target_ref
    timeouts = InterceptorRouteTimeouts()
    if spec.timeouts is not None:
        given = spec.timeouts
        if given.condition_wait and parse_duration(given.condition_wait):
            timeouts = timeouts.replace(readiness=given.condition_wait)
        if given.response_header and parse_duration(given.response_header):
            timeouts = timeouts.replace(response_header=given.response_header)
    cold_start, failover = None, spec.cold_start_timeout_failover_ref
    if failover is not None:
        service = ServiceRef(
            name=failover.service, port=failover.port, port_name=failover.port_name
        )
        cold_start = ColdStartSpec(fallback=ColdStartFallback(service=service))
        if failover.timeout_seconds > 0:
            timeouts = timeouts.replace(readiness=f"{failover.timeout_seconds}s")
    rule = RoutingRule(
        hosts=spec.hosts,
        paths=tuple(PathMatch(value=prefix) for prefix in spec.path_prefixes),
        headers=spec.headers,
    )
    return InterceptorRoute(
        metadata=ObjectMeta(
            name=scaled.name,
            namespace=scaled.namespace,
            creation_timestamp=scaled.metadata.creation_timestamp,
        ),
        spec=InterceptorRouteSpec(
            target=TargetRef(service=target.service, port=target.port, port_name=target.port_name),
            rules=(rule,),
            timeouts=timeouts,
            cold_start=cold_start,
            scaling_metric=_metric(scaled),
        ),
    )


def _metric(scaled: HTTPScaledObject) -> RouteScalingMetricSpec:
    """What the interceptor counts for it; requests under way, if nothing else is said."""
    given = scaled.spec.scaling_metric
    rate = given.request_rate if given is not None else None
    if rate is not None:
        return RouteScalingMetricSpec(
            request_rate=RequestRateTargetSpec(
                target_value=rate.target_value, window=rate.window, granularity=rate.granularity
            )
        )
    concurrency = given.concurrency if given is not None else None
    pending = scaled.spec.target_pending_requests
    target = concurrency.target_value if concurrency is not None else pending or 100
    return RouteScalingMetricSpec(concurrency=ConcurrencyTargetSpec(target_value=target))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One rule's host and path."""

    host: str
    path: str
    headers: tuple[HeaderMatch, ...]
    route: InterceptorRoute


class RoutingTable:
    """The rules of some routes.

    Args:
        routes: The routes.
    """

    def __init__(self, routes: Iterable[InterceptorRoute] = ()) -> None:
        self._by_host: dict[str, list[_Entry]] = {}
        for route in routes:
            for rule in route.spec.rules:
                for entry in _entries(rule, route):
                    self._by_host.setdefault(entry.host, []).append(entry)
        for entries in self._by_host.values():
            entries.sort(key=_specificity)

    def find(self, request: HttpRequest) -> InterceptorRoute | None:
        """The route of a request; ``None`` when it has none."""
        host, path = host_of(request), _path(request.path)
        for name in (host, *_wildcards(host), EVERY_HOST):
            fitting = [e for e in self._by_host.get(name, ()) if path.startswith(e.path)]
            longest = max((len(entry.path) for entry in fitting), default=0)
            for entry in fitting:
                if len(entry.path) == longest and _has_headers(request, entry.headers):
                    return entry.route
        return None


def static_route_of(request: HttpRequest, route: InterceptorRoute) -> StaticRoute | None:
    """The first of a route's static routes that has the request."""
    return next(
        (
            static
            for static in route.spec.static_routes
            if any(_matches(request, rule) for rule in static.rules)
        ),
        None,
    )


def host_of(request: HttpRequest) -> str:
    """The host that a request names, without a port."""
    return request.host.rpartition(":")[0] if _has_port(request.host) else request.host


def _has_port(host: str) -> bool:
    before, colon, port = host.rpartition(":")
    return bool(colon) and bool(before) and port.isdigit() and ":" not in before


def _path(path: str) -> str:
    """A path as it is compared: every part of it closed by a slash."""
    inner = path.strip("/")
    return f"{inner}/" if inner else ""


def _wildcards(host: str) -> Iterator[str]:
    rest = host
    while "." in rest:
        rest = rest.partition(".")[2]
        yield f"*.{rest}"


def _entries(rule: RoutingRule, route: InterceptorRoute) -> Iterator[_Entry]:
    for host in rule.hosts or (EVERY_HOST,):
        bare = host.rpartition(":")[0] if _has_port(host) else host
        for path in rule.paths or (PathMatch(value=""),):
            yield _Entry(bare or EVERY_HOST, _path(path.value), rule.headers, route)


def _specificity(entry: _Entry) -> tuple[int, int, int, tuple[int, ...]]:
    """More headers first, then more values, then older; of equals the later name."""
    values = sum(header.value is not None for header in entry.headers)
    route = entry.route
    name = f"{route.namespace}/{route.name}"
    backwards = tuple(-ord(character) for character in name)
    return -len(entry.headers), -values, route.metadata.creation_timestamp or 0, backwards


def _has_headers(request: HttpRequest, wanted: Iterable[HeaderMatch]) -> bool:
    given: dict[str, list[str]] = {}
    for name, value in request.headers:
        given.setdefault(name.lower(), []).append(value)
    return all(
        match.name.lower() in given
        and (match.value is None or match.value in given[match.name.lower()])
        for match in wanted
    )


def _matches(request: HttpRequest, rule: RoutingRule) -> bool:
    host, path = host_of(request), _path(request.path)
    hosts = not rule.hosts or any(
        name in (EVERY_HOST, "", host) or (name.startswith("*.") and host.endswith(name[1:]))
        for name in rule.hosts
    )
    paths = not rule.paths or any(path.startswith(_path(each.value)) for each in rule.paths)
    return hosts and paths and _has_headers(request, rule.headers)
