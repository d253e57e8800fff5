"""What a module costs beside running it: loading its machine code, and instances that do nothing.

For the benchmark and the calibration only; a simulation holds no instance longer than a run.

Mirrors: nothing in a cluster; a shim's pool of instances comes closest.
"""

from __future__ import annotations

from ctypes import byref, c_void_p

from kubesim.wasm.component import Component
from kubesim.wasm.engine import Engine, Module
from kubesim.wasm.errors import WasmError
from kubesim.wasm.native import (
    Compiled,
    InstanceSlot,
    Native,
    _address,
    _instantiate,
    _set_fuel,
    _store_context,
    _store_delete,
    _store_new,
)

FUEL = 1_000_000


def machine_code(module: Module | Component) -> bytes:
    """A module's machine code, as it lies in the cache."""
    compiled = module.compiled
    binary = compiled.module if isinstance(compiled, Compiled) else compiled.component
    return bytes(binary.serialize())


def load_machine_code(engine: Engine, module: Module | Component, artifact: bytes) -> None:
    """Load and link machine code once more, as a new process does with what is in its cache."""
    if isinstance(module, Component):
        component = engine.native_components.deserialize(artifact)
        assert component is not None
        engine.native_components.link(component)
    else:
        core = engine.native.deserialize(artifact)
        assert core is not None
        engine.native.link(core)


def hold(engine: Engine, module: Module, count: int) -> Held:
    """Make so many instances and keep them.

    Raises:
        WasmError: The machine does not have room for so many.
    """
    return Held(engine.native, module.compiled, count)


class Held:
    """Instances that are alive and do nothing.

    Args:
        native: The engine.
        compiled: The module.
        count: How many.
    """

    def __init__(self, native: Native, compiled: Compiled, count: int) -> None:
        prepared = _address(compiled.prepared.ptr())
        self._stores: list[int] = []
        for _ in range(count):
            store = _store_new(native.engine_address, None, None)
            self._stores.append(store)
            context = _store_context(store)
            _set_fuel(context, 1_000_000)
            instance, trap = InstanceSlot(), c_void_p()
            error = _instantiate(prepared, context, byref(instance), byref(trap))
            if error is not None or trap.value is not None:
                self.release()
                raise WasmError(f"only {len(self._stores)} of {count} instances have room")

    def __len__(self) -> int:
        return len(self._stores)

    def release(self) -> None:
        """Let go of all of them."""
        while self._stores:
            _store_delete(self._stores.pop())
