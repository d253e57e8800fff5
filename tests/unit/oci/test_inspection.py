"""Layouts read back, damaged ones refused, and ``kubesim image`` on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.cli import main as cli
from kubesim.errors import InputError
from kubesim.oci import media
from kubesim.oci.building import build
from kubesim.oci.inspection import open_image, report
from kubesim.oci.layout import Layout
from kubesim.oci.manifest import compose, describe, encode
from kubesim.oci.media import Form

WriteSpin = Callable[..., Path]
Kubesim = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kubesim(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Kubesim:
    """Calls ``kubesim`` in this process with an image store of its own."""
    monkeypatch.setenv("KUBESIM_CACHE_DIR", str(tmp_path / "store"))

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kubesim", *args])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def layout(tmp_path: Path, write_spin: WriteSpin) -> Layout:
    """A layout with the Spin application ``shop:v1``."""
    built = build(write_spin())
    layout = Layout(tmp_path / "layout")
    layout.add("shop:v1", built.manifest, built.blobs)
    return layout


def test_spin_report(layout: Layout) -> None:
    """A Spin image says its triggers, routes, hosts, stores and files."""
    data = report(open_image(layout), "shop:v1")
    assert ("spin", "shop", "1.2.3") == (
        data["form"], data["spin"]["name"], data["spin"]["version"]
    )  # fmt: skip
    (trigger,) = data["spin"]["triggers"]
    assert ("http", "/cart/...", "cart") == (
        trigger["type"], trigger["route"], trigger["component"]
    )  # fmt: skip
    (component,) = data["spin"]["components"]
    assert ["https://{{ host }}"] == component["allowedOutboundHosts"]
    assert (["default"], ["orders"]) == (
        component["keyValueStores"], component["sqliteDatabases"]
    )  # fmt: skip
    expected = [("assets/large.txt", False), ("assets/small.txt", True)]
    assert expected == [(file["path"], file["inline"]) for file in component["files"]]
    assert ["filesystem", "import env.memory", "stdio"] == data["capabilities"]


def test_component_report(tmp_path: Path, component: bytes) -> None:
    """A component says its world."""
    (tmp_path / "c.wasm").write_bytes(component)
    built = build(tmp_path / "c.wasm", Form.ARTIFACT)
    layout = Layout(tmp_path / "layout")
    layout.add("c", built.manifest, built.blobs)
    (part,) = report(open_image(layout), "c")["wasm"]
    expected = "world root {\n  import wasi:random/random@0.2.0;\n  export wasi:cli/run@0.2.0;\n}"
    assert ("component", expected) == (part["kind"], part["wit"])
    assert (1, 2) == (part["modulesInside"], part["componentsInside"])


def test_small_wasm_may_be_inline(tmp_path: Path) -> None:
    """A locked application's module is found in its JSON too, and its digest is checked."""
    locked = {
        "spin_lock_version": 0,
        "triggers": [],
        "components": [{"id": "a", "source": {"inline": "AGFzbQEAAAA="}}],
    }
    for digest, ok in ((None, True), ("sha256:" + "0" * 64, False)):
        if digest:
            locked["components"][0]["source"]["digest"] = digest  # type: ignore[index]
        content, config = encode(locked), encode({})
        layer = describe(content, media.SPIN_APP_LAYER)
        about = describe(config, media.IMAGE_CONFIG)
        layout = Layout(tmp_path / str(ok))
        blobs = {layer.digest: content, about.digest: config}
        layout.add("a", compose(about, (layer,)), blobs)
        if ok:
            assert ["a"] == [part.name for part in open_image(layout).parts]
        else:
            with pytest.raises(InputError, match="another digest"):
                open_image(layout)


def test_changed_blob_is_found(layout: Layout) -> None:
    """A blob with another content than its digest says is not used."""
    for layer in layout.manifest().layers:
        path = layout.folder / "blobs" / "sha256" / layer.digest.removeprefix("sha256:")
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match="other content than its digest"):
        open_image(layout)


def test_cut_blob_is_found(layout: Layout) -> None:
    """A blob of another length than the manifest says is not used."""
    layer = layout.manifest().layers[-1]
    path = layout.folder / "blobs" / "sha256" / layer.digest.removeprefix("sha256:")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=f"bytes, not {layer.size_bytes}"):
        open_image(layout)


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "md5:00", 7, "sha256:" + "A" * 64])
def test_digest_that_is_none(layout: Layout, digest: object) -> None:
    """A digest that could be a path is refused before anything is opened."""
    index = layout.folder / "index.json"
    data = json.loads(index.read_text())
    data["manifests"][0]["digest"] = digest
    index.write_text(json.dumps(data))
    with pytest.raises(InputError, match="has the digest"):
        open_image(layout)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"manifests": 3}', '{"manifests": [3]}'])
