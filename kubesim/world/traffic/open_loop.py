"""Open-loop traffic: requests arrive at a rate, whatever becomes of them.

Every request goes the whole way: the Service's rules at the vantage point, the wire, whoever
listens in the pod, and back. A request without an endpoint, or to a pod where nobody listens (any
more), fails; there is no retry.

Departs: closed loops, retries and time-outs come with the workloads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from kubesim.facts import RequestCompleted, RequestFailed
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND
from kubesim.wire.http import ConnectionRefused, HttpRequest, Served


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


Pick = Callable[[str, int], Endpoint | None]
"""A Service's key and port to one of its endpoints."""

Send = Callable[[str, int, HttpRequest], SimProcess[tuple[Served | ConnectionRefused, int]]]
"""Send a request to an address; gives the answer and the time on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficConfig:
    """One source of requests.

    Attributes:
        name: Its name in the report.
        namespace: The Service's namespace.
        service: The Service's name.
        port: The Service's port.
        begin_ns: When the first request may come.
        end_ns: When the last request may come.
        rate_mhz: Requests in a thousand seconds.
        arrival: Exponential gaps or equal ones.
        request: What is sent; ``{i}`` in path and query is the request's number.
    """

    name: str
    namespace: str
    service: str
    port: int
    begin_ns: int
    end_ns: int
    rate_mhz: int
    arrival: Literal["poisson", "constant"]
    request: HttpRequest


class OpenLoop:
    """Sends the requests of one source.

    Args:
        sim: The run.
        config: What to send.
        pick: Chooses an endpoint.
        send: Carries a request to it.
    """

    def __init__(self, sim: Sim, *, config: TrafficConfig, pick: Pick, send: Send) -> None:
        self._sim = sim
        self._config = config
        self._pick = pick
        self._send = send
        self._rng = sim.rng(f"traffic/{config.name}/arrivals")
        sim.process(self._run())

    def _run(self) -> SimProcess[None]:
        config = self._config
        gap_ns = 1000 * SECOND / config.rate_mhz
        due_ns = float(config.begin_ns)
        serial = 0
        while True:
            if config.arrival == "poisson":
                due_ns += self._rng.exponential(gap_ns)
                at_ns = round(due_ns)
            else:  # from the beginning each time, so that rounding never adds up
                at_ns = config.begin_ns + serial * 1000 * SECOND // config.rate_mhz
            if at_ns >= config.end_ns:
                return
            yield self._sim.timeout(max(0, at_ns - self._sim.now))
            self._sim.process(self._one(serial))
            serial += 1

    def _one(self, serial: int) -> SimProcess[None]:
        config, sent_ns = self._config, self._sim.now
        endpoint = self._pick(f"{config.namespace}/{config.service}", config.port)
        if endpoint is None:
            self._failed(serial, "", "no endpoints available", sent_ns)
            return
        request = _numbered(config.request, serial)
        answer, network_ns = yield from self._send(endpoint.ip, endpoint.port, request)
        if isinstance(answer, ConnectionRefused):
            self._failed(serial, endpoint.pod, answer.reason, sent_ns)
            return
        body = answer.response.body
        self._sim.emit(
            RequestCompleted(
                traffic=config.name,
                serial=serial,
                namespace=config.namespace,
                service=config.service,
                pod=endpoint.pod,
                status=answer.response.status,
                latency_ns=self._sim.now - sent_ns,
                network_ns=network_ns,
                queue_ns=answer.queue_ns,
                instantiate_ns=answer.instantiate_ns,
                execute_ns=answer.execute_ns,
                body_bytes=len(body),
                body_sha256=hashlib.sha256(body).hexdigest(),
            )
        )

    def _failed(self, serial: int, pod: str, reason: str, sent_ns: int) -> None:
        config = self._config
        self._sim.emit(
            RequestFailed(
                traffic=config.name,
                serial=serial,
                namespace=config.namespace,
                service=config.service,
                pod=pod,
                reason=reason,
                latency_ns=self._sim.now - sent_ns,
            )
        )


def _numbered(request: HttpRequest, serial: int) -> HttpRequest:
    if "{i}" not in request.path + request.query:
        return request
    number = str(serial)
    return replace(
        request,
        path=request.path.replace("{i}", number),
        query=request.query.replace("{i}", number),
    )
