"""Lost requests are put down to what became of the pod that they were sent to."""

from __future__ import annotations

import pytest

from kubesim import facts
from kubesim.telemetry import losses
from kubesim.telemetry.losses import Losses

SENT_NS, NOW_NS = 4_000, 10_000
POD = {"namespace": "default", "name": "web", "uid": "u1"}


def exited(at_ns: int) -> tuple[int, object]:
    """The pod's container ended."""
    return at_ns, facts.ContainerExited(
        **POD, node="n1", container="c", attempt=0, exit_code=0, reason="", message=""
    )


def failed(reason: str, pod: str = "web") -> facts.RequestFailed:
    """A request that was sent at ``SENT_NS``."""
    return facts.RequestFailed(
        traffic="users", serial=1, namespace="default", service="web", pod=pod, reason=reason,
        latency_ns=NOW_NS - SENT_NS,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "fact", "cause"),
    [
        ([(1, facts.NodeFailed(node="n1"))], failed("timeout"), losses.NODE_DOWN),
        ([exited(5_000)], failed("connection reset by peer"), losses.ENDED_MEANWHILE),
        ([exited(3_000)], failed("timeout"), losses.ENDED_BEFORE),
        ([], failed("timeout"), losses.TOO_SLOW),
        ([], failed("connection refused"), losses.NOT_LISTENING),
        ([], failed("no endpoints available", pod=""), losses.NO_ENDPOINT),
    ],
)
def test_a_cause(before: list, fact: facts.RequestFailed, cause: str) -> None:
    """The first thing that explains it."""
    found = Losses()
    bound = facts.PodBound(**POD, node="n1", attempts=1, feasible_nodes=1, evaluated_nodes=1)
    for at_ns, earlier in [(0, bound), *before, (NOW_NS, fact)]:
        found(at_ns, earlier)
    assert [(cause, 1)] == [(row["cause"], row["requests"]) for row in found.rows()]


def test_an_attempt_that_another_made_up_for_is_not_lost() -> None:
    """It is counted beside."""
    found = Losses()
    found(
        NOW_NS,
        facts.AttemptEnded(
            traffic="users", serial=1, attempt=1, namespace="default", service="web", pod="web",
            outcome="timeout", latency_ns=1,
        ),
    )  # fmt: skip
    assert [(0, 1)] == [(row["requests"], row["retried"]) for row in found.rows()]
