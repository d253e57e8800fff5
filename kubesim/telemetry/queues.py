"""What became of messages: one row a queue, in which every message is accounted for once."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from kubesim.telemetry.quantiles import quantile

QUEUE_COLUMNS = (
    "name", "published", "processed", "ready", "unacknowledged", "lost", "refused", "redelivered",
    "wait_p50_ns", "wait_p99_ns", "wait_max_ns", "took_p50_ns", "took_p99_ns",
)  # fmt: skip


def _column() -> array[int]:
    return array("q")


@dataclass(slots=True)
class QueueTotals:
    """What became of the messages of one queue, as far as facts say it.

    Attributes:
        waits_ns: Of each message that was processed: from its publishing until it was handed out.
        took_ns: And from then until it was done.
        redelivered: How many of them were handed out more than once.
        lost: How many went with their consumer.
        published: At the run's end: how many came.
        refused: How many the broker did not take.
        ready: How many wait.
        unacknowledged: How many are with a consumer.
    """

    waits_ns: array[int] = field(default_factory=_column)
    took_ns: array[int] = field(default_factory=_column)
    redelivered: int = 0
    lost: int = 0
    published: int = 0
    refused: int = 0
    ready: int = 0
    unacknowledged: int = 0


def queue_row(name: str, totals: QueueTotals) -> dict[str, Any]:
    """One queue's row."""
    waits, took = sorted(totals.waits_ns), sorted(totals.took_ns)
    return {
        "name": name,
        "published": totals.published,
        "processed": len(waits),
        "ready": totals.ready,
        "unacknowledged": totals.unacknowledged,
        "lost": totals.lost,
        "refused": totals.refused,
        "redelivered": totals.redelivered,
        "wait_p50_ns": quantile(waits, 50),
        "wait_p99_ns": quantile(waits, 99),
        "wait_max_ns": waits[-1] if waits else 0,
        "took_p50_ns": quantile(took, 50),
        "took_p99_ns": quantile(took, 99),
    }
