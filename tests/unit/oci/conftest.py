"""Small binaries and a small Spin application."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from wasmtime import wat2wasm

MODULE = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "env" "memory" (memory 1 2))
  (func (export "_start")))"""

COMPONENT = """(component
  (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64)))))
  (component $inner (core module) (component (core module)))
  (core module $m (func (export "run") (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))"""

SPIN_TOML = """spin_manifest_version = 2

[application]
name = "shop"
version = "1.2.3"
authors = ["Ada <ada@example.com>"]

[variables]
host = { default = "example.com" }

[[trigger.http]]
route = "/cart/..."
component = "cart"
executor = { type = "wagi" }

[component.cart]
source = "cart.wasm"
files = ["assets/*"]
allowed_outbound_hosts = ["https://{{ host }}"]
key_value_stores = ["default"]
sqlite_databases = ["orders"]

[component.cart.variables]
where = "{{ host }}"
"""

WriteSpin = Callable[..., Path]


@pytest.fixture(scope="session")
def module() -> bytes:
    """A core module that imports three things."""
    return bytes(wat2wasm(MODULE))


@pytest.fixture(scope="session")
def component() -> bytes:
    """A component with components in it."""
    return bytes(wat2wasm(COMPONENT))


@pytest.fixture
def write_spin(tmp_path: Path, module: bytes) -> WriteSpin:
    """Writes a Spin application into ``folder``; pairs of texts are replaced in its manifest."""

    def write(*replaced: tuple[str, str], folder: str = "shop") -> Path:
        text = SPIN_TOML
        for old, new in replaced:
            assert old in text, old
            text = text.replace(old, new)
        root = tmp_path / folder
        (root / "assets").mkdir(parents=True, exist_ok=True)
        (root / "assets" / "small.txt").write_bytes(b"s" * 128)
        (root / "assets" / "large.txt").write_bytes(b"l" * 129)
        (root / "cart.wasm").write_bytes(module)
        file = root / "spin.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write
