"""The scheduler's decisions, held against those of a real kube-scheduler, attempt by attempt."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kubesim.controlplane.scheduler.recorded import Case, load_case
from kubesim.controlplane.scheduler.replay import differences, replay

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())


@cache
def decided(folder: Path) -> tuple[Case, list[dict[str, Any]]]:
    """A case and what we decide in each of its attempts."""
    case = load_case(folder)
    return case, replay(case)


@pytest.fixture(scope="module", autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[None]:
    """Prints how many attempts were compared, and how many were equal, when all is done."""
    yield
    compared = equal = 0
    for folder in CASES:
        case, actual = decided(folder)
        compared += len(case.expected["attempts"])
        pairs = zip(case.expected["attempts"], actual, strict=True)
        equal += sum(not differences(expected, attempt) for expected, attempt in pairs)
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    reporter.write_line(f"\n{equal} of {compared} recorded attempts equal, {len(CASES)} cases")


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_every_attempt_is_equal(folder: Path) -> None:
    """Feasible nodes, rejections, scores, the choice and the victims are the recorded ones."""
    case, attempts = decided(folder)

    wrong = [
        (index, expected["pod"], {name: (expected.get(name), actual.get(name)) for name in names})
        for index, (expected, actual) in enumerate(
            zip(case.expected["attempts"], attempts, strict=True)
        )
        if (names := differences(expected, actual))
    ]
    assert [] == wrong


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_nodes_are_scored_in_the_order_in_which_they_were_found(folder: Path) -> None:
    """Ties are broken by that order, so it has to be the recorded one."""
    case, attempts = decided(folder)

    for expected, actual in zip(case.expected["attempts"], attempts, strict=True):
        assert list(expected.get("scores") or ()) == list(actual.get("scores") or ())


@pytest.mark.parametrize("folder", CASES, ids=lambda path: path.name)
def test_messages_are_the_recorded_ones(folder: Path) -> None:
    """What the pods and the events say of failed attempts is what the real ones said."""
    case, attempts = decided(folder)

    failed = [(item["pod"], item["message"]) for item in attempts if item["selected"] is None]
    recorded = [
        (event["pod"], event["note"])
        for event in case.expected["events"]
        if event["reason"] == "FailedScheduling"
    ]
    assert set() == set(recorded) - set(failed)
    final = dict(failed)
    for pod, state in case.expected["final"].items():
        if state["state"] == "pending" and state.get("message"):
            assert state["message"] == final[pod]
