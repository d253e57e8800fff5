"""``kubesim validate``: everything that can be wrong with files, without running anything."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from kubesim.api.model import unsimulated_fields
from kubesim.api.spinv1alpha1 import SpinAppExecutor
from kubesim.errors import EXIT_PASSED, InputError, Problem
from kubesim.manifests import Document, Manifest, check, load_documents, read_paths, read_text
from kubesim.scenario import Scenario
from kubesim.scenario.executors import ordered
from kubesim.scenario.lenient import Strictness, read
from kubesim.scenario.loading import SCENARIO_FILE
from kubesim.scenario.spinapps import unscaled

STDIN = "-"


def validate_command(files: list[str], *, strictness: Strictness | None = None) -> int:
    """Check files; returns the exit code.

    Args:
        files: Manifests and scenarios.
        strictness: How manifests are taken; by default strictly, scenarios as they say themselves.

    Raises:
        InputError: With everything that is wrong with any of them.
    """
    problems: list[Problem] = []
    manifests: list[Manifest] = []
    scenarios: list[Scenario] = []
    notes: list[str] = []
    how = strictness or "strict"
    for file in files:
        try:
            if _is_scenario(file):
                scenarios.append(Scenario.load(file, strictness=strictness))
            else:
                reading = read(_read(file), how)
                problems += reading.problems
                notes += reading.notes
                loaded = load_documents(reading.documents)
                manifests += loaded
                problems += check(loaded)
        except InputError as error:
            problems += error.problems
    in_order = ordered(manifests, how)
    notes += in_order.notes
    if any(isinstance(manifest.obj, SpinAppExecutor) for manifest in manifests):
        problems += in_order.problems
    elif in_order.problems:
        notes.append("no SpinAppExecutor is among these files: it must be in the cluster already")
    if problems:
        raise InputError(problems)
    _summarise(manifests, scenarios, notes)
    return EXIT_PASSED


def _read(file: str) -> list[Document]:
    if file == STDIN:
        return read_text(sys.stdin.read(), "<stdin>")
    return read_paths([file])


def _is_scenario(file: str) -> bool:
    """Whether a path is a scenario: a folder with one, or a file that has the document."""
    path = Path(file)
    if path.is_dir():
        return (path / SCENARIO_FILE).is_file()
    if not path.is_file():
        return False
    # A glance is enough, and a big file of pods is not parsed twice for it.
    try:
        with path.open(encoding="utf-8", errors="replace") as text:
            return any(line.rstrip() == "kind: Scenario" for line in text)
    except OSError:
        return False


def _summarise(manifests: list[Manifest], scenarios: list[Scenario], remarks: list[str]) -> None:
    for scenario in scenarios:
        count = len(scenario.manifests)
        print(f"{scenario.path}: scenario {scenario.name} with {count} objects is valid")
    kinds = Counter(manifest.obj.kind for manifest in manifests)
    for kind, count in sorted(kinds.items()):
        print(f"{count} {kind}{'s' if count != 1 else ''} valid")
    notes: Counter[str] = Counter()
    for manifest in manifests:
        if not type(manifest.obj).simulated:
            notes[f"kind {manifest.obj.kind} is stored and not acted on"] += 1
        for path in unsimulated_fields(manifest.obj):
            notes[f"{manifest.obj.kind} {path} has no effect"] += 1
    lines = [*remarks, *(f"{note} ({count})" for note, count in notes.items())]
    lines += unscaled(manifest.obj for manifest in manifests)
    lines += [note for scenario in scenarios for note in scenario.unsimulated]
    if lines:
        print("not simulated:", file=sys.stderr)
        for line in lines:
            print(f"  {line}", file=sys.stderr)