def test_bad_index(layout: Layout, text: str) -> None:
    """An index that is none is an input error."""
    (layout.folder / "index.json").write_text(text)
    with pytest.raises(InputError, match=r"index\.json"):
        open_image(layout)


def test_several_images(layout: Layout, tmp_path: Path, module: bytes) -> None:
    """With several images in a layout one must say which; an unknown one is answered with all."""
    (tmp_path / "m.wasm").write_bytes(module)
    built = build(tmp_path / "m.wasm")
    layout.add("m:v1", built.manifest, built.blobs)
    with pytest.raises(InputError, match="2 images; say which: m:v1, shop:v1"):
        layout.manifest()
    with pytest.raises(InputError, match='no image "x"; it has: m:v1, shop:v1'):
        layout.manifest("x")
    assert Form.RUNWASI is open_image(layout, built.manifest.descriptor.digest).form


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, module: bytes) -> None:
    """A layout is not written into a folder that has something else."""
    file = tmp_path / "m.wasm"
    file.write_bytes(module)
    built = build(file)
    with pytest.raises(InputError, match="is not an OCI image layout"):
        Layout(tmp_path).add("m", built.manifest, built.blobs)
    assert ["m.wasm"] == [path.name for path in tmp_path.iterdir()]


def test_build_and_inspect_by_name(kubesim: Kubesim, write_spin: WriteSpin) -> None:
    """What is built is found by its name, and printed for people and for programs."""
    code, out, _ = kubesim("image", "build", str(write_spin()), "-t", "example.com/shop:v1")
    assert (0, True) == (code, out.startswith("example.com/shop:v1 sha256:"))
    _, text, _ = kubesim("image", "inspect", "example.com/shop:v1")
    for expected in ("trigger http /cart/... -> cart wagi", "SQLite databases: orders", "stdio"):
        assert expected in text
    _, out, _ = kubesim("image", "inspect", "example.com/shop:v1", "-o", "json")
    assert "spin" == json.loads(out)["form"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("build", "nothing.wasm", "-t", "a:v1"), "nothing.wasm: cannot be read"),
        (("build", "spin.toml", "-t", "A:v1"), "is not a repository"),
        (("build", "spin.toml", "-t", "a@sha256:00"), "named by a tag"),
        (("inspect", "nothing"), "neither the folder of an OCI layout"),
    ],
)
def test_mistakes_exit_2(kubesim: Kubesim, args: tuple[str, ...], message: str) -> None:
    """A mistake of the user's is one line on standard error and exit code 2."""
    code, _, err = kubesim("image", *args)
    assert (2, True) == (code, message in err), err


@pytest.mark.parametrize(
    "change",
    [
        {"components": 3}, {"triggers": None}, {"metadata": []}, {"variables": 3},
        {"triggers": [3, {"trigger_config": 3}, {"trigger_config": {"executor": "x", "route": 3}}]},
        {"components": [{"id": 3, "metadata": 3, "files": 3, "source": {"inline": "AGFzbQEAAAA="}}]},
        {"components": [{"metadata": {"key_value_stores": "x", "ai_models": [3]}, "files": [3],
                         "source": {"inline": "AGFzbQEAAAA="}}]},
        {"components": [{"source": 3}]}, {"components": [{"source": {"inline": "!"}}]},
    ],
)  # fmt: skip
def test_strange_locked_applications(
    kubesim: Kubesim, tmp_path: Path, change: dict[str, object]
) -> None:
    """Whatever somebody locked, inspecting it is a report or a mistake, never a bug."""
    content = encode({"spin_lock_version": 0, "triggers": [], "components": [], **change})
    layer, config = describe(content, media.SPIN_APP_LAYER), encode({})
    about = describe(config, media.IMAGE_CONFIG)
    blobs = {layer.digest: content, about.digest: config}
    Layout(tmp_path / "odd").add("odd", compose(about, (layer,)), blobs)
    for output in ("text", "json"):
        code, _, err = kubesim("image", "inspect", str(tmp_path / "odd"), "-o", output)
        assert code in (0, 2), err


def test_names_do_not_command_the_terminal(
    kubesim: Kubesim, write_spin: WriteSpin, tmp_path: Path
) -> None:
    """Control characters in an image's names are shown, not sent."""
    spin = write_spin(('name = "shop"', 'name = "sh\\u001b[2Jop"'))
    kubesim("image", "build", str(spin), "-t", "a:v1", "-o", str(tmp_path / "l"))
    _, out, _ = kubesim("image", "inspect", str(tmp_path / "l"))
    assert ("application   sh\\x1b[2Jop 1.2.3", False) == (
        next(line for line in out.splitlines() if line.startswith("application")),
        "\x1b" in out,
    )
