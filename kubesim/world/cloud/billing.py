"""What an instance costs: by the second, from running to terminated. Pure functions.

Mirrors: AWS EC2's billing of Linux instances: by the second, a minute at least; the time before an
instance runs, and while it shuts down, is free.
Departs: disks, addresses and traffic cost nothing; a spot price does not move.
"""

from __future__ import annotations

from kubesim.sim.time import HOUR, MINUTE, SECOND

MINIMUM_NS = MINUTE


def billed_ns(running_ns: int | None, ended_ns: int | None, now_ns: int) -> int:
    """How much time is on the bill by now.

    Args:
        running_ns: Since when it runs; ``None`` if it never did.
        ended_ns: When it was told to end; ``None`` while it lives.
        now_ns: Now.
    """
    if running_ns is None:
        return 0
    if ended_ns is None:
        return max(now_ns - running_ns, 0)
    lifetime_ns = max(min(ended_ns, now_ns) - running_ns, 0)
    seconds = -(-lifetime_ns // SECOND)
    return max(seconds * SECOND, MINIMUM_NS)


def cost_nano_usd(price_per_hour_nano_usd: int, time_ns: int) -> int:
    """What a time costs, in billionths of a dollar, rounded down."""
    return price_per_hour_nano_usd * time_ns // HOUR
