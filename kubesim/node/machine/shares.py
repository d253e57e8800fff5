"""How CPU is divided among claims with weights: pure functions over integers.

A rate is a whole number of very small parts of a core, so that sums are exact and the same on every
machine.

Mirrors: what Linux's CFS converges to (kernel/sched/fair.c): weighted max-min fairness.
"""

from __future__ import annotations

from collections.abc import Sequence

ONE = 1000 << 22  # one whole core; a thousandth of it is a whole number, too


def divide(amount: int, claims: Sequence[tuple[int, int]]) -> list[int]:
    """Divide ``amount`` among claims of (weight, demand); nobody gets more than it demands.

    Who demands less than its share gets its demand, and what it leaves is shared by the others by
    their weights. What is lost to rounding is less than one unit a claim.
    """
    given = [0] * len(claims)
    weight_left = sum(weight for weight, _ in claims)
    modest = sorted(range(len(claims)), key=lambda i: (claims[i][1] << 40) // claims[i][0])
    for position, index in enumerate(modest):
        weight, demand = claims[index]
        if demand * weight_left > amount * weight:
            for other in modest[position:]:
                weight, demand = claims[other]
                given[other] = min(demand, amount * weight // weight_left)
            break
        given[index] = demand
        amount -= demand
        weight_left -= weight
    return given


def within(amount: int, *, threads: int, background: int) -> tuple[int, int]:
    """Divide a leaf's amount: the rate of each of its threads, and of its background load.

    The background load counts as so many threads as it needs cores, rounded up.
    """
    if amount >= threads * ONE + background:
        return (ONE if threads else 0), background
    if not background:
        return amount // threads, 0
    others = -(-background // ONE)
    steady = min(background, amount * others // (threads + others))
    each = (amount - steady) // threads if threads else 0
    return min(each, ONE), steady
