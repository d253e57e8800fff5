"""containerd-shim-wasmtime: plain modules in Wasmtime.

Mirrors: containerd/runwasi crates/containerd-shim-wasmtime: a core module's ``_start``, a component's
``wasi:cli/run`` or ``wasi:http/incoming-handler`` (on port 8080). The real one has no WAGI, nor has
this.
"""

from __future__ import annotations

from kubesim.wire.image import WasmKind

NAME = "containerd-shim-wasmtime-v1"
KINDS = frozenset({WasmKind.HTTP, WasmKind.COMMAND})
COMPILES = True
DEFAULT_PORT = 8080
