"""The text report: everything a person needs is in it, on lines that fit."""

from __future__ import annotations

from kubesim.report.text import REPORT_WIDTH, text
from kubesim.telemetry import Run
from kubesim.telemetry.startup import PHASES


def test_report_has_every_section(mixed_pool: Run) -> None:
    """Digest, nodes, pods, every phase that a pod had, services, and what is not simulated."""
    report = text(mixed_pool)
    for expected in (mixed_pool.digest, "wasm-1", "report", "instantiation", "Not simulated"):
        assert expected in report
    had = {phase for pod in mixed_pool.pods for phase in pod["startup"]}
    assert {"probe"} == set(PHASES) - had
    assert [] == [phase for phase in had if phase not in report]
    assert "probe" not in report


def test_report_lines_fit(mixed_pool: Run) -> None:
    """No line is wider than the report."""
    assert [] == [line for line in text(mixed_pool).splitlines() if len(line) > REPORT_WIDTH]


def test_report_is_a_pure_function(mixed_pool: Run) -> None:
    """The same run gives the same report."""
    assert text(mixed_pool) == text(mixed_pool)


def test_reasons_stand_below_the_pods(mixed_pool: Run) -> None:
    """Why a pod is Pending is told in the scheduler's words."""
    report = " ".join(text(mixed_pool).split())
    assert "Unschedulable: 0/4 nodes are available: 2 node(s) didn't match Pod's node" in report
