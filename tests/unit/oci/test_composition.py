"""A composed component: a middleware in Rust before a handler in C, as one."""

from __future__ import annotations

from pathlib import Path

from kubesim.oci.binary import read_face
from kubesim.oci.building import build
from kubesim.oci.inspection import open_image, report
from kubesim.oci.layout import Layout
from kubesim.oci.media import Form
from kubesim.oci.program import HTTP, WASMTIME_PORT, what_runs

FOLDER = Path(__file__).parents[2] / "fixtures" / "composition"
NEXT = "wasi:http/incoming-handler@0.2.0"


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
    runs = what_runs(image)
    assert (HTTP, WASMTIME_PORT) == (runs.kind, runs.port)
