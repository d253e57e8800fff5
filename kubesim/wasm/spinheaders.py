"""The headers that Spin adds to a request before its component sees it. Pure.

Mirrors: Spin 3, crates/trigger-http/src/headers.rs; crates/http/src/routes.rs (the names).
Departs: routes with named parts (``/:id``) are not matched, so there is no spin-path-match; the
    client's address is always that of the node itself.
"""

from __future__ import annotations

from dataclasses import replace

from kubesim.wasm.wagi import DEFAULT_ROUTE, WagiHandler
from kubesim.wire.http import HttpRequest

CLIENT = "127.0.0.1:0"
PREFIX = "spin-"


def with_spin_headers(
    request: HttpRequest, *, route: str = DEFAULT_ROUTE, client: str = CLIENT
) -> HttpRequest:
    """The request as a component gets it that is served under a route."""
    handler = WagiHandler(route=route)
    headers = {name.lower(): value for name, value in request.headers}
    authority = headers.get("host", request.host)
    path_and_query = f"{request.path}?{request.query}" if request.query else request.path
    added = (
        ("spin-path-info", handler.path_info(request.path)),
        ("spin-full-url", f"http://{authority}{path_and_query}"),
        ("spin-matched-route", handler.route),
        ("spin-base-path", "/"),
        ("spin-raw-component-route", handler.route),
        ("spin-component-route", handler.prefix),
        ("spin-client-addr", client),
    )
    names = {name for name, _ in added}
    kept = tuple(pair for pair in request.headers if pair[0].lower() not in names)
    return replace(request, headers=(*kept, *added))
