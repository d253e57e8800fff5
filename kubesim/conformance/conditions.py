"""What else was going on when a case was recorded.

Every controller of the recorded manager had one token bucket for all that it wrote, 20 a second and 30
saved up, whoever caused it. Up to four cases ran at once and what a case left behind was taken down
while the next one ran, so in some recordings the bucket of the ReplicaSet controller was not this case's
alone. It shows: writes of the case itself fall on a grid of 50 ms at a time at which its own writes
cannot have emptied the bucket.

How many tokens were gone can be read from the first writes, and is stated here as a number, once:

- ``dep-down-colocated`` asks for one deletion, which came after 114 ms; the first of the four of
  ``dep-down-colocated-bulk`` came after 144 ms, and the others 50 ms apart. A bucket that owes three
  tokens does that.
- ``mass-two-deployments-150`` created 33 pods in its first second, ``mass-0-500`` (alone) 44.
- ``dep-rolling-10-surge3-unavail2-staggered``: the bucket gave one token each 50 ms from 0.2 s to 5.5 s,
  110 in all; the case itself wrote some 80. Its twin with 50 % and those of 4 and 7 replicas, recorded
  at another time, make as many writes and were never held up. What was taken by others is what is left
  when the case's writes are put on that grid, in quarters of a second.

One recording has a machine that stood still: in ``job-p3-c7`` the fake kubelet wrote the first status of
the first three pods 150, 130 and 210 ms after it could have, all others within 20 ms.

A condition says when tokens were taken, never what the case did with the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

QUARTER_MS = 250
TAKEN_AT_MS = 200
"""Within its quarter of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What others took from the bucket of the ReplicaSet controller's client, and who was held up.

    Attributes:
        spent: How many tokens were gone at time 0.
        in_quarters: How many more went in each quarter of a second from then on.
        kubelet_late_ms: How late the fake kubelet's first write about the first pods was.
    """

    spent: int = 0
    in_quarters: tuple[int, ...] = ()
    kubelet_late_ms: tuple[int, ...] = ()

    def taken(self) -> list[tuple[int, int]]:
        """When, in milliseconds since time 0, and how many."""
        return [
            (index * QUARTER_MS + TAKEN_AT_MS, count)
            for index, count in enumerate(self.in_quarters)
            if count
        ]

    def note(self) -> str:
        """What is said of a case that was recorded so."""
        parts = []
        if self.spent:
            parts.append(f"{self.spent} tokens of the ReplicaSet controller spent before")
        if self.in_quarters:
            parts.append(f"{sum(self.in_quarters)} by others meanwhile")
        if self.kubelet_late_ms:
            parts.append(f"a fake kubelet up to {max(self.kubelet_late_ms)} ms late at first")
        return f"recorded with {', '.join(parts)}" if parts else ""


ALONE = Conditions()
RECORDED: Mapping[str, Conditions] = MappingProxyType(
    {
        "dep-down-colocated": Conditions(spent=33),
        "dep-down-colocated-bulk": Conditions(spent=33),
        "dep-rolling-10-surge3-unavail2-staggered": Conditions(
            spent=17,
            in_quarters=(2, 3, 4, 1, 1, 2, 0, 1, 0, 0, 1, 0, 0, 5, 1, 0, 0, 4, 1, 2),
        ),
        "job-p3-c7": Conditions(kubelet_late_ms=(150, 130, 210)),
        "mass-two-deployments-150": Conditions(spent=12),
    }
)
