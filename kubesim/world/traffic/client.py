"""The client's side of a request: sending it, waiting, giving up, trying again, hedging.

A request has a number and one end: an answer, or a failure. An attempt is one sending of it to one
endpoint. A client that gives up on an attempt does not wait for it any more; the server works on.
Every attempt is accounted for: the one that decides by ``RequestCompleted`` or ``RequestFailed``,
each other by ``AttemptEnded``, and what the end of the run leaves open by ``RequestsInFlight``.

Mirrors: what Envoy's retry and hedge policies and Go's http.Client do, as far as a caller sees it.
Departs: opening a connection takes no time of its own; no retry budgets; a server does not notice
that its client is gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from kubesim.facts import AttemptEnded, RequestCompleted, RequestFailed, RequestsInFlight
from kubesim.sim import Sim, SimProcess
from kubesim.wire.http import ConnectionRefused, HttpRequest, Served
from kubesim.world.traffic.config import RetryOn, TrafficConfig
from kubesim.world.traffic.exchange import (
    Answer,
    Attempt,
    Deadlines,
    Endpoint,
    Exchange,
    Transport,
)
from kubesim.world.traffic.meters import Meters

TIMEOUT = "timeout"
NO_ENDPOINTS = "no endpoints available"
ABANDONED = "abandoned"
RESET = "connection reset by peer"

_BODIES_REMEMBERED = 1024


class Client:
    """Sends the requests of one source.

    Args:
        sim: The run.
        config: The source.
        transport: The way to the pods.
        meters: Where requests are counted.
    """

    def __init__(
        self, sim: Sim, *, config: TrafficConfig, transport: Transport, meters: Meters
    ) -> None:
        self._sim = sim
        self._config = config
        self._transport = transport
        self._meters = meters
        self._service = f"{config.namespace}/{config.service}"
        self._rng = sim.rng(f"traffic/{config.name}/backoff")
        self._timeouts: Deadlines[Attempt] | None = None
        if config.timeout_ns:
            self._timeouts = Deadlines(sim, delay_ns=config.timeout_ns, expire=self._timed_out)
        self._hedges: Deadlines[Exchange] | None = None
        if config.hedge is not None:
            self._hedges = Deadlines(sim, delay_ns=config.hedge.after_ns, expire=self._hedge)
        self._clients = [f"{config.name}/{number}" for number in range(config.clients)]
        self._numbered = "{i}" in config.request.path + config.request.query
        self._digests: dict[bytes, str] = {}
        self._sent = 0
        self._decided = 0
        self._waited_for = 0

    def pick(self, client: int) -> Endpoint | None:
        """An endpoint for a new connection of the client of that number."""
        config = self._config
        address = self._clients[client % len(self._clients)]
        return self._transport.pick(self._service, config.port, address)

    def begin(
        self,
        *,
        endpoint: Endpoint | None = None,
        then: Callable[[Exchange, Served | None], None] | None = None,
        request: HttpRequest | None = None,
    ) -> None:
        """Send the next request, over a connection that there is or over one of its own."""
        exchange = Exchange(self._sent, self._sim.now, endpoint, then, request)
        self._sent += 1
        self._launch(exchange)
        if self._hedges is not None and not exchange.over:
            self._hedges.add(exchange)

    def at_end(self) -> None:
        """The run is over: say what is undecided."""
        if self._sent > self._decided:
            self._sim.emit(
                RequestsInFlight(
                    traffic=self._config.name,
                    namespace=self._config.namespace,
                    service=self._config.service,
                    requests=self._sent - self._decided,
                    attempts=self._waited_for,
                )
            )

    def _launch(self, exchange: Exchange) -> None:
        endpoint, exchange.endpoint = (
            exchange.endpoint,
            None,
        )  # a connection is used up by a failure
        if endpoint is None:
            endpoint = self.pick(exchange.serial)
        exchange.attempts += 1
        attempt = Attempt(exchange, endpoint, self._sim.now)
        exchange.open.append(attempt)
        self._waited_for += 1
        namespace, ip = self._config.namespace, endpoint.ip if endpoint is not None else ""
        pod = f"{namespace}/{endpoint.pod}" if endpoint is not None else ""
        self._meters.began(self._service, pod, ip)
        if endpoint is None:
            self._lost(attempt, NO_ENDPOINTS)
            return
        self._sim.spawn(self._send(attempt, endpoint))
        if self._timeouts is not None and not attempt.over:
            self._timeouts.add(attempt)

    def _send(self, attempt: Attempt, endpoint: Endpoint) -> SimProcess[None]:
        request = attempt.exchange.request or self._config.request
        if self._numbered:
            request = _numbered(request, attempt.exchange.serial)
        answer, network_ns = yield from self._transport.send(endpoint.ip, endpoint.port, request)
        if not attempt.over:
            self._answered(attempt, answer, network_ns)

    def _answered(self, attempt: Attempt, answer: Answer, network_ns: int) -> None:
        if isinstance(answer, ConnectionRefused):
            self._lost(attempt, answer.reason)
            return
        exchange = attempt.exchange
        if answer.response.status >= 500 and self._tries_again(exchange, "5xx"):
            self._close(attempt, outcome=f"status {answer.response.status}")
            self._retry(exchange)
            return
        self._close(attempt)
        exchange.endpoint = attempt.endpoint
        self._completed(attempt, answer, network_ns)

    def _timed_out(self, attempt: Attempt) -> None:
        self._lost(attempt, TIMEOUT)

    def _lost(self, attempt: Attempt, reason: str) -> None:
        """An attempt failed: another is still under way, or it is tried again, or that was it."""
        exchange = attempt.exchange
        if len(exchange.open) > 1:
            self._close(attempt, outcome=reason)
        elif self._tries_again(exchange, _kind(reason)):
            self._close(attempt, outcome=reason)
            self._retry(exchange)
        else:
            self._close(attempt)
            self._failed(attempt, reason)

    def _tries_again(self, exchange: Exchange, kind: RetryOn) -> bool:
        retry = self._config.retry
        return retry is not None and kind in retry.on and exchange.attempts < retry.attempts

    def _retry(self, exchange: Exchange) -> None:
        retry = self._config.retry
        assert retry is not None
        pause_ns = min(retry.backoff_ns << min(exchange.attempts - 1, 32), retry.max_backoff_ns)
        if retry.jitter and pause_ns:
            pause_ns = self._rng.uniform(0, pause_ns + 1)
        self._sim.call_in(pause_ns, self._again, exchange)

    def _again(self, exchange: Exchange) -> None:
        if not exchange.over:
            self._launch(exchange)

    def _hedge(self, exchange: Exchange) -> None:
        hedge = self._config.hedge
        assert hedge is not None
        assert self._hedges is not None
        if exchange.attempts <= hedge.extra and exchange.open:
            self._launch(exchange)
            if not exchange.over:
                self._hedges.add(exchange)

    def _close(self, attempt: Attempt, *, outcome: str = "") -> None:
        """Stop to wait for an attempt; with an outcome it is one that did not decide."""
        attempt.over = True
        exchange, pod = attempt.exchange, attempt.pod
        exchange.open.remove(attempt)
        self._waited_for -= 1
        self._meters.ended(self._service, f"{self._config.namespace}/{pod}" if pod else "")
        if outcome:
            self._sim.emit(
                AttemptEnded(
                    traffic=self._config.name,
                    serial=exchange.serial,
                    attempt=attempt.number,
                    namespace=self._config.namespace,
                    service=self._config.service,
                    pod=pod,
                    outcome=outcome,
                    latency_ns=self._sim.now - attempt.began_ns,
                )
            )

    def _completed(self, attempt: Attempt, answer: Served, network_ns: int) -> None:
        config, exchange = self._config, attempt.exchange
        while exchange.open:
            self._close(exchange.open[0], outcome=ABANDONED)
        body = answer.response.body
        self._sim.emit(
            RequestCompleted(
                traffic=config.name,
                serial=exchange.serial,
                namespace=config.namespace,
                service=config.service,
                pod=attempt.pod,
                status=answer.response.status,
                latency_ns=self._sim.now - exchange.sent_ns,
                network_ns=network_ns,
                queue_ns=answer.queue_ns,
                instantiate_ns=answer.instantiate_ns,
                execute_ns=answer.execute_ns,
                body_bytes=len(body),
                body_sha256=self._digest(body),
                attempts=exchange.attempts,
            )
        )
        self._over(exchange, answer)

    def _failed(self, attempt: Attempt, reason: str) -> None:
        config, exchange = self._config, attempt.exchange
        self._sim.emit(
            RequestFailed(
                traffic=config.name,
                serial=exchange.serial,
                namespace=config.namespace,
                service=config.service,
                pod=attempt.pod,
                reason=reason,
                latency_ns=self._sim.now - exchange.sent_ns,
                attempts=exchange.attempts,
            )
        )
        exchange.failure = reason
        self._over(exchange, None)

    def _over(self, exchange: Exchange, answer: Served | None) -> None:
        exchange.over = True
        self._decided += 1
        if exchange.then is not None:
            exchange.then(exchange, answer)

    def _digest(self, body: bytes) -> str:
        """Most answers are alike: the digest of one that was seen lately is known."""
        digest = self._digests.get(body)
        if digest is None:
            if len(self._digests) >= _BODIES_REMEMBERED:
                self._digests.clear()
            digest = self._digests[body] = hashlib.sha256(body).hexdigest()
        return digest


def _kind(reason: str) -> RetryOn:
    if reason in (TIMEOUT, RESET):
        return "timeout" if reason == TIMEOUT else "reset"
    return "connect"


def _numbered(request: HttpRequest, serial: int) -> HttpRequest:
    number = str(serial)
    return replace(
        request,
        path=request.path.replace("{i}", number),
        query=request.query.replace("{i}", number),
    )
