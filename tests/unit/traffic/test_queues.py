"""Queues against their closed forms: production traffic into production workers, fixed seeds.

Mean waits by batch means: twenty batches after a warm-up, a 99 % interval of Student's t.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, sqrt
from statistics import fmean, stdev

import pytest
from harness import MILLISECOND, SECOND
from traffic_harness import Servers

from kubesim.facts import RequestCompleted
from kubesim.sim.distribution import Constant, Distribution, Exponential, Uniform
from kubesim.world.traffic import ClosedLoad, OpenLoad
from kubesim.world.traffic.profiles import Steady

T_99_OF_19 = 2.861
SERVICE_S = 0.01
REQUESTS = 60_000


@dataclass(frozen=True)
class Case:
    name: str
    service: Distribution
    workers: int
    load: float
    square: float
    """The second moment of the service time, in squares of its mean."""

    @property
    def mean_wait_s(self) -> float:
        """Pollaczek and Khinchine for one worker, Erlang C for several with exponential work."""
        rate = self.load * self.workers / SERVICE_S
        if self.workers == 1:
            return rate * self.square * SERVICE_S**2 / (2 * (1 - self.load))
        offered, k = rate * SERVICE_S, self.workers
        last = offered**k / factorial(k) / (1 - self.load)
        waits = last / (sum(offered**n / factorial(n) for n in range(k)) + last)
        return waits * SERVICE_S / (k * (1 - self.load))


EXPONENTIAL = Exponential(10 * MILLISECOND)
CASES = [
    Case("M/M/1", EXPONENTIAL, 1, 0.6, 2),
    Case("M/M/4", EXPONENTIAL, 4, 0.7, 2),
    Case("M/D/1", Constant(10 * MILLISECOND), 1, 0.7, 1),
    Case("M/G/1", Uniform(0, 20 * MILLISECOND), 1, 0.7, 4 / 3),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_mean_wait_is_the_closed_form(case: Case) -> None:
    """Inside the 99 % interval, and the interval is narrow enough to mean something."""
    servers = Servers(seed=3)
    servers.start(service=case.service, workers=case.workers)
    rate = case.load * case.workers / SERVICE_S
    servers.send(load=OpenLoad(profile=Steady(round(1000 * rate))), end_ns=10**12)
    servers.run(REQUESTS / rate)
    waits = [fact.queue_ns / SECOND for _, fact in servers.sim.journal.of(RequestCompleted)]
    waits = waits[len(waits) // 20 :]
    size = len(waits) // 20
    batches = [fmean(waits[number * size : (number + 1) * size]) for number in range(20)]
    half = T_99_OF_19 * stdev(batches) / sqrt(20)

    assert abs(fmean(batches) - case.mean_wait_s) <= half, (fmean(batches), case.mean_wait_s)
    assert half < 0.15 * case.mean_wait_s


@pytest.mark.parametrize(("connections", "think_s"), [(5, 0.1), (40, 0.2), (400, 0.0)])
def test_a_closed_loop_obeys_littles_law(connections: int, think_s: float) -> None:
    """Connections are throughput times response and think time, to one per cent."""
    servers = Servers(seed=5, round_trip=Constant(MILLISECOND))
    servers.start(service=EXPONENTIAL, workers=2)
    servers.send(
        load=ClosedLoad(connections=connections, think=Exponential(round(think_s * SECOND)))
    )
    servers.run(100)
    done = [fact for _, fact in servers.sim.journal.of(RequestCompleted)]
    throughput = len(done) / 100
    response_s = fmean(fact.latency_ns for fact in done) / SECOND

    assert connections == pytest.approx(throughput * (response_s + think_s), rel=0.01)
