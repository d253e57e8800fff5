"""Remembered runs: equal to executed ones, whatever is remembered."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.wasm import Directory, Limits, Status, TimeModel, WasiContext
from kubesim.wasm.memo import Memo, with_input_seed

LIMITS = Limits(fuel=60_000_000)
TIME = TimeModel()
NAMES = (
    *("greeter", "report", "echo", "files", "exit_three", "unreachable", "recursion"),
    *("prints_random", "prints_clock", "spins_until_later", "sleeps_an_hour", "counts_aloud"),
)
TREES = ({}, {"/d": Directory.of({"a": b"one"})}, {"/d": Directory.of({"a": b"other"})})

contexts = st.builds(
    WasiContext,
    args=st.sampled_from([("m",), ("m", "100"), ("m", "/d/a")]),
    env=st.sampled_from([(), (("QUERY_STRING", "n=3"),)]),
    stdin=st.sampled_from([b"", b"abc"]),
    start_ns=st.sampled_from([0, 10**18]),
    seed=st.sampled_from([b"", b"s"]),
    seed_is_input=st.booleans(),
    deadline_ns=st.sampled_from([None, 0, 5_000, 100_000, 10**7, 10**15]),
    preopens=st.sampled_from(TREES),
)


@settings(max_examples=60, deadline=None)
@given(runs=st.lists(st.tuples(st.sampled_from(NAMES), contexts), max_size=12))
def test_a_memo_gives_what_the_engine_gives(engine, load, runs):
    """Whatever is run in whatever order and context, memoised and plain executions are equal."""
    memo = Memo(engine, entries_max=4)
    for name, context in runs + runs:
        plain = engine.run(load(name), context, LIMITS, time=TIME)
        remembered = memo.run(load(name), context, LIMITS, time=TIME)

        assert plain == remembered


@pytest.mark.parametrize(
    ("name", "first", "second", "hits"),
    [
        ("greeter", WasiContext(), WasiContext(start_ns=7, seed=b"x"), 1),
        ("greeter", WasiContext(), WasiContext(args=("other",)), 0),
        ("spins_until_later", WasiContext(), WasiContext(start_ns=7), 1),
        ("prints_clock", WasiContext(), WasiContext(), 0),
        ("prints_random", WasiContext(), WasiContext(), 0),
        ("prints_random", *[WasiContext(seed=b"a", seed_is_input=True)] * 2, 1),
        (
            "prints_random",
            WasiContext(seed=b"a", seed_is_input=True),
            WasiContext(seed=b"b", seed_is_input=True),
            0,
        ),
        ("sleeps_an_hour", WasiContext(), WasiContext(deadline_ns=10**15), 1),
        ("sleeps_an_hour", WasiContext(), WasiContext(deadline_ns=10**9), 0),
        ("sleeps_an_hour", WasiContext(deadline_ns=10**9), WasiContext(deadline_ns=10**9), 0),
    ],
)
def test_only_functions_of_their_input_are_replayed(engine, load, name, first, second, hits):
    """Clock and seed do not matter to a run that did not look; one that did is executed again."""
    memo = Memo(engine)
    for context in (first, second):
        memo.run(load(name), context, LIMITS, time=TIME)

    assert (hits, 2 - hits) == (memo.statistics.hits, memo.statistics.misses)


def test_a_seed_made_from_the_input_makes_random_runs_replayable(engine, load):
    """Equal inputs draw equal bytes, at any time; another input or run draws others."""
    memo, module = Memo(engine), load("prints_random")
    questions = ((b"run", b"", 0), (b"run", b"", 7), (b"run", b"input", 0), (b"other", b"", 0))
    answers = []
    for run_seed, stdin, start_ns in questions:
        context = WasiContext(stdin=stdin, start_ns=start_ns)
        seeded = with_input_seed(context, run_seed=run_seed, module=module)
        answers.append(memo.run(module, seeded, LIMITS, time=TIME).stdout)

    assert answers[0] == answers[1]
    assert 3 == len(set(answers))
    assert 1 == memo.statistics.hits


def test_files_are_never_replayed(engine, load):
    """A run that read a file is executed again, as the file may be another one by then."""
    memo = Memo(engine)
    printed = [
        memo.run(
            load("files"),
            WasiContext(args=("files", "/d/a"), preopens=tree),
            LIMITS,
            time=TIME,
        ).stdout
        for tree in TREES[1:]
    ]

    assert 0 == memo.statistics.hits
    assert [True, True] == [b"one" in printed[0], b"other" in printed[1]]


def test_limits_and_time_are_part_of_the_question(engine, load):
    """The same request on a slower machine, or with less fuel, is another run."""
    memo = Memo(engine)
    plain = memo.run(load("greeter"), WasiContext(), LIMITS, time=TIME)
    slow = memo.run(load("greeter"), WasiContext(), LIMITS, time=TimeModel(fuel_per_us=800))
    short = memo.run(load("greeter"), WasiContext(), Limits(fuel=100), time=TIME)

    assert 0 == memo.statistics.hits
    assert plain.elapsed_ns < slow.elapsed_ns
    assert Status.OUT_OF_FUEL is short.status


def test_the_memory_of_a_memo_is_bounded(engine, load):
    """The least recently used is forgotten, by number and by bytes."""
    memo = Memo(engine, entries_max=3, bytes_max=100_000)
    for length in range(5):
        memo.run(load("echo"), WasiContext(stdin=bytes(length)), LIMITS, time=TIME)
    assert 3 == len(memo)
    for length in range(40_000, 40_003):
        memo.run(load("echo"), WasiContext(stdin=bytes(length)), LIMITS, time=TIME)

    assert 1 == len(memo)
