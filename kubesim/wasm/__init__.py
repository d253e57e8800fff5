"""Real execution of WebAssembly, in virtual time.

The only room that knows wasmtime. Other rooms hold an ``Engine``, give it a module's bytes, and
get plain values back: what was printed and when, how it ended, what it used. See ``execution`` for
the nouns, ``engine`` for the verbs, ``wasi`` for what a core module may ask of its host,
``interfaces`` for what a component may, ``stores`` for what a Spin application keeps, ``memo`` for
remembering results, ``wagi`` for answering HTTP requests with a core module.
"""

from kubesim.wasm.component import Component
from kubesim.wasm.engine import Engine, Module
from kubesim.wasm.errors import WasmError
from kubesim.wasm.execution import (
    Called,
    Denied,
    Execution,
    HttpExecution,
    Limits,
    OutputChunk,
    Status,
    TimeModel,
    TrapInfo,
    WasiContext,
)
from kubesim.wasm.stores import Reply, SpinContext, Stores
from kubesim.wire.filetree import Directory, File

__all__ = [
    "Called",
    "Component",
    "Denied",
    "Directory",
    "Engine",
    "Execution",
    "File",
    "HttpExecution",
    "Limits",
    "Module",
    "OutputChunk",
    "Reply",
    "SpinContext",
    "Status",
    "Stores",
    "TimeModel",
    "TrapInfo",
    "WasiContext",
    "WasmError",
]
