"""What the engine accepts as a module, and what it says about the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kubesim.errors import InputError
from kubesim.wasm import Engine, WasmError


def test_importing_kubesim_loads_no_engine():
    """Neither kubesim nor its Wasm room loads wasmtime before an engine is made."""
    rooms = "kubesim, kubesim.wasm.memo, kubesim.wasm.wagi"
    code = f"import sys, {rooms}; print('wasmtime' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout

    assert b"False\n" == printed


def test_a_module_tells_what_it_is(load):
    """A module knows its digest, size, imports and exports."""
    module = load("exit_three")

    assert "sha256:" == module.digest[:7]
    assert 71 == len(module.digest)
    assert ("wasi_snapshot_preview1.proc_exit",) == module.imports
    assert ("_start",) == module.exports
    assert module.is_command


def test_equal_bytes_are_one_module(engine, binary):
    """The same bytes loaded twice are the same object."""
    wasm = binary("exit_three")

    assert engine.load(wasm) is engine.load(bytes(wasm))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"hello world", "it begins with 68656c6c"),
        (b"(module)", "it is WebAssembly text"),
        (b"  \n(module)", "it is WebAssembly text"),
        (b"\x1f\x8b\x08\x00", "it is a gzip archive"),
        (b"\x7fELF\x02", "it is a machine program"),
        (b"\0asm\x07\0\0\0", "unknown version 07000000"),
        (b"\0asm", "unknown version"),
        (b"\0asm\x01\0\0\0\x01\x80\x80\x80", "is not a valid WebAssembly module"),
    ],
)
def test_what_is_no_core_module_is_refused_with_the_reason(engine, content, reason):
    """Text, components, archives and garbage are told apart."""
    with pytest.raises(WasmError, match=reason):
        engine.load(content)


def test_a_module_that_is_too_large_is_refused():
    """The size is looked at before anything is compiled."""
    engine = Engine(use_cache=False, module_bytes_max=100)

    with pytest.raises(WasmError, match="is too large: 101 bytes, at most 100 are accepted"):
        engine.load(b"\0asm\x01\0\0\0" + bytes(93))


def test_every_cut_of_a_module_is_refused_or_valid(engine, binary):
    """A truncated module is an error of input, never anything else."""
    wasm = binary("exit_three")
    for length in range(8, len(wasm)):
        try:
            engine.load(wasm[:length])
        except WasmError as error:
            assert "\n" not in str(error)  # noqa: PT017 - some prefixes are valid modules


def test_an_unknown_import_is_named(load):
    """A module that imports what nobody offers does not load, and the error names it."""
    with pytest.raises(WasmError, match=r"imports env\.open_pod_bay_doors, which nothing here"):
        load("unknown_import")


def test_an_import_with_another_signature_is_refused(load):
    """WASI functions have the parameters of the standard."""
    with pytest.raises(WasmError, match=r"does not fit WASI preview 1: .*fd_close"):
        load("wrong_signature")


def test_threads_are_refused(load):
    """Shared memory does not pass validation: a guest could wait in it for ever."""
    with pytest.raises(WasmError, match="threads"):
        load("threads")


def test_a_wasm_error_is_an_input_error():
    """The command line shows it as a mistake of the input."""
    assert issubclass(WasmError, InputError)
