"""Quantiles by nearest rank: always a value that occurred, and exact for integers."""

from __future__ import annotations

from collections.abc import Sequence


def quantile(ordered: Sequence[int], q_percent: float) -> int:
    """The ``q_percent`` quantile of sorted values; 0 when there are none."""
    if not ordered:
        return 0
    # Thousandths, so that 99.9 is exact.
    rank = -(-len(ordered) * round(q_percent * 1000) // 100_000)
    return ordered[min(max(rank, 1), len(ordered)) - 1]
