"""What Spin tells a component about the way a request came."""

from __future__ import annotations

import pytest

from kubesim.wasm.spinheaders import with_spin_headers
from kubesim.wire.http import HttpRequest

REQUEST = HttpRequest(
    path="/shop/cart", query="a=1", host="front.shop.svc", headers=(("Accept", "*/*"),)
)


@pytest.mark.parametrize(
    ("route", "path_info", "prefix"),
    [
        ("/...", "/shop/cart", ""),
        ("/shop/...", "/cart", "/shop"),
        ("/shop/cart", "", "/shop/cart"),
    ],
)
def test_the_route_divides_the_path(route, path_info, prefix):
    """The wildcard's part is the path info, the rest is the component's route."""
    headers = dict(with_spin_headers(REQUEST, route=route).headers)

    assert path_info == headers["spin-path-info"]
    assert prefix == headers["spin-component-route"]
    assert route == headers["spin-raw-component-route"] == headers["spin-matched-route"]


def test_the_whole_url_and_the_client_are_told():
    """What the client sent itself stays in front."""
    request = with_spin_headers(REQUEST)

    assert ("Accept", "*/*") == request.headers[0]
    assert "http://front.shop.svc/shop/cart?a=1" == dict(request.headers)["spin-full-url"]
    assert "127.0.0.1:0" == dict(request.headers)["spin-client-addr"]


def test_a_client_cannot_pretend():
    """A header of the same name that came with the request is replaced."""
    request = HttpRequest(headers=(("Spin-Client-Addr", "1.2.3.4:5"),))

    addresses = [
        v for n, v in with_spin_headers(request).headers if n.lower() == "spin-client-addr"
    ]

    assert ["127.0.0.1:0"] == addresses
