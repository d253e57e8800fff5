"""The users: what they send, to whom, when, and how patient they are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from kubesim.scenario.format.values import Rate, RateOrNone, ScenarioModel, Span


class RequestSpec(ScenarioModel):
    """What is sent; ``{i}`` in path and query is the request's number."""

    method: str = Field(default="GET", pattern=r"^[A-Z]+$")
    path: str = Field(default="/", pattern=r"^/")
    query: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""


class RampSpec(ScenarioModel):
    """From one rate to another, which then stays."""

    begin: RateOrNone = Field(alias="from")
    to: RateOrNone
    over: Span = Field(gt=0)


class RateStep(ScenarioModel):
    """A rate from an instant on, counted from the traffic's beginning."""

    at: Span
    rate: RateOrNone


class BurstState(ScenarioModel):
    """A state of a burst process: its rate, and how long it lasts on average."""

    rate: RateOrNone
    mean: Span = Field(gt=0)


class DiurnalSpec(ScenarioModel):
    """A sine around a mean, highest at the peak."""

    mean: Rate
    amplitude: RateOrNone
    period: Span = Field(default=86_400_000_000_000, gt=0)
    peak: Span = 0


class TraceSpec(ScenarioModel):
    """A recorded rate: a CSV or Parquet file with one row for each change.

    Attributes:
        file: The file, relative to the scenario.
        time: The column with seconds since the beginning.
        rate: The column with requests a second from then on.
        scale: Multiplies all rates.
        speed: The trace runs so many times as fast.
    """

    file: str
    time: str = "time"
    rate: str = "rate"
    scale: float = Field(default=1, gt=0)
    speed: float = Field(default=1, gt=0)


class AzureSpec(ScenarioModel):
    """Invocations a minute in the format of the Azure Functions dataset of 2019.

    Attributes:
        file: The file, with columns HashOwner, HashApp, HashFunction, Trigger, 1 to 1440.
        function: A HashFunction; by default all rows together.
        app: A HashApp.
        owner: A HashOwner.
        trigger: A Trigger, such as ``http``.
        from_minute: The first minute that is used.
    """

    file: str
    function: str | None = None
    app: str | None = None
    owner: str | None = None
    trigger: str | None = None
    from_minute: int = Field(default=1, ge=1, le=1440)


class RetrySpec(ScenarioModel):
    """What is tried again.

    Attributes:
        attempts: At most so many, the first included.
        on: After which failures: no connection, a broken one, no answer in time, a 5xx.
        backoff: Before the second attempt; doubles each time.
        max_backoff: At most.
        jitter: A pause is drawn between 0 and what it would be.
    """

    attempts: int = Field(default=3, ge=1, le=100)
    on: tuple[Literal["connect", "reset", "timeout", "5xx"], ...] = ("connect", "reset", "timeout")
    backoff: Span = 25_000_000
    max_backoff: Span = 250_000_000
    jitter: bool = True


class HedgeSpec(ScenarioModel):
    """A second request for an answer that is late; the first answer counts."""

    after: Span = Field(gt=0)
    extra: int = Field(default=1, ge=1, le=10)


class SloSpec(ScenarioModel):
    """What users were promised: a latency, and the share of requests that keep it."""

    latency: Span = Field(gt=0)
    quantile: float = Field(default=0.99, gt=0, lt=1)


_OF_PRODUCERS = {"name", "queue", "begin", "until", "arrival", "rate", "ramp", "steps", "bursts",
                 "diurnal", "trace", "azure"}  # fmt: skip
LOADS = ("rate", "ramp", "steps", "bursts", "diurnal", "trace", "azure", "connections")


class TrafficSpec(ScenarioModel):
    """Users of one Service, or producers of one queue; exactly one of the loads.

    Attributes:
        name: Its name in the report.
        service: ``name`` or ``namespace/name``.
        queue: Instead of a Service, the queue that gets one message for each arrival.
        port: The Service's port.
        begin: When the first request may come (``from`` on the wire).
        until: When the last may come; by default when the run ends.
        rate: Always as many, such as ``50/s``.
        ramp: From one rate to another.
        steps: A rate from each instant on.
        bursts: A Markov-modulated process; it begins in the first state and goes to any other.
        diurnal: A sine.
        trace: A recorded rate.
        azure: Recorded invocations a minute.
        connections: A closed loop, as ``wrk -c`` is.
        arrival: Random arrivals (``poisson``) or even ones (``constant``).
        think_time: A closed loop: from an answer to the next request.
        think: A closed loop: the think time is always the same, or exponential with that mean.
        ramp_up: A closed loop: the time over which its connections are opened.
        keep_alive: A closed loop: a connection stays on its pod, else each request opens one.
        reconnect: A closed loop: from a failure to the next request, at least.
        request: What is sent.
        node: The node it sits on; by default outside the cluster.
        clients: How many addresses it sends from, in turns.
        timeout: How long an attempt may take; by default for ever.
        retries: What is tried again; by default nothing.
        hedge: When a second request is sent; by default never.
        slo: What its users were promised.
    """

    name: str
    service: str = ""
    queue: str | None = None
    port: int = Field(default=80, gt=0, le=65535)
    begin: Span = Field(default=0, alias="from")
    until: Span | None = None
    rate: Rate | None = None
    ramp: RampSpec | None = None
    steps: tuple[RateStep, ...] | None = Field(default=None, min_length=1)
    bursts: tuple[BurstState, ...] | None = Field(default=None, min_length=1)
    diurnal: DiurnalSpec | None = None
    trace: TraceSpec | None = None
    azure: AzureSpec | None = None
    connections: int | None = Field(default=None, ge=1, le=100_000)
    arrival: Literal["poisson", "constant"] = "poisson"
    think_time: Span = 0
    think: Literal["constant", "exponential"] = "constant"
    ramp_up: Span = 0
    keep_alive: bool = True
    reconnect: Span = 100_000_000
    request: RequestSpec = RequestSpec()
    node: str | None = None
    clients: int = Field(default=1, ge=1, le=1_000_000)
    timeout: Span | None = Field(default=None, gt=0)
    retries: RetrySpec | None = None
    hedge: HedgeSpec | None = None
    slo: SloSpec | None = None

    @model_validator(mode="after")
    def _one_load(self) -> TrafficSpec:
        given = [name for name in LOADS if getattr(self, name) is not None]
        if (self.queue is None) == (not self.service):
            raise ValueError("traffic goes either to a service or into a queue")
        if self.queue is not None:
            other = sorted(self.model_fields_set - _OF_PRODUCERS)
            if other:
                raise ValueError(f"{to_camel(other[0])} means nothing to a producer of messages")
        if len(given) != 1:
            raise ValueError(f"traffic has exactly one of {', '.join(LOADS)}")
        closed = {"think_time", "think", "ramp_up", "keep_alive", "reconnect"}
        wrong = sorted(closed & self.model_fields_set) if given != ["connections"] else []
        if given == ["connections"] and "arrival" in self.model_fields_set:
            wrong = ["arrival"]
        if wrong:
            loop = "open" if given != ["connections"] else "closed"
            raise ValueError(f"{to_camel(wrong[0])} means nothing to an {loop} loop".replace(
                "an closed", "a closed"))  # fmt: skip
        times = [step.at for step in self.steps or ()]
        if times != sorted(set(times)):
            raise ValueError("steps are in the order of their time, one for each instant")
        return self
