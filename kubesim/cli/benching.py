"""``kubesim bench``: the benchmarks, as text or as JSON."""

from __future__ import annotations

import sys
from itertools import groupby

from kubesim.bench import BENCHMARKS, run_benchmark
from kubesim.bench.faults import (
    SCHEDULES,
    Verdict,
    measure_schedules,
    replay,
    replay_command,
    schedule_of,
)
from kubesim.bench.result import Benchmark, Result, machine
from kubesim.bench.seed import NOTE
from kubesim.cli.options import OutputFormat
from kubesim.cli.output import print_data
from kubesim.errors import EXIT_EXPECTATION_FAILED, EXIT_PASSED, InputError, Problem
from kubesim.manifests import closest

FAULTS, SEED = "faults", "seed"


def bench_command(
    name: str, *, schedules: int | None = None, seed: int | None = None, output: OutputFormat
) -> int:
    """Run a benchmark, or list them; returns the exit code.

    Raises:
        InputError: If there is no such benchmark.
    """
    if name != FAULTS and (schedules is not None or seed is not None):
        raise InputError(f'--schedules and --seed go with the benchmark "{FAULTS}"')
    if not name:
        for known, what in BENCHMARKS.items():
            print(f"{known:12} {what}")
        return EXIT_PASSED
    if name not in BENCHMARKS:
        near = closest(name, list(BENCHMARKS))
        hint = f'did you mean "{near}"?' if near else f"there are: {', '.join(BENCHMARKS)}"
        raise InputError(Problem(message=f'no benchmark "{name}"', suggestion=hint))
    if name == FAULTS and seed is not None:
        return replay_schedule(seed)
    failed: list[Verdict] = []
    if name == FAULTS:
        results, failed = measure_schedules(schedules or SCHEDULES)
        benchmark = Benchmark(benchmark=name, machine=machine(), results=tuple(results))
    else:
        benchmark = run_benchmark(name)
    _print(benchmark, output)
    for verdict in failed:
        print(violation_text(verdict), file=sys.stderr)
    return EXIT_EXPECTATION_FAILED if failed else EXIT_PASSED


def replay_schedule(seed: int) -> int:
    """Run one schedule again and say what it was and how it went; returns the exit code."""
    verdict = replay(seed)
    for line in schedule_of(seed).lines():
        print(line)
    print(f"{verdict.requests} requests, {verdict.digest}")
    if not verdict.violation:
        print("no invariant was violated")
        return EXIT_PASSED
    print(violation_text(verdict), file=sys.stderr)
    return EXIT_EXPECTATION_FAILED


def violation_text(verdict: Verdict) -> str:
    """What was violated, and how to see it again."""
    return f"seed {verdict.seed}: {verdict.violation}\n  replay: {replay_command(verdict.seed)}"


def _print(benchmark: Benchmark, output: OutputFormat) -> None:
    name = benchmark.benchmark
    if output is OutputFormat.TEXT:
        machine = benchmark.machine
        print(f"{name} on {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}")
        for row, results in groupby(benchmark.results, key=lambda result: result.row):
            if row:
                print(f"  {row:36} " + "  ".join(map(_cell, results)))
                continue
            for result in results:
                print(_line(result))
        if name == SEED:
            print(f"  {NOTE}")
    else:
        print_data(benchmark.to_json(), output)


def _line(result: Result) -> str:
    """One value, and what was published beside it."""
    text = f"  {result.name:40} {result.value:>14,.{_digits(result.value)}f} {result.unit}"
    if result.published is None:
        return text
    deviation = 100 * (result.value / result.published - 1)
    return f"{text:62} published {result.published:>9,.1f}  {deviation:>+6.1f} %"


def _digits(value: float) -> int:
    return 1 if abs(value) >= 10 or value == int(value) else 3  # three digits say enough


def _cell(result: Result) -> str:
    """A value under the last word of its name, which is its column: ``compile 1.6 ms``."""
    column = result.name.removesuffix(f"_{result.unit}").rpartition("_")[2]
    if result.unit == "kB":
        column = "size"
    value, unit = result.value, result.unit
    if unit == "us" and value >= 1000:  # milliseconds read better
        value, unit = value / 1000, "ms"
    return f"{column} {value:>8,.1f} {unit}"
