"""Real execution of WebAssembly, in virtual time.

The only room that knows wasmtime. Other rooms hold an ``Engine``, give it a module's bytes, and
get plain values back: what was printed and when, how it ended, what it used. See ``execution`` for
the nouns, ``engine`` for the verbs, ``wasi`` for what a guest may ask of its host, ``memo`` for
remembering results, ``wagi`` for answering HTTP requests.
"""

from kubesim.wasm.engine import Engine, Module
from kubesim.wasm.errors import WasmError
from kubesim.wasm.execution import (
    Called,
    Denied,
    Execution,
    Limits,
    OutputChunk,
    Status,
    TimeModel,
    TrapInfo,
    WasiContext,
)
from kubesim.wasm.filetree import Directory, File

__all__ = [
    "Called",
    "Denied",
    "Directory",
    "Engine",
    "Execution",
    "File",
    "Limits",
    "Module",
    "OutputChunk",
    "Status",
    "TimeModel",
    "TrapInfo",
    "WasiContext",
    "WasmError",
]
