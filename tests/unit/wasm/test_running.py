"""Running modules: results, failures, and that the one leaves nothing for the next."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kubesim.wasm import Limits, Status, TimeModel, WasiContext, WasmError

SMALL = Limits(memory_bytes=32 * 2**20, fuel=20_000_000, host_calls=1_000, host_bytes=4 * 2**20)


def test_exported_functions_take_and_give_numbers(engine, load):
    """The module of the seed: add and fibonacci, called with arguments."""
    arith = load("arith")

    assert (5,) == engine.call(arith, "add", 2, 3).values
    assert (-1,) == engine.call(arith, "add", 2**32 - 2, 1).values
    assert (6765,) == engine.call(arith, "fibonacci", 20).values


def test_all_number_types_go_in_and_out(engine, load):
    """64-bit integers and both floats keep their values, in their order."""
    assert (0.5, -(2**62)) == engine.call(load("reactor"), "both", -(2**62), 0.5).values
    assert (1.25,) == engine.call(load("reactor"), "half", 2.5).values


def test_a_reactor_is_initialised_before_it_is_asked(engine, load):
    """Calling an export of a library runs its _initialize first."""
    assert (42,) == engine.call(load("reactor"), "ask").values


def test_calling_what_is_not_there_is_an_error_of_input(engine, load):
    """The error names what could be called instead."""
    with pytest.raises(WasmError, match="exports no function sub; exported functions: add, fib"):
        engine.call(load("arith"), "sub", 1, 2)
    with pytest.raises(WasmError, match="function add takes 2 arguments, not 1"):
        engine.call(load("arith"), "add", 1)


def test_a_library_cannot_be_started(engine, load):
    """A module without _start is no command, and says what it has instead."""
    execution = engine.run(load("arith"), WasiContext())

    assert Status.START_FAILED is execution.status
    assert "exports no function _start" in execution.trap.message
    assert "add, fibonacci" in execution.trap.message


def test_an_exit_code_is_the_modules_own(engine, load):
    """proc_exit(3) is EXITED with 3."""
    execution = engine.run(load("exit_three"), WasiContext())

    assert (Status.EXITED, 3) == (execution.status, execution.exit_code)
    assert not execution.succeeded


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("infinite_loop", Status.OUT_OF_FUEL),
        ("infinite_start", Status.OUT_OF_FUEL),
        ("unreachable", Status.TRAPPED),
        ("divide_by_zero", Status.TRAPPED),
        ("out_of_bounds", Status.TRAPPED),
        ("memory_bomb", Status.OUT_OF_MEMORY),
        ("memory_exit", Status.OUT_OF_MEMORY),
        ("memory_huge", Status.OUT_OF_MEMORY),
        ("memory_modest", Status.EXITED),
        ("table_huge", Status.START_FAILED),
        ("recursion", Status.STACK_OVERFLOW),
        ("output_flood", Status.OUTPUT_LIMIT),
        ("output_vector", Status.OUTPUT_LIMIT),
        ("host_call_spam", Status.HOST_CALL_LIMIT),
        ("random_spam", Status.HOST_CALL_LIMIT),
        ("poll_spam", Status.HOST_CALL_LIMIT),
        ("no_memory", Status.TRAPPED),
        ("bad_pointers", Status.EXITED),
        ("spins_until_later", Status.EXITED),
        ("path_escape", Status.EXITED),
        ("socket", Status.EXITED),
    ],
)
def test_a_hostile_module_ends_as_what_it_did(engine, load, name, status):
    """Each way to misbehave has its status, and the next run is as if nothing had been."""
    hostile = engine.run(load(name), WasiContext(), SMALL)
    healthy = engine.run(load("exit_three"), WasiContext(), SMALL)

    assert status is hostile.status
    assert (status is Status.EXITED) == (hostile.trap is None)
    assert 3 == healthy.exit_code


def test_limits_are_kept_to_the_unit(engine, load):
    """What was used up is exactly the limit, and the output ends where it is reached."""
    fuel = engine.run(load("infinite_loop"), WasiContext(), SMALL)
    output = engine.run(load("output_flood"), WasiContext(), Limits(output_bytes=100_000))
    calls = engine.run(load("host_call_spam"), WasiContext(), SMALL)

    assert SMALL.fuel == fuel.fuel
    assert 100_000 == len(output.stdout)
    assert 1_001 == calls.host_calls


def test_memory_is_judged_by_what_the_limit_refused(engine, load):
    """The same failing exit code is a plain exit when memory was not the reason."""
    enough = engine.run(load("memory_exit"), WasiContext(), Limits(memory_bytes=512 * 2**20))

    assert (Status.EXITED, 0) == (enough.status, enough.exit_code)
    assert 4097 * 65_536 == enough.memory_bytes
    assert Status.EXITED is engine.run(load("exit_three"), WasiContext(), SMALL).status


def test_a_trap_names_the_functions(engine, load):
    """The frames of a trap are the module's own function names, innermost first."""
    trap = engine.run(load("unreachable"), WasiContext()).trap

    assert ("UNREACHABLE", ("inner", "outer")) == (trap.code, trap.frames)
    assert "wasm `unreachable` instruction executed" == trap.message


def test_no_thread_is_started(engine, load):
    """Neither compiling nor running starts a thread, as wasmtime's own WASI would."""
    engine.run(load("report"), WasiContext(args=("report", "1000")))
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("only Linux tells")
    names = {(task / "comm").read_text().strip() for task in tasks.iterdir()}

    assert not {name for name in names if "tokio" in name or "rayon" in name}


RUN_ALL = """
import json, sys
sys.path.insert(0, {tests!r})
from conftest import wasm_bytes
from kubesim.wasm import Engine, WasiContext
engine = Engine(use_cache=False)
context = WasiContext(start_ns=10**18, seed=b"seven", env=(("A", "b"),), stdin=b"input")
found = []
for name in ("greeter", "report", "prints_random", "prints_clock", "echo", "sleeps_an_hour"):
    run = engine.run(engine.load(wasm_bytes(name)), context)
    chunks = [(chunk.stream, chunk.at_ns, chunk.data.hex()) for chunk in run.output]
    found.append([name, run.status.name, run.exit_code, run.fuel, run.elapsed_ns, chunks])
print(json.dumps(found))
"""


def test_runs_are_equal_in_every_process(engine):
    """Fuel, times and output are the same in processes with different hash seeds."""
    code = RUN_ALL.format(tests=str(Path(__file__).parent))
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1")
    }

    assert 1 == len(printed)
    assert {"EXITED"} == {run[1] for run in json.loads(printed.pop())}


def test_the_time_model_is_integer_arithmetic():
    """8,000 units of fuel to the microsecond, 2 microseconds to the host call."""
    time = TimeModel()

    assert 1_000 + 4_000 + 5 == time.elapsed_ns(8_000, 2, 5)
    assert 8_000 == time.fuel_within(5_000, 2)
