"""Places and the ways between them."""

from __future__ import annotations

from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND
from kubesim.world.network import LinkConfig, RackConfig, Topology, TopologyConfig

MB = 1_000_000
US = 1_000


def datacenter(sim: Sim, **more: object) -> Topology:
    """Two zones; a rack in the first; a node in the rack, one beside it, one in the other zone."""
    topology = Topology(
        sim,
        TopologyConfig(
            node_link=LinkConfig(latency_ns=10 * US, bandwidth=100 * MB),
            zones=(
                ("a", LinkConfig(latency_ns=300 * US, bandwidth=150 * MB)),
                ("b", LinkConfig(latency_ns=500 * US)),
            ),
            racks=(
                RackConfig(
                    name="r1", zone="a", nodes=("n1",), link=LinkConfig(latency_ns=20 * US)
                ),
            ),
            users=LinkConfig(latency_ns=5_000 * US),
            **more,  # type: ignore[arg-type]
        ),
    )
    for name, zone in (("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "")):
        topology.add_node(name, zone)
    return topology


def test_latency_is_the_sum_along_the_path() -> None:
    """Through rack and zone to the core and down again; 0 to itself."""
    topology = datacenter(Sim(seed=1))

    assert 40 * US == topology.latency_ns("node/n1", "node/n2")
    assert (30 + 300 + 500 + 10) * US == topology.latency_ns("node/n1", "node/n3")
    assert (5000 + 300 + 30) * US == topology.latency_ns("users", "node/n1")
    assert 10 * US == topology.latency_ns("node/n4", "core")
    assert 0 == topology.latency_ns("node/n1", "node/n1")


def test_a_zones_uplink_is_shared_by_its_nodes() -> None:
    """Two nodes of 100 MB/s behind 150: 75 each; one in another zone has its 100."""
    sim = Sim(seed=1)
    topology = datacenter(sim)
    ended: dict[str, int] = {}

    def pull(node: str) -> SimProcess[None]:
        yield from topology.transfer("core", f"node/{node}", 75 * MB)
        ended[node] = sim.now

    for node in ("n1", "n2", "n3"):
        sim.process(pull(node))
    sim.run_until(2 * SECOND)

    assert {"n1": SECOND, "n2": SECOND, "n3": 3 * SECOND // 4} == ended


def test_a_cut_separates_and_healing_joins() -> None:
    """There is one way only, and then there is none."""
    topology = datacenter(Sim(seed=1))
    topology.cut("zone/a", "core")

    assert None is topology.latency_ns("node/n1", "node/n3")
    assert 40 * US == topology.latency_ns("node/n1", "node/n2")

    topology.heal("core", "zone/a")

    assert 840 * US == topology.latency_ns("node/n1", "node/n3")


def test_another_way_is_taken_when_there_is_one() -> None:
    """A redundant edge: worse, and there; a transfer goes on over it with what is left."""
    sim = Sim(seed=1)
    backup = (("rack/r1", "core", LinkConfig(latency_ns=9_000 * US, bandwidth=50 * MB)),)
    topology = datacenter(sim, extra=backup)
    ended: list[int] = []

    def pull() -> SimProcess[None]:
        yield from topology.transfer("core", "node/n1", 150 * MB)
        ended.append(sim.now)

    sim.process(pull())
    sim.run_until(SECOND)

    assert 330 * US == topology.latency_ns("core", "node/n1")

    topology.cut("zone/a", "core")
    sim.run_until(5 * SECOND)

    assert 9_010 * US == topology.latency_ns("core", "node/n1")
    assert [2 * SECOND] == ended


def test_isolating_a_node_leaves_the_others() -> None:
    """All its edges, and only those."""
    topology = datacenter(Sim(seed=1))
    topology.isolate("node/n2")

    assert None is topology.latency_ns("node/n2", "core")
    assert 330 * US == topology.latency_ns("node/n1", "core")

    topology.rejoin("node/n2")

    assert 310 * US == topology.latency_ns("node/n2", "core")
