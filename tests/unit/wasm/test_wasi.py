"""What a guest sees of the world: a clock, a random stream, its input, what it was granted."""

from __future__ import annotations

from struct import unpack

import pytest

from kubesim.wasm import Directory, Limits, Status, TimeModel, WasiContext
from kubesim.wasm.wasi.path import names_from
from kubesim.wasm.wasi.table import FUNCTIONS

HOUR_NS = 3_600 * 10**9
CONFIG = Directory.of({"app.yaml": b"level: info\n", "conf.d/a": b"A", "conf.d/b": b"B"})


def test_the_surface_is_complete():
    """All 46 functions of preview 1 are there, each once."""
    assert 46 == len({function.name for function in FUNCTIONS})


def test_clocks_are_virtual_and_always_later(engine, load):
    """The wall clock is the start plus what the run took; the other begins with the run."""
    execution = engine.run(load("prints_clock"), WasiContext(start_ns=10**18))
    first_ns, second_ns, monotonic_ns = unpack("<QQQ", execution.stdout)

    assert 10**18 + TimeModel().host_call_ns == first_ns
    assert first_ns + TimeModel().host_call_ns <= second_ns < first_ns + 3_000
    assert second_ns - 10**18 < monotonic_ns < execution.elapsed_ns
    assert {"clock", "monotonic"} == execution.touched


def test_output_carries_the_time_at_which_it_was_written(engine, load):
    """An hour of sleep costs an hour of virtual time, lies between the lines, and no real time."""
    execution = engine.run(load("sleeps_an_hour"), WasiContext())
    before, after = execution.output

    assert [("stdout", b"a"), ("stdout", b"b")] == [(c.stream, c.data) for c in execution.output]
    assert HOUR_NS == execution.sleep_ns
    assert HOUR_NS + 4_000 <= after.at_ns - before.at_ns < HOUR_NS + 5_000
    assert execution.elapsed_ns == execution.cpu_ns + HOUR_NS
    assert not execution.touched


def test_random_bytes_follow_the_seed_alone(engine, load):
    """Equal seeds give equal bytes at any time; another seed gives others; no draw repeats."""
    module = load("prints_random")
    one = engine.run(module, WasiContext(seed=b"1"))
    later = engine.run(module, WasiContext(seed=b"1", start_ns=5))
    other = engine.run(module, WasiContext(seed=b"2"))

    assert one == later
    assert one.stdout != other.stdout
    assert one.stdout[:8] != one.stdout[8:]
    assert {"random"} == one.touched


@pytest.mark.parametrize(("stdin", "code"), [(b"", 0), (b"abc", 3), (b"x" * 65_536, 0)])
def test_input_is_read_as_it_was_given(engine, load, stdin, code):
    """Standard input arrives whole and ends."""
    execution = engine.run(load("echo"), WasiContext(stdin=stdin))

    assert (code, stdin) == (execution.exit_code, execution.stdout)


def test_nothing_is_granted_by_default(engine, load):
    """Without a granted directory no path leads anywhere, and libc sees none."""
    execution = engine.run(load("files"), WasiContext(args=("files", "/etc/passwd", "app.yaml")))

    assert (Status.EXITED, 2) == (execution.status, execution.exit_code)
    assert b"root" not in execution.stdout
    assert not execution.touched


def test_a_granted_directory_can_be_read(engine, load):
    """Files are opened, read, sought in and listed through libc, as on any system."""
    args = ("files", "/config/app.yaml", "/config", "/config/conf.d/../conf.d", "/config/none")
    execution = engine.run(load("files"), WasiContext(args=args, preopens={"/config": CONFIG}))
    lines = execution.stdout.decode().splitlines()

    assert "file /config/app.yaml: 12 bytes, 12 read, end 12, last " == lines[0]
    assert ": level: info" == lines[1]
    assert "directory /config: app.yaml conf.d" == lines[3]
    assert "directory /config/conf.d/../conf.d: a b" == lines[4]
    assert "/config/none: No such file or directory" == lines[5]
    assert 1 == execution.exit_code
    assert {"fs"} == execution.touched


