"""``kubesim conformance``: recordings of real components, judged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kubesim.cli.conforminghpa import judge_hpa_command
from kubesim.cli.options import OutputFormat
from kubesim.cli.output import print_data
from kubesim.conformance.controllers import judge_controllers
from kubesim.conformance.judge import Verdict
from kubesim.conformance.scheduler import judge_scheduler
from kubesim.errors import EXIT_EXPECTATION_FAILED, EXIT_PASSED, InputError

JUDGES: Mapping[str, Callable[[Path], Verdict]] = {
    "controllers": judge_controllers,
    "scheduler": judge_scheduler,
}
SHOWN_DIFFERENCES = 20


def conformance_command(what: str, folders: Sequence[Path], *, output: OutputFormat) -> int:
    """Judge every folder; returns the exit code.

    Raises:
        InputError: If there is nothing to judge.
    """
    if what == "hpa":
        return judge_hpa_command(folders, output=output)
    judge = JUDGES.get(what)
    if judge is None:
        known = ", ".join(sorted((*JUDGES, "hpa")))
        raise InputError(f'nothing to judge is called "{what}"; there is: {known}')
    cases = [case for folder in folders for case in _cases(folder) if not case.is_file()]
    if not cases:
        raise InputError("there is no folder among these")
    verdicts: list[Verdict] = []
    for case in cases:
        verdicts.append(judge(case))
        if output is OutputFormat.TEXT:
            _print(verdicts[-1])
    if output is OutputFormat.TEXT:
        passed = sum(verdict.passed for verdict in verdicts)
        items = sum(verdict.compared for verdict in verdicts)
        equal = sum(verdict.equal for verdict in verdicts)
        print(f"{passed} of {len(verdicts)} cases equal, {equal} of {items} items")
    else:
        print_data([_data(verdict) for verdict in verdicts], output)
    return EXIT_PASSED if all(v.passed for v in verdicts) else EXIT_EXPECTATION_FAILED


def _cases(folder: Path) -> list[Path]:
    """The folder itself, or the folders in it when it has cases in it."""
    if (folder / "expected.json").is_file():
        return [folder]
    inside = sorted(path.parent for path in folder.glob("*/expected.json"))
    return inside or [folder]


def _print(verdict: Verdict) -> None:
    note = f", {verdict.note}" if verdict.note else ""
    print(f"{verdict.name}: {verdict.equal} of {verdict.compared} equal{note}")
    for difference in verdict.differences[:SHOWN_DIFFERENCES]:
        print(f"  {difference}")
    more = len(verdict.differences) - SHOWN_DIFFERENCES
    if more > 0:
        print(f"  and {more} more")
    sys.stdout.flush()


def _data(verdict: Verdict) -> dict[str, object]:
    return {
        "case": verdict.name,
        "compared": verdict.compared,
        "equal": verdict.equal,
        "note": verdict.note,
        "differences": verdict.differences,
    }
