"""A run of the past, again: what ``kubesim run --out`` wrote says what to run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kubesim.errors import InputError, Problem
from kubesim.scenario import Scenario


@dataclass(frozen=True, slots=True)
class PastRun:
    """What was run.

    Attributes:
        scenario: The scenario, with the run's preset.
        seed: The run's seed.
        until_ns: Where the run ended.
    """

    scenario: Scenario
    seed: int
    until_ns: int


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
    scenario = Scenario.load(name)
    if scenario.preset.name != preset:
        scenario = Scenario.load(name, preset=preset)
    if digest is not None and digest != scenario.digest:
        message = f"scenario {name} is not what it was when this run was made"
        raise InputError(Problem(message=message, file=str(file)))
    return PastRun(scenario, seed, until_ns)