def test_a_granted_directory_cannot_be_written(engine, load):
    """Creating a file is refused with EROFS and recorded."""
    context = WasiContext(args=("files", "+/config/new"), preopens={"/config": CONFIG})
    execution = engine.run(load("files"), context)

    assert b"+/config/new: Read-only file system\n" == execution.stdout
    assert [("path_open", "new", "EROFS")] == [
        (denied.function, denied.target, denied.errno) for denied in execution.denied
    ]


@pytest.mark.parametrize("granted", [{}, {"/config": CONFIG}])
def test_an_escape_is_refused_and_recorded(engine, load, granted):
    """A path out of the granted directory is ENOTCAPABLE (76); with none granted, EBADF (8)."""
    execution = engine.run(load("path_escape"), WasiContext(preopens=granted))
    denied = execution.denied[0]

    assert (76 if granted else 8) == execution.exit_code
    assert ("path_open", "../../../../etc/passwd") == (denied.function, denied.target)


def test_sockets_are_refused_and_recorded(engine, load):
    """No socket is open, so none can be accepted on."""
    execution = engine.run(load("socket"), WasiContext())

    assert 8 == execution.exit_code
    assert ["sock_accept"] == [denied.function for denied in execution.denied]


@pytest.mark.parametrize(
    ("here", "path", "names"),
    [
        ((), "a/b", ("a", "b")),
        ((), "./a//b/", ("a", "b")),
        ((), "a/../b", ("b",)),
        (("a",), "..", ()),
        (("a",), "../..", None),
        ((), "..", None),
        ((), "a/../../a", None),
    ],
)
def test_paths_stay_inside(here, path, names):
    """Dots are resolved before anything is looked up."""
    assert names == names_from(here, path)


def test_a_run_stops_where_the_simulation_ends(engine, load):
    """A sleeper is still running at the deadline, having printed what it printed by then."""
    execution = engine.run(load("sleeps_an_hour"), WasiContext(deadline_ns=HOUR_NS // 2))

    assert (Status.RUNNING, b"a") == (execution.status, execution.stdout)
    assert HOUR_NS // 2 == execution.elapsed_ns
    assert 0 < execution.cpu_ns < 10_000
    assert execution.trap is None


def test_a_loop_is_still_running_at_the_deadline(engine, load):
    """A deadline before the fuel limit ends an endless loop without an error."""
    execution = engine.run(load("infinite_loop"), WasiContext(deadline_ns=1_000_000))

    assert (Status.RUNNING, 1_000_000) == (execution.status, execution.elapsed_ns)
    assert 8_000_000 == execution.fuel


@pytest.mark.parametrize("name", ["counts_aloud", "report", "greeter"])
def test_a_cut_run_is_the_beginning_of_the_whole_one(engine, load, name):
    """Whatever the deadline, what was printed before it is what the whole run prints before it."""
    whole = engine.run(load(name), WasiContext())
    assert Status.EXITED is whole.status
    for part in range(41):
        deadline_ns = whole.elapsed_ns * part // 40 + part % 3
        cut = engine.run(load(name), WasiContext(deadline_ns=deadline_ns))
        expected = tuple(chunk for chunk in whole.output if chunk.at_ns < deadline_ns)

        assert expected == cut.output
        assert (deadline_ns > whole.elapsed_ns) == (cut.status is Status.EXITED)
        assert min(deadline_ns, whole.elapsed_ns) == cut.elapsed_ns


def test_reading_a_file_over_and_over_is_limited(engine, load):
    """Bytes that the host copies for a guest are counted."""
    big = Directory.of({"big": bytes(100)})
    context = WasiContext(args=("files", "/d/big"), preopens={"/d": big})
    execution = engine.run(load("files"), context, Limits(host_bytes=50))

    assert Status.HOST_CALL_LIMIT is execution.status
