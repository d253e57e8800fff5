"""containerd-shim-spin: Spin applications and their triggers.

Mirrors: spinframework/containerd-shim-spin: HTTP trigger on port 80, command trigger; a fresh
instance for every request.
Departs: only WAGI components and commands so far; wasi:http components, redis, sqs and mqtt triggers
come with SpinKube.
"""

from __future__ import annotations

from kubesim.wire.image import WasmKind

NAME = "containerd-shim-spin-v2"
KINDS = frozenset({WasmKind.WAGI, WasmKind.COMMAND})
