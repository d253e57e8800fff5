"""What a container of an image runs: one Wasm binary, and how it is used.

A shim decides this when it starts a container. For Spin the trigger's executor says it; for the
other forms the exports do: an HTTP handler serves, everything else runs to its end.

Mirrors: runwasi's wasmtime shim (target detection); containerd-shim-spin; Spin crates/trigger-http
    (HandlerType::from_instance_pre).
Departs: an application runs when one component answers all its HTTP triggers; other triggers of it
    are not fired.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kubesim.errors import InputError
from kubesim.oci.inspection import OpenedImage, SpinTrigger, WasmPart
from kubesim.oci.media import Form

COMMAND, WAGI, HTTP = "command", "wagi", "http"

SPIN_PORT = 80
WASMTIME_PORT = 8080

_HANDLERS = ("wasi:http/incoming-handler", "fermyon:spin/inbound-http", "wasi:http/handler")


@dataclass(frozen=True, slots=True)
class WhatRuns:
    """The binary, how it is used, and where it listens.

    Attributes:
        wasm: The bytes.
        kind: ``command``, ``wagi`` or ``http``.
        port: The port that its shim listens on.
    """

    wasm: bytes = field(repr=False)
    kind: str
    port: int


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
    return WhatRuns(part.wasm, HTTP if serves else COMMAND, WASMTIME_PORT)


def _spin(image: OpenedImage) -> WhatRuns:
    parts = {part.name: part for part in image.parts}
    served = [each for each in image.triggers if each.kind == "http" and each.component]
    if not served:
        commands = [each for each in image.triggers if each.kind == "command"]
        if len(commands) != 1:
            kinds = ", ".join(dict.fromkeys(each.kind for each in image.triggers)) or "none"
            raise InputError(f"the application has no HTTP trigger; its triggers: {kinds}")
        return WhatRuns(_part(parts, commands[0]).wasm, COMMAND, SPIN_PORT)
    used = {(each.component, _executor(each, _part(parts, each))) for each in served}
    if len(used) != 1:
        names = ", ".join(sorted(name for name, _ in used))
        raise InputError(f"the application answers with several components ({names}); one is run")
    (_, kind) = used.pop()
    return WhatRuns(_part(parts, served[0]).wasm, kind, SPIN_PORT)


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
