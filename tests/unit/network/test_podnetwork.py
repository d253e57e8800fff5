"""Who listens where, and how long the wire takes."""

import pytest
from harness import MILLISECOND, run_process

from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Constant
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse, Served
from kubesim.world.network import PodNetwork


class Echo:
    """Answers with the path after 10 ms."""

    waiting = 0

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self.began: list[int] = []

    def serve(self, request: HttpRequest) -> SimProcess[Served | ConnectionRefused]:
        """Answer."""
        self.began.append(self._sim.now)
        yield self._sim.timeout(10 * MILLISECOND)
        return Served(response=HttpResponse(body=request.path.encode()))


@pytest.fixture
def sim() -> Sim:
    return Sim(seed=1)


@pytest.fixture
def network(sim: Sim) -> PodNetwork:
    return PodNetwork(sim, round_trip=Constant(3))


def test_a_request_goes_there_and_back(sim: Sim, network: PodNetwork) -> None:
    """Half the way, the answer, the other half; no nanosecond is lost."""
    echo = Echo(sim)
    network.listen("10.0.0.1", 80, echo)
    answer, wire_ns = run_process(sim, network.request("10.0.0.1", 80, HttpRequest(path="/hello")))

    assert isinstance(answer, Served)
    assert b"/hello" == answer.response.body
    assert ([1], 3) == (echo.began, wire_ns)
    assert 10 * MILLISECOND + 3 == sim.now


def test_nobody_there_is_a_refused_connection(sim: Sim, network: PodNetwork) -> None:
    """After the way there and back; another port of the address is somebody else."""
    network.listen("10.0.0.1", 81, Echo(sim))
    answer, wire_ns = run_process(sim, network.request("10.0.0.1", 80, HttpRequest()))

    assert (ConnectionRefused("connection refused"), 3, 3) == (answer, wire_ns, sim.now)


def test_an_address_is_taken_once(sim: Sim, network: PodNetwork) -> None:
    """Until it is closed; closing twice is closing once."""
    one, other = Echo(sim), Echo(sim)

    assert network.listen("10.0.0.1", 80, one)
    assert not network.listen("10.0.0.1", 80, other)
    assert network.listen("10.0.0.2", 80, other)

    network.close("10.0.0.1", 80)
    network.close("10.0.0.1", 80)

    assert network.listen("10.0.0.1", 80, other)
