"""What a container of an image runs: one Wasm binary, or a Spin application of several.

A shim decides this when it starts a container. For Spin the triggers say it; for the other forms the
exports do: an HTTP handler serves, everything else runs to its end.

Mirrors: runwasi's wasmtime shim (target detection); containerd-shim-spin; Spin crates/trigger-http
    (HandlerType::from_instance_pre).
Departs: triggers other than HTTP and command are not fired, and said to be so; command triggers run
    only where they are alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubesim.errors import InputError
from kubesim.oci.inspection import OpenedImage, OpenedTrigger, WasmPart
from kubesim.oci.media import Form
from kubesim.wire.http import HttpResponse
from kubesim.wire.image import SpinApp, SpinComponent, SpinGrants, SpinTrigger, sha256_digest
from kubesim.wire.spinvariables import resolved

COMMAND, WAGI, HTTP = "command", "wagi", "http"

_HANDLERS = ("wasi:http/incoming-handler", "fermyon:spin/inbound-http", "wasi:http/handler")


@dataclass(frozen=True, slots=True)
class WhatRuns:
    """The binary, how it is used, and what it may reach.

    Attributes:
        wasm: The bytes; those of an application's first component that is used.
        kind: ``command``, ``wagi`` or ``http``.
        grants: What it may reach when nobody gives its application's variables other values.
        app: The whole Spin application.
        notes: What of it is not simulated, in words.
    """

    wasm: bytes = field(repr=False)
    kind: str
    grants: SpinGrants = field(default_factory=SpinGrants)
    app: SpinApp | None = None
    notes: tuple[str, ...] = ()


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
    served = tuple(_http(each, parts) for each in image.triggers if each.kind == "http")
    commands = [each for each in image.triggers if each.kind == "command"]
    kinds = list(dict.fromkeys(each.kind for each in image.triggers))
    if not served and len(commands) != 1:
        raise InputError(
            f"the application has no HTTP trigger; its triggers: {', '.join(kinds) or 'none'}"
        )
    metadata = _table(image.locked, "metadata")
    app = SpinApp(
        name=str(metadata.get("name", "")),
        version=str(metadata.get("version", "")),
        variables=_variables(image.locked),
        components=tuple(
            SpinComponent(
                id=part.name,
                module=part.wasm,
                digest=sha256_digest(part.wasm),
                grants=_grants(image.locked, part.name),
                environment=_environment(image.locked, part.name),
                files=tuple(part.files.items()),
            )
            for part in image.parts
        ),
        triggers=served,
        commands=tuple(_part(parts, each).name for each in commands),
    )
    simulated = {"http"} if served else {"command"}
    notes = tuple(f"its {kind} triggers are not fired" for kind in kinds if kind not in simulated)
    if not served:
        (name,), kind = app.commands, COMMAND
    else:
        first = next((each for each in served if each.component), None)
        name, kind = "", HTTP
        if first is not None:
            name, kind = first.component, WAGI if first.wagi else HTTP
    wasm = parts[name].wasm if name else b""
    grants = resolved(app, name) if name else SpinGrants()
    return WhatRuns(wasm, kind, grants, app, notes)


def _http(trigger: OpenedTrigger, parts: dict[str, WasmPart]) -> SpinTrigger:
    config = trigger.config
    private = isinstance(config.get("route"), dict)
    executor = config.get("executor")
    argv = executor.get("argv") if isinstance(executor, dict) else None
    wagi = False
    if trigger.component:
        wagi = _executor(trigger, _part(parts, trigger)) == WAGI
    elif not isinstance(config.get("static_response"), dict):
        raise InputError(f'trigger "{trigger.id}" has neither a component nor a static_response')
    return SpinTrigger(
        id=trigger.id,
        route=None if private else trigger.route,
        component=trigger.component,
        wagi=wagi,
        argv=argv if isinstance(argv, str) else "",
        response=None if trigger.component else _static(_table(config, "static_response")),
    )


def _static(response: Mapping[str, Any]) -> HttpResponse:
    status = response.get("status_code")
    body = response.get("body")
    return HttpResponse(
        status=status if isinstance(status, int) else 200,
        headers=tuple((name, str(value)) for name, value in _table(response, "headers").items()),
        body=body.encode() if isinstance(body, str) else b"",
    )


def _component(locked: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(
        each for each in locked["components"] if each.get("id") == name
    )
    return found


def _environment(locked: Mapping[str, Any], name: str) -> tuple[tuple[str, str], ...]:
    env = _table(_component(locked, name), "env")
    return tuple((variable, str(value)) for variable, value in env.items())


def _variables(locked: Mapping[str, Any]) -> tuple[tuple[str, str | None], ...]:
    """The application's variables and their defaults."""
    return tuple(
        (name, str(variable["default"]) if "default" in variable else None)
        for name, variable in _table(locked, "variables").items()
        if isinstance(variable, dict)
    )


def _grants(locked: Mapping[str, Any], name: str) -> SpinGrants:
    """What the manifest allows a component, templates and all."""
    component = _component(locked, name)
    metadata, config = _table(component, "metadata"), _table(component, "config")
    return SpinGrants(
        key_value_stores=tuple(_texts(metadata, "key_value_stores")),
        sqlite_databases=tuple(_texts(metadata, "databases")),
        variables=tuple((variable, str(value)) for variable, value in config.items()),
        allowed_outbound_hosts=tuple(_texts(metadata, "allowed_outbound_hosts")),
    )


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _texts(data: Mapping[str, Any], name: str) -> Iterable[str]:
    value = data.get(name)
    return (str(each) for each in value) if isinstance(value, list) else ()


def _executor(trigger: OpenedTrigger, part: WasmPart) -> str:
    if trigger.executor == WAGI:
        return WAGI
    if not any(part.face.offers(handler) for handler in _HANDLERS):
        raise InputError(
            f'component "{part.name}" exports no HTTP handler; '
            'for CGI its trigger needs executor = { type = "wagi" }'
        )
    return HTTP


def _part(parts: dict[str, WasmPart], trigger: OpenedTrigger) -> WasmPart:
    part = parts.get(trigger.component)
    if part is None:
        raise InputError(
            f'trigger "{trigger.id}" names the component "{trigger.component}", '
            "which the application does not have"
        )
    return part
