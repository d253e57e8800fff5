"""A Spin application of several components in one container: routes, grants, chains, selection."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime
from harness import MILLISECOND, SECOND, Cluster, NodeUnderTest

from kubesim.facts import AccessDenied, LogWritten
from kubesim.node.shim import TaskSpec, spin
from kubesim.node.shim.pool import InstanceNumbers
from kubesim.node.shim.precompiled import PrecompiledModules
from kubesim.node.shim.wasm import WasmShim, WasmTask
from kubesim.node.shim.wasmruntime import WasmRuntime
from kubesim.sim.distribution import Constant
from kubesim.wasm import TimeModel
from kubesim.wasm.memo import Memo
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse
from kubesim.wire.image import (
    SpinApp,
    SpinComponent,
    SpinGrants,
    SpinTrigger,
    WasmKind,
    WasmProgram,
    sha256_digest,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wasm"
RUNTIME = WasmRuntime(
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
VISITS = (FIXTURES / "components" / "visits.wasm").read_bytes()
INFO = (FIXTURES / "components" / "httpinfo.wasm").read_bytes()
TELLS = bytes(wasmtime.wat2wasm((FIXTURES / "tells_all.wat").read_text()))


def component(name: str, module: bytes, **more) -> SpinComponent:
    """A component of a module."""
    return SpinComponent(id=name, module=module, digest=sha256_digest(module), **more)


FRONT = component(
    "front",
    VISITS,
    grants=SpinGrants(
        key_value_stores=("default",),
        variables=(("greeting", "hello {{ who }}"), ("secret", "{{ token }}")),
        allowed_outbound_hosts=("http://{{ host }}.spin.internal", "http://self"),
    ),
)
COUNTER = component("counter", VISITS, grants=SpinGrants(key_value_stores=("default",)))
PLAIN = component("plain", INFO)
CGI = component(
    "cgi", TELLS, environment=(("MODE", "test"),), files=(("data/log", b"from the image"),)
)
APP = SpinApp(
    name="shop",
    version="1.2.3",
    variables=(("who", "world"), ("token", None), ("host", "plain")),
    components=(FRONT, COUNTER, PLAIN, CGI),
    triggers=(
        SpinTrigger(id="t1", route="/call", component="front"),
        SpinTrigger(id="t2", route="/variable", component="front"),
        SpinTrigger(id="t3", route="/visits", component="counter"),
        SpinTrigger(id="t4", route="/visits/...", component="front"),
        SpinTrigger(id="t5", route=None, component="plain"),
        SpinTrigger(
            id="t6", route="/cgi/:user/...", component="cgi", wagi=True, argv="run ${ARGS}"
        ),
        SpinTrigger(
            id="t7",
            route="/old",
            response=HttpResponse(status=410, headers=(("x", "y"),), body=b"!"),
        ),
    ),
)


@pytest.fixture
def node() -> NodeUnderTest:
    """A node without a kubelet."""
    return NodeUnderTest(Cluster(), kubelet=False)


@pytest.fixture
def start(node, engine):
    """Start a container of an application; returns its task."""

    def run(app: SpinApp = APP, envs=(), outbound=None) -> WasmTask:
        memo = Memo(engine)
        shim = WasmShim(
            node.services,
            runtime=RUNTIME,
            engine=lambda: engine,
            memo=lambda: memo,
            modules=PrecompiledModules(
                node.services, runtime=RUNTIME.name, compile_per_kib=Constant(0), load=Constant(0)
            ),
            outbound=outbound,
        )
        program = WasmProgram(
            module=VISITS, digest=sha256_digest(VISITS), kind=WasmKind.HTTP, app=app
        )
        spec = TaskSpec(
            namespace="default", pod="web", uid="u1", container="main", attempt=0,
            program=program, ip="10.244.0.2", envs=envs,
        )  # fmt: skip
        task = shim.create(spec)
        node.cluster.do(task.start())
        node.cluster.run(1)
        return task

    return run


@pytest.fixture
def ask(node):
    """Send a request to the container; status and body of the answer."""

    def send(path: str, query: str = "", port: int = 80):
        request = HttpRequest(path=path, query=query, host="shop")
        answer = node.cluster.do(node.network.request("10.244.0.2", port, request))[0]
        if isinstance(answer, ConnectionRefused):
            return answer.reason
        return answer.response.status, answer.response.body.decode()

    return send


def logged(node) -> str:
    """Everything the container wrote."""
    journal = node.cluster.sim.journal
    return "\n".join(fact.line for _, fact in journal if isinstance(fact, LogWritten))


def test_every_route_has_its_component(start, ask):
    """Exact routes, wildcards, answers without a component, and nothing for other paths."""
    start()

    assert (200, "1") == ask("/visits")
    assert (403, "denied") == ask("/call", "bank")
    assert (410, "!") == ask("/old")
    assert (404, "") == ask("/nowhere")
    assert (404, "") == ask("/plain")


def test_variables_are_templates_of_the_applications(start, ask):
    """The environment gives them values, with the shim's prefix or without; else the default counts."""
    start(envs=(("SPIN_VARIABLE_TOKEN", "t0p"),))

    assert (200, "hello world") == ask("/variable", "greeting")
    assert (200, "t0p") == ask("/variable", "secret")


