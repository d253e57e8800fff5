"""A scenario whose images are real OCI layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.errors import InputError
from kubesim.facts import RequestCompleted
from kubesim.oci import media
from kubesim.oci.building import build
from kubesim.oci.layout import Layout
from kubesim.oci.manifest import compose, describe, encode
from kubesim.oci.media import Form
from kubesim.scenario import Scenario
from kubesim.scenario.loading import load_scenario
from kubesim.share import share_path
from kubesim.wire.image import LinuxProgram, SpinGrants, WasmKind, WasmProgram, sha256_digest

WriteSpin = Callable[..., Path]
WriteScenario = Callable[..., Path]

MODULES = share_path("scenarios") / "mixed-pool" / "modules"
REPORT = MODULES / "report" / "report.wasm"
GREETER = MODULES / "greeter" / "greeter.wasm"

COMPOSED = Path(__file__).parents[2] / "fixtures" / "composition" / "composed.wasm"

PODS = """apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: wasmtime}
handler: wasmtime
---
apiVersion: v1
kind: Pod
metadata: {name: job}
spec:
  runtimeClassName: wasmtime
  restartPolicy: Never
  containers: [{name: job, image: "report:v1"}]
"""
POOLS = "[{name: pool, count: 1, capacity: {cpu: '4', memory: 8Gi}, runtimes: [runc, wasmtime]}]"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A layout with a command in two forms."""
    layout = Layout(tmp_path / "images")
    for form in (Form.RUNWASI, Form.ARTIFACT):
        built = build(REPORT, form)
        layout.add(f"report:{form.value}", built.manifest, built.blobs)
    return layout


def images(spec: str) -> str:
    """The scenario's images."""
    return f"images:\n  - {{name: 'report:v1', {spec}}}"


def test_layers_are_the_manifests(layout: Layout, write_scenario: WriteScenario) -> None:
    """Digest, size and media type of each layer and the image's digest are the real ones."""
    for form, media_type in (
        ("runwasi", media.RUNWASI_LAYER),
        ("artifact", media.ARTIFACT_LAYER),
    ):
        file = write_scenario(images(f"oci: images, ociRef: 'report:{form}'"))
        (image,) = load_scenario(file).images
        (layer,) = image.layers
        content = REPORT.read_bytes()
        assert (sha256_digest(content), len(content), media_type) == (
            layer.digest, layer.size_bytes, layer.media_type
        )  # fmt: skip
        assert layout.manifest(f"report:{form}").descriptor.digest == image.digest
        assert isinstance(image.program, WasmProgram)
        assert (WasmKind.COMMAND, content) == (image.program.kind, image.program.module)


def test_the_module_in_it_runs(layout: Layout, write_scenario: WriteScenario) -> None:
    """A pod of a real image writes what the pod of the bare module writes."""
    logs = []
    for spec in ("oci: images, ociRef: 'report:runwasi'", f"wasm: {{module: '{REPORT}'}}"):
        file = write_scenario(f"{images(spec)}\nduration: 60s", PODS, pools=POOLS)
        pod = Scenario.load(file).run(seed=1).pod("job")
        assert "Succeeded" == pod["phase"]
        logs.append(pod["log"])
    assert any("sieve" in line for line in logs[0])
    assert logs[0] == logs[1]


def test_spin_image_by_its_executor(
    tmp_path: Path, write_spin: WriteSpin, write_scenario: WriteScenario
) -> None:
    """A Spin application with a wagi executor is a WAGI image; its grants are its manifest's."""
    spin = write_spin()
    (spin.parent / "cart.wasm").write_bytes(GREETER.read_bytes())
    built = build(spin)
    Layout(tmp_path / "images").add("any", built.manifest, built.blobs)
    (image,) = load_scenario(write_scenario(images("oci: images"))).images
    assert isinstance(image.program, WasmProgram)
    expected = SpinGrants(
        key_value_stores=("default",),
        sqlite_databases=("orders",),
        variables=(("where", "example.com"),),
        allowed_outbound_hosts=("https://example.com",),
    )
    assert (WasmKind.WAGI, expected) == (image.program.kind, image.program.grants)
    assert [each.digest for each in built.manifest.layers] == [
        each.digest for each in image.layers
    ]


