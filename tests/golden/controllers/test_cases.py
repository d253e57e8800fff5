"""Recorded cases of the real controllers, played by ours and judged item by item."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubesim.conformance.controllers import judge_controllers

HERE = Path(__file__).parent
CASES = sorted(folder.name for folder in (HERE / "cases").iterdir())


@pytest.mark.parametrize("name", CASES)
def test_a_case_goes_as_recorded(name: str) -> None:
    """Calls, states at rest, sizes, times, Events and the end are those of the real controllers."""
    verdict = judge_controllers(HERE / "cases" / name)
    assert [] == verdict.differences
    assert verdict.passed
