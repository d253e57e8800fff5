"""Compiling in a child process: the same machine code, and an end to what never ends."""

from __future__ import annotations

import pytest

from kubesim.bench.hostile import compile_bomb
from kubesim.wasm import Engine, WasiContext, WasmError
from kubesim.wasm.compiling import TRUSTED_BYTES_MAX, compile_guarded, seconds_for


def test_a_compile_bomb_is_an_error():
    """A module that takes too long is given up, and the message says so."""
    with pytest.raises(WasmError, match="takes more than 1 s of CPU time to compile"):
        compile_guarded(compile_bomb(4_000), is_component=False, seconds=1)


def test_a_child_makes_the_code_that_the_process_makes(binary):
    """A module behaves the same wherever it was compiled."""
    wasm = binary("exit_three")
    here = Engine(use_cache=False).load(wasm)
    there = Engine(use_cache=False, trusted_bytes_max=0)
    made = there.load(wasm)

    assert here.exports == made.exports
    assert 3 == there.run(made, WasiContext()).exit_code


@pytest.mark.parametrize("head", [b"\0asm\1\0\0\0", b"\0asm\x0d\0\1\0"])
def test_an_invalid_module_has_the_same_error(head):
    """What is wrong is told in one sentence from the child, too."""
    with pytest.raises(WasmError, match="is not a valid WebAssembly"):
        compile_guarded(head + bytes(range(200)), is_component=head[4] == 13)


def test_large_modules_are_compiled_guarded(binary, tmp_path, monkeypatch):
    """Above the limit the child is asked, once: then the machine code is in the cache."""
    asked = []

    def spy(wasm: bytes, *, is_component: bool, seconds: int | None) -> bytes:
        asked.append(len(wasm))
        return compile_guarded(wasm, is_component=is_component)

    monkeypatch.setattr("kubesim.wasm.engine.compile_guarded", spy)
    wasm = binary("greeter")
    loaded = [Engine(cache_directory=tmp_path / "c").load(wasm).from_cache for _ in range(2)]
    Engine(use_cache=False).load(binary("exit_three"))

    assert len(wasm) > TRUSTED_BYTES_MAX
    assert [False, True] == loaded
    assert [len(wasm)] == asked


def test_large_modules_may_take_longer():
    """The time follows the size."""
    assert (10, 50) == (seconds_for(100), seconds_for(20_000_000))
