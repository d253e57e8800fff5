"""Modules of five toolchains in one scenario, and that their answers are theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from kubesim import facts
from kubesim.telemetry import Run

ANSWERS = {
    "luhn": b'{"digits":16,"valid":true}\n',
    "words": b"2 be\n1 not\n1 or\n2 to\n",
    "sorted": b"a\nb\nc\n",
}


@pytest.fixture(scope="module")
def run(shipped: Callable[[str], Run]) -> Run:
    """The scenario, run."""
    return shipped("toolchains")


def test_expectations_hold(run: Run) -> None:
    """Every module does what the scenario expects of it."""
    assert [] == [r.name for r in run.expectations if not r.passed]


@pytest.mark.parametrize("service", ANSWERS)
def test_answers_are_computed(run: Run, service: str) -> None:
    """What a handler answers is what its source makes of the request, every time."""
    completed = [f for _, f in run.journal.of(facts.RequestCompleted) if f.service == service]
    assert {hashlib.sha256(ANSWERS[service]).hexdigest()} == {f.body_sha256 for f in completed}
