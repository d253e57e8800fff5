"""The published trace of KEDA, and the way to zero and back."""

from __future__ import annotations

from collections.abc import Callable

from kubesim.facts import EventRecorded
from kubesim.sim.time import SECOND
from kubesim.telemetry import Run


def test_the_replicas_step_as_published_and_zero_is_left_and_reached(
    shipped: Callable[[str], Run],
) -> None:
    """1 -> 2 -> 4 -> 8 -> 16 -> 20 every 15 s; 1 -> 0 after 300 s; 0 -> 1 at the next look."""
    run = shipped("keda-trace")

    assert [] == [result for result in run.expectations if not result.passed]
    steps = [
        (at_ns // SECOND, int(fact.message.split()[2].rstrip(";")))
        for at_ns, fact in run.journal.of(EventRecorded)
        if fact.reason == "SuccessfulRescale"
    ]
    assert [(105, 2), (120, 4), (135, 8), (150, 16), (165, 20)] == steps[:5]
