"""Writing to granted directories, with both generations of WASI: the same program, the same outcome."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from kubesim.wasm import Component, Denied, Directory, Engine, Limits, WasiContext
from kubesim.wire.filetree import NAME_BYTES, File, Space

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wasm"
BOTH = pytest.mark.parametrize("generation", ["writes.wasm", "components/writes.wasm"])
DONE = """mkdir: ok
mkdir again: File exists
create: ok
create again: File exists
write: ok
pwrite: ok
seek: ok
write past the end: ok
sync: ok
close: ok
d/a: 012AB56789..Z
append: ok
cut: ok
d/a: 012AB56789..Z+.
second: ok
rename over: ok
d/a: b
d/b: none
unlink a directory: Is a directory
rmdir of a full one: Directory not empty
unlink: ok
unlink again: No such file or directory
rmdir: ok
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine that compiles here."""
    return Engine(use_cache=False, trusted_bytes_max=1 << 20, trusts_components=True)


def run(engine, generation: str, directory: Directory, **limits):
    """Run the program on a directory."""
    module = engine.load((FIXTURES / generation).read_bytes())
    context = WasiContext(args=("writes", "/data"), preopens={"/data": directory})
    return engine.run(module, context, Limits(**limits))


@BOTH
def test_what_programs_do_to_files_is_done(engine, generation):
    """Create, write, seek, append, cut, rename, remove; errors are the kernel's."""
    execution = run(engine, generation, Directory.writable("data"))
    printed = execution.stdout.decode()

    assert DONE == printed[: len(DONE)]
    assert printed.endswith("kept: ok\nleft: kept\n")
    assert {"fs"} == execution.touched


@BOTH
def test_what_is_written_stays_and_nothing_leaves_the_directory(engine, generation):
    """The next container finds it; a path out of it is denied and recorded, and so is a link."""
    volume = Directory.writable("data")
    execution = run(engine, generation, volume)
    (escape, link) = execution.denied

    assert {"kept": b"for the next one\n"} == {
        name: node.data for name, node in volume.entries.items() if isinstance(node, File)
    }
    assert ("../../etc/passwd", "ENOTCAPABLE") == (escape.target, escape.errno)
    assert "EROFS" == link.errno


@BOTH
def test_room_is_given_back(engine, generation):
    """What was removed, cut or replaced does not count any more."""
    volume = Directory.writable("data")
    run(engine, generation, volume)

    assert volume.space is not None
    assert NAME_BYTES + len(b"for the next one\n") == volume.space.used_bytes


@BOTH
def test_a_full_volume_refuses(engine, generation):
    """There is an error, and nothing was written beyond the limit."""
    volume = Directory.writable("data")
    volume.space = Space(limit_bytes=2 * NAME_BYTES + 4)
    printed = run(engine, generation, volume).stdout.decode()

    assert "mkdir: ok\n" in printed
    assert "create: ok\n" in printed
    assert volume.space.used_bytes <= volume.space.limit_bytes
    assert b"0123456789" not in [
        node.data for node in volume.entries.values() if isinstance(node, File)
    ]


@BOTH
def test_without_room_to_write_all_is_refused(engine, generation):
    """A read-only directory stays as it was."""
    volume = Directory.of({"there.txt": b"before"})
    execution = run(engine, generation, volume)
    printed = execution.stdout.decode()

    assert "mkdir: Read-only file system\n" in printed
    assert printed.endswith("left: there.txt\n")
    assert {"EROFS", "ENOTCAPABLE"} == {denied.errno for denied in execution.denied}
    assert ["there.txt"] == list(volume.entries)


APPENDS = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "log")
  (data (i32.const 16) "once\\n")
  (data (i32.const 32) "\\10\\00\\00\\00\\05\\00\\00\\00")
  (func (export "_start")
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 3)
      (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 1) (i32.const 48)))
    (drop (call $write (i32.load (i32.const 48)) (i32.const 32) (i32.const 1) (i32.const 52)))
    (call $exit (i32.const 3))))"""


def test_a_program_that_fails_has_written_once(engine):
    """That its failure is looked into with a second run does not show, and is no lack of memory."""
    module = engine.load(bytes(wasmtime.wat2wasm(APPENDS)))
    volume = Directory.writable("data")
    execution = engine.run(module, WasiContext(preopens={"/": volume}))

    assert 3 == execution.exit_code
    assert execution.trap is None
    assert b"once\n" == volume.entries["log"].data


def test_a_component_that_fails_has_written_once(engine):
    """The same of a component, which ends with an error here for what it was denied."""
    volume = Directory.writable("data")
    execution = run(engine, "components/writes.wasm", volume)

    assert isinstance(engine.load((FIXTURES / "components/writes.wasm").read_bytes()), Component)
    assert (1, None) == (execution.exit_code, execution.trap)
    assert Denied("symlink-at", "x", "EROFS") in execution.denied
