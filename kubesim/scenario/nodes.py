"""From node pools to nodes. Pure functions.

Departs: allocatable is the capacity less the kubelet's default eviction thresholds (100Mi of memory,
10 % of the disk); the reserved amounts of the clouds come with the machine models.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.calibration import MachineType, load_machines
from kubesim.cluster import NodeConfig
from kubesim.cluster.node import WASM_SHIMS, known_handlers
from kubesim.controlplane.spin.names import WASM_LABEL
from kubesim.errors import InputError, Problem
from kubesim.manifests import Document, closest
from kubesim.scenario.format import NodePool, ScenarioSpec

EVICTION_MEMORY = Quantity("100Mi")
EVICTION_DISK_PERCENT = 10
POOL_LABEL = "kubesim.dev/pool"
ZONE_LABEL = "topology.kubernetes.io/zone"
MACHINE_LABEL = "node.kubernetes.io/instance-type"
MACHINE_DISK = Quantity("100Gi")


def nodes_of(spec: ScenarioSpec, document: Document) -> tuple[NodeConfig, ...]:
    """All nodes of a scenario, pool by pool.

    Raises:
        InputError: With every machine type and runtime that there is not.
    """
    problems = list(_problems(spec, document))
    if problems:
        raise InputError(problems)
    return tuple(node for pool in spec.node_pools for node in _nodes(pool))


def _problems(spec: ScenarioSpec, document: Document) -> Iterator[Problem]:
    for index, pool in enumerate(spec.node_pools):
        where = ("spec", "nodePools", index)
        if pool.machine is not None and pool.machine not in load_machines():
            yield document.problem(
                f'there is no machine type "{pool.machine}"',
                (*where, "machine"),
                suggestion=_guess(pool.machine, list(load_machines())),
            )
        for number, runtime in enumerate(pool.runtimes):
            if runtime not in known_handlers():
                yield document.problem(
                    f'there is no runtime "{runtime}"',
                    (*where, "runtimes", number),
                    suggestion=_guess(runtime, list(known_handlers())),
                )


def _guess(word: str, choices: list[str]) -> str:
    near = closest(word, choices)
    return f'did you mean "{near}"?' if near else f"there are: {', '.join(choices)}"


def _nodes(pool: NodePool) -> Iterator[NodeConfig]:
    machine = load_machines()[pool.machine] if pool.machine is not None else None
    capacity = _capacity(pool, machine)
    memory, disk = capacity["memory"], capacity["ephemeral-storage"]
    allocatable = capacity.merge(
        {
            "memory": memory - EVICTION_MEMORY,
            "ephemeral-storage": Quantity(
                str(disk.value() - disk.value() * EVICTION_DISK_PERCENT // 100)
            ),
        }
    )
    price = machine.price_per_hour_nano_usd if machine else 0
    if pool.price_per_hour is not None:
        price = pool.price_per_hour.nanos
    for number in range(pool.count):
        labels = {POOL_LABEL: pool.name}
        if pool.zones:
            labels[ZONE_LABEL] = pool.zones[number % len(pool.zones)]
        if pool.machine is not None:
            labels[MACHINE_LABEL] = pool.machine
        if any(runtime in WASM_SHIMS for runtime in pool.runtimes):
            labels[WASM_LABEL] = "true"
        yield NodeConfig(
            name=f"{pool.name}-{number}",
            pool=pool.name,
            capacity=capacity,
            allocatable=allocatable,
            labels=FrozenMap({**labels, **pool.labels}),
            taints=pool.taints,
            runtimes=pool.runtimes,
            serialize_image_pulls=pool.kubelet.serialize_image_pulls,
            price_per_hour_nano_usd=price,
        )


def _capacity(pool: NodePool, machine: MachineType | None) -> FrozenMap[str, Quantity]:
    if machine is not None:
        return FrozenMap(
            {
                "cpu": Quantity(str(machine.cpu)),
                "memory": Quantity(str(machine.memory)),
                "ephemeral-storage": MACHINE_DISK,
                "pods": Quantity(str(machine.pods)),
            }
        )
    assert pool.capacity is not None
    return FrozenMap(
        {
            "cpu": pool.capacity.cpu,
            "memory": pool.capacity.memory,
            "ephemeral-storage": pool.capacity.ephemeral_storage,
            "pods": Quantity(str(pool.capacity.pods)),
            **pool.capacity.devices,
        }
    )
