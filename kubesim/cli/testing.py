"""``kubesim test``: run scenarios, judge them, and leave what CI reads."""

from __future__ import annotations

import sys
from pathlib import Path

from kubesim.cli.output import console
from kubesim.cli.running import simulate
from kubesim.errors import EXIT_BAD_INPUT, EXIT_EXPECTATION_FAILED, EXIT_PASSED, InputError
from kubesim.report.junit import Judged, junit_xml
from kubesim.report.text import expectations_table
from kubesim.scenario import Scenario
from kubesim.scenario.loading import SCENARIO_FILE
from kubesim.telemetry import Run


def test_command(
    names: list[str], *, seed: int | None, seeds: int, preset: str | None, junit: Path | None
) -> int:
    """Test scenarios; returns the exit code."""
    judged = [
        one for name in expand(names) for one in judge(name, seed=seed, seeds=seeds, preset=preset)
    ]
    screen = console()
    for one in judged:
        _show(screen, one)
    if junit is not None:
        _write(junit, junit_xml(judged))
    runs = [one.run for one in judged if one.run is not None]
    expectations = [result for run in runs for result in run.expectations]
    failed = sum(not result.passed for result in expectations)
    broken = len(judged) - len(runs)
    tail = f", {broken} could not be loaded" if broken else ""
    print(f"{len(expectations) - failed} passed, {failed} failed in {len(runs)} runs{tail}")
    if broken:
        return EXIT_BAD_INPUT
    return EXIT_EXPECTATION_FAILED if failed else EXIT_PASSED


def expand(names: list[str]) -> list[str]:
    """Scenario names and paths; a folder of scenarios stands for all of them, sorted.

    Raises:
        InputError: If such a folder has no scenario in it.
    """
    found: list[str] = []
    for name in names:
        folder = Path(name)
        if folder.is_dir() and not (folder / SCENARIO_FILE).is_file():
            inside = sorted(str(path.parent) for path in folder.glob(f"*/{SCENARIO_FILE}"))
            if not inside:
                raise InputError(f"{name}: no {SCENARIO_FILE} in it, nor in the folders in it")
            found += inside
        else:
            found.append(name)
    return found


def judge(name: str, *, seed: int | None, seeds: int, preset: str | None) -> list[Judged]:
    """A scenario's runs, one for each seed, or why there are none."""
    try:
        scenario = Scenario.load(name, preset=preset)
    except InputError as error:
        return [Judged(name=name, error=error)]
    first = scenario.spec.seed if seed is None else seed
    judged = []
    for number in range(seeds):
        run = simulate(scenario, seed=first + number)
        title = scenario.name if seeds == 1 else f"{scenario.name}[seed {first + number}]"
        judged.append(Judged(name=title, run=run))
    return judged


def _show(screen: object, one: Judged) -> None:
    if one.run is None:
        assert one.error is not None
        for problem in one.error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return
    run: Run = one.run
    print(f"{one.name}  seed {run.seed}  {run.digest}")
    screen.print(expectations_table(run))  # type: ignore[attr-defined]  # a rich console
    if not run.passed:
        print(f"  again: kubesim run {run.scenario} --seed {run.seed}")


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise InputError(f"--junit {file}: {error.strerror or error}") from None
