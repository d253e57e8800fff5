"""The three forms of an image, as their ecosystems push them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubesim.errors import InputError
from kubesim.oci import media
from kubesim.oci.building import BuiltImage, build
from kubesim.oci.layout import Layout
from kubesim.oci.media import Form
from kubesim.wire.image import sha256_digest

WriteSpin = Callable[..., Path]


def config_of(image: BuiltImage) -> Any:
    """The parsed config of an image."""
    return json.loads(image.blobs[image.manifest.config.digest])


def locked_of(image: BuiltImage) -> Any:
    """The parsed locked application of an image."""
    return json.loads(image.blobs[image.manifest.layers[-1].digest])


def test_runwasi_form(tmp_path: Path, module: bytes) -> None:
    """A module becomes an image for wasm/wasip1 with one layer of runwasi's type."""
    file = tmp_path / "app.wasm"
    file.write_bytes(module)
    image = build(file)
    digest = sha256_digest(module)
    expected = {
        "architecture": "wasm",
        "os": "wasip1",
        "config": {"Entrypoint": ["/app.wasm"]},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    }
    assert (Form.RUNWASI, expected) == (image.form, config_of(image))
    (layer,) = image.manifest.layers
    assert (media.RUNWASI_LAYER, digest) == (layer.media_type, layer.digest)
    assert media.IMAGE_CONFIG == image.manifest.config.media_type


def test_artifact_form(tmp_path: Path, component: bytes) -> None:
    """A component becomes a CNCF artifact that lists its interfaces."""
    file = tmp_path / "app.wasm"
    file.write_bytes(component)
    image = build(file, Form.ARTIFACT)
    expected = {
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [sha256_digest(component)],
        "component": {"exports": ["wasi:cli/run@0.2.0"], "imports": ["wasi:random/random@0.2.0"]},
    }
    assert expected == config_of(image)
    assert [media.ARTIFACT_LAYER] == [layer.media_type for layer in image.manifest.layers]
    assert media.ARTIFACT_CONFIG == image.manifest.config.media_type


def test_spin_form(write_spin: WriteSpin, module: bytes) -> None:
    """A Spin application has its modules and large files as layers, and its lock as the last."""
    image = build(write_spin())
    kinds = [layer.media_type for layer in image.manifest.layers]
    assert [media.SPIN_WASM_LAYER, media.SPIN_DATA_LAYER, media.SPIN_APP_LAYER] == kinds
    label = config_of(image)["config"]["Labels"][media.LOCKED_APP_LABEL]
    assert image.manifest.layers[-1].digest == label
    component = locked_of(image)["components"][0]
    assert sha256_digest(module) == component["source"]["digest"]
    expected = {
        "allowed_outbound_hosts": ["https://{{ host }}"],
        "key_value_stores": ["default"],
        "databases": ["orders"],
    }
    assert expected == component["metadata"]
    large, small = component["files"]
    assert ("assets/large.txt", False) == (large["path"], "inline" in large)
    assert b"s" * 128 == base64.b64decode(small["inline"])


def test_locked_trigger(write_spin: WriteSpin) -> None:
    """A trigger without an id gets the natural one, as Spin names it."""
    (trigger,) = locked_of(build(write_spin()))["triggers"]
    config = {"component": "cart", "executor": {"type": "wagi"}, "route": "/cart/..."}
    expected = {"id": "cart-http-trigger", "trigger_type": "http", "trigger_config": config}
    assert expected == trigger


def test_equal_layers_are_one(write_spin: WriteSpin) -> None:
    """Two components of the same module share its layer."""
    more = '[component.two]\nsource = "cart.wasm"\n\n[variables]'
    kinds = [each.media_type for each in build(write_spin(("[variables]", more))).manifest.layers]
    assert 1 == kinds.count(media.SPIN_WASM_LAYER)


def test_inline_component_gets_a_name(write_spin: WriteSpin) -> None:
    """A component that is written in its trigger is locked under a name made from the trigger."""
    spin = write_spin(('component = "cart"', 'component = { source = "cart.wasm" }'))
    locked = locked_of(build(spin))
    assert ["cart", "http-trigger1-component"] == [each["id"] for each in locked["components"]]
    assert "http-trigger1-component" == locked["triggers"][0]["trigger_config"]["component"]


