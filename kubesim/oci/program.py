"""What a container of an image runs: one Wasm binary, and how it is used.

A shim decides this when it starts a container. For Spin the trigger's executor says it; for the
other forms the exports do: an HTTP handler serves, everything else runs to its end.

Mirrors: runwasi's wasmtime shim (target detection); containerd-shim-spin; Spin crates/trigger-http
    (HandlerType::from_instance_pre).
Departs: an application runs when one component answers all its HTTP triggers; other triggers of it
    are not fired, its files and environment are not handed to it. Templates are filled with the
    variables' defaults; what has none is not granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubesim.errors import InputError
from kubesim.oci.inspection import OpenedImage, SpinTrigger, WasmPart
from kubesim.oci.media import Form
from kubesim.wire.image import SpinGrants

COMMAND, WAGI, HTTP = "command", "wagi", "http"

_TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_HANDLERS = ("wasi:http/incoming-handler", "fermyon:spin/inbound-http", "wasi:http/handler")


@dataclass(frozen=True, slots=True)
class WhatRuns:
    """The binary, how it is used, and what it may reach.

    Attributes:
        wasm: The bytes.
        kind: ``command``, ``wagi`` or ``http``.
        grants: What a Spin application's manifest allows its component.
    """

    wasm: bytes = field(repr=False)
    kind: str
    grants: SpinGrants = field(default_factory=SpinGrants)


def what_runs(image: OpenedImage) -> WhatRuns:
    """What a container of an image runs.

    Raises:
        InputError: It is no Wasm image, or not one that can be run as one program.
    """
    if image.form is Form.LINUX:
        raise InputError("the image has no Wasm layer; say under program what runs in it")
    if image.form is Form.SPIN:
        return _spin(image)
    if len(image.parts) != 1:
        raise InputError(f"the image has {len(image.parts)} Wasm layers; one is run")
    part = image.parts[0]
    serves = any(part.face.offers(handler) for handler in _HANDLERS)
    return WhatRuns(part.wasm, HTTP if serves else COMMAND)


def _spin(image: OpenedImage) -> WhatRuns:
    parts = {part.name: part for part in image.parts}
    served = [each for each in image.triggers if each.kind == "http" and each.component]
    if not served:
        commands = [each for each in image.triggers if each.kind == "command"]
        if len(commands) != 1:
            kinds = ", ".join(dict.fromkeys(each.kind for each in image.triggers)) or "none"
            raise InputError(f"the application has no HTTP trigger; its triggers: {kinds}")
        part = _part(parts, commands[0])
        return WhatRuns(part.wasm, COMMAND, grants_of(image.locked, part.name))
    used = {(each.component, _executor(each, _part(parts, each))) for each in served}
    if len(used) != 1:
        names = ", ".join(sorted(name for name, _ in used))
        raise InputError(f"the application answers with several components ({names}); one is run")
    (name, kind) = used.pop()
    return WhatRuns(parts[name].wasm, kind, grants_of(image.locked, name))


def grants_of(locked: Mapping[str, Any], component: str) -> SpinGrants:
    """What a locked application allows one of its components."""
    found = next(each for each in locked["components"] if each.get("id") == component)
    metadata, config = _table(found, "metadata"), _table(found, "config")
    defaults = {
        name: str(variable["default"])
        for name, variable in _table(locked, "variables").items()
        if isinstance(variable, dict) and "default" in variable
    }
    filled = ((name, _filled(str(value), defaults)) for name, value in config.items())
    hosts = (_filled(host, defaults) for host in _texts(metadata, "allowed_outbound_hosts"))
    return SpinGrants(
        key_value_stores=tuple(_texts(metadata, "key_value_stores")),
        sqlite_databases=tuple(_texts(metadata, "databases")),
        variables=tuple((name, value) for name, value in filled if value is not None),
        allowed_outbound_hosts=tuple(host for host in hosts if host is not None),
    )


def _filled(template: str, values: Mapping[str, str]) -> str | None:
    """A template with its variables' values; ``None`` when one of them has none."""
    if any(name not in values for name in _TEMPLATE.findall(template)):
        return None
    return _TEMPLATE.sub(lambda match: values[match[1]], template)


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _texts(data: Mapping[str, Any], name: str) -> Iterable[str]:
    value = data.get(name)
    return (str(each) for each in value) if isinstance(value, list) else ()


def _executor(trigger: SpinTrigger, part: WasmPart) -> str:
    if trigger.executor == WAGI:
        return WAGI
    if not any(part.face.offers(handler) for handler in _HANDLERS):
        raise InputError(
            f'component "{part.name}" exports no HTTP handler; '
            'for CGI its trigger needs executor = { type = "wagi" }'
        )
    return HTTP


def _part(parts: dict[str, WasmPart], trigger: SpinTrigger) -> WasmPart:
    part = parts.get(trigger.component)
    if part is None:
        raise InputError(
            f'trigger "{trigger.id}" names the component "{trigger.component}", '
            "which the application does not have"
        )
    return part
