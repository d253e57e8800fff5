"""containerd-shim-wamr: plain modules in the WebAssembly Micro Runtime, an interpreter here.

Mirrors: containerd/runwasi crates/containerd-shim-wamr: a core module's ``_start``; no Compiler.
Departs: the module runs in wasmtime; only times and memory are WAMR's.
"""

from __future__ import annotations

from kubesim.wire.image import WasmKind

NAME = "containerd-shim-wamr-v1"
KINDS = frozenset({WasmKind.COMMAND})
COMPILES = False
