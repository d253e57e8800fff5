"""Building an image: a module, a component or a Spin application becomes manifest and blobs.

The three forms are what the three ecosystems really push. Nothing in them depends on when or where
they were built: no times, no paths, no names of machines.

Mirrors: runwasi crates/oci-tar-builder; the CNCF's wasm-oci-artifact; spin registry push.
Departs: no creation time and no author in the configs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kubesim.errors import InputError, Problem
from kubesim.oci import media
from kubesim.oci.binary import WasmFace, read_face
from kubesim.oci.manifest import Manifest, compose, describe, encode
from kubesim.oci.media import Form
from kubesim.oci.spinlock import encode_locked, lock
from kubesim.oci.spinreading import SpinApp, read_spin

ARCHITECTURE = "wasm"
SPIN_OS = "Wasip1"
RUNWASI_OS = "wasip1"


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that is not yet anywhere.

    Attributes:
        form: Its form.
        manifest: The manifest.
        blobs: Config and layers by digest.
    """

    form: Form
    manifest: Manifest
    blobs: dict[str, bytes] = field(repr=False)


def build(source: Path, form: Form | None = None) -> BuiltImage:
    """Build an image.

    Args:
        source: A Wasm binary, a ``spin.toml``, or the folder of one.
        form: Its form; by default Spin's for a ``spin.toml``, and runwasi's for a binary.

    Raises:
        InputError: The source cannot be read, or does not go into that form.
    """
    if source.is_dir():
        source /= "spin.toml"
    if source.suffix == ".toml":
        app = read_spin(source)
        if form not in (None, Form.SPIN):
            message = f"a Spin application has the form spin, not {form.value}"
            raise InputError(Problem(message=message, file=str(source)))
        return _spin(app)
    try:
        wasm = source.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(Problem(message=f"cannot be read: {why}", file=str(source))) from None
    face = read_face(wasm, f'"{source}"')
    if form is Form.SPIN:
        message = "the form spin is made from a spin.toml that names the module"
        raise InputError(Problem(message=message, file=str(source)))
    if form is Form.ARTIFACT:
        return _artifact(wasm, face)
    return _runwasi(wasm, source.name)


def _runwasi(wasm: bytes, name: str) -> BuiltImage:
    layer = describe(wasm, media.RUNWASI_LAYER)
    config = encode(
        {
            "architecture": ARCHITECTURE,
            "os": RUNWASI_OS,
            "config": {"Entrypoint": [f"/{name}"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        }
    )
    described = describe(config, media.IMAGE_CONFIG)
    blobs = {described.digest: config, layer.digest: wasm}
    return BuiltImage(Form.RUNWASI, compose(described, (layer,)), blobs)


def _artifact(wasm: bytes, face: WasmFace) -> BuiltImage:
    layer = describe(wasm, media.ARTIFACT_LAYER)
    about: dict[str, object] = {
        "architecture": ARCHITECTURE,
        "os": face.target,
        "layerDigests": [layer.digest],
    }
    if face.is_component:
        about["component"] = {"exports": list(face.exports), "imports": list(face.imports)}
    config = encode(about)
    described = describe(config, media.ARTIFACT_CONFIG)
    blobs = {described.digest: config, layer.digest: wasm}
    return BuiltImage(Form.ARTIFACT, compose(described, (layer,)), blobs)


def _spin(app: SpinApp) -> BuiltImage:
    locked = lock(app)
    content = encode_locked(locked)
    last = describe(content, media.SPIN_APP_LAYER)
    layers = (*locked.layers, last)
    config = encode(
        {
            "architecture": ARCHITECTURE,
            "os": SPIN_OS,
            "config": {"Labels": {media.LOCKED_APP_LABEL: last.digest}},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        }
    )
    described = describe(config, media.IMAGE_CONFIG)
    application = app.manifest.application
    about = {
        "org.opencontainers.image.title": application.name,
        "org.opencontainers.image.version": application.version,
        "org.opencontainers.image.description": application.description,
        "org.opencontainers.image.authors": ", ".join(application.authors),
    }
    annotations = {name: value for name, value in about.items() if value}
    blobs = {**locked.blobs, described.digest: config, last.digest: content}
    return BuiltImage(Form.SPIN, compose(described, layers, annotations), blobs)
