"""containerd-shim-spin: Spin applications and their triggers.

Mirrors: spinframework/containerd-shim-spin: HTTP trigger on port 80, command trigger; a fresh
instance for every request.
Departs: one component a pod; no redis, sqs and mqtt triggers.
"""

from __future__ import annotations

from kubesim.wire.image import WasmKind

NAME = "containerd-shim-spin-v2"
KINDS = frozenset({WasmKind.WAGI, WasmKind.HTTP, WasmKind.COMMAND})
COMPILES = True
