"""The shipped SpinKube scenario: its expectations hold, and the operator made what it should."""

from __future__ import annotations

import pytest

from kubesim.scenario import Scenario
from kubesim.telemetry import Run


@pytest.fixture(scope="module")
def run() -> Run:
    return Scenario.load("spinkube-walkthrough").run()


def test_expectations_hold(run: Run) -> None:
    """Every expectation of the walkthrough holds with its own seed."""
    assert [] == [result.name for result in run.expectations if not result.passed]


def test_only_the_drain_loses_requests(run: Run) -> None:
    """No request fails before the drain."""
    failed = run.facts()["RequestFailed"]
    assert min(row["at_ns"] for row in failed) > 140_000_000_000


def test_no_pod_is_created_twice(run: Run) -> None:
    """The operator's passes change nothing once everything is there: few Deployment writes."""
    writes = [row for row in run.facts()["ObjectWritten"] if row["kind"] == "Deployment"]
    mains = [row for row in writes if row["verb"] == "update" and row["name"] == "hello-spin"]
    assert 1 == len(mains)  # the change from three replicas to six
