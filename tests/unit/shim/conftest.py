"""One engine for all tests of the shims, and the modules that they run."""

from pathlib import Path

import pytest
import wasmtime

from kubesim.wasm import Engine

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wasm"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """An engine without a cache on disk."""
    return Engine(use_cache=False)


@pytest.fixture(scope="session")
def fixtures() -> dict[str, bytes]:
    """The binary form of the fixtures that are text, by name."""
    names = ("exit_three", "unreachable", "memory_bomb", "sleeps_an_hour", "counts_aloud",
             "infinite_loop")  # fmt: skip
    return {
        name: bytes(wasmtime.wat2wasm((FIXTURES / f"{name}.wat").read_text())) for name in names
    }
