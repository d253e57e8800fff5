"""``kubesim waterfall``: how a pod started, phase by phase, and what it waited for."""

from __future__ import annotations

import json
from pathlib import Path

from kubesim.cli.options import OutputFormat
from kubesim.cli.output import console, print_data, write_text
from kubesim.cli.pastrun import run_asked_for
from kubesim.cli.running import simulate
from kubesim.errors import EXIT_PASSED, InputError, Problem
from kubesim.manifests import closest
from kubesim.report.waterfall import as_data, html_page, perfetto, render
from kubesim.telemetry.waterfall import Waterfall, waterfalls


def waterfall_command(  # noqa: PLR0913  # the options of the verb
    pod: str | None,
    *,
    scenario: str | None,
    run: Path | None,
    seed: int | None,
    calls: bool,
    html: Path | None,
    trace: Path | None,
    output: OutputFormat,
) -> int:
    """Show how pods started; returns the exit code.

    Raises:
        InputError: If there is no such run or pod, or a file cannot be written.
    """
    asked = run_asked_for(scenario=scenario, run=run, seed=seed)
    ended = simulate(asked.scenario, seed=asked.seed, until_ns=asked.until_ns)
    falls = _chosen(waterfalls(ended.journal), pod)
    if html is not None:
        write_text(html, html_page(falls))
    if trace is not None:
        write_text(trace, json.dumps(perfetto(falls)))
    if output is not OutputFormat.TEXT:
        print_data([as_data(fall) for fall in falls], output)
    elif pod is not None or (html is None and trace is None):
        screen = console()
        for fall in falls:
            screen.print(render(fall, calls=calls), "")
    return EXIT_PASSED


def _chosen(falls: list[Waterfall], pod: str | None) -> list[Waterfall]:
    """The pods of a name, or of the beginning of one; all without a name."""
    if pod is None:
        return falls
    asked = pod if "/" in pod else f"default/{pod}"
    keys = [f"{fall.namespace}/{fall.name}" for fall in falls]
    found = [fall for fall, key in zip(falls, keys, strict=True) if key == asked]
    found = found or [f for f, key in zip(falls, keys, strict=True) if key.startswith(asked)]
    if not found:
        near = closest(asked, keys)
        hint = f'did you mean "{near.removeprefix("default/")}"?' if near else ""
        raise InputError(Problem(message=f'no pod "{pod}" in this run', suggestion=hint))
    return found
