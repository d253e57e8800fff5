"""What became of requests, in columns of integers: some dozen bytes a request, whatever the run.

Kept for each source of traffic and for each Service; percentiles and curves are made when somebody
asks. A request without an end by the end of the run is in no percentile, but it is counted.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kubesim.sim.time import MINUTE, SECOND
from kubesim.telemetry.quantiles import quantile

TRAFFIC_COLUMNS = (
    "name", "namespace", "service", "sent", "completed", "failed", "in_flight", "errors", "rps",
    "latency_p50_ns", "latency_p90_ns", "latency_p99_ns", "latency_max_ns", "attempts", "retries",
    "abandoned", "timeouts", "failures", "attempt_failures", "slo_latency_ns", "slo_quantile",
    "slo_violations", "slo_met",
)  # fmt: skip
CURVE_COLUMNS = (
    "traffic", "at_ns", "width_ns", "ended", "errors", "violations", "rps", "latency_p50_ns",
    "latency_p99_ns",
)  # fmt: skip

TIMEOUT = "timeout"
ABANDONED = "abandoned"
SECONDS_UP_TO_NS = 20 * MINUTE  # a curve of a longer run has a point a minute
_ERROR = 1
_FAILED = 2


class Promise(Protocol):
    """What users were promised."""

    @property
    def latency_ns(self) -> int:
        """How long an answer may take."""
        ...

    @property
    def quantile(self) -> float:
        """The share of requests for which that holds."""
        ...


class Bodies:
    """The digests of answers; each different one is kept once."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._of: dict[str, tuple[array[int], array[int]]] = {}

    def add(self, traffic: str, serial: int, digest: str) -> None:
        """One answer's."""
        columns = self._of.get(traffic)
        if columns is None:
            columns = self._of[traffic] = (array("q"), array("q"))
        columns[0].append(serial)
        columns[1].append(self._number.setdefault(digest, len(self._number)))

    @property
    def sha256(self) -> str:
        """SHA-256 over all digests, source by source in the order in which requests were sent."""
        names = list(self._number)
        together = hashlib.sha256()
        for traffic in sorted(self._of):
            for _, number in sorted(zip(*self._of[traffic], strict=True)):
                together.update(names[number].encode())
        return together.hexdigest()


@dataclass(slots=True)
class SourceTotals:
    """What became of the requests of one source.

    Attributes:
        ended_ns: When each request ended, in order.
        latency_ns: How long each took.
        flags: Whether each was an error, and whether it had no answer at all.
        attempts: How often all were sent.
        failures: Requests without an answer, by reason.
        attempt_failures: Attempts that did not decide, by outcome.
        in_flight: What the run's end left undecided.
        in_flight_attempts: The attempts of those that are waited for.
    """

    namespace: str
    service: str
    ended_ns: array[int] = field(default_factory=lambda: array("q"))
    latency_ns: array[int] = field(default_factory=lambda: array("q"))
    flags: array[int] = field(default_factory=lambda: array("b"))
    attempts: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    attempt_failures: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    in_flight_attempts: int = 0

    def completed(self, at_ns: int, latency_ns: int, *, status: int, attempts: int) -> None:
        """A request has its answer."""
        self._ended(at_ns, latency_ns, _ERROR if status >= 500 else 0, attempts)

    def failed(self, at_ns: int, latency_ns: int, *, reason: str, attempts: int) -> None:
        """A request has none, and will not have one."""
        self._ended(at_ns, latency_ns, _ERROR | _FAILED, attempts)
        self.failures[reason] = self.failures.get(reason, 0) + 1

    def attempt_ended(self, outcome: str) -> None:
        """An attempt did not decide its request."""
        self.attempt_failures[outcome] = self.attempt_failures.get(outcome, 0) + 1

    def _ended(self, at_ns: int, latency_ns: int, flags: int, attempts: int) -> None:
        self.ended_ns.append(at_ns)
        self.latency_ns.append(latency_ns)
        self.flags.append(flags)
        self.attempts += attempts

    def violations(self, slo: Promise | None) -> int:
        """Requests that broke the promise: an error, or too late."""
        if slo is None:
            return 0
        pairs = zip(self.latency_ns, self.flags, strict=True)
        return sum(bool(flags) or latency_ns > slo.latency_ns for latency_ns, flags in pairs)


