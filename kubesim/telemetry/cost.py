"""What a run costs, and who it costs it for. Pure functions.

Every instance is on the bill from running to its end, by the second. Its price is split evenly
between its cpu and its memory; a pod pays for the share of both that it asks for while it has a
place there, whether it uses it or not. What nobody asked for is idle. Pods and idle capacity
together are the whole bill, to the nano-dollar but for rounding, which counts as idle.

A Service pays for the pods that it selects; a pod of two Services is paid by each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kubesim.sim.time import HOUR

COST_COLUMNS = ("what", "namespace", "name", "cost_nano_usd", "instances", "running_ns")
INSTANCE_COLUMNS = (
    "instance", "node", "pool", "machine", "zone", "spot", "price_per_hour_nano_usd",
    "running_ns", "ended_ns", "billed_ns", "cost_nano_usd",
)  # fmt: skip


class BilledSpec(Protocol):
    """What an instance is."""

    @property
    def node(self) -> str:
        """Its node."""
        ...

    @property
    def pool(self) -> str:
        """Its pool."""
        ...

    @property
    def machine(self) -> str:
        """Its machine type."""
        ...

    @property
    def zone(self) -> str:
        """Its zone."""
        ...

    @property
    def spot(self) -> bool:
        """Whether it is a spot instance."""
        ...

    @property
    def price_per_hour_nano_usd(self) -> int:
        """Its price."""
        ...


class Billed(Protocol):
    """An instance and its time."""

    @property
    def id(self) -> str:
        """Its identity."""
        ...

    @property
    def spec(self) -> BilledSpec:
        """What it is."""
        ...

    @property
    def running_ns(self) -> int | None:
        """Since when it runs."""
        ...

    @property
    def ended_ns(self) -> int | None:
        """When it was told to end."""
        ...

    def billed_ns(self, now_ns: int) -> int:
        """How much of its time is on the bill."""
        ...

    def cost_nano_usd(self, now_ns: int) -> int:
        """What it has cost."""
        ...


@dataclass(slots=True, kw_only=True)
class Placement:
    """A pod's time on a node.

    Attributes:
        namespace: The pod's namespace.
        workload: The kind and the name of its topmost owner.
        labels: The pod's labels.
        node: The node.
        cpu_millis: What it asks for.
        memory_bytes: What it asks for.
        node_cpu_millis: What there is for pods on the node.
        node_memory_bytes: What there is for pods on the node.
        begin_ns: Since when it has the place.
        end_ns: Until when; ``None`` if it still has.
    """

    namespace: str
    workload: tuple[str, str]
    labels: Mapping[str, str]
    node: str
    cpu_millis: int
    memory_bytes: int
    node_cpu_millis: int
    node_memory_bytes: int
    begin_ns: int
    end_ns: int | None = None


@dataclass(slots=True)
class Costs:
    """The bill, in billionths of a dollar."""

    total: int = 0
    spot: int = 0
    used: int = 0
    pools: dict[str, int] = field(default_factory=dict)
    pool_instances: dict[str, int] = field(default_factory=dict)
    pool_running_ns: dict[str, int] = field(default_factory=dict)
    workloads: dict[tuple[str, str, str], int] = field(default_factory=dict)
    services: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def idle(self) -> int:
        """What nobody asked for."""
        return self.total - self.used


def bill(
    instances: Iterable[Billed],
    placements: Iterable[Placement],
    services: Iterable[tuple[str, str, Mapping[str, str]]],
    now_ns: int,
) -> Costs:
    """What everything has cost by now.

    Args:
        instances: All instances that ever were.
        placements: All pods that ever had a place.
        services: Namespace, name and selector of each Service.
        now_ns: Now.
    """
    costs = Costs()
    by_node: dict[str, list[Billed]] = {}
    for instance in instances:
        cost, pool = instance.cost_nano_usd(now_ns), instance.spec.pool
        by_node.setdefault(instance.spec.node, []).append(instance)
        costs.total += cost
        costs.spot += cost if instance.spec.spot else 0
        costs.pools[pool] = costs.pools.get(pool, 0) + cost
        if instance.running_ns is not None:
            billed_ns = costs.pool_running_ns.get(pool, 0) + instance.billed_ns(now_ns)
            costs.pool_running_ns[pool] = billed_ns
            costs.pool_instances[pool] = costs.pool_instances.get(pool, 0) + 1
    selectors = [(namespace, name, selector) for namespace, name, selector in services if selector]
    for placement in placements:
        cost = sum(share(i, placement, now_ns) for i in by_node.get(placement.node, ()))
        if not cost:
            continue
        costs.used += cost
        workload = (placement.namespace, *placement.workload)
        costs.workloads[workload] = costs.workloads.get(workload, 0) + cost
        for namespace, name, selector in selectors:
            if namespace == placement.namespace and selector.items() <= placement.labels.items():
                key = (namespace, name)
                costs.services[key] = costs.services.get(key, 0) + cost
    return costs


def share(instance: Billed, placement: Placement, now_ns: int) -> int:
    """What a pod pays for its place on an instance."""
    if instance.running_ns is None:
        return 0
    begin_ns = max(placement.begin_ns, instance.running_ns)
    ends = [now_ns, placement.end_ns, instance.ended_ns]
    took_ns = max(min(end for end in ends if end is not None) - begin_ns, 0)
    cpu, memory = placement.node_cpu_millis, placement.node_memory_bytes
    if not cpu or not memory:
        return 0
    parts = placement.cpu_millis * memory + placement.memory_bytes * cpu
    price = instance.spec.price_per_hour_nano_usd
    return price * took_ns * parts // (2 * cpu * memory * HOUR)


def cost_rows(costs: Costs) -> list[dict[str, Any]]:
    """The bill as a table: the whole, its pools, and whom it is for."""

    def row(what: str, namespace: str, name: str, cost: int, pool: str = "") -> dict[str, Any]:
        return {
            "what": what,
            "namespace": namespace,
            "name": name,
            "cost_nano_usd": cost,
            "instances": costs.pool_instances.get(pool, 0),
            "running_ns": costs.pool_running_ns.get(pool, 0),
        }

    rows = [row("total", "", "", costs.total)]
    rows += [row("pool", "", pool, cost, pool) for pool, cost in costs.pools.items()]
    rows += [
        row("workload", namespace, f"{kind}/{name}", cost)
        for (namespace, kind, name), cost in costs.workloads.items()
    ]
    rows.append(row("idle", "", "", costs.idle))
    rows += [row("service", *key, cost) for key, cost in costs.services.items()]
    return rows


def instance_rows(instances: Iterable[Billed], now_ns: int) -> list[dict[str, Any]]:
    """One row an instance."""
    return [
        {
            "instance": instance.id,
            "node": instance.spec.node,
            "pool": instance.spec.pool,
            "machine": instance.spec.machine,
            "zone": instance.spec.zone,
            "spot": instance.spec.spot,
            "price_per_hour_nano_usd": instance.spec.price_per_hour_nano_usd,
            "running_ns": instance.running_ns,
            "ended_ns": instance.ended_ns,
            "billed_ns": instance.billed_ns(now_ns),
            "cost_nano_usd": instance.cost_nano_usd(now_ns),
        }
        for instance in instances
    ]
