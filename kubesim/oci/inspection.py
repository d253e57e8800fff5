"""Looking into an image: its form, its layers, and what the Wasm in it wants and offers.

What is said comes from the blobs themselves, after their digests were checked; a config is
believed only where there is nothing else to look at.

Mirrors: ``oras manifest fetch``, ``wasm-tools component wit``, ``spin registry``; no one tool.
Departs: a component's WIT is given as its world's imports and exports, without their types.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubesim.errors import InputError
from kubesim.oci import media
from kubesim.oci.binary import WasmFace, read_face
from kubesim.oci.capabilities import capabilities_of
from kubesim.oci.layout import Layout
from kubesim.oci.manifest import Descriptor, Manifest, parse_object
from kubesim.oci.media import Form
from kubesim.wire.image import sha256_digest


@dataclass(frozen=True, slots=True)
class WasmPart:
    """One Wasm binary of an image.

    Attributes:
        name: The Spin component's id; its digest where it has no other name.
        wasm: The bytes.
        face: What it shows to the outside.
        files: A Spin component's files by their path.
    """

    name: str
    wasm: bytes = field(repr=False)
    face: WasmFace
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedTrigger:
    """A trigger of a locked application.

    Attributes:
        id: Its id.
        kind: ``http``, ``redis``, ...
        component: The component that it calls; empty when there is none.
        route: The route of an http trigger; empty when it is private or another trigger.
        executor: ``http`` or ``wagi``.
        config: All of its configuration.
    """

    id: str
    kind: str
    component: str = ""
    route: str = ""
    executor: str = "http"
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedImage:
    """An image with its blobs read and checked.

    Attributes:
        manifest: The manifest.
        form: Its form.
        config: The config.
        parts: The Wasm in it, in order; empty for a Linux image.
        triggers: Of a Spin application.
        locked: The locked application; empty for the other forms.
    """

    manifest: Manifest
    form: Form
    config: Mapping[str, Any]
    parts: tuple[WasmPart, ...]
    triggers: tuple[OpenedTrigger, ...] = ()
    locked: Mapping[str, Any] = field(default_factory=dict)


def open_image(layout: Layout, reference: str | None = None) -> OpenedImage:
    """Read an image from a layout.

    Args:
        layout: The folder.
        reference: The image's name or digest; needed when there are several.

    Raises:
        InputError: It is not there, is damaged, or is not what it says it is.
    """
    manifest = layout.manifest(reference)
    config = parse_object(layout.blob(manifest.config), f"config {manifest.config.digest}")
    form = form_of(manifest)
    if form is Form.SPIN:
        return _open_spin(layout, manifest, config)
    wasm_layers = [each for each in manifest.layers if each.media_type in media.WASM_LAYERS]
    if form is Form.ARTIFACT and len(wasm_layers) != 1:
        raise InputError(f"a Wasm artifact has one layer application/wasm, not {len(wasm_layers)}")
    parts = []
    for layer in wasm_layers:
        wasm = layout.blob(layer)
        parts.append(WasmPart(layer.digest, wasm, read_face(wasm, f"layer {layer.digest}")))
    return OpenedImage(manifest=manifest, form=form, config=config, parts=tuple(parts))


def form_of(manifest: Manifest) -> Form:
    """The form of an image, by the media types in its manifest."""
    kinds = {layer.media_type for layer in manifest.layers}
    if media.SPIN_APP_LAYER in kinds:
        return Form.SPIN
    if manifest.config.media_type == media.ARTIFACT_CONFIG:
        return Form.ARTIFACT
    return Form.RUNWASI if kinds & media.WASM_LAYERS else Form.LINUX


def _open_spin(layout: Layout, manifest: Manifest, config: dict[str, Any]) -> OpenedImage:
    layers = {layer.digest: layer for layer in manifest.layers}
    last = next(each for each in manifest.layers if each.media_type == media.SPIN_APP_LAYER)
    locked = parse_object(layout.blob(last), "the locked application")
    parts = []
    for component in _tables(locked, "components"):
        name = str(component.get("id", ""))
        content = component.get("source")
        what = f'component "{name}"'
        wasm = read_content(layout, content if isinstance(content, dict) else {}, layers, what)
        files = _files(layout, component, layers, what)
        parts.append(WasmPart(name, wasm, read_face(wasm, what), files))
    triggers = tuple(_trigger(each) for each in _tables(locked, "triggers"))
    return OpenedImage(
        manifest=manifest,
        form=Form.SPIN,
        config=config,
        parts=tuple(parts),
        triggers=triggers,
        locked=locked,
    )


def _files(
    layout: Layout, component: Mapping[str, Any], layers: Mapping[str, Descriptor], what: str
) -> dict[str, bytes]:
    """A component's files by their path.

    Raises:
        InputError: One is not there, or its path leaves the component's root.
    """
    listed = component.get("files")
    found: dict[str, bytes] = {}
    for file in listed if isinstance(listed, list) else []:
        if not isinstance(file, dict):
            continue
        path = str(file.get("path", ""))
        names = path.strip("/").split("/")
        if any(name in {"", ".", ".."} for name in names):
            raise InputError(f'{what}: the path "{path}" of a file is not inside its root')
        content = read_content(layout, file, layers, f'{what}: file "{path}"')
        found["/".join(names)] = content
    return found


def read_content(
    layout: Layout, content: Mapping[str, Any], layers: Mapping[str, Descriptor], what: str
) -> bytes:
    """What a content reference of a locked application stands for.

    Args:
        layout: Where the image is.
        content: ``inline`` with the bytes, or the ``digest`` of a layer.
        layers: The image's layers by digest.
        what: Its name in messages.

    Raises:
        InputError: It is not there, or not what its digest says.
    """
    digest, inline = content.get("digest"), content.get("inline")
    if isinstance(inline, str):
        try:
            data = base64.b64decode(inline, validate=True)
        except (binascii.Error, ValueError):
            raise InputError(f"{what}: its inline content is not base64") from None
        if isinstance(digest, str) and sha256_digest(data) != digest:
            raise InputError(f"{what}: its inline content has another digest than {digest}")
        return data
    if not isinstance(digest, str) or digest not in layers:
        raise InputError(f"{what}: the image has no layer {digest}")
    return layout.blob(layers[digest])


def _trigger(data: Mapping[str, Any]) -> OpenedTrigger:
    config = data.get("trigger_config")
    config = config if isinstance(config, dict) else {}
    executor = config.get("executor")
    route = config.get("route")
    return OpenedTrigger(
        id=str(data.get("id", "")),
        kind=str(data.get("trigger_type", "")),
        component=str(config.get("component", "")),
        route=route if isinstance(route, str) else "",
        executor=str(executor.get("type", "http")) if isinstance(executor, dict) else "http",
        config=config,
    )


def _tables(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    listed = data.get(name)
    if not isinstance(listed, list):
        raise InputError(f"the locked application has no {name}")
    return [each for each in listed if isinstance(each, dict)]


def report(image: OpenedImage, reference: str) -> dict[str, Any]:
    """What is to be said about an image, as plain data."""
    manifest = image.manifest
    data: dict[str, Any] = {
        "reference": reference,
        "digest": manifest.descriptor.digest,
        "form": image.form.value,
        "architecture": image.config.get("architecture"),
        "os": image.config.get("os"),
        "config": _blob(manifest.config),
        "layers": [_blob(layer) for layer in manifest.layers],
        "size": manifest.config.size_bytes + sum(each.size_bytes for each in manifest.layers),
        "imports": _all(part.face.imports for part in image.parts),
        "exports": _all(part.face.exports for part in image.parts),
        "capabilities": list(capabilities_of(_all(p.face.imports for p in image.parts))),
        "wasm": [_part(part) for part in image.parts],
    }
    if image.form is Form.SPIN:
        data["spin"] = _spin(image)
    return data


def _spin(image: OpenedImage) -> dict[str, Any]:
    metadata = image.locked.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    variables = image.locked.get("variables")
    return {
        "name": str(metadata.get("name", "")),
        "version": str(metadata.get("version", "")),
        "variables": variables if isinstance(variables, dict) else {},
        "triggers": [
            {
                "id": each.id,
                "type": each.kind,
                "component": each.component,
                "route": each.route,
                "executor": each.executor if each.kind == "http" else "",
                "config": each.config,
            }
            for each in image.triggers
        ],
        "components": [_component(each) for each in _tables(image.locked, "components")],
    }


def _component(data: Mapping[str, Any]) -> dict[str, Any]:
    metadata = data.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    files = data.get("files")
    return {
        "id": str(data.get("id", "")),
        "allowedOutboundHosts": _texts(metadata.get("allowed_outbound_hosts")),
        "keyValueStores": _texts(metadata.get("key_value_stores")),
        "sqliteDatabases": _texts(metadata.get("databases")),
        "aiModels": _texts(metadata.get("ai_models")),
        "variables": data.get("config", {}),
        "environment": data.get("env", {}),
        "files": [
            {"path": str(file.get("path", "")), "inline": "inline" in file}
            for file in (files if isinstance(files, list) else [])
            if isinstance(file, dict)
        ],
    }


def _part(part: WasmPart) -> dict[str, Any]:
    face = part.face
    data: dict[str, Any] = {
        "name": part.name,
        "size": len(part.wasm),
        "kind": "component" if face.is_component else "module",
        "imports": list(face.imports),
        "exports": list(face.exports),
        "capabilities": list(capabilities_of(face.imports)),
    }
    if face.is_component:
        data["modulesInside"] = face.modules
        data["componentsInside"] = face.components
        data["wit"] = wit_world(face)
    return data


def wit_world(face: WasmFace) -> str:
    """A component's outer face as a WIT world, without the types of plain functions."""
    lines = [f"  import {name};" for name in face.imports]
    lines += [f"  export {name};" for name in face.exports]
    return "\n".join(["world root {", *lines, "}"])


def _blob(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "digest": descriptor.digest,
        "size": descriptor.size_bytes,
        "mediaType": descriptor.media_type,
    }


def _texts(value: Any) -> list[str]:
    """A list of texts; empty where somebody wrote something else."""
    return [str(each) for each in value] if isinstance(value, list) else []


def _all(groups: Any) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group))
