"""The bill of a run: exact, complete, and split among those who asked."""

import pytest

from kubesim.sim.time import HOUR, MINUTE
from kubesim.telemetry.cost import Placement, bill, cost_rows
from kubesim.world.cloud import Instance, InstanceSpec

DOLLAR = 1_000_000_000


def instance(
    node: str = "n",
    pool: str = "p",
    *,
    begin_ns: int = 0,
    end_ns: int | None = None,
    spot: bool = False,
) -> Instance:
    """An instance at a dollar an hour."""
    spec = InstanceSpec(node=node, pool=pool, spot=spot, price_per_hour_nano_usd=DOLLAR)
    made = Instance(id=f"i-{node}", spec=spec, launched_ns=0)
    made.running_ns, made.ended_ns = begin_ns, end_ns
    return made


def placement(cpu: int, memory: int, begin_ns: int = 0, end_ns: int | None = None) -> Placement:
    """A pod of Deployment web on node n, which has 1000m and 1000 bytes."""
    return Placement(
        namespace="default",
        workload=("Deployment", "web"),
        labels={"app": "web"},
        node="n",
        cpu_millis=cpu,
        memory_bytes=memory,
        node_cpu_millis=1000,
        node_memory_bytes=1000,
        begin_ns=begin_ns,
        end_ns=end_ns,
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (placement(1000, 1000), DOLLAR),
        (placement(1000, 0), DOLLAR // 2),
        (placement(250, 250), DOLLAR // 4),
        (placement(1000, 1000, begin_ns=HOUR // 2), DOLLAR // 2),
        (placement(1000, 1000, end_ns=HOUR // 4), DOLLAR // 4),
        (placement(1000, 1000, begin_ns=2 * HOUR), 0),
    ],
)
def test_a_pod_pays_for_what_it_asks_for(given: Placement, expected: int) -> None:
    """Half by cpu and half by memory, for the time it has its place."""
    costs = bill([instance()], [given], [("default", "web", {"app": "web"})], HOUR)
    assert expected == costs.workloads.get(("default", "Deployment", "web"), 0)
    assert expected == costs.services.get(("default", "web"), 0)
    assert DOLLAR - expected == costs.idle


def test_nobody_pays_after_the_end_of_an_instance() -> None:
    """A pod whose node was taken away stops costing, whether its object is deleted or not."""
    costs = bill([instance(end_ns=HOUR // 2)], [placement(1000, 1000)], [], HOUR)
    assert (DOLLAR // 2, 0) == (costs.total, costs.idle)


def test_pools_and_spot_are_told_apart() -> None:
    """One row a pool, with how many instances it had and for how long."""
    instances = [instance("a", "x"), instance("b", "y", begin_ns=30 * MINUTE, spot=True)]
    costs = bill(instances, [], [], HOUR)
    assert {"x": DOLLAR, "y": DOLLAR // 2} == costs.pools
    assert DOLLAR // 2 == costs.spot
    rows = {(row["what"], row["name"]): row for row in cost_rows(costs)}
    assert 30 * MINUTE == rows["pool", "y"]["running_ns"]
    assert rows["idle", ""]["cost_nano_usd"] == rows["total", ""]["cost_nano_usd"]


def test_a_service_without_a_selector_pays_nothing() -> None:
    """It selects no pods."""
    costs = bill([instance()], [placement(500, 500)], [("default", "none", {})], HOUR)
    assert {} == costs.services
