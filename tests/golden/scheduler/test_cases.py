"""Recorded cases from end to end: the same pods on the same nodes, in the same order."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesim.cluster.schedulercase import play_case
from kubesim.controlplane.scheduler.recorded import load_case

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_case_ends_as_recorded(folder: Path) -> None:
    """Final states, bindings and their order are those of the real scheduler."""
    case = load_case(folder)
    run = play_case(case)
    expected = case.expected

    wanted = {
        key: {name: state.get(name) for name in ("state", "node", "reason", "message")}
        for key, state in expected["final"].items()
    }
    final = run.final()
    actual = {
        key: {
            name: final.get(key, {}).get(name) for name in ("state", "node", "reason", "message")
        }
        for key in wanted
    }
    assert wanted == actual
    # Bindings race with each other in the real one, so the order of the decisions is what counts.
    decisions = [(item["pod"], item["selected"]) for item in expected["attempts"]]
    assert [item for item in decisions if item[1]] == run.bind_order
    assert sorted(expected.get("rejectedAtAdmission") or ()) == sorted(run.rejected)
