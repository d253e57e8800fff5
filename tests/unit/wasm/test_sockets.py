"""wasi:sockets: refused unless granted; with a grant, HTTP over a connection to a Service."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesim.scenario import Scenario
from kubesim.wasm import Denied, Engine, Limits, Reply, SpinContext, WasiContext
from kubesim.wasm.values import Case
from kubesim.wasm.wasip2.http1 import BAD_REQUEST, parse_request, response_bytes
from kubesim.wire.http import HttpRequest, HttpResponse

MODULE = Path(__file__).parents[2] / "fixtures" / "wasm" / "components" / "dials.wasm"
ACCESS_DENIED, REFUSED, UNREACHABLE, UNRESOLVABLE = 1, 14, 13, 18


@pytest.fixture(scope="module")
def dial():
    """Let the component dial; status and body, and how the execution went."""
    engine = Engine(use_cache=False, trusts_components=True, trusted_bytes_max=1 << 20)
    component = engine.load(MODULE.read_bytes())

    def ask(target: str, *hosts: str, world=None, body: bytes = b""):
        spin = SpinContext(allowed_outbound_hosts=hosts, outbound=world)
        request = HttpRequest(method="POST", query=target, body=body)
        handled = engine.handle(component, request, WasiContext(), Limits(), spin=spin)
        response = handled.response
        return (response.status, response.body.decode()), handled.execution

    return ask


class World:
    """What is outside of the pod: the Service db at 10.96.0.7, whose port 80 is open."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.requests: list[HttpRequest] = []

    def __call__(self, request: HttpRequest, scheme: str) -> Reply:
        self.asked.append((scheme, request.host))
        if scheme == "dns":
            known = request.host == "db"
            return Reply(HttpResponse(body=b"10.96.0.7") if known else None, 0, Case("DNS-error"))
        if scheme == "tcp":
            return Reply(HttpResponse() if request.host == "10.96.0.7:80" else None)
        self.requests.append(request)
        return Reply(HttpResponse(status=201, headers=(("x", "y"),), body=b"hi"), 5_000_000)


ANSWER = "HTTP/1.1 201 Created\r\nx: y\r\ncontent-length: 2\r\n\r\nhi"


def test_nothing_is_granted_by_default(dial):
    """Looking up a name and making a socket are refused, and each is recorded."""
    world = World()
    named, first = dial("db:80", world=world)
    bare, second = dial("10.96.0.7:80", "http://10.96.0.7", world=world)

    assert (502, f"lookup {ACCESS_DENIED}") == named
    assert (502, f"socket {ACCESS_DENIED}") == bare
    assert (Denied("resolve-addresses", "db", "ENOTCAPABLE"),) == first.denied
    assert (Denied("create-tcp-socket", "ipv4", "ENOTCAPABLE"),) == second.denied
    assert [] == world.asked


@pytest.mark.parametrize("host", ["tcp://db:80", "*://db:*", "tcp://*:80"])
def test_a_granted_connection_carries_http(dial, host):
    """The name is looked up, the connection made, the request sent and the answer read."""
    world = World()
    answered, execution = dial("db:80", host, world=world)
    (request,) = world.requests

    assert (200, ANSWER) == answered
    assert [("dns", "db"), ("tcp", "10.96.0.7:80"), ("http", "10.96.0.7:80")] == world.asked
    assert ("GET", "/hello", "n=1", "there") == (
        request.method, request.path, request.query, dict(request.headers)["Host"]
    )  # fmt: skip
    assert execution.sleep_ns == 5_000_000
    assert {"outbound"} <= execution.touched


def test_an_address_may_be_granted(dial):
    """As Spin has it: no name is looked up."""
    world = World()

    assert (200, ANSWER) == dial("10.96.0.7:80", "tcp://10.96.0.7:80", world=world)[0]
    assert "dns" not in [scheme for scheme, _ in world.asked]


