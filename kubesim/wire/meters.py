"""What a metrics adapter may read of requests: counters and gauges, exact at any instant.

Nothing is sampled: whoever scrapes every fifteen seconds asks for the value at the grid point, also
when that point has passed already, and nothing has to tick for it.
"""

from __future__ import annotations

from typing import Protocol


class RequestMeter(Protocol):
    """The requests of one Service or of one pod; every instant defaults to now."""

    def requests(self, at_ns: int | None = None) -> int:
        """How many came, up to and including an instant: a counter as Prometheus has it."""
        ...

    def responses(self, at_ns: int | None = None) -> int:
        """How many are over, answered or not."""
        ...

    def in_flight(self, at_ns: int | None = None) -> int:
        """How many came and are not over."""
        ...

    def rps(self, *, window_ns: int, at_ns: int | None = None) -> float:
        """Requests a second that came in the window before an instant."""
        ...

    def queue_length(self) -> int:
        """How many wait inside a pod for a worker, now."""
        ...


class RequestMeters(Protocol):
    """The meters of a whole cluster; one that nobody wrote to reads zero."""

    def service(self, key: str) -> RequestMeter:
        """The meter of a Service, by namespace and name."""
        ...

    def pod(self, key: str) -> RequestMeter:
        """The meter of a pod, by namespace and name."""
        ...
