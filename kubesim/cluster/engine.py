"""The process's one Wasm engine: a module is compiled once a process, whatever runs it."""

from __future__ import annotations

from functools import cache

from kubesim.wasm.engine import Engine


@cache
def shared_engine() -> Engine:
    """The engine; wasmtime is loaded when it is first asked for."""
    return Engine()
