"""The headers that Spin adds to a request before its component sees it. Pure.

Mirrors: Spin 3, crates/trigger-http/src/headers.rs; crates/http/src/routes.rs (the names).
Departs: the client's address is always that of the node itself.
"""

from __future__ import annotations

from dataclasses import replace

from kubesim.wasm.routes import DEFAULT_ROUTE, Matched, match_route
from kubesim.wire.http import HttpRequest

CLIENT = "127.0.0.1:0"
PREFIX = "spin-"


def with_spin_headers(
    request: HttpRequest, *, route: str = DEFAULT_ROUTE, client: str = CLIENT
) -> HttpRequest:
    """The request as a component gets it that is served under a route."""
    matched = match_route(route, request.path) or Matched(route)
    headers = {name.lower(): value for name, value in request.headers}
    authority = headers.get("host", request.host)
    path_and_query = f"{request.path}?{request.query}" if request.query else request.path
    added = (
        ("spin-path-info", matched.path_info),
        ("spin-full-url", f"http://{authority}{path_and_query}"),
        ("spin-matched-route", matched.based),
        ("spin-base-path", "/"),
        ("spin-raw-component-route", route),
        ("spin-component-route", matched.prefix),
        ("spin-client-addr", client),
        *((f"spin-path-match-{name.lower()}", value) for name, value in matched.parameters),
    )
    names = {name for name, _ in added}
    kept = tuple(pair for pair in request.headers if pair[0].lower() not in names)
    return replace(request, headers=(*kept, *added))
