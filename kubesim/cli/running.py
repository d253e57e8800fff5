"""``kubesim run``: simulate, show how far it is, print the report."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

from kubesim.api.duration import parse_duration
from kubesim.cli.options import OutputFormat, TableFormat
from kubesim.cli.output import console, print_data, write_text
from kubesim.cli.wallclock import WALL_CLOCK
from kubesim.errors import EXIT_EXPECTATION_FAILED, EXIT_PASSED, InputError, Problem
from kubesim.scenario import LiveRun, Scenario
from kubesim.sim.time import human
from kubesim.telemetry import Run

PROGRESS_STEPS = 400
PROGRESS_AFTER_S = 1.0


def run_command(  # noqa: PLR0913  # the options of the verb
    name: str,
    *,
    seed: int | None,
    until: str | None,
    preset: str | None,
    output: OutputFormat,
    out: Path | None,
    table_format: TableFormat | None,
    sources: bool,
    recommend: bool = False,
    perfetto: Path | None = None,
) -> int:
    """Run a scenario; returns the exit code."""
    scenario = Scenario.load(name, preset=preset)
    run = simulate(scenario, seed=seed, until_ns=parse_until(until))
    if out is not None:
        write_tables(run, out, table_format)
    if perfetto is not None:
        write_perfetto(run, perfetto)
    if output is OutputFormat.TEXT:
        print_report(run, sources=sources, recommend=recommend)
    elif recommend:
        print_data({**run.to_json(), "recommendations": recommendations_data(run)}, output)
    else:
        print_data(run.to_json(), output)
    return EXIT_PASSED if run.passed else EXIT_EXPECTATION_FAILED


def parse_until(until: str | None) -> int | None:
    """``--until`` as nanoseconds.

    Raises:
        InputError: If it is not a duration of more than nothing.
    """
    if until is None:
        return None
    try:
        until_ns = parse_duration(until)
    except ValueError as error:
        raise InputError(f"--until: {error}") from None
    if until_ns <= 0:
        raise InputError(f"--until: a run takes some time, not {until}")
    return until_ns


def simulate(scenario: Scenario, *, seed: int | None = None, until_ns: int | None = None) -> Run:
    """Run a scenario to its end, with a progress bar on a terminal when it takes longer."""
    live = LiveRun(scenario, seed=seed, until_ns=until_ns, clock=WALL_CLOCK)
    if not sys.stderr.isatty():
        live.advance(live.end_ns)
        return live.finish()
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    began_s = monotonic()
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[clock]}"),
        TextColumn("{task.fields[rate]}"),
        console=console(stderr=True),
        transient=True,
        disable=True,
    )
    task = progress.add_task(scenario.name, total=PROGRESS_STEPS, clock="", rate="")
    with progress:
        for step in range(1, PROGRESS_STEPS + 1):
            live.advance(live.end_ns * step // PROGRESS_STEPS)
            elapsed_s = monotonic() - began_s
            if progress.disable and elapsed_s > PROGRESS_AFTER_S:
                progress.disable = False
                progress.start()
            rate = live.simulation.sim.events_processed / max(elapsed_s, 1e-9)
            clock = f"{human(live.now_ns)} of {human(live.end_ns)}"
            progress.update(task, completed=step, clock=clock, rate=f"{rate:,.0f} events/s")
    return live.finish()


def write_tables(run: Run, folder: Path, table_format: TableFormat | None) -> None:
    """Write ``--out``.

    Raises:
        InputError: If the folder cannot be written, or pyarrow is missing for Parquet.
    """
    from kubesim.telemetry.writing import parquet_available, write_run  # noqa: PLC0415

    if table_format is TableFormat.PARQUET and not parquet_available():
        hint = "pip install 'kubesim[study]', or --format jsonl"
        raise InputError(Problem(message="Parquet needs pyarrow", suggestion=hint))
    wanted = table_format is not TableFormat.JSONL and parquet_available()
    try:
        files = write_run(run, folder, file_format="parquet" if wanted else "jsonl")
    except OSError as error:
        raise InputError(f"--out {folder}: {error.strerror or error}") from None
    print(f"wrote {len(files)} files to {folder}", file=sys.stderr)


def write_perfetto(run: Run, file: Path) -> None:
    """Write ``--perfetto``: how all pods started, as a trace.

    Raises:
        InputError: If the file cannot be written.
    """
    from kubesim.report.waterfall import perfetto  # noqa: PLC0415
    from kubesim.telemetry.waterfall import waterfalls  # noqa: PLC0415

    write_text(file, json.dumps(perfetto(waterfalls(run.journal))))


def recommendations_data(run: Run) -> list[dict[str, Any]]:
    """The recommendations for a script."""
    from kubesim.report.recommend import recommend  # noqa: PLC0415

    return [asdict(found) for found in recommend(run)]


def print_report(run: Run, *, sources: bool, recommend: bool = False) -> None:
    """The report, and where the numbers are from and what they advise when that is asked for."""
    from kubesim.report.text import render, sources_report  # noqa: PLC0415

    screen = console()
    screen.print(render(run))
    if recommend:
        from kubesim.report.recommend import recommendations  # noqa: PLC0415

        screen.print(recommendations(run))
    if sources:
        screen.print(sources_report(run))
