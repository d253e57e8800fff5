"""Bringing scores into the range 0 to 100.

Mirrors: pkg/scheduler/framework/plugins/helper/normalize_score.go.
"""

from __future__ import annotations

from kubesim.controlplane.scheduler.framework.status import MAX_NODE_SCORE


def default_normalize_score(scores: list[int], *, reverse: bool = False) -> list[int]:
    """Scale so that the best is 100; with ``reverse`` the lowest score is the best."""
    highest = max(scores, default=0)
    if highest <= 0:
        return [MAX_NODE_SCORE] * len(scores) if reverse else scores
    scaled = [truncated_division(MAX_NODE_SCORE * score, highest) for score in scores]
    return [MAX_NODE_SCORE - score for score in scaled] if reverse else scaled


def truncated_division(dividend: int, divisor: int) -> int:
    """Integer division as Go does it: towards zero."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient
