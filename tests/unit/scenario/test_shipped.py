"""Every scenario that is shipped shows what it says it shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kubesim.share import share_path
from kubesim.telemetry import Run

NAMES = sorted(path.parent.name for path in share_path("scenarios").glob("*/scenario.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_expectation_holds(name: str, shipped: Callable[[str], Run]) -> None:
    """What the scenario expects of itself holds with its own seed."""
    run = shipped(name)
    assert run.expectations
    assert [] == [(r.name, r.actual) for r in run.expectations if not r.passed]


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_says_what_it_shows(name: str) -> None:
    """Beside each scenario lies a README."""
    text = (share_path("scenarios") / name / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) > 50
