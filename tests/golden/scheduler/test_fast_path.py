"""The fast path, held against the recordings: what it takes, it decides as the real one did."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesim.controlplane.scheduler.explain import described
from kubesim.controlplane.scheduler.recorded import load_case
from kubesim.controlplane.scheduler.replay import Replay

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_choices_and_totals_are_equal(folder: Path) -> None:
    """Feasible nodes in order, the total of each, and the choice are the recorded ones."""
    case = load_case(folder)

    for expected, attempt in zip(
        case.expected["attempts"], Replay(case, fast=True).attempts(), strict=True
    ):
        assert expected["selected"] == (attempt.selected or None)
        assert expected["feasible"] == list(attempt.feasible)
        if attempt.fast is not None and attempt.fast.totals is not None:
            totals = [score["total"] for score in expected["scores"].values()]
            assert totals == attempt.fast.totals.tolist()


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_refusals_and_victims_are_equal(folder: Path) -> None:
    """Where nothing fits: who refused each node and why, and who would have to leave."""
    case = load_case(folder)

    for expected, attempt in zip(
        case.expected["attempts"], Replay(case, fast=True).attempts(), strict=True
    ):
        if expected["selected"] is None:
            told = described(attempt)
            for name in ("rejected", "absentNodesStatus", "preFilterMsg", "preemption"):
                assert (expected.get(name) or None) == (told.get(name) or None)


def test_most_recorded_attempts_take_the_fast_path() -> None:
    """The fast path would be no use if it left most attempts to the reference path."""
    attempts = [item for path in CASES for item in Replay(load_case(path), fast=True).attempts()]

    assert sum(item.fast is not None for item in attempts) > len(attempts) // 2
