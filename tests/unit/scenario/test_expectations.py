"""Expectations: when they are looked at, and what they say when they fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.scenario import Scenario
from kubesim.scenario.expectations import explain
from kubesim.sim.time import SECOND
from kubesim.telemetry import ExpectationResult

WriteScenario = Callable[..., Path]
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i:v1}]}\n"


def judge(write: WriteScenario, expectation: str) -> ExpectationResult:
    """Run one pod for ten seconds and judge one expectation."""
    spec = f"duration: 10s\nexpectations: [{{name: e, {expectation}}}]"
    return Scenario.load(write(spec, POD)).run().expectations[0]


def test_expr_at_the_end(write_scenario: WriteScenario) -> None:
    """A plain expectation is judged when the run ends."""
    result = judge(write_scenario, "expr: 'pods[0].ready'")
    assert (True, 10 * SECOND) == (result.passed, result.at_ns)


def test_by_in_time(write_scenario: WriteScenario) -> None:
    """An expectation with ``by`` passes at the first look that finds it true."""
    result = judge(write_scenario, "by: 9s, expr: 'pods.exists(p, p.ready)'")
    assert result.passed
    assert SECOND < result.at_ns <= 5 * SECOND


def test_by_too_late(write_scenario: WriteScenario) -> None:
    """It fails at its time when it was not true until then, even if it comes true later."""
    result = judge(write_scenario, "by: 1s, expr: 'pods.exists(p, p.ready)'")
    assert not result.passed
    assert "look at pods" in result.hint


def test_never_violated(write_scenario: WriteScenario) -> None:
    """What must never be true fails at the look that finds it true, though it is over at the end."""
    result = judge(write_scenario, "never: \"pods.exists(p, p.phase == 'Pending')\"")
    assert not result.passed
    assert result.at_ns <= 2 * SECOND


def test_never_kept(write_scenario: WriteScenario) -> None:
    """What never was true passes."""
    assert judge(write_scenario, "never: \"pods.exists(p, p.phase == 'Failed')\"").passed


def test_latency_percentiles_and_cost(write_scenario: WriteScenario) -> None:
    """Latencies are durations with percentiles, and the cost is there."""
    expression = 'run.now == duration("10s") && cost.total_usd == 0.0 && services.size() == 0'
    assert judge(write_scenario, f"expr: '{expression}'").passed


def test_not_a_boolean(write_scenario: WriteScenario) -> None:
    """An expression that is neither true nor false fails and says what it is."""
    result = judge(write_scenario, "expr: 'pods.size()'")
    assert (False, "is not true or false but 1") == (result.passed, result.actual)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a > 2", "a = 1"),
        ("a == 1 && b == 'x'", 'b = "y"'),
        ("l.exists(i, i == 3)", "l.exists(i, i == 3) is false"),
        ("b == 'a && b'", 'b = "y"'),
        ("m.missing == 1", "m.missing: "),
    ],
)
def test_explanation(source: str, expected: str) -> None:
    """The explanation shows the side that was computed, of the first part that is false."""
    told = explain(source, {"a": 1, "b": "y", "l": [1, 2], "m": {}})
    assert told.startswith(expected)
