"""Images of a scenario that are real: OCI image layouts on disk.

Layers are the manifest's, with its digests, sizes and media types; what runs is the Wasm in them,
after every blob was hashed. A Linux image has real layers and a modelled program.
"""

from __future__ import annotations

from pathlib import Path

from kubesim.cluster.engine import shared_engine
from kubesim.errors import InputError, Problem
from kubesim.manifests import Document
from kubesim.oci.inspection import OpenedImage, open_image
from kubesim.oci.layout import Layout
from kubesim.oci.media import Form
from kubesim.oci.program import what_runs
from kubesim.scenario.format import ImageSpec
from kubesim.wasm.errors import WasmError
from kubesim.wire.image import Image, Layer, LinuxProgram, WasmKind, WasmProgram, sha256_digest


def layout_image(
    spec: ImageSpec,
    linux: LinuxProgram | None,
    *,
    folder: Path,
    document: Document,
    path: tuple[str | int, ...],
) -> Image:
    """An image from the layout that ``spec.oci`` names.

    Args:
        spec: The image of the scenario.
        linux: The model of its program, for a Linux image.
        folder: What paths in the scenario are relative to.
        document: The scenario's document, for the places of problems.
        path: Where the image stands in it.

    Raises:
        InputError: The layout is not there, is damaged, or has nothing that can be run.
    """
    assert spec.oci is not None, spec
    layout = Layout(folder / spec.oci)
    try:
        reference = spec.oci_ref or _by_name(layout, spec.name)
        image = open_image(layout, reference)
        program = linux if linux is not None else _wasm(image)
        if linux is not None and image.form is not Form.LINUX:
            raise InputError(f"the image is Wasm ({image.form.value}) and needs no program")
    except InputError as error:
        messages = [problem.message for problem in error.problems]
        raise InputError(_placed(messages, spec, document, path)) from None
    except WasmError as error:
        raise InputError(_placed([f"its module {error}"], spec, document, path)) from None
    layers = tuple(
        Layer(digest=each.digest, size_bytes=each.size_bytes, media_type=each.media_type)
        for each in image.manifest.layers
    )
    digest = image.manifest.descriptor.digest
    return Image(name=spec.name, digest=digest, layers=layers, program=program)


def _placed(
    messages: list[str], spec: ImageSpec, document: Document, path: tuple[str | int, ...]
) -> list[Problem]:
    """Problems of a layout as problems of the line that names it."""
    where = (*path, "oci")
    return [document.problem(f'image "{spec.oci}": {message}', where) for message in messages]


def _by_name(layout: Layout, name: str) -> str | None:
    """The image of that name, when a layout has several; the only one otherwise."""
    return name if name in layout.references() else None


def _wasm(image: OpenedImage) -> WasmProgram:
    runs = what_runs(image)
    modules = [runs.wasm] if runs.app is None else [c.module for c in runs.app.components]
    for module in modules:
        shared_engine().load(module)
    return WasmProgram(
        module=runs.wasm,
        digest=sha256_digest(runs.wasm),
        kind=WasmKind(runs.kind),
        grants=runs.grants,
        app=runs.app,
        notes=runs.notes,
    )
