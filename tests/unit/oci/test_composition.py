"""A composed component: a middleware in Rust before a handler in C, as one."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from kubesim.facts import RequestCompleted
from kubesim.oci.binary import read_face
from kubesim.oci.building import build
from kubesim.oci.inspection import open_image, report
from kubesim.oci.layout import Layout
from kubesim.oci.media import Form
from kubesim.oci.program import HTTP, what_runs
from kubesim.scenario import Scenario
from kubesim.wasm import Engine, WasiContext
from kubesim.wasm.component import Component
from kubesim.wire.http import HttpRequest

FOLDER = Path(__file__).parents[2] / "fixtures" / "composition"
NEXT = "wasi:http/incoming-handler@0.2.0"

PODS = """apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: wasmtime}
handler: wasmtime
---
apiVersion: v1
kind: Pod
metadata: {name: gate, labels: {app: gate}}
spec:
  runtimeClassName: wasmtime
  containers: [{name: gate, image: "gate:v1", ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: gate}
spec:
  selector: {app: gate}
  ports: [{port: 80, targetPort: 8080}]
"""
POOLS = "[{name: pool, count: 1, capacity: {cpu: '4', memory: 8Gi}, runtimes: [runc, wasmtime]}]"
SPEC = """images: [{name: "gate:v1", oci: images}]
duration: 30s
traffic:
  - {name: friends, service: gate, from: 20s, rate: 10/s,
     request: {path: /a, headers: {authorization: me}}}
  - {name: strangers, service: gate, from: 20s, rate: 10/s, request: {path: /a}}
"""


def test_the_middleware_wants_a_handler() -> None:
    """Alone the middleware imports what it exports: the next handler."""
    face = read_face((FOLDER / "gate.wasm").read_bytes())
    assert [True, True] == [NEXT in face.imports, NEXT in face.exports]


def test_composed_is_one_component() -> None:
    """Composed, nothing is left to import but WASI, and both components are inside."""
    face = read_face((FOLDER / "composed.wasm").read_bytes())
    expected = {"wasi:io/error@0.2.0", "wasi:io/streams@0.2.0", "wasi:http/types@0.2.0"}
    assert (expected, (NEXT,)) == (set(face.imports), face.exports)
    assert (True, 0, True) == (face.is_component, face.modules, face.components >= 2)


def test_composed_image_is_one_http_program(tmp_path: Path) -> None:
    """An image of it has one layer, is inspected as one component, and answers HTTP."""
    built = build(FOLDER / "composed.wasm", Form.ARTIFACT)
    layout = Layout(tmp_path / "layout")
    layout.add("composed:v1", built.manifest, built.blobs)
    image = open_image(layout)
    (part,) = report(image, "composed:v1")["wasm"]
    assert ("component", [NEXT]) == (part["kind"], part["exports"])
    assert HTTP == what_runs(image).kind


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ((), 401, b"the gate: who are you?\n"),
        (
            (("Authorization", "Bearer me"),),
            200,
            b'"path":"/a?n=50","n":50,"fibonacci":12586269025',
        ),
    ],
)
def test_composed_answers_as_one(
    headers: tuple[tuple[str, str], ...], status: int, body: bytes
) -> None:
    """A stranger is turned away by the middleware; everyone else is answered by the handler."""
    engine = Engine(use_cache=False)
    component = engine.load((FOLDER / "composed.wasm").read_bytes())
    assert isinstance(component, Component)
    request = HttpRequest(path="/a", query="n=50", headers=headers)
    response = engine.handle(component, request, WasiContext()).response
    assert (status, True) == (response.status, body in response.body)


def test_composed_runs_as_one_app_in_a_cluster(
    tmp_path: Path, write_scenario: Callable[..., Path]
) -> None:
    """A pod of the composed image serves: friends reach the handler, strangers the middleware."""
    built = build(FOLDER / "composed.wasm", Form.ARTIFACT)
    Layout(tmp_path / "images").add("any", built.manifest, built.blobs)
    run = Scenario.load(write_scenario(SPEC, PODS, pools=POOLS)).run(seed=1)
    answers = {
        (fact.traffic, fact.status, fact.body_sha256)
        for _, fact in run.journal.of(RequestCompleted)
    }
    friendly = b'{"method":"GET","path":"/a","n":10,"fibonacci":55,"body_len":0,"body":""}'
    expected = {
        ("friends", 200, sha256(friendly).hexdigest()),
        ("strangers", 401, sha256(b"the gate: who are you?\n").hexdigest()),
    }
    assert expected == answers
