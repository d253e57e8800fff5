"""A glance into Wasm binaries, and what they need from their host."""

from __future__ import annotations

from contextlib import suppress

import pytest
from wasmtime import wat2wasm

from kubesim.errors import InputError
from kubesim.oci.binary import read_face
from kubesim.oci.capabilities import capabilities_of


def test_imports_and_exports_of_a_module(module: bytes) -> None:
    """A module's imports are ``module.name``, a memory with limits among them."""
    face = read_face(module)
    expected = (
        "wasi_snapshot_preview1.fd_write", "wasi_snapshot_preview1.path_open", "env.memory"
    )  # fmt: skip
    assert (False, expected, ("_start",)) == (face.is_component, face.imports, face.exports)


def test_every_kind_of_core_import() -> None:
    """Tables, globals, memories and functions are read past, in whatever order."""
    wasm = wat2wasm(
        '(module (import "a" "t" (table 1 5 funcref)) (import "a" "g" (global (mut i64)))'
        ' (import "a" "m" (memory 3)) (import "a" "f" (func)) (func (export "e")))'
    )
    assert ("a.t", "a.g", "a.m", "a.f") == read_face(bytes(wasm)).imports


def test_face_of_a_component(component: bytes) -> None:
    """A component shows its own interfaces, and counts what is nested in it."""
    face = read_face(component)
    assert ("wasi:random/random@0.2.0",) == face.imports
    assert ("wasi:cli/run@0.2.0",) == face.exports
    assert (True, 1, 2) == (face.is_component, face.modules, face.components)
    assert [True, False] == [face.offers("wasi:cli/run"), face.offers("wasi:http/run")]


def test_damaged_binaries_are_refused(module: bytes, component: bytes) -> None:
    """However a binary is cut, the answer is a face or an input error."""
    for whole in (module, component):
        for length in range(len(whole)):
            with suppress(InputError):
                read_face(whole[:length])


@pytest.mark.parametrize("content", [b"", b"hello", b"\0asm\x07\0\0\0"])
def test_other_files_are_refused(content: bytes) -> None:
    """What is no Wasm, or of an unknown version, is an input error."""
    with pytest.raises(InputError, match=r"is (not )?WebAssembly"):
        read_face(content)


def test_capabilities_of_preview_1() -> None:
    """Functions of WASI 0.1 are grouped by what the host must give."""
    names = ("fd_write", "args_get", "path_open", "clock_time_get", "random_get", "proc_exit")
    imports = [f"wasi_snapshot_preview1.{name}" for name in names]
    expected = ("arguments", "clocks", "filesystem", "random", "stdio")
    assert expected == capabilities_of(imports)


def test_capabilities_of_interfaces() -> None:
    """Interfaces of WASI 0.2 and of Spin are grouped likewise; a stranger is named."""
    imports = [
        "wasi:http/types@0.2.0", "wasi:http/outgoing-handler@0.2.0", "wasi:io/streams@0.2.0",
        "fermyon:spin/key-value@2.0.0", "fermyon:spin/sqlite@2.0.0", "spin:key-value/key-value",
        "acme:thing/api", "wasi:sockets/tcp@0.2.0",
    ]  # fmt: skip
    expected = ("import acme:thing/api", "key-value", "outbound-http", "sockets", "sqlite")
    assert expected == capabilities_of(imports)
