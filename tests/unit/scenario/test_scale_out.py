"""Containers against Wasm, from nothing to 400 users."""

from __future__ import annotations

from collections.abc import Callable

from kubesim.telemetry import Run


def test_expectations_hold(shipped: Callable[[str], Run]) -> None:
    """Both pools cost the same, serve everybody in the end, and lose nobody."""
    run = shipped("scale-out")
    assert [] == [result.name for result in run.expectations if not result.passed]