def traffic_row(name: str, totals: SourceTotals, slo: Promise | None) -> dict[str, Any]:
    """One source as a row."""
    answered = sorted(
        latency_ns
        for latency_ns, flags in zip(totals.latency_ns, totals.flags, strict=True)
        if not flags & _FAILED
    )
    ended, failed = len(totals.ended_ns), sum(totals.failures.values())
    span_ns = 0
    if ended:
        pairs = zip(totals.ended_ns, totals.latency_ns, strict=True)
        span_ns = totals.ended_ns[-1] - min(at_ns - latency_ns for at_ns, latency_ns in pairs)
    violations = totals.violations(slo)
    abandoned = totals.attempt_failures.get(ABANDONED, 0)
    lost = {k: n for k, n in sorted(totals.attempt_failures.items()) if k != ABANDONED}
    return {
        "name": name,
        "namespace": totals.namespace,
        "service": totals.service,
        "sent": ended + totals.in_flight,
        "completed": ended - failed,
        "failed": failed,
        "in_flight": totals.in_flight,
        "errors": sum(bool(flags) for flags in totals.flags),
        "rps": ended * SECOND / span_ns if span_ns else 0.0,
        "latency_p50_ns": quantile(answered, 50),
        "latency_p90_ns": quantile(answered, 90),
        "latency_p99_ns": quantile(answered, 99),
        "latency_max_ns": answered[-1] if answered else 0,
        "attempts": totals.attempts,
        "retries": totals.attempts - ended - abandoned,
        "abandoned": abandoned,
        "timeouts": totals.failures.get(TIMEOUT, 0) + lost.get(TIMEOUT, 0),
        "failures": dict(sorted(totals.failures.items())),
        "attempt_failures": lost,
        "slo_latency_ns": slo.latency_ns if slo is not None else 0,
        "slo_quantile": slo.quantile if slo is not None else 0.0,
        "slo_violations": violations,
        "slo_met": slo is None or violations <= ended * (1 - slo.quantile) + 1e-9,
    }


def curve_rows(
    sources: Mapping[str, SourceTotals], promises: Mapping[str, Promise], end_ns: int
) -> list[dict[str, Any]]:
    """Each source's requests by the second in which they ended; by the minute in a long run."""
    width_ns = SECOND if end_ns <= SECONDS_UP_TO_NS else MINUTE
    rows = []
    for name, totals in sources.items():
        slo = promises.get(name)
        first, index, count = 0, 0, len(totals.ended_ns)
        while first < count:
            index = totals.ended_ns[first] // width_ns
            last = first
            while last < count and totals.ended_ns[last] < (index + 1) * width_ns:
                last += 1
            rows.append(_point(name, totals, slo, range(first, last), (index, width_ns)))
            first = last
    return rows


def _point(
    name: str, totals: SourceTotals, slo: Promise | None, span: range, bin_: tuple[int, int]
) -> dict[str, Any]:
    index, width_ns = bin_
    latency_ns, flags = totals.latency_ns, totals.flags
    answered = sorted(latency_ns[i] for i in span if not flags[i] & _FAILED)
    late = sum(bool(flags[i]) or latency_ns[i] > slo.latency_ns for i in span) if slo else 0
    return {
        "traffic": name,
        "at_ns": index * width_ns,
        "width_ns": width_ns,
        "ended": len(span),
        "errors": sum(bool(flags[i]) for i in span),
        "violations": late,
        "rps": len(span) * SECOND / width_ns,
        "latency_p50_ns": quantile(answered, 50),
        "latency_p99_ns": quantile(answered, 99),
    }


def service_violations(
    sources: Mapping[str, SourceTotals], promises: Mapping[str, Promise]
) -> Counter[tuple[str, str]]:
    """Requests to each Service that broke the promise to their source."""
    found: Counter[tuple[str, str]] = Counter()
    for name, totals in sources.items():
        found[totals.namespace, totals.service] += totals.violations(promises.get(name))
    return found
