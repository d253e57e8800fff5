"""Requests under way, and who waits for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from kubesim.sim import Sim, SimProcess
from kubesim.wire.http import ConnectionRefused, HttpRequest, Served

Answer = Served | ConnectionRefused


class Endpoint(Protocol):
    """What a request is sent to."""

    @property
    def ip(self) -> str:
        """The address."""
        ...

    @property
    def port(self) -> int:
        """The port."""
        ...

    @property
    def pod(self) -> str:
        """The pod's name."""
        ...


class Transport(Protocol):
    """The way to a Service's pods, from where the client sits."""

    def pick(self, service_key: str, port: int, client: str) -> Endpoint | None:
        """One of a Service's endpoints, for a new connection from an address."""
        ...

    def send(self, ip: str, port: int, request: HttpRequest) -> SimProcess[tuple[Answer, int]]:
        """Carry a request to an address; gives the answer and the time on the wire."""
        ...

    def socket(self, ip: str, port: int) -> object | None:
        """Who listens at an address, as far as a client with a connection to it can know."""
        ...


class Exchange:
    """One request, until its end.

    Attributes:
        serial: Its number.
        sent_ns: When it was sent first.
        endpoint: Where its connection goes; ``None`` chooses anew.
        then: Called at its end with its answer; ``None`` for none.
        attempts: How often it was sent.
        open: The attempts that the client waits for.
        over: Whether it has ended.
        request: What is sent instead of its source's usual request.
        failure: Why it got no answer.
    """

    __slots__ = (
        "attempts",
        "endpoint",
        "failure",
        "open",
        "over",
        "request",
        "sent_ns",
        "serial",
        "then",
    )

    def __init__(
        self,
        serial: int,
        sent_ns: int,
        endpoint: Endpoint | None,
        then: Callable[[Exchange, Served | None], None] | None,
        request: HttpRequest | None = None,
    ) -> None:
        self.request = request
        self.failure = ""
        self.serial = serial
        self.sent_ns = sent_ns
        self.endpoint = endpoint
        self.then = then
        self.attempts = 0
        self.open: list[Attempt] = []
        self.over = False


class Attempt:
    """One sending of a request to an endpoint."""

    __slots__ = ("began_ns", "endpoint", "exchange", "number", "over")

    def __init__(self, exchange: Exchange, endpoint: Endpoint | None, began_ns: int) -> None:
        self.exchange = exchange
        self.endpoint = endpoint
        self.began_ns = began_ns
        self.number = exchange.attempts
        self.over = False

    @property
    def pod(self) -> str:
        """The pod's name, empty when there was none."""
        return self.endpoint.pod if self.endpoint is not None else ""


W = TypeVar("W", Exchange, Attempt)


class Deadlines(Generic[W]):
    """Calls for everything that is not over after a fixed time.

    All wait equally long, so the first to come is the first to expire: one event is planned at a
    time, for the oldest that is not over.

    Args:
        sim: The run.
        delay_ns: How long.
        expire: What is called.
    """

    def __init__(self, sim: Sim, *, delay_ns: int, expire: Callable[[W], None]) -> None:
        self._sim = sim
        self._delay_ns = delay_ns
        self._expire: Callable[[W], None] = expire
        self._waiting: deque[tuple[int, W]] = deque()
        self._planned = False

    def add(self, item: W) -> None:
        """Wait for it from now on."""
        self._waiting.append((self._sim.now + self._delay_ns, item))
        self._plan()

    def _plan(self) -> None:
        waiting = self._waiting
        while waiting and waiting[0][1].over:
            waiting.popleft()
        if waiting and not self._planned:
            self._planned = True
            self._sim.call_in(waiting[0][0] - self._sim.now, self._wake)

    def _wake(self) -> None:
        self._planned = False
        now_ns, waiting = self._sim.now, self._waiting
        while waiting and waiting[0][0] <= now_ns:
            item = waiting.popleft()[1]
            if not item.over:
                self._expire(item)
        self._plan()
