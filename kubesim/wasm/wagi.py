"""WAGI: an HTTP request as a program's environment, and a program's output as an HTTP response.

The oldest contract between a web server and a program, CGI, is also the simplest for a Wasm
module: it needs ``_start``, environment, input and output, and nothing else. For every request a
fresh instance gets the request in ``environment`` and ``arguments`` and its body as input; what it
prints to standard output are headers, a blank line and the body, which ``respond`` takes apart.
Pure functions all of them; running the module lies in between.

Mirrors: Spin 3, crates/http/src/wagi/mod.rs and crates/trigger-http/src/{wagi,headers}.rs; RFC
    3875. CONTENT_TYPE is empty as it is there, where the header is looked up as ``content_type``;
    a module finds it in HTTP_CONTENT_TYPE. A component's own variables come first, so that they
    win in ``getenv``.
Departs: variables come in a fixed order, in Spin by chance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from kubesim.wasm.execution import Execution, WasiContext
from kubesim.wasm.routes import DEFAULT_ROUTE, Matched, match_route
from kubesim.wire.http import HttpRequest, HttpResponse

DEFAULT_ARGV = "${SCRIPT_NAME} ${ARGS}"

_DROPPED = frozenset({"HTTP_AUTHORIZATION", "HTTP_CONNECTION"})
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_STATUS_CODE = re.compile(r"[1-9][0-9]{2}")
_LF, _CR = 10, 13

_INSUFFICIENT = b"Exactly one of 'location' or 'content-type' must be specified"


@dataclass(frozen=True, slots=True, kw_only=True)
class WagiHandler:
    """How a component is served.

    Attributes:
        route: The route that leads to it, see ``routes``.
        argv: Template of its arguments.
        environment: Its own environment variables.
    """

    route: str = DEFAULT_ROUTE
    argv: str = DEFAULT_ARGV
    environment: tuple[tuple[str, str], ...] = ()

    def matches(self, path: str) -> bool:
        """Whether a request for this path is for this component."""
        return match_route(self.route, path) is not None

    def matched(self, path: str) -> Matched:
        """What its route makes of a path that took it."""
        return match_route(self.route, path) or Matched(self.route)


def context(  # noqa: PLR0913 - a request, who serves it, and when
    request: HttpRequest,
    handler: WagiHandler,
    *,
    client: str = "127.0.0.1:0",
    start_ns: int = 0,
    seed: bytes = b"",
    seed_is_input: bool = False,
    deadline_ns: int | None = None,
) -> WasiContext:
    """What a module is given to answer a request.

    Args:
        request: The request.
        handler: How the component is served.
        client: Address and port that the request came from.
        start_ns: The virtual wall clock, in nanoseconds since 1970.
        seed: Key of the random stream.
        seed_is_input: The seed follows from the request, see ``WasiContext``.
        deadline_ns: Nanoseconds until the simulation ends.
    """
    return WasiContext(
        args=arguments(request, handler.argv),
        env=environment(request, handler, client=client),
        stdin=request.body,
        start_ns=start_ns,
        seed=seed,
        seed_is_input=seed_is_input,
        deadline_ns=deadline_ns,
    )


def arguments(request: HttpRequest, argv: str = DEFAULT_ARGV) -> tuple[str, ...]:
    """The program's arguments: the template, filled in and split at every space."""
    args = request.query.replace("&", " ")
    filled = argv.replace("${SCRIPT_NAME}", request.path).replace("${ARGS}", args)
    return tuple(filled.split(" "))


def environment(
    request: HttpRequest, handler: WagiHandler, *, client: str = "127.0.0.1:0"
) -> tuple[tuple[str, str], ...]:
    """The component's own variables, then the request as CGI variables."""
    headers = {name.lower(): value for name, value in request.headers}
    authority = headers.setdefault("host", request.host)
    server_name, _, server_port = authority.partition(":")
    client_ip = client.rpartition(":")[0] or client
    matched = handler.matched(request.path)
    path_info = matched.path_info
    path_and_query = f"{request.path}?{request.query}" if request.query else request.path
    variables = {
        "AUTH_TYPE": "",
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": headers.get("content_type", ""),
        "GATEWAY_INTERFACE": "CGI/1.1",
        "PATH_INFO": path_info,
        "PATH_TRANSLATED": unquote(path_info),
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": client_ip,
        "REMOTE_HOST": client_ip,
        "REMOTE_USER": "",
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": matched.based_prefix,
        "SERVER_NAME": server_name or "localhost",
        "SERVER_PORT": server_port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "WAGI/1",
        "X_BASE_PATH": "/",
        "X_CLIENT_ADDR": client,
        "X_COMPONENT_ROUTE": matched.prefix,
        "X_FULL_URL": f"http://{authority}{path_and_query}",
        "X_MATCHED_ROUTE": matched.based,
        "X_RAW_COMPONENT_ROUTE": handler.route,
        "X_RAW_PATH_INFO": path_info,
    }
    for name, value in matched.parameters:
        variables[f"X_PATH_MATCH_{name.upper()}"] = value
    for name, value in headers.items():
        variable = f"HTTP_{name.upper().replace('-', '_')}"
        if variable not in _DROPPED:
            variables[variable] = value
    return (*handler.environment, *variables.items())


def respond(execution: Execution) -> HttpResponse:
    """The module's own response, or an empty 500 when it failed or printed nothing."""
    stdout = execution.stdout
    if not execution.succeeded or not stdout:
        return HttpResponse(status=500)
    return compose_response(stdout)


def compose_response(stdout: bytes) -> HttpResponse:
    """Take a module's output apart: headers, a blank line, the body."""
    raw_headers, body = _split(stdout)
    try:
        fields = _header_fields(raw_headers.decode("utf-8"))
    except UnicodeDecodeError:
        return HttpResponse(status=500)
    if not fields.keys() & {"content-type", "status", "location"}:
        return HttpResponse(status=500, body=_INSUFFICIENT)
    if not all(_HEADER_VALUE.fullmatch(value) for value in fields.values()):
        return HttpResponse(status=500)
    status = _status(fields)
    headers = tuple(
        (name, value)
        for name, value in fields.items()
        if name != "status" and _HEADER_NAME.fullmatch(name)
    )
    return HttpResponse(status=status, headers=headers, body=body)


def _split(stdout: bytes) -> tuple[bytes, bytes]:
    """Headers without carriage returns, and the body; no headers without a blank line."""
    at = 0
    while True:
        at = stdout.find(b"\n", at) + 1
        if at == 0:
            return b"", stdout
        end = at
        while end < len(stdout) and stdout[end] == _CR:
            end += 1
        if end < len(stdout) and stdout[end] == _LF:
            return stdout[:at].replace(b"\r", b""), stdout[end + 1 :]


def _header_fields(text: str) -> dict[str, str]:
    """Fields by lower-case name, the last of a name counts; a line without colon is skipped."""
    fields = {}
    for line in text.strip().split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields[name.strip().lower()] = value.strip()
    return fields


def _status(fields: dict[str, str]) -> int:
    text = fields.get("status")
    if text is None:
        return 302 if "location" in fields else 200
    code = text.partition(" ")[0]
    return int(code) if _STATUS_CODE.fullmatch(code) else 502
