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
        knows=lambda key: key == "default/web",
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
