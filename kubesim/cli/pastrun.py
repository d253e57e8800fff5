"""A run of the past, again: what ``kubesim run --out`` wrote says what to run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kubesim.errors import InputError, Problem
from kubesim.scenario import Scenario


@dataclass(frozen=True, slots=True)
class PastRun:
    """What was run, or is to be run.

    Attributes:
        scenario: The scenario, with the run's preset.
        seed: The run's seed; the scenario's own if ``None``.
        until_ns: Where the run ended; its whole duration if ``None``.
    """

    scenario: Scenario
    seed: int | None
    until_ns: int | None


def run_asked_for(*, scenario: str | None, run: Path | None, seed: int | None) -> PastRun:
    """What ``--scenario`` and ``--seed``, or ``--run``, name.

    Raises:
        InputError: If both or neither are given, or there is no such run.
    """
    if (scenario is None) == (run is None):
        raise InputError("give either --scenario NAME or --run DIR")
    if run is None:
        assert scenario is not None
        return PastRun(Scenario.load(scenario), seed, None)
    if seed is not None:
        raise InputError("--seed goes with --scenario; a run has its own")
    return past_run(run)


def past_run(folder: Path) -> PastRun:
    """The run that was written to a folder.

    Raises:
        InputError: If there is none, or its scenario is not what it was.
    """
    file = folder / "run.json"
    try:
        head = json.loads(file.read_text(encoding="utf-8"))
        name, seed = head.get("path") or head["scenario"], head["seed"]
        until_ns = round(head["virtual_seconds"] * 10**9)
        preset, digest = head["preset"], head.get("scenario_digest")
    except (OSError, ValueError, KeyError) as error:
        message = f"is no run that kubesim run --out wrote: {error}"
        raise InputError(Problem(message=message, file=str(file))) from None
    if head.get("reproducible") is False:
        message = (
            "was measured on the machine it ran on (timing: measured) and cannot be made again"
        )
        raise InputError(Problem(message=message, file=str(file)))
    scenario = Scenario.load(name)
    if scenario.preset.name != preset:
        scenario = Scenario.load(name, preset=preset)
    if digest is not None and digest != scenario.digest:
        message = f"scenario {name} is not what it was when this run was made"
        raise InputError(Problem(message=message, file=str(file)))
    return PastRun(scenario, seed, until_ns)
