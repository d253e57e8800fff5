"""containerd-shim-wasmedge: plain modules in WasmEdge.

Mirrors: containerd/runwasi crates/containerd-shim-wasmedge: a core module's ``_start``; no Compiler.
Departs: the module runs in wasmtime; only times and memory are WasmEdge's.
"""

from __future__ import annotations

from kubesim.wire.image import WasmKind

NAME = "containerd-shim-wasmedge-v1"
KINDS = frozenset({WasmKind.COMMAND})
COMPILES = False
