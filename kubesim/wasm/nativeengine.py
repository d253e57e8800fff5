"""Engines of wasmtime: which version, which settings, and which of them a component's code is for.

Invariant: settings never come from a user. An impossible combination aborts the whole process.

Mirrors: wasmtime's C API (wasmtime/config.h).
"""

from __future__ import annotations

import ctypes
from hashlib import sha256
from importlib.metadata import version

import wasmtime
from wasmtime import _bindings as bindings
from wasmtime.component import Component

from kubesim.errors import SimulationError

VERSION = "50.0.1"

# Every setting that decides what a module does, what it costs, or which code is generated for it.
SETTINGS: dict[str, bool | int | str] = {
    "consume_fuel": True,
    "cranelift_nan_canonicalization": True,
    "wasm_relaxed_simd_deterministic": True,
    "cranelift_opt_level": "speed",
    "parallel_compilation": False,  # it would start threads
    "max_wasm_stack": 512 * 1024,
    "memory_reservation": 1 << 32,
    "memory_may_move": False,
    "wasm_threads": False,
    "shared_memory": False,
    "wasm_memory64": False,
    "wasm_multi_memory": False,
    "wasm_gc": False,
    "wasm_function_references": False,
    "wasm_exceptions": False,
    "wasm_stack_switching": False,
    "wasm_wide_arithmetic": False,
    "wasm_custom_page_sizes": False,
}

# Calls between the parts of a composed component are compiled to modules of two memories. Without
# this, the engine ends the process when it meets one.
COMPONENT_SETTINGS = {**SETTINGS, "wasm_multi_memory": True}


def settings_digest() -> str:
    """One short word for the version and all settings."""
    both = (SETTINGS, COMPONENT_SETTINGS)
    text = [VERSION, "tasks=on demand"]
    text += (f"{key}={each[key]}" for each in both for key in sorted(each))
    return sha256("\n".join(text).encode()).hexdigest()[:16]


def new_engine(settings: dict[str, bool | int | str], *, tasks: bool = False) -> wasmtime.Engine:
    """An engine of exactly the version that this file was written for.

    Args:
        settings: What differs from the engine's defaults.
        tasks: Whether components may use the built-ins of the component model's asynchronous half.
            With them this version fails where a call borrows two resources, as a rename does.
    """
    installed = version("wasmtime")
    if installed != VERSION:
        message = f"wasmtime {VERSION} is needed, {installed} is installed"
        raise SimulationError(message)
    config = wasmtime.Config()
    bindings.wasmtime_config_wasm_component_model_async_set(config.ptr(), tasks)
    bindings.wasmtime_config_concurrency_support_set(config.ptr(), tasks)
    for name, value in settings.items():
        setattr(config, name, value)
    return wasmtime.Engine(config)


NEEDS_TASKS = "requires the component model async feature"


class ComponentBinary(Component):
    """A component's machine code, and the engine that it is for."""

    engine: wasmtime.Engine
    engine_address: int

    @classmethod
    def of(cls, engine: wasmtime.Engine, wasm: bytes) -> ComponentBinary:
        """Compile."""
        made = cls(engine, wasm)
        made.belong(engine)
        return made

    @classmethod
    def taken_up(cls, engine: wasmtime.Engine, artifact: bytes) -> ComponentBinary:
        """Load machine code."""
        made = cls.deserialize(engine, artifact)
        assert isinstance(made, ComponentBinary)
        made.belong(engine)
        return made

    def belong(self, engine: wasmtime.Engine) -> None:
        """Remember the engine."""
        self.engine = engine
        self.engine_address = ctypes.cast(engine.ptr(), ctypes.c_void_p).value or 0
