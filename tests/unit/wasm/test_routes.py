"""Routes of a Spin application: which one a path takes, and what is left of it."""

from __future__ import annotations

import pytest

from kubesim.wasm.routes import Matched, Router, match_route
from kubesim.wasm.spinheaders import with_spin_headers
from kubesim.wasm.wagi import WagiHandler, environment
from kubesim.wire.http import HttpRequest

ROUTES = (
    "/...",
    "/one/...",
    "/one/two/...",
    "/one",
    "/user/:id",
    "/user/me",
    "/user/:id/...",
    "/",
)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/other/page", "/..."),
        ("/one", "/one"),
        ("/one/", "/one"),
        ("/one/x", "/one/..."),
        ("/one/two", "/one/two/..."),
        ("/one/two/three", "/one/two/..."),
        ("/user/me", "/user/me"),
        ("/user/7", "/user/:id"),
        ("/user/7/mail", "/user/:id/..."),
        ("/user", "/..."),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_the_most_exact_route_is_taken(path, route, order):
    """A word beats a name, a name the rest, a longer prefix a shorter one; in whatever order."""
    assert route == Router(ROUTES[::order]).match(path).route


def test_a_path_without_a_route_has_none():
    """Nothing is guessed."""
    router = Router(["/a", "/b/..."])

    assert [None, None, None] == [router.match(path) for path in ("/", "/a/b", "/c")]


@pytest.mark.parametrize(
    ("route", "path", "rest"),
    [
        ("/test/...", "/test", ""),
        ("/test/...", "/test/", "/"),
        ("/test/...", "/test/hello", "/hello"),
        ("/test/...", "/test/hello/", "/hello/"),
        ("/...", "/a", "/a"),
        ("/1/:two/...", "/1/2/3", "/3"),
        ("/test", "/test/", ""),
    ],
)
def test_the_wildcard_keeps_the_slash_at_the_end(route, path, rest):
    """Spin has always handed it on."""
    assert rest == match_route(route, path).path_info


def test_names_take_one_segment_each():
    """What stands at their places is told to the component."""
    found = match_route("/shop/:shop/item/:item", "/shop/a/item/7")

    assert Matched("/shop/:shop/item/:item", "", (("shop", "a"), ("item", "7"))) == found
    assert None is match_route("/shop/:shop", "/shop")


def test_components_see_the_route_in_headers_and_variables():
    """spin-path-match-USERID for components, X_PATH_MATCH_USERID for WAGI."""
    request = HttpRequest(path="/foo/42/bar")
    headers = dict(with_spin_headers(request, route="/foo/:userid/...").headers)
    variables = dict(environment(request, WagiHandler(route="/foo/:userid/...")))

    assert ("42", "/bar", "/foo/:userid") == (
        headers["spin-path-match-userid"],
        headers["spin-path-info"],
        headers["spin-component-route"],
    )
    assert ("42", "/bar", "/foo/:userid") == (
        variables["X_PATH_MATCH_USERID"],
        variables["PATH_INFO"],
        variables["SCRIPT_NAME"],
    )


def test_of_equal_routes_the_last_counts():
    """Spin says so in its log and goes on."""
    assert "/a/" == Router(["/a", "/b", "/a/"]).match("/a").route