@pytest.mark.parametrize(
    ("target", "step"),
    [
        ("db:81", f"connect {ACCESS_DENIED}"),
        ("nobody:80", f"lookup {UNRESOLVABLE}"),
        ("10.96.0.9:80", f"connected {REFUSED}"),
    ],
)
def test_what_cannot_be_reached_is_told(dial, target, step):
    """Another port is denied, an unknown name has no address, and nobody answers elsewhere."""
    hosts = ("tcp://db:80", "tcp://nobody:80", "tcp://10.96.0.9:80")
    answered, execution = dial(target, *hosts, world=World())

    assert (502, step) == answered
    denied = [each.target for each in execution.denied]
    assert (["tcp://10.96.0.7:81"] if target == "db:81" else []) == denied


def test_without_a_network_nothing_is_reached(dial):
    """A grant alone leads nowhere."""
    assert (502, f"connected {UNREACHABLE}") == dial("10.0.0.1:80", "tcp://10.0.0.1:80")[0]


def test_who_does_not_speak_http_is_closed(dial):
    """The simulated programs are HTTP servers, and answer as such."""
    assert (200, BAD_REQUEST.decode()) == dial(
        "db:80", "tcp://db:80", world=World(), body=b"\x16\x03\x01 not http"
    )[0]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", None),
        (b"GET / HT", None),
        (b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", None),
        (b"nonsense\r\n\r\n", (None, 12)),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", (None, 28)),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", (None, 37)),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", (None, 46)),
    ],
)
def test_only_whole_requests_are_requests(sent, expected):
    """What is incomplete waits, what is wrong never becomes one."""
    assert expected == parse_request(sent, "h")


def test_a_request_ends_where_its_length_says():
    """What follows is the next one."""
    first = b"POST /a?b=c HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
    request, length = parse_request(first + b"GET / HTTP/1.1\r\n\r\n", "h:1")

    assert len(first) == length
    assert ("POST", "/a", "b=c", b"hi", "h:1") == (
        request.method, request.path, request.query, request.body, request.host
    )  # fmt: skip
    assert b"content-length: 2\r\n\r\n" == response_bytes(HttpResponse(body=b"hi"), "HEAD")[17:]


SCENARIO = """apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {{name: sockets}}
spec:
  duration: 60s
  nodePools: [{{name: wasm, count: 2, machine: m5.large, runtimes: [runc, spin]}}]
  images:
    - name: "dials:v1"
      wasm: {{module: "{module}", kind: http, spin: {{allowedOutboundHosts: ["tcp://db:80"]}}}}
    - {{name: "db:v1", layers: [{{size: 10Mi}}], program: {{body: "rows"}}}}
  traffic:
    - {{name: t, service: front, from: 40s, rate: 2/s, request: {{query: "db:80"}}}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {{name: spin}}
handler: spin
---
apiVersion: v1
kind: Pod
metadata: {{name: front, labels: {{app: front}}}}
spec: {{runtimeClassName: spin, containers: [{{name: main, image: "dials:v1"}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: db, labels: {{app: db}}}}
spec: {{containers: [{{name: main, image: "db:v1"}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: front}}
spec: {{selector: {{app: front}}, ports: [{{port: 80}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: db}}
spec: {{selector: {{app: db}}, ports: [{{port: 80}}]}}
"""


def test_what_cannot_be_connected_to_is_said(tmp_path):
    """A grant for something else than HTTP and TCP stands among what is not simulated."""
    file = tmp_path / "scenario.yaml"
    text = SCENARIO.format(module=MODULE).replace('"tcp://db:80"', '"tcp://db:80", "udp://db:53"')
    file.write_text(text)

    assert (
        'image "dials:v1" may call udp://db:53, and only HTTP and TCP are simulated',
    ) == Scenario.load(file).unsimulated


def test_a_service_is_reached_over_a_socket_in_a_cluster(tmp_path):
    """Every request of the users makes one to the Service behind, through its ClusterIP."""
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO.format(module=MODULE))
    run = Scenario.load(file).run()
    rows = {row["name"]: row for row in run.services}

    assert rows["front"]["requests"] > 10
    assert (0, 0) == (rows["front"]["errors"], rows["db"]["errors"])
    assert rows["db"]["requests"] == rows["front"]["requests"]
    assert rows["front"]["latency_p50_ns"] > rows["db"]["latency_p50_ns"]
