"""Machine code on disk: found again when it is whole, ours and fitting, and never otherwise."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from kubesim.wasm import Engine, WasiContext
from kubesim.wasm.cache import ArtifactCache, default_directory


@pytest.fixture
def folder(tmp_path):
    """Where the cache of a test is."""
    return tmp_path / "cache"


def entry_of(folder: Path) -> Path:
    """The only entry of a cache."""
    (entry,) = folder.iterdir()
    return entry


def exit_code(engine: Engine, wasm: bytes) -> int:
    """Run a module and return its exit code."""
    return engine.run(engine.load(wasm), WasiContext()).exit_code


def test_machine_code_is_kept_and_found(folder, binary):
    """A second engine takes from disk what the first has compiled."""
    wasm = binary("exit_three")
    first = Engine(cache_directory=folder).load(wasm)
    second = Engine(cache_directory=folder).load(wasm)

    assert (False, True) == (first.from_cache, second.from_cache)
    assert 0o700 == folder.stat().st_mode & 0o777
    assert 3 == exit_code(Engine(cache_directory=folder), wasm)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"another file altogether",
        lambda content: content[:23] + sha256(b"not machine code").digest() + b"not machine code",
    ],
    ids=["empty", "cut", "flipped", "foreign", "unfitting"],
)
def test_a_damaged_entry_is_ignored_and_written_anew(folder, binary, damage):
    """Whatever is wrong with an entry, the module is compiled, and the entry is whole again."""
    wasm = binary("exit_three")
    Engine(cache_directory=folder).load(wasm)
    entry = entry_of(folder)
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    module = Engine(cache_directory=folder).load(wasm)

    assert not module.from_cache
    assert whole == entry.read_bytes()


def test_a_folder_that_others_can_write_to_is_not_used(folder, binary):
    """Machine code is executed as it is, so nobody else may have written it."""
    wasm = binary("exit_three")
    Engine(cache_directory=folder).load(wasm)
    folder.chmod(0o777)

    assert not Engine(cache_directory=folder).load(wasm).from_cache


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, binary):
    """Where the folder cannot be made, modules are compiled and run all the same."""
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")

    assert 3 == exit_code(Engine(cache_directory=blocker / "cache"), binary("exit_three"))


def test_entries_are_told_apart_by_module_and_settings(folder):
    """Another module, version or setting has another entry."""
    cache, other = (ArtifactCache(folder, settings=text) for text in ("one", "two"))

    assert 4 == len({kept.path(digest) for kept in (cache, other) for digest in ("a", "b")})


def test_the_environment_chooses_the_folder(monkeypatch, tmp_path):
    """KUBESIM_CACHE_DIR goes before the user's cache folder."""
    monkeypatch.setenv("KUBESIM_CACHE_DIR", str(tmp_path))

    assert tmp_path / "wasm" == default_directory()
    monkeypatch.delenv("KUBESIM_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert tmp_path / "kubesim" / "wasm" == default_directory()
