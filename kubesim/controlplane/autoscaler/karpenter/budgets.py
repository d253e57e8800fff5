"""How many nodes of a pool may be on their way out. Pure functions.

Mirrors: kubernetes-sigs/karpenter pkg/apis/v1/nodepool.go (Budget.IsActive,
GetAllowedDisruptionsByReason).
"""

from __future__ import annotations

from collections.abc import Iterable

from kubesim.api.cron import CronError, parse_schedule
from kubesim.api.duration import parse_duration
from kubesim.api.karpenterv1 import Budget
from kubesim.sim.time import SECOND


def allowed_disruptions(
    budgets: Iterable[Budget], reason: str, nodes: int, wall_ns: int = 0
) -> int:
    """How many of a pool's nodes may be on their way out: the least that a budget allows.

    Args:
        budgets: The pool's budgets.
        reason: ``Empty``, ``Drifted`` or ``Underutilized``.
        nodes: How many nodes the pool has.
        wall_ns: Nanoseconds since the epoch.
    """
    limits = []
    for budget in budgets:
        if budget.reasons and reason not in budget.reasons:
            continue
        try:
            if is_active(budget, wall_ns):
                limits.append(_limit(budget.nodes, nodes))
        except (CronError, ValueError):
            limits.append(0)  # what is not understood allows nothing
    return min(limits, default=nodes)


def _limit(text: str, nodes: int) -> int:
    if text.endswith("%"):
        return -(-int(text.removesuffix("%")) * nodes // 100)
    return int(text)


def is_active(budget: Budget, wall_ns: int) -> bool:
    """Whether a budget counts now: always, or for a while after each time of its schedule.

    Raises:
        CronError: If the schedule makes no sense.
        ValueError: If the duration makes none.
    """
    if budget.schedule is None and budget.duration is None:
        return True
    began_s = parse_schedule(budget.schedule or "").next(
        (wall_ns - parse_duration(budget.duration or "0s")) // SECOND
    )
    return began_s is not None and began_s * SECOND <= wall_ns


def next_change_ns(budgets: Iterable[Budget], wall_ns: int) -> int | None:
    """When next a schedule makes a budget begin or end to count, in nanoseconds since the epoch."""
    due = []
    for budget in budgets:
        if budget.schedule is None:
            continue
        try:
            schedule = parse_schedule(budget.schedule)
            duration_ns = parse_duration(budget.duration or "0s")
        except (CronError, ValueError):
            continue
        hit_s = schedule.next(wall_ns // SECOND)
        if hit_s is not None:
            due.append(hit_s * SECOND)
        began_s = schedule.next((wall_ns - duration_ns) // SECOND)
        if began_s is not None and began_s * SECOND <= wall_ns:
            due.append(began_s * SECOND + duration_ns + 1)
    return min((at_ns for at_ns in due if at_ns > wall_ns), default=None)
