"""WAGI: the request as environment, the output as response."""

from __future__ import annotations

import pytest

from kubesim.wasm import Execution, OutputChunk, Status, wagi
from kubesim.wasm.wagi import WagiHandler
from kubesim.wire.http import HttpRequest


def finished(stdout: bytes, *, status: Status = Status.EXITED, code: int = 0) -> Execution:
    """A run that printed something and ended so."""
    return Execution(status=status, exit_code=code, output=(OutputChunk("stdout", 0, stdout),))


def test_a_request_becomes_cgi_variables():
    """Every variable of Spin's WAGI is there with Spin's value."""
    request = HttpRequest(
        method="POST",
        path="/shop/a%20b",
        query="x=1&y=2",
        headers=(("X-Trace", "7"), ("Authorization", "secret"), ("Connection", "close")),
        body=b"12345",
        host="shop.example:8080",
    )
    handler = WagiHandler(route="/shop/...", environment=(("MODE", "test"),))
    found = wagi.environment(request, handler, client="10.0.0.9:1234")

    assert ("MODE", "test") == found[0]
    assert {
        "AUTH_TYPE": "",
        "CONTENT_LENGTH": "5",
        "CONTENT_TYPE": "",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "HTTP_HOST": "shop.example:8080",
        "HTTP_X_TRACE": "7",
        "MODE": "test",
        "PATH_INFO": "/a%20b",
        "PATH_TRANSLATED": "/a b",
        "QUERY_STRING": "x=1&y=2",
        "REMOTE_ADDR": "10.0.0.9",
        "REMOTE_HOST": "10.0.0.9",
        "REMOTE_USER": "",
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/shop",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "WAGI/1",
        "X_BASE_PATH": "/",
        "X_CLIENT_ADDR": "10.0.0.9:1234",
        "X_COMPONENT_ROUTE": "/shop",
        "X_FULL_URL": "http://shop.example:8080/shop/a%20b?x=1&y=2",
        "X_MATCHED_ROUTE": "/shop/...",
        "X_RAW_COMPONENT_ROUTE": "/shop/...",
        "X_RAW_PATH_INFO": "/a%20b",
    } == dict(found)


@pytest.mark.parametrize(
    ("template", "args"),
    [
        (wagi.DEFAULT_ARGV, ("/run", "a=1", "b")),
        ("tool -q ${ARGS} ${SCRIPT_NAME}", ("tool", "-q", "a=1", "b", "/run")),
        ("fixed", ("fixed",)),
    ],
)
def test_arguments_follow_the_template(template, args):
    """The query's parts are arguments."""
    assert args == wagi.arguments(HttpRequest(path="/run", query="a=1&b"), template)


@pytest.mark.parametrize(
    ("route", "path", "matches", "path_info"),
    [
        ("/...", "/", True, "/"),
        ("/...", "/a/b", True, "/a/b"),
        ("/a/...", "/a", True, ""),
        ("/a/...", "/a/b", True, "/b"),
        ("/a/...", "/ab", False, None),
        ("/a", "/a", True, ""),
        ("/a", "/a/", True, ""),
        ("/a", "/a/b", False, None),
        ("/", "/", True, ""),
        ("/", "/a", False, None),
    ],
)
def test_routes_match_as_in_spin(route, path, matches, path_info):
    """A route is exact, or a prefix that ends in /..."""
    handler = WagiHandler(route=route)

    assert matches == handler.matches(path)
    if matches:
        assert path_info == handler.matched(path).path_info


CASES = [
    (b"Content-Type: text/plain\n\nhi", 200, {"content-type": "text/plain"}, b"hi"),
    (b"content-type:text/plain\r\n\r\nhi\r\n", 200, {"content-type": "text/plain"}, b"hi\r\n"),
    (b"Status: 404 Not Found\n\n", 404, {}, b""),
    (b"Status: 204\nX-A: b\n\n", 204, {"x-a": "b"}, b""),
    (b"Location: /there\n\n", 302, {"location": "/there"}, b""),
    (b"Location: /there\nStatus: 301 Moved\n\n", 301, {"location": "/there"}, b""),
    (b"Status: teapot\n\nx", 502, {}, b"x"),
    (b"Status: 20\n\n", 502, {}, b""),
    (b"Status: 1000\n\n", 502, {}, b""),
    (b"Content-Type: a/b\nno colon\nbad name: x\n\n.", 200, {"content-type": "a/b"}, b"."),
    (b"Content-Type: a/b\nX: 1\nX: 2\n\n", 200, {"content-type": "a/b", "x": "2"}, b""),
    (b"Content-Type: a/b\n\n\n\nbody", 200, {"content-type": "a/b"}, b"\n\nbody"),
    (b"X-Only: 1\n\nbody", 500, {}, wagi._INSUFFICIENT),
    (b"no headers at all", 500, {}, wagi._INSUFFICIENT),
    (b"Content-Type: text/plain\n", 500, {}, wagi._INSUFFICIENT),
    (b"\n\nbody", 500, {}, wagi._INSUFFICIENT),
    (b"Content-Type: \xff\n\n", 500, {}, b""),
    (b"Content-Type: a\x01b\n\n", 500, {}, b""),
]


@pytest.mark.parametrize(("stdout", "status", "headers", "body"), CASES)
def test_output_becomes_a_response(stdout, status, headers, body):
    """Headers, a blank line, the body; what is missing or wrong has its own status."""
    response = wagi.respond(finished(stdout))

    assert (status, headers, body) == (response.status, dict(response.headers), response.body)


@pytest.mark.parametrize(
    "execution",
    [
        finished(b""),
        finished(b"Status: 200\n\nfine", code=1),
        finished(b"Status: 200\n\nfine", status=Status.TRAPPED),
        finished(b"Status: 200\n\nfine", status=Status.OUT_OF_FUEL),
    ],
)
def test_a_failed_run_is_an_empty_500(execution):
    """Printing nothing, a non-zero exit and a trap are the server's error."""
    response = wagi.respond(execution)

    assert (500, b"") == (response.status, response.body)
