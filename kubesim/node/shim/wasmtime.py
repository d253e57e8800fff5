"""containerd-shim-wasmtime: plain modules in Wasmtime.

Mirrors: containerd/runwasi crates/containerd-shim-wasmtime: a core module's ``_start``.
Departs: wasi:http components come with the component model; the real one has no WAGI, nor has this.
"""

from __future__ import annotations

from kubesim.wire.image import WasmKind

NAME = "containerd-shim-wasmtime-v1"
KINDS = frozenset({WasmKind.COMMAND})
