"""The shipped SpinKube scenario: its expectations hold, and the operator made what it should."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest

from kubesim.telemetry import Run


@pytest.fixture(scope="module")
def run(shipped: Callable[[str], Run]) -> Run:
    return shipped("spinkube-walkthrough")


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


def test_answers_are_the_components_own(run: Run) -> None:
    """The first answers carry the clock, the replica's visits and the Secret's value."""
    completed = run.facts()["RequestCompleted"]
    first = [row for row in completed if row["traffic"] == "visitors"][:3]
    epoch_s = run.start_time_ns // 10**9
    for row in first:
        served_s = epoch_s + row["at_ns"] // 10**9
        candidates = {
            sha256(_body(row["serial"], timestamp, visits).encode()).hexdigest()
            for timestamp in (served_s - 1, served_s)
            for visits in range(1, 6)
        }
        assert row["body_sha256"] in candidates


def _body(number: int, timestamp: int, visits: int) -> str:
    return (
        f'{{"message":"Hello from Spin!","path":"/hello?n={number}","method":"GET",'
        f'"runtime":"wasm32-wasip2","timestamp":{timestamp},"visits":{visits},'
        '"database":"postgres://db.default.svc/app"}\n'
    )