def test_spin_image_of_a_component(
    tmp_path: Path, write_spin: WriteSpin, write_scenario: WriteScenario
) -> None:
    """Without an executor a component answers HTTP; what waits for a value is not granted."""
    spin = write_spin(
        ('executor = { type = "wagi" }', ""),
        ('{ default = "example.com" }', "{ required = true }"),
    )
    (spin.parent / "cart.wasm").write_bytes(COMPOSED.read_bytes())
    built = build(spin)
    Layout(tmp_path / "images").add("any", built.manifest, built.blobs)
    (image,) = load_scenario(write_scenario(images("oci: images"))).images
    assert isinstance(image.program, WasmProgram)
    grants = image.program.grants
    assert (WasmKind.HTTP, (), ()) == (
        image.program.kind, grants.variables, grants.allowed_outbound_hosts
    )  # fmt: skip


def test_image_of_its_own_name(layout: Layout, write_scenario: WriteScenario) -> None:
    """Of several images in a layout, the one with the scenario's name is taken."""
    built = build(REPORT)
    layout.add("report:v1", built.manifest, built.blobs)
    (image,) = load_scenario(write_scenario(images("oci: images"))).images
    assert built.manifest.descriptor.digest == image.digest


def test_linux_image_with_real_layers(tmp_path: Path, write_scenario: WriteScenario) -> None:
    """A Linux image brings its layers, and the scenario the model of its program."""
    blobs = {sha256_digest(each): each for each in (b"base", b"app", encode({}))}
    kinds = ["application/vnd.oci.image.layer.v1.tar+gzip"] * 2 + [media.IMAGE_CONFIG]
    *layers, config = map(describe, blobs.values(), kinds)
    Layout(tmp_path / "images").add("any", compose(config, tuple(layers)), blobs)
    (image,) = load_scenario(write_scenario(images("oci: images, program: {workers: 3}"))).images
    assert isinstance(image.program, LinuxProgram)
    assert (3, 2, 7) == (image.program.workers, len(image.layers), image.size_bytes)
    with pytest.raises(InputError, match="has no Wasm layer; say under program"):
        load_scenario(write_scenario(images("oci: images")))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("oci: nowhere", "is not an OCI image layout: No such file"),
        ("oci: images", "2 images; say which: report:artifact, report:runwasi"),
        ("oci: images, ociRef: 'x:v1'", 'has no image "x:v1"; it has: report:artifact'),
        (
            "oci: images, ociRef: 'report:runwasi', program: {}",
            r"is Wasm \(runwasi\) and needs no",
        ),
        ("oci: images, wasm: {module: a.wasm}", "oci brings its own layers"),
        ("ociRef: 'x:v1', wasm: {module: a.wasm}", "ociRef goes with oci"),
    ],
)
def test_mistakes(layout: Layout, write_scenario: WriteScenario, spec: str, message: str) -> None:
    """A mistake has the file, the line and the column of the image in the scenario."""
    with pytest.raises(InputError, match=message) as raised:
        load_scenario(write_scenario(images(spec)))
    (problem,) = raised.value.problems
    assert (7, True) == (problem.line, problem.column > 0)


def test_damaged_layer(layout: Layout, write_scenario: WriteScenario) -> None:
    """A layer that is not what its digest says is found before anything runs."""
    digest = sha256_digest(REPORT.read_bytes()).removeprefix("sha256:")
    path = layout.folder / "blobs" / "sha256" / digest
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(InputError, match="other content than its digest says"):
        load_scenario(write_scenario(images("oci: images, ociRef: 'report:runwasi'")))


TWO = """[[trigger.http]]
route = "/two"
component = "two"
executor = { type = "wagi" }
[[trigger.http]]
route = { private = true }
component = "two"
executor = { type = "wagi" }
[component.two]
source = "cart.wasm"
environment = { MODE = "x" }
"""
CRON = """[[trigger.cron]]
cron-expression = "* * * * * *"
component = "two"
[variables]"""
NO_EXECUTOR = ('executor = { type = "wagi" }', "")
REDIS = ('[[trigger.http]]\nroute = "/cart/..."', '[[trigger.redis]]\nchannel = "c"')


