"""Request meters: when each request came and when it was over, one column of integers for each.

A reader bisects, so a value is exact at any instant, past ones included, and costs nothing while
nobody reads. A request is counted where its client sees it: it comes when an attempt leaves for a
pod, or fails for want of one, and is over when the client knows its end.

Mirrors: what istio_requests_total, http_requests_total and the KEDA HTTP add-on's interceptor count.
Departs: counters do not start again when a pod does; what waits in a pod is known for now only.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable

from kubesim.sim import Sim
from kubesim.sim.time import SECOND


class Meter:
    """The requests of one Service or pod.

    Args:
        now: Reads the clock.
        waiting: Reads how many requests wait inside.
    """

    __slots__ = ("_began", "_ended", "_now", "_waiting")

    def __init__(self, now: Callable[[], int], waiting: Callable[[], int]) -> None:
        self._now = now
        self._waiting = waiting
        self._began = array("q")
        self._ended = array("q")

    def began(self, at_ns: int) -> None:
        """A request came."""
        self._began.append(at_ns)

    def ended(self, at_ns: int) -> None:
        """A request is over."""
        self._ended.append(at_ns)

    def requests(self, at_ns: int | None = None) -> int:
        """How many came, up to and including an instant."""
        return len(self._began) if at_ns is None else bisect_right(self._began, at_ns)

    def responses(self, at_ns: int | None = None) -> int:
        """How many are over, answered or not."""
        return len(self._ended) if at_ns is None else bisect_right(self._ended, at_ns)

    def in_flight(self, at_ns: int | None = None) -> int:
        """How many came and are not over."""
        return self.requests(at_ns) - self.responses(at_ns)

    def rps(self, *, window_ns: int, at_ns: int | None = None) -> float:
        """Requests a second that came in the window before an instant: ``(at - window, at]``."""
        assert window_ns > 0, window_ns
        end_ns = self._now() if at_ns is None else at_ns
        began = self._began
        # Requests of the first instant belong to the window only when it reaches back before it.
        first = bisect_right(began, end_ns - window_ns) if end_ns > window_ns else 0
        return (bisect_right(began, end_ns) - first) * SECOND / window_ns

    def queue_length(self) -> int:
        """How many wait inside for a worker, now."""
        return self._waiting()

    def busy_ns(self, begin_ns: int, end_ns: int) -> int:
        """The sum over a span of the time that requests were in flight: its mean times its length."""
        total = self.in_flight(begin_ns) * (end_ns - begin_ns)
        for times, sign in ((self._began, 1), (self._ended, -1)):
            for index in range(bisect_right(times, begin_ns), bisect_left(times, end_ns)):
                total += sign * (end_ns - times[index])
        return total


class Meters:
    """The meters of a cluster.

    Args:
        sim: The run.
        waiting: How many requests wait at an address.
    """

    def __init__(self, sim: Sim, *, waiting: Callable[[str], int]) -> None:
        self._sim = sim
        self._now = lambda: sim.now
        self._waiting_at = waiting
        self._ips: dict[str, str] = {}
        self._services: dict[str, Meter] = {}
        self._pods: dict[str, Meter] = {}
        self._pods_of: dict[str, dict[str, None]] = {}

    def service(self, key: str) -> Meter:
        """The meter of a Service, by namespace and name."""
        meter = self._services.get(key)
        if meter is None:
            pods = self._pods_of.setdefault(key, {})
            meter = self._services[key] = Meter(
                self._now, lambda: sum(self._waiting(pod) for pod in pods)
            )
        return meter

    def pod(self, key: str) -> Meter:
        """The meter of a pod, by namespace and name."""
        meter = self._pods.get(key)
        if meter is None:
            meter = self._pods[key] = Meter(self._now, lambda: self._waiting(key))
        return meter

    def began(self, service: str, pod: str, ip: str) -> None:
        """A request to a Service left for a pod; for none when ``pod`` is empty."""
        now_ns = self._sim.now
        self.service(service).began(now_ns)
        if pod:
            self.pod(pod).began(now_ns)
            self._pods_of[service][pod] = None
            self._ips[pod] = ip

    def ended(self, service: str, pod: str) -> None:
        """Its client knows its end."""
        now_ns = self._sim.now
        self._services[service].ended(now_ns)
        if pod:
            self._pods[pod].ended(now_ns)

    def _waiting(self, pod: str) -> int:
        ip = self._ips.get(pod)
        return self._waiting_at(ip) if ip else 0
