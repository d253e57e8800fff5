"""wasi:http components behind a shim: ports, stores, other services, the pool of instances."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from harness import MILLISECOND, SECOND, Cluster, NodeUnderTest

from kubesim.facts import AccessDenied
from kubesim.node.shim import ShimError, TaskSpec, spin, wasmtime
from kubesim.node.shim.outbound import CALLS_MAX, Replies
from kubesim.node.shim.pool import InstanceNumbers
from kubesim.node.shim.precompiled import PrecompiledModules
from kubesim.node.shim.wasm import WasmShim, WasmTask
from kubesim.node.shim.wasmruntime import WasmRuntime
from kubesim.sim.distribution import Constant
from kubesim.wasm import TimeModel
from kubesim.wasm.memo import Memo
from kubesim.wasm.stores import Awaiting
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse, Served
from kubesim.wire.image import SpinGrants, WasmKind, WasmProgram, sha256_digest

COMPONENTS = Path(__file__).parents[2] / "fixtures" / "wasm" / "components"
SPIN = WasmRuntime(
    name=spin.NAME,
    kinds=spin.KINDS,
    start=Constant(MILLISECOND),
    stop=Constant(MILLISECOND),
    listen=Constant(MILLISECOND),
    instances=InstanceNumbers(cold=Constant(MILLISECOND)),
    instance_bytes=1 << 20,
    pod_overhead_bytes=0,
    time=TimeModel(),
    horizon_ns=1_000 * SECOND,
)
GRANTS = SpinGrants(
    key_value_stores=("default",),
    variables=(("who", "manifest"), ("other", "manifest")),
    allowed_outbound_hosts=("http://backend",),
)


@pytest.fixture
def node() -> NodeUnderTest:
    """A node without a kubelet."""
    return NodeUnderTest(Cluster(), kubelet=False)


@pytest.fixture
def start(node, engine):
    """Start a container of a component; returns its task."""

    def run(name: str, runtime: WasmRuntime = SPIN, outbound=None, **more) -> WasmTask:
        memo = Memo(engine)
        shim = WasmShim(
            node.services,
            runtime=runtime,
            engine=lambda: engine,
            memo=lambda: memo,
            modules=PrecompiledModules(
                node.services, runtime=runtime.name, compile_per_kib=Constant(0), load=Constant(0)
            ),
            outbound=outbound,
        )
        module = (COMPONENTS / f"{name}.wasm").read_bytes()
        values = {"kind": WasmKind.HTTP, "grants": GRANTS} | more.pop("program", {})
        program = WasmProgram(module=module, digest=sha256_digest(module), **values)
        values = {"ip": "10.244.0.2", "attempt": 0, "envs": ()} | more
        task = shim.create(
            TaskSpec(
                namespace="default",
                pod="web",
                uid="u1",
                container="main",
                program=program,
                **values,
            )
        )
        node.cluster.do(task.start())
        node.cluster.run(1)
        return task

    return run


@pytest.fixture
def ask(node):
    """Send a request to the container."""

    def send(path: str, query: str = "", port: int = 80):
        request = HttpRequest(path=path, query=query)
        return node.cluster.do(node.network.request("10.244.0.2", port, request))[0]

    return send


def body(answer) -> str:
    """What was answered."""
    assert isinstance(answer, Served)
    return answer.response.body.decode()


def test_spin_listens_on_80_and_wasmtime_on_8080(start, ask):
    """Each runtime has its default port, and an image may name another."""
    start("httpinfo", replace(SPIN, name=wasmtime.NAME, kinds=wasmtime.KINDS))

    assert isinstance(ask("/"), ConnectionRefused)
    assert '"path":"/"' in body(ask("/", port=8080))


def test_a_store_lives_as_long_as_its_container(start, ask):
    """Requests share it; a restarted container begins anew."""
    first = start("visits")
    counted = [body(ask("/visits")) for _ in range(3)]
    first.kill(9)
    start("visits", attempt=1)

    assert ["1", "2", "3", "1"] == [*counted, body(ask("/visits"))]


def test_variables_come_from_the_manifest_and_the_environment(start, ask):
    """SPIN_VARIABLE_WHO overrides what the manifest says of who."""
    start("visits", envs=(("SPIN_VARIABLE_WHO", "environment"),))

    assert "environment" == body(ask("/variable", "who"))
    assert "manifest" == body(ask("/variable", "other"))


def test_another_service_answers_in_virtual_time(node, start, ask):
    """The component waits for it, and nobody answers where no network was handed in."""

    def outbound(request: HttpRequest, scheme: str):
        yield node.cluster.sim.timeout(300 * MILLISECOND)
        return HttpResponse(status=203, body=f"{scheme}://{request.host}".encode())

    start("visits", outbound=lambda namespace, pod: outbound)
    began_ns = node.cluster.sim.now
    answer = ask("/call", "backend")

    assert "203 http://backend" == body(answer)
    assert 300 * MILLISECOND <= node.cluster.sim.now - began_ns < 330 * MILLISECOND
    assert 403 == ask("/call", "elsewhere").response.status


def test_nobody_answers_without_a_network(start, ask):
    """A call that is allowed ends as a refused connection."""
    start("visits")

    assert 502 == ask("/call", "backend").response.status


def test_a_pod_has_a_pool_of_instances(node, start, monkeypatch, ask):
    """A request above the pool's size is answered with a 500."""
    monkeypatch.setattr("kubesim.node.shim.pool.MAX_INSTANCE_COUNT", 0)
    start("httpinfo")

    assert 500 == ask("/").response.status


def test_a_command_component_runs_to_its_end(start):
    """Its container ends with it."""
    task = start("files", program={"kind": WasmKind.COMMAND}, args=("/nothing",))

    assert 1 == task.exited.value.exit_code


def test_a_command_cannot_be_served(start):
    """The shim says what is missing."""
    with pytest.raises(ShimError, match="does not export wasi:http/incoming-handler"):
        start("files")


def test_what_is_not_allowed_is_denied_and_said_once(node, start, ask):
    """Nobody is asked, the guest sees the refusal, and a fact names the host."""
    seen, asked = [], []
    node.cluster.sim.journal.subscribe(lambda _at_ns, fact: seen.append(fact))
    start("visits", outbound=lambda namespace, pod: lambda *call: asked.append(call))

    assert ["denied", "denied"] == [body(ask("/call", "bank")) for _ in range(2)]
    assert [("web", "http://bank")] == [
        (fact.name, fact.target) for fact in seen if isinstance(fact, AccessDenied)
    ]
    assert [] == asked


def test_a_request_has_only_so_many_calls():
    """A guest that calls for ever is told so, instead of being run again for ever."""
    replies, call = Replies(), (HttpRequest(host="backend"), "http")
    for _ in range(CALLS_MAX):
        with pytest.raises(Awaiting) as awaiting:
            replies(*call)
        replies.add(awaiting.value, HttpResponse(), 1)
        replies.rewind()
        known = [replies(*call) for _ in range(len(replies))]

    assert CALLS_MAX == len(known)
    assert "connection-limit-reached" == replies(*call).error.tag


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("no such host", "DNS-error"),
        ("timeout", "connection-timeout"),
        ("no endpoints available", "connection-refused"),
    ],
)
def test_a_guest_sees_why_nobody_answered(reason, expected):
    """wasi:http's error codes say what happened to the connection."""
    replies, call = Replies(), (HttpRequest(host="backend"), "http")
    replies.add(Awaiting(*call), ConnectionRefused(reason), 1)

    assert expected == replies(*call).error.tag
