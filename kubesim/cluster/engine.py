"""The process's one Wasm engine: a module is compiled once a process, whatever runs it."""

from __future__ import annotations

import atexit
from functools import cache

from kubesim.wasm.engine import Engine


@cache
def shared_engine() -> Engine:
    """The engine; wasmtime is loaded when it is first asked for."""
    # Left to the interpreter's own end, the engine's objects would outlive the library's code.
    atexit.register(shared_engine.cache_clear)
    return Engine()