def test_spin_application_of_several_components(
    tmp_path: Path, write_spin: WriteSpin, write_scenario: WriteScenario
) -> None:
    """Every component comes with its routes, files and templates; what is not fired is said."""
    spin = write_spin(("[variables]", TWO + CRON))
    (spin.parent / "cart.wasm").write_bytes(GREETER.read_bytes())
    built = build(spin)
    Layout(tmp_path / "images").add("any", built.manifest, built.blobs)
    loaded = load_scenario(write_scenario(images("oci: images")))
    (image,) = loaded.images
    assert isinstance(image.program, WasmProgram)
    app = image.program.app
    assert app is not None
    assert ("shop", "1.2.3", (("host", "example.com"),)) == (app.name, app.version, app.variables)
    assert [("/two", "two", True), (None, "two", True), ("/cart/...", "cart", True)] == [
        (trigger.route, trigger.component, trigger.wagi) for trigger in app.triggers
    ]
    two, cart = app.components
    assert ("assets/large.txt", "assets/small.txt") == tuple(path for path, _ in cart.files)
    assert (("where", "{{ host }}"),) == cart.grants.variables
    assert ((("MODE", "x"),), ()) == (two.environment, two.files)
    assert ('image "report:v1": its cron triggers are not fired',) == loaded.unsimulated


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ((NO_EXECUTOR,), "exports no HTTP handler"),
        ((REDIS, NO_EXECUTOR), "no HTTP trigger; its triggers: redis"),
    ],
)
def test_spin_application_that_cannot_be_run(
    tmp_path: Path,
    write_spin: WriteSpin,
    write_scenario: WriteScenario,
    changes: tuple[tuple[str, str], ...],
    message: str,
) -> None:
    """What is not one HTTP component is refused with a reason."""
    built = build(write_spin(*changes))
    Layout(tmp_path / "images").add("any", built.manifest, built.blobs)
    with pytest.raises(InputError, match=message):
        load_scenario(write_scenario(images("oci: images")))


SHOP = """spin_manifest_version = 2
[application]
name = "shop"
[[trigger.http]]
route = "/call"
component = "front"
[[trigger.http]]
route = { private = true }
component = "back"
[[trigger.http]]
route = "/cgi/:id/..."
component = "cgi"
executor = { type = "wagi" }
[[trigger.http]]
route = "/old"
static_response = { body = "kept" }
[component.front]
source = "visits.wasm"
allowed_outbound_hosts = ["http://back.spin.internal"]
[component.back]
source = "httpinfo.wasm"
[component.cgi]
source = "greeter.wasm"
"""
SHOP_PODS = """apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: spin}
handler: spin
---
apiVersion: v1
kind: Pod
metadata: {name: shop, labels: {app: shop}}
spec:
  runtimeClassName: spin
  containers: [{name: shop, image: "report:v1"}]
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
"""
SHOP_TRAFFIC = """
duration: 60s
traffic:
  - {name: call, service: shop, from: 40s, rate: 1/s, request: {path: /call, query: back.spin.internal}}
  - {name: cgi, service: shop, from: 40s, rate: 1/s, request: {path: /cgi/7/x, query: "n=5"}}
  - {name: old, service: shop, from: 40s, rate: 1/s, request: {path: /old}}
  - {name: nowhere, service: shop, from: 40s, rate: 1/s, request: {path: /nowhere}}
"""


def test_all_routes_of_an_application_are_served_in_a_cluster(
    tmp_path: Path, write_scenario: WriteScenario
) -> None:
    """Components, a chain between them, WAGI and a fixed answer; what has no route is a 404."""
    components = COMPOSED.parents[1] / "wasm" / "components"
    folder = tmp_path / "shop"
    folder.mkdir()
    for module in (components / "visits.wasm", components / "httpinfo.wasm", GREETER):
        (folder / module.name).write_bytes(module.read_bytes())
    (folder / "spin.toml").write_text(SHOP)
    built = build(folder)
    Layout(tmp_path / "images").add("any", built.manifest, built.blobs)
    pools = POOLS.replace("wasmtime", "spin")
    file = write_scenario(images("oci: images") + SHOP_TRAFFIC, SHOP_PODS, pools=pools)
    run = Scenario.load(file).run(seed=1)
    rows = {row["name"]: row for row in run.traffic}

    for name in ("call", "cgi", "old"):
        assert rows[name]["completed"] == rows[name]["sent"] > 5, name
    answered = [fact for _, fact in run.journal if isinstance(fact, RequestCompleted)]
    assert {("call", 200), ("cgi", 200), ("old", 200), ("nowhere", 404)} == {
        (fact.traffic, fact.status) for fact in answered
    }
