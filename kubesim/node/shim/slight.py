"""containerd-shim-slight: SpiderLightning modules.

Mirrors: deislabs/containerd-wasm-shims containerd-shim-slight, retired with its repository.
Departs: modules that answer WAGI or run to completion; SpiderLightning's own interfaces are not there.
"""

from __future__ import annotations

from kubesim.wire.image import WasmKind

NAME = "containerd-shim-slight-v1"
KINDS = frozenset({WasmKind.WAGI, WasmKind.COMMAND})
COMPILES = False
