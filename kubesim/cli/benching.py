"""``kubesim bench``: the benchmarks, as text or as JSON."""

from __future__ import annotations

from itertools import groupby

from kubesim.bench import BENCHMARKS, run_benchmark
from kubesim.bench.result import Result
from kubesim.cli.options import OutputFormat
from kubesim.cli.output import print_data
from kubesim.errors import EXIT_PASSED, InputError, Problem
from kubesim.manifests import closest


def bench_command(name: str, *, output: OutputFormat) -> int:
    """Run a benchmark, or list them; returns the exit code.

    Raises:
        InputError: If there is no such benchmark.
    """
    if not name:
        for known, what in BENCHMARKS.items():
            print(f"{known:12} {what}")
        return EXIT_PASSED
    if name not in BENCHMARKS:
        near = closest(name, list(BENCHMARKS))
        hint = f'did you mean "{near}"?' if near else f"there are: {', '.join(BENCHMARKS)}"
        raise InputError(Problem(message=f'no benchmark "{name}"', suggestion=hint))
    benchmark = run_benchmark(name)
    if output is OutputFormat.TEXT:
        machine = benchmark.machine
        print(f"{name} on {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}")
        for row, results in groupby(benchmark.results, key=lambda result: result.row):
            if row:
                print(f"  {row:36} " + "  ".join(map(_cell, results)))
                continue
            for result in results:
                print(_line(result))
    else:
        print_data(benchmark.to_json(), output)
    return EXIT_PASSED


def _line(result: Result) -> str:
    """One value, and what was published beside it."""
    text = f"  {result.name:36} {result.value:>14,.{_digits(result.value)}f} {result.unit}"
    if result.published is None:
        return text
    deviation = 100 * (result.value / result.published - 1)
    return f"{text:58} published {result.published:>9,.1f}  {deviation:>+6.1f} %"


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