def test_a_variable_without_value_is_undefined(start, ask):
    """The component gets an error, its container runs."""
    start(envs=(("WHO", "you"),))

    assert (200, "hello you") == ask("/variable", "greeting")
    assert (404, "undefined") == ask("/variable", "secret")


def test_a_wagi_component_has_its_own_environment_files_and_arguments(start, ask):
    """What the container's environment has beside the variables does not get into it."""
    start(envs=(("CONTAINER", "no"),))
    _, answer = ask("/cgi/ada/x/", "a=1&b=2")
    words = answer.split("\0")

    assert ["run", "a=1", "b=2"] == words[:3]
    assert {"MODE=test", "X_PATH_MATCH_USER=ada", "PATH_INFO=/x/", "SCRIPT_NAME=/cgi/:user"} <= {
        *words
    }
    assert "X_MATCHED_ROUTE=/cgi/:user/..." in words
    assert "from the image" == words[-1]
    assert "CONTAINER=no" not in words


def test_a_component_calls_another_one_without_a_network(node, start, ask):
    """Also one with a private route; the called one makes an instance of its own."""
    start()
    began_ns = node.cluster.sim.now
    status, answer = ask("/call", "plain.spin.internal")

    assert (200, "200 ") == (status, answer[:4])
    assert "/" == json.loads(answer[4:])["path"]
    assert node.cluster.sim.now - began_ns >= 2 * MILLISECOND


def test_a_chain_must_be_allowed(node, start, ask):
    """What the manifest does not name is denied and recorded."""
    seen = []
    node.cluster.sim.journal.subscribe(lambda _at_ns, fact: seen.append(fact))
    start()

    assert (403, "denied") == ask("/call", "counter.spin.internal")
    assert ["http://counter.spin.internal"] == [
        fact.target for fact in seen if isinstance(fact, AccessDenied)
    ]


def test_a_component_calls_its_own_application(start, ask):
    """self.alt takes the routes as a client from outside would."""
    home = SpinTrigger(id="home", route="/", response=HttpResponse(body=b"home"))
    start(replace(APP, triggers=(*APP.triggers, home)))

    assert (200, "200 home") == ask("/call", "self.alt")


def test_a_chain_without_end_meets_the_limits(start, ask, monkeypatch):
    """A component that calls itself for ever is answered when no instance is left."""
    monkeypatch.setattr("kubesim.node.shim.pool.MAX_INSTANCE_COUNT", 40)
    loop = component("loop", VISITS, grants=SpinGrants(allowed_outbound_hosts=("http://self",)))
    app = replace(
        APP, components=(loop,), triggers=(SpinTrigger(id="l", route="/...", component="loop"),)
    )
    start(app)

    assert 200 == ask("/call", "self.alt")[0]


def test_spin_answers_for_itself(start, ask):
    """Health and info are there without any component."""
    start()

    assert (200, "OK") == ask("/.well-known/spin/health")
    assert {"name": "shop", "version": "1.2.3"} == json.loads(ask("/.well-known/spin/info")[1])
    assert (404, "") == ask("/.well-known/spin/other")


def test_only_selected_components_run(start, ask):
    """SPIN_COMPONENTS_TO_RETAIN leaves out the routes of the others."""
    start(envs=(("SPIN_COMPONENTS_TO_RETAIN", "counter,cgi"),))

    assert (200, "1") == ask("/visits")
    assert (404, "") == ask("/call", "bank")
    assert (404, "") == ask("/old")


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("counter,nobody", 'Specified component "nobody" not found in application'),
        ("chained", "cannot use service chaining to unselected component"),
        ("wild", "cannot use wildcard service chaining"),
    ],
)
def test_a_selection_that_cannot_run_ends_the_container(node, start, selection, message):
    """Spin's reason is in the log, the exit code is that of a shim's error."""
    chained, wild = (
        component(name, INFO, grants=SpinGrants(allowed_outbound_hosts=(host,)))
        for name, host in (
            ("chained", "http://plain.spin.internal"),
            ("wild", "http://*.spin.internal"),
        )
    )
    more = tuple(
        SpinTrigger(id=each.id, route=f"/{each.id}", component=each.id) for each in (chained, wild)
    )
    app = replace(
        APP, components=(*APP.components, chained, wild), triggers=(*APP.triggers, *more)
    )
    task = start(app, envs=(("SPIN_COMPONENTS_TO_RETAIN", selection),))

    assert (137, "Error") == (task.exited.value.exit_code, task.exited.value.reason)
    assert message in logged(node)


def test_the_last_of_equal_routes_counts_and_the_log_says_so(node, start, ask):
    """An image that another builder made may have a route twice."""
    twice = (
        SpinTrigger(id="x", route="/same", response=HttpResponse(body=b"first")),
        SpinTrigger(id="y", route="/same", response=HttpResponse(body=b"second")),
    )
    start(replace(APP, triggers=twice))

    assert (200, "second") == ask("/same")
    assert "  x: /same (duplicate of y)" in logged(node)


def test_the_listening_port_is_the_environments(start, ask):
    """SPIN_HTTP_LISTEN_ADDR is what the operator sets."""
    start(envs=(("SPIN_HTTP_LISTEN_ADDR", "0.0.0.0:3000"),))

    assert "connection refused" == ask("/old")
    assert (410, "!") == ask("/old", port=3000)