def test_service_chaining_must_be_understood(write_spin: WriteSpin) -> None:
    """A component that calls another needs a host that can do so."""
    spin = write_spin(("https://{{ host }}", "http://other.spin.internal"))
    locked = locked_of(build(spin))
    assert (1, ["component_host_requirements"]) == (
        locked["spin_lock_version"],
        locked["must_understand"],
    )
    expected = {"local_service_chaining": "required"}
    assert expected == locked["components"][0]["host_requirements"]


def test_excluded_and_placed_files(write_spin: WriteSpin) -> None:
    """A placement moves a folder; what is excluded stays at home."""
    spin = write_spin(
        (
            'files = ["assets/*"]',
            'files = [{ source = "assets", destination = "/www" }]\nexclude_files = ["**/small.txt"]',
        )
    )
    files = locked_of(build(spin))["components"][0]["files"]
    assert ["www/large.txt"] == [file["path"] for file in files]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("assets/**/small.txt", ["assets/large.txt"]), ("./assets/s*", ["assets/large.txt"]),
        ("*", ["assets/large.txt", "assets/small.txt"]), ("assets/**", []), ("**/*.txt", []),
    ],
)  # fmt: skip
def test_exclude_patterns(write_spin: WriteSpin, pattern: str, left: list[str]) -> None:
    """A star stays in its folder, two stars go through any number of them."""
    more = f'files = ["assets/*"]\nexclude_files = ["{pattern}"]'
    locked = locked_of(build(write_spin(('files = ["assets/*"]', more))))
    assert left == [file["path"] for file in locked["components"][0].get("files", [])]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ('"../*"', "leaves the folder"),
        ('"nothing.txt"', "is not there"),
        ('{ source = "..", destination = "/" }', "outside of the folder"),
        ('{ source = "assets", destination = "www" }', "does not begin with a slash"),
    ],
)
def test_bad_files(write_spin: WriteSpin, files: str, message: str) -> None:
    """Files that are not there or not the application's are an error with a line."""
    spin = write_spin(('files = ["assets/*"]', f"files = [{files}]"))
    with pytest.raises(InputError, match=message) as raised:
        build(spin)
    assert 18 == raised.value.problems[0].line


def test_link_out_of_the_application(write_spin: WriteSpin) -> None:
    """A link to a file elsewhere is not followed into the image."""
    spin = write_spin()
    (spin.parent / "assets" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="link out of the application"):
        build(spin)


def test_missing_module(write_spin: WriteSpin) -> None:
    """A module that is not built yet is an error at its source."""
    spin = write_spin()
    (spin.parent / "cart.wasm").unlink()
    with pytest.raises(InputError, match="build it first") as raised:
        build(spin)
    assert 17 == raised.value.problems[0].line


def test_remote_source_is_refused(write_spin: WriteSpin) -> None:
    """Nothing is downloaded while building."""
    digest = "sha256:" + "0" * 64
    remote = f'source = {{ url = "https://example.com/a.wasm", digest = "{digest}" }}'
    with pytest.raises(InputError, match="only a module in a file"):
        build(write_spin(('source = "cart.wasm"', remote)))


@pytest.mark.parametrize("form", [Form.RUNWASI, Form.ARTIFACT])
def test_spin_toml_has_one_form(write_spin: WriteSpin, form: Form) -> None:
    """A Spin application does not go into the other forms."""
    with pytest.raises(InputError, match="has the form spin"):
        build(write_spin(), form)


def test_builds_are_reproducible(write_spin: WriteSpin, tmp_path: Path, module: bytes) -> None:
    """Two builds in two folders, added in another order, give the same bytes everywhere."""
    contents = []
    for folder, order in (("one", 1), ("two", -1)):
        file = tmp_path / folder / "app.wasm"
        file.parent.mkdir()
        file.write_bytes(module)
        images = {"a:v1": build(write_spin(folder=f"spin-{folder}")), "b:v1": build(file)}
        layout = Layout(tmp_path / f"layout-{folder}")
        for name in list(images)[::order]:
            layout.add(name, images[name].manifest, images[name].blobs)
        files = (path for path in sorted(layout.folder.rglob("*")) if path.is_file())
        contents.append({f.relative_to(layout.folder): f.read_bytes() for f in files})
    assert contents[0] == contents[1]
