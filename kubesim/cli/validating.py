"""``kubesim validate``: everything that can be wrong with files, without running anything."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from kubesim.api.model import unsimulated_fields
from kubesim.errors import EXIT_PASSED, InputError, Problem
from kubesim.manifests import Document, Manifest, check, load_documents, read_paths, read_text
from kubesim.scenario import Scenario
from kubesim.scenario.loading import SCENARIO_FILE

STDIN = "-"


def validate_command(files: list[str]) -> int:
    """Check files; returns the exit code.

    Raises:
        InputError: With everything that is wrong with any of them.
    """
    problems: list[Problem] = []
    manifests: list[Manifest] = []
    scenarios: list[Scenario] = []
    for file in files:
        try:
            if _is_scenario(file):
                scenarios.append(Scenario.load(file))
            else:
                loaded = load_documents(_read(file))
                manifests += loaded
                problems += check(loaded)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    _summarise(manifests, scenarios)
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


def _summarise(manifests: list[Manifest], scenarios: list[Scenario]) -> None:
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
    lines = [f"{note} ({count})" for note, count in notes.items()]
    lines += [note for scenario in scenarios for note in scenario.unsimulated]
    if lines:
        print("not simulated:", file=sys.stderr)
        for line in lines:
            print(f"  {line}", file=sys.stderr)
