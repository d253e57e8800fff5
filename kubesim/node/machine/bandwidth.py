"""CFS quota: a cgroup that has used its quota sleeps until the next period.

The quota is full at the beginning of each period of a grid; what is left of it is lost. Nothing
happens at the end of a period unless the cgroup sleeps: a refill is computed when it is needed.

Mirrors: Linux kernel/sched/fair.c (struct cfs_bandwidth), cpu.stat's nr_periods, nr_throttled and
throttled_usec.
Departs: CPU time is taken from the quota as it is used, not in slices of 5 ms a core; a load that is
nothing but steady background is held to the quota evenly, not in bursts, with the same counts.
"""

from __future__ import annotations

from kubesim.node.machine.shares import ONE

MICROSECOND = 1_000


class Bandwidth:
    """The quota of one cgroup. Amounts are nanoseconds times ``ONE``.

    Attributes:
        throttled: Whether it sleeps.
        wanted: What it would use if it could, while it is held to its quota evenly; else 0.
        threads: How many threads below it have work of their own, not only background.
    """

    __slots__ = ("_left", "_origin_ns", "_since_ns", "_updated_ns", "due_ns", "generation",
                 "nr_periods", "nr_throttled", "period_ns", "quota", "threads", "throttled",
                 "throttled_ns", "wanted")  # fmt: skip

    def __init__(self, *, quota_us: int, period_us: int, now_ns: int) -> None:
        assert quota_us > 0, quota_us
        assert period_us > 0, period_us
        self.quota = quota_us * MICROSECOND * ONE
        self.period_ns = period_us * MICROSECOND
        self.throttled = False
        self.wanted = 0
        self.threads = 0
        self.nr_periods = 0
        self.nr_throttled = 0
        self.throttled_ns = 0
        self.due_ns: int | None = None
        self.generation = 0
        self._origin_ns = now_ns
        self._updated_ns = now_ns
        self._since_ns = 0
        self._left = self.quota

    def go_on_from(self, before: Bandwidth) -> None:
        """Count on where the quota before this one ended."""
        self.nr_periods, self.nr_throttled = before.nr_periods, before.nr_throttled
        self.throttled_ns = before.throttled_until(self._origin_ns)

    @property
    def rate(self) -> int:
        """The rate at which the quota is used up exactly at the end of the period."""
        return self.quota // self.period_ns

    def settle(self, now_ns: int, rate: int) -> None:
        """Take off what was used since the last time, at a rate that was constant."""
        began_ns, self._updated_ns = self._updated_ns, now_ns
        boundary_ns = self._boundary_after(began_ns)
        if self.throttled or now_ns < boundary_ns:
            self._left -= rate * (now_ns - began_ns)
            return
        periods = 1 + (now_ns - boundary_ns) // self.period_ns
        left = self.quota + min(0, self._left - rate * (boundary_ns - began_ns))
        if periods > 1:  # whole periods: what one leaves over is lost, what it owes is not
            owed = max(0, rate * self.period_ns - self.quota)
            left = self.quota + min(0, left - rate * self.period_ns - owed * (periods - 2))
        self._left = left - rate * ((now_ns - boundary_ns) % self.period_ns)
        if rate:
            self.nr_periods += periods
        if self.wanted and rate >= self.rate:
            self.nr_throttled += periods
            idle = self.period_ns - self.quota // self.wanted
            self.throttled_ns += periods * idle

    def next_turn_ns(self, now_ns: int, rate: int) -> int | None:
        """When the quota is used up at this rate; or when the sleep is over."""
        boundary_ns = self._boundary_after(now_ns)
        if self.throttled:
            return boundary_ns
        if not rate:
            return None
        if self._left <= 0:
            return now_ns
        empty_ns = now_ns - (-self._left // rate)
        if empty_ns < boundary_ns:
            return empty_ns
        if rate * self.period_ns <= self.quota:
            return None
        return boundary_ns - (-self.quota // rate)

    def is_empty(self) -> bool:
        """Whether nothing is left of this period's quota."""
        return self._left <= 0

    def throttle(self, now_ns: int) -> None:
        """Sleep."""
        self.throttled = True
        self._since_ns = now_ns

    def refill(self, now_ns: int) -> None:
        """The next period begins: wake up."""
        assert self.throttled
        self.throttled = False
        self.nr_periods += 1
        self.nr_throttled += 1
        self.throttled_ns += now_ns - self._since_ns
        self._left = self.quota + min(0, self._left)
        self._updated_ns = now_ns

    def throttled_until(self, now_ns: int) -> int:
        """Time asleep up to now."""
        return self.throttled_ns + (now_ns - self._since_ns if self.throttled else 0)

    def _boundary_after(self, now_ns: int) -> int:
        return now_ns + self.period_ns - (now_ns - self._origin_ns) % self.period_ns
