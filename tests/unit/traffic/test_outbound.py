"""The names that a pod's resolver knows."""

from __future__ import annotations

import pytest
from traffic_harness import Servers, _Way

from kubesim.sim.distribution import Constant
from kubesim.wire.http import ConnectionRefused, HttpRequest
from kubesim.world.traffic import OutboundCalls
from kubesim.world.traffic.outbound import service_key


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("stock", "shop/stock"),
        ("Stock.bank", "bank/stock"),
        ("stock.bank.svc", "bank/stock"),
        ("stock.bank.svc.cluster.local", "bank/stock"),
        ("stock.bank.svc.cluster.local.", "bank/stock"),
        ("stock.bank.svc.elsewhere", None),
        ("pod.stock.bank.svc", None),
        ("example.com.", "com/example"),
        ("10.96.0.1", None),
        ("stock..svc", None),
        ("", None),
    ],
)
def test_a_name_stands_for_a_service(host, expected):
    """A short name is one of the pod's own namespace; longer ones say theirs."""
    assert expected == service_key(host, "shop")


class Services:
    """One Service, web, with an address."""

    def knows(self, key: str) -> bool:
        """Whether it is that one."""
        return key == "default/web"

    def address_of(self, key: str) -> str:
        """Its address."""
        return "10.96.0.7" if key == "default/web" else ""

    def service_at(self, address: str) -> str | None:
        """It, at its address."""
        return "default/web" if address == "10.96.0.7" else None


def test_a_service_is_found_by_its_address():
    """A name has an address, the address accepts connections, and requests to it arrive."""
    servers = Servers()
    servers.start(service=Constant(0))
    calls = OutboundCalls(
        servers.sim,
        namespace="default",
        pod="front",
        transport=_Way(servers),
        meters=servers.meters,
        services=Services(),
    )
    answers = []

    def ask():
        for host, scheme in (
            ("web.default.svc", "dns"),
            ("nobody", "dns"),
            ("10.96.0.7:80", "tcp"),
            ("10.96.0.8:80", "tcp"),
            ("10.96.0.7:80", "http"),
        ):
            answers.append((yield from calls.send(HttpRequest(host=host), scheme)))

    servers.sim.run_until(10**8)  # the server listens by then
    servers.sim.process(ask())
    servers.sim.run_until(10**9)
    address, unknown, accepted, elsewhere, answered = answers

    assert b"10.96.0.7" == address.body
    assert ConnectionRefused("no such host") == unknown == elsewhere
    assert 200 == accepted.status == answered.status


def test_a_service_that_is_not_there_is_an_unknown_host():
    """The name is looked up before anything is sent, and nothing is counted."""
    servers = Servers()
    servers.start(service=Constant(0))
    calls = OutboundCalls(
        servers.sim,
        namespace="default",
        pod="front",
        transport=_Way(servers),
        meters=servers.meters,
        services=Services(),
    )
    answers = []

    def ask(host):
        answers.append((yield from calls.send(HttpRequest(host=host), "http")))

    for host in ("nobody", "web"):
        servers.sim.process(ask(host))
    servers.sim.run_until(10**9)

    assert ConnectionRefused("no such host") == answers[0]
    assert 200 == answers[1].status
    assert ["pod/default/front to web.default:80"] == list(servers.observer.sources)
