"""Containers against Wasm, from nothing to 400 users."""

from __future__ import annotations

from kubesim.scenario import Scenario


def test_expectations_hold() -> None:
    """Both pools cost the same, serve everybody in the end, and lose nobody."""
    run = Scenario.load("scale-out").run()
    assert [] == [result.name for result in run.expectations if not result.passed]
