"""Max-min fairness by what defines it: nobody can get more without one with less getting less."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND
from kubesim.world.network.fluid import FluidNetwork, Pipe, fair_shares

MB = 1_000_000
PIPES = st.lists(st.integers(1, 1000), min_size=1, max_size=6)
ROUTES = st.lists(
    st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=300)
@given(PIPES, ROUTES)
def test_everyone_has_a_bottleneck(bandwidths: list[int], routes: list[list[int]]) -> None:
    """A full pipe on its way on which nobody is faster: the definition of max-min fairness.

    (Bertsekas and Gallager, Data Networks, proposition 6.4: it holds for one allocation only.)
    """
    network = FluidNetwork(Sim(seed=1))
    pipes = [Pipe(str(number), bandwidth * MB) for number, bandwidth in enumerate(bandwidths)]
    flows = [network.begin([pipes[index % len(pipes)] for index in route], MB) for route in routes]
    rates = fair_shares(flows)

    for pipe in pipes:
        assert sum(rates[flow] for flow in pipe.flows) <= pipe.bandwidth * (1 + 1e-9)
    for flow in flows:
        bottlenecks = [
            pipe
            for pipe in flow.pipes
            if sum(rates[other] for other in pipe.flows) >= pipe.bandwidth * (1 - 1e-9)
            and all(rates[other] <= rates[flow] * (1 + 1e-9) for other in pipe.flows)
        ]
        assert bottlenecks, (rates[flow], flow.pipes)


@settings(deadline=None, max_examples=60)
@given(
    PIPES,
    ROUTES,
    st.lists(st.integers(0, 3 * SECOND), min_size=12, max_size=12),
    st.integers(0, 11),
)
def test_rates_under_way_are_always_the_fair_ones(
    bandwidths: list[int], routes: list[list[int]], begins: list[int], cancelled: int
) -> None:
    """Computing a component alone gives what computing all transfers together gives."""
    sim = Sim(seed=1)
    network = FluidNetwork(sim)
    pipes = [Pipe(str(number), bandwidth * MB) for number, bandwidth in enumerate(bandwidths)]
    ended: list[int] = []

    def one(route: list[int], at_ns: int) -> SimProcess[None]:
        yield sim.timeout(at_ns)
        yield from network.transfer([pipes[index % len(pipes)] for index in route], 5 * MB)
        ended.append(sim.now)
        flows = list(dict.fromkeys(flow for pipe in pipes for flow in pipe.flows))
        for flow, rate in fair_shares(flows).items():
            assert abs(rate - flow.rate) <= 1e-6 * rate

    for route, at_ns in zip(routes, begins, strict=False):
        sim.process(one(route, at_ns))
    sim.run_until(begins[cancelled])
    under_way = list(dict.fromkeys(flow for pipe in pipes for flow in pipe.flows))
    for flow in under_way[:1]:
        network.cancel(flow)
    sim.run_until(1000 * SECOND)

    assert len(routes) == len(ended) + len(under_way[:1])
