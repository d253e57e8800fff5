"""The scenario of a night of batch work holds what its README says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from kubesim.facts import EventRecorded
from kubesim.scenario import Scenario
from kubesim.telemetry import Run

HERE = Path("scenarios/batch-night")


def test_every_expectation_holds(shipped: Callable[[str], Run]) -> None:
    """Schedules, failures, quota, drain."""
    run = shipped("batch-night")

    assert [] == [e.name for e in run.expectations if not e.passed]
    assert () == run.unsimulated


def test_a_drain_that_counts_fails_the_training(tmp_path: Path) -> None:
    """Without the rule the evicted pod is one failure too many."""
    folder = tmp_path / "batch-night"
    shutil.copytree(HERE, folder)
    manifest = folder / "manifests" / "batch.yaml"
    manifest.write_text(manifest.read_text().replace("action: Ignore", "action: Count"))
    run = Scenario.load(folder).run()
    told = [
        fact.reason
        for _, fact in run.journal.of(EventRecorded)
        if (fact.kind, fact.name) == ("Job", "train") and fact.type == "Warning"
    ]

    assert ["BackoffLimitExceeded"] == told
