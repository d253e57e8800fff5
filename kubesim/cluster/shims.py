"""The shims there are, and one of them on a node.

Mirrors: the binaries ``containerd-shim-*`` that an installer puts on a node.
"""

from __future__ import annotations

from kubesim.node.containerd.config import RuntimeEntry
from kubesim.node.shim import spin, wasmedge, wasmtime

WASM_SHIMS = {"spin": spin, "wasmtime": wasmtime, "wasmedge": wasmedge}
LINUX_SHIMS = {"runc": "containerd-shim-runc-v2", "runsc": "containerd-shim-runsc-v1"}
KNOWN_SHIMS = (*LINUX_SHIMS, *WASM_SHIMS)


def known_handlers() -> tuple[str, ...]:
    """The runtime handlers for which there is a shim when nothing else is said of them."""
    return KNOWN_SHIMS


def runs_wasm(shim: str) -> bool:
    """Whether it takes Wasm images."""
    return shim in WASM_SHIMS


def default_entry(handler: str) -> RuntimeEntry:
    """The runtime table's entry as its installer writes it."""
    return RuntimeEntry(shim=handler)
