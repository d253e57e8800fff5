"""Open-loop traffic: arrivals, failures, and what is written down of each request."""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

import pytest
from harness import MILLISECOND, SECOND

from kubesim.facts import RequestCompleted, RequestFailed
from kubesim.sim import Sim, SimProcess
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse, Served
from kubesim.world.traffic import Meters, OpenLoad, TrafficConfig, TrafficSource
from kubesim.world.traffic.profiles import Arrival, Steady

Answer = Served | ConnectionRefused


@dataclass(frozen=True)
class Somewhere:
    ip: str = "10.0.0.1"
    port: int = 8080
    pod: str = "web-1"


class World:
    """One service and its only answer, 7 ms away."""

    def __init__(
        self,
        *,
        answer: Answer | None = None,
        endpoint: bool = True,
        rate_mhz: int = 1_000,
        arrival: Arrival = "constant",
        **traffic: Any,
    ):
        self.sim = Sim(seed=1)
        self.sent: list[tuple[int, str, int, HttpRequest]] = []
        self._answer = answer or Served(response=HttpResponse(body=b"ok"))
        values: dict[str, Any] = {
            "name": "users", "namespace": "default", "service": "web", "port": 80,
            "begin_ns": 0, "end_ns": 10 * SECOND,
            "load": OpenLoad(profile=Steady(rate_mhz), arrival=arrival),
            "request": HttpRequest(path="/{i}", query="n={i}"),
        }  # fmt: skip
        self.picked: list[tuple[str, int]] = []
        self._endpoint = Somewhere() if endpoint else None
        TrafficSource(
            self.sim,
            config=TrafficConfig(**{**values, **traffic}),
            transport=self,
            meters=Meters(self.sim, waiting=lambda ip: 0),
        )
        self.sim.run_until(2000 * SECOND)

    def pick(self, service: str, port: int, client: str) -> Somewhere | None:
        self.picked.append((service, port))
        return self._endpoint

    def socket(self, ip: str, port: int) -> object | None:
        return self

    def send(self, ip: str, port: int, request: HttpRequest) -> SimProcess[tuple[Answer, int]]:
        self.sent.append((self.sim.now, ip, port, request))
        yield self.sim.timeout(7 * MILLISECOND)
        return self._answer, 2 * MILLISECOND

    @property
    def times(self) -> list[int]:
        """When requests were sent."""
        return [at for at, *_ in self.sent]


def facts(world: World, kind: Callable[..., Any]) -> list[Any]:
    return [fact for _, fact in world.sim.journal.of(kind)]  # type: ignore[type-var,arg-type]


def test_constant_arrivals_are_exact() -> None:
    """One a second, from the beginning until before the end."""
    assert [n * SECOND for n in range(10)] == World().times


def test_rounding_never_adds_up() -> None:
    """Three a second: the 3000th comes at second 1000 exactly."""
    times = World(rate_mhz=3_000, end_ns=1001 * SECOND).times

    assert [0, 333_333_333, 666_666_666, SECOND] == times[:4]
    assert 1000 * SECOND == times[3000]


def test_traffic_has_a_beginning_and_an_end() -> None:
    """The first request comes at its beginning, the last one before its end."""
    times = World(begin_ns=5 * SECOND, end_ns=8 * SECOND).times

    assert [5 * SECOND, 6 * SECOND, 7 * SECOND] == times


def test_no_time_is_no_traffic() -> None:
    """An empty span sends nothing."""
    assert [] == World(begin_ns=SECOND, end_ns=SECOND).times


def test_poisson_arrivals_have_their_rate() -> None:
    """The number is that of a Poisson process, and the gaps are exponential."""
    times = World(arrival="poisson", rate_mhz=20_000, end_ns=1000 * SECOND).times
    gaps = [(after - before) / SECOND for before, after in itertools.pairwise(times)]

    assert abs(len(times) - 20_000) < 4 * sqrt(20_000)
    assert 0.05 == pytest.approx(fmean(gaps), rel=0.03)
    assert 0.05 == pytest.approx(stdev(gaps), rel=0.03)
    assert times[-1] < 1000 * SECOND


def test_requests_are_numbered() -> None:
    """``{i}`` in path and query is the request's number, and the address is the endpoint's."""
    world = World(end_ns=2 * SECOND)

    assert [("/0", "n=0"), ("/1", "n=1")] == [(r.path, r.query) for *_, r in world.sent]
    assert {("10.0.0.1", 8080)} == {(ip, port) for _, ip, port, _ in world.sent}
    assert {("default/web", 80)} == set(world.picked)


def test_an_answer_is_written_down_with_its_parts() -> None:
    """Latency is the client's; the parts are what the answer says."""
    answer = Served(
        response=HttpResponse(status=503, body=b"busy"),
        queue_ns=1, instantiate_ns=2, execute_ns=3,
    )  # fmt: skip
    (fact,) = facts(World(answer=answer, end_ns=1), RequestCompleted)

    assert (503, 7 * MILLISECOND, 2 * MILLISECOND, 1, 2, 3) == (
        fact.status, fact.latency_ns, fact.network_ns, fact.queue_ns, fact.instantiate_ns,
        fact.execute_ns,
    )  # fmt: skip
    assert (4, hashlib.sha256(b"busy").hexdigest()) == (fact.body_bytes, fact.body_sha256)
    assert ("users", 0, "web", "web-1") == (fact.traffic, fact.serial, fact.service, fact.pod)


def test_without_an_endpoint_a_request_fails_at_once() -> None:
    """Nothing is sent, and no pod is to blame."""
    world = World(endpoint=False, end_ns=2 * SECOND)
    failures = facts(world, RequestFailed)

    assert [] == world.sent
    assert [("no endpoints available", "", 0, 0), ("no endpoints available", "", 1, 0)] == [
        (f.reason, f.pod, f.serial, f.latency_ns) for f in failures
    ]


def test_a_refused_connection_is_a_failure_of_a_pod() -> None:
    """With the pod's name and the time it took to learn of it."""
    (failure,) = facts(World(answer=ConnectionRefused(), end_ns=1), RequestFailed)

    assert ("connection refused", "web-1", 7 * MILLISECOND) == (
        failure.reason,
        failure.pod,
        failure.latency_ns,
    )


def test_arrivals_do_not_wait_for_answers() -> None:
    """The loop is open: a slow service gets as many requests as a fast one."""
    world = World(rate_mhz=1_000_000, end_ns=SECOND // 100)

    assert [n * MILLISECOND for n in range(10)] == world.times
