"""containerd-shim-wasmer: plain modules in Wasmer.

Mirrors: containerd/runwasi crates/containerd-shim-wasmer: a core module's ``_start``; no Compiler, so
nothing is kept from one start to the next.
Departs: the module runs in wasmtime; only times and memory are Wasmer's, and what it takes to compile
a module is that of runwasi's demo, inside ``start``.
"""

from __future__ import annotations

from kubesim.wire.image import WasmKind

NAME = "containerd-shim-wasmer-v1"
KINDS = frozenset({WasmKind.COMMAND})
COMPILES = False
