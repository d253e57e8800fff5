"""What the tests of this room share: one engine, and modules by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from kubesim.wasm import Component, Engine, Module

REPOSITORY = Path(__file__).parents[3]
FIXTURES = REPOSITORY / "tests" / "fixtures" / "wasm"
MODULES = REPOSITORY / "scenarios" / "mixed-pool" / "modules"


def wasm_bytes(name: str) -> bytes:
    """A fixture or a module of the scenario in its binary form."""
    text = FIXTURES / f"{name}.wat"
    if text.exists():
        return bytes(wasmtime.wat2wasm(text.read_text()))
    places = (FIXTURES, FIXTURES / "components", FIXTURES / "toolchains", MODULES / name)
    for path in (place / f"{name}.wasm" for place in places):
        if path.exists():
            return path.read_bytes()
    raise AssertionError(name)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """An engine without a cache on disk."""
    return Engine(use_cache=False)


@pytest.fixture(scope="session")
def load(engine: Engine) -> Callable[[str], Module | Component]:
    """Load a fixture by name."""
    return lambda name: engine.load(wasm_bytes(name))


@pytest.fixture(scope="session")
def binary() -> Callable[[str], bytes]:
    """The bytes of a fixture by name."""
    return wasm_bytes
