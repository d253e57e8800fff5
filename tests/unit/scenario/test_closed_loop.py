"""The closed-loop scenario: what its README says is so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kubesim.facts import RequestCompleted
from kubesim.sim.time import SECOND
from kubesim.telemetry import Run


@pytest.fixture(scope="module")
def run(shipped: Callable[[str], Run]) -> Run:
    return shipped("closed-loop")


def test_every_expectation_holds(run: Run) -> None:
    """Rate, wait and accounts are as the scenario says."""
    assert [] == [result for result in run.expectations if not result.passed]


def test_connections_stay_where_they_are(run: Run) -> None:
    """The pods that come while everybody is connected get no request."""
    late = {
        fact.pod
        for at_ns, fact in run.journal.of(RequestCompleted)
        if at_ns > 50 * SECOND and fact.traffic == "wrk"
    }
    assert (8, 4) == (len(run.pods), len(late))


def test_the_curve_adds_up_to_the_row(run: Run) -> None:
    """Second by second, every request once."""
    for row in run.traffic:
        points = [point for point in run.traffic_curve if point["traffic"] == row["name"]]
        assert row["completed"] + row["failed"] == sum(point["ended"] for point in points)
        assert row["slo_violations"] == sum(point["violations"] for point in points)
