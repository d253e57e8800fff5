"""What a source of requests is: when it sends, what, and how patient it is. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kubesim.sim.distribution import Constant, Distribution
from kubesim.wire.http import HttpRequest
from kubesim.world.traffic.profiles import Arrival, Profile

RetryOn = Literal["connect", "reset", "timeout", "5xx"]
"""Failures that a client may try again: no connection, a broken one, no answer in time, a 5xx."""

DEFAULT_RECONNECT_NS = 100_000_000  # a client that spins on a refused connection helps nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoad:
    """Requests come whatever becomes of them.

    Attributes:
        profile: The rate over time.
        arrival: Random arrivals or even ones.
    """

    profile: Profile
    arrival: Arrival = "poisson"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoad:
    """So many connections, each of which sends when its answer is there.

    Attributes:
        connections: How many.
        think: From an answer to the next request.
        ramp_ns: The time over which they are opened, evenly.
        keep_alive: A connection stays on its pod until one side closes it; else each request opens
            one.
        reconnect_ns: From a failure to the next request, when that is longer than the think time.
    """

    connections: int
    think: Distribution = field(default_factory=lambda: Constant(0))
    ramp_ns: int = 0
    keep_alive: bool = True
    reconnect_ns: int = DEFAULT_RECONNECT_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What is tried again.

    Attributes:
        attempts: At most so many for one request, the first included.
        on: After which failures.
        backoff_ns: Before the second attempt; doubles each time.
        max_backoff_ns: At most.
        jitter: A pause is drawn between 0 and what it would be.
    """

    attempts: int = 3
    on: tuple[RetryOn, ...] = ("connect", "reset", "timeout")
    backoff_ns: int = 25_000_000
    max_backoff_ns: int = 250_000_000
    jitter: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgePolicy:
    """A second request for an answer that is late; the first answer counts.

    Attributes:
        after_ns: How late.
        extra: At most so many more.
    """

    after_ns: int
    extra: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """What the users were promised.

    Attributes:
        latency_ns: An answer that takes longer, or is an error, violates it.
        quantile: The share of requests that must not.
    """

    latency_ns: int
    quantile: float = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficConfig:
    """One source of requests.

    Attributes:
        name: Its name in the report.
        queue: The queue that it puts messages into; empty for one that asks a Service.
        namespace: The Service's namespace.
        service: The Service's name.
        port: The Service's port.
        begin_ns: When the first request may come.
        end_ns: When the last request may come.
        load: When requests come; ``None`` when somebody else says so.
        request: What is sent; ``{i}`` in path and query is the request's number.
        node: The node it sits on; empty outside the cluster.
        clients: How many addresses it sends from, in turns.
        timeout_ns: How long an attempt may take; 0 for ever.
        retry: What is tried again.
        hedge: When a second request is sent.
        slo: What its users were promised.
    """

    name: str
    namespace: str
    service: str
    port: int
    begin_ns: int = 0
    end_ns: int = 0
    load: OpenLoad | ClosedLoad | None = None
    request: HttpRequest = field(default_factory=HttpRequest)
    node: str = ""
    clients: int = 1
    timeout_ns: int = 0
    retry: RetryPolicy | None = None
    hedge: HedgePolicy | None = None
    slo: Slo | None = None
    queue: str = ""
