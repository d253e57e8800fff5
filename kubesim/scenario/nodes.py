"""From node pools to nodes. Pure functions.

Departs: allocatable is the capacity less the kubelet's default eviction thresholds (100Mi of memory,
10 % of the disk); the reserved amounts of the clouds come with the machine models.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.calibration import MachineType, Preset, load_machines
from kubesim.cluster import NodeConfig, PoolConfig
from kubesim.cluster.node import WASM_SHIMS, known_handlers
from kubesim.controlplane.spin.names import WASM_LABEL
from kubesim.errors import InputError, Problem
from kubesim.manifests import Document, closest
from kubesim.scenario.format import NodePool, ScenarioSpec, Step

EVICTION_MEMORY = Quantity("100Mi")
EVICTION_DISK_PERCENT = 10
POOL_LABEL = "kubesim.dev/pool"
CAPACITY_TYPE_LABEL = "kubesim.dev/capacity-type"
MACHINE_LABEL = "node.kubernetes.io/instance-type"
MACHINE_DISK = Quantity("100Gi")


def nodes_of(pools: tuple[PoolConfig, ...]) -> tuple[NodeConfig, ...]:
    """The nodes with which a run begins, pool by pool."""
    return tuple(pool.node(number) for pool in pools for number in range(pool.count))


def pools_of(
    spec: ScenarioSpec, document: Document, preset: Preset | None = None
) -> tuple[PoolConfig, ...]:
    """The pools of a scenario.

    Args:
        spec: The scenario.
        document: The document, for the places of problems.
        preset: Knows what a spot instance costs; without it they cost as much as others.

    Raises:
        InputError: With every machine type and runtime that there is not.
    """
    problems = list(_problems(spec, document))
    if problems:
        raise InputError(problems)
    percent = 100 if preset is None else preset.cloud.spot_price_percent.value
    return tuple(_pool(pool, percent) for pool in spec.node_pools)


def step_problems(
    spec: ScenarioSpec, step: Step, document: Document, where: tuple[str | int, ...]
) -> Iterator[Problem]:
    """What is wrong with the nodes and pools that a step names."""
    pools = {pool.name: pool for pool in spec.node_pools}
    begin = [f"{pool.name}-{number}" for pool in spec.node_pools for number in range(pool.count)]
    if step.add_node is not None and step.add_node not in pools:
        yield document.problem(
            f'no pool "{step.add_node}"',
            (*where, "addNode"),
            suggestion=_guess(step.add_node, list(pools)),
        )
    for verb, node in (
        ("drain", step.drain),
        ("failNode", step.fail_node),
        ("removeNode", step.remove_node),
        ("interruptNode", step.interrupt_node),
    ):
        if node is None or node in begin or _may_come(node, spec):
            continue
        near = closest(node, sorted(begin))
        hint = f'did you mean "{near}"?' if near else ""
        yield document.problem(f'no node "{node}"', (*where, verb), suggestion=hint)


def _may_come(node: str, spec: ScenarioSpec) -> bool:
    """Whether a node of that name may exist later in the run."""
    pool, _, number = node.rpartition("-")
    added = {step.add_node for step in spec.timeline}
    grows = any(
        p.name == pool and (p.autoscaling is not None or p.name in added) for p in spec.node_pools
    )
    return grows and number.isdecimal()


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


def _pool(pool: NodePool, spot_percent: int) -> PoolConfig:
    machine = load_machines()[pool.machine] if pool.machine is not None else None
    capacity = _capacity(pool, machine)
    labels = {POOL_LABEL: pool.name}
    if pool.machine is not None:
        labels[MACHINE_LABEL] = pool.machine
    if pool.spot:
        labels[CAPACITY_TYPE_LABEL] = "spot"
    if any(runtime in WASM_SHIMS for runtime in pool.runtimes):
        labels[WASM_LABEL] = "true"
    scaling = pool.autoscaling
    template = NodeConfig(
        name=pool.name,
        pool=pool.name,
        capacity=capacity,
        allocatable=allocatable_of(capacity),
        labels=FrozenMap({**labels, **pool.labels}),
        taints=pool.taints,
        runtimes=pool.runtimes,
        serialize_image_pulls=pool.kubelet.serialize_image_pulls,
        price_per_hour_nano_usd=_price(pool, machine, spot_percent),
        machine=pool.machine or "",
        spot=pool.spot,
        annotations=FrozenMap(pool.annotations),
    )
    return PoolConfig(
        name=pool.name,
        template=template,
        zones=pool.zones,
        count=pool.count,
        min_size=0 if scaling is None else scaling.min,
        max_size=None if scaling is None else scaling.max,
        priority=0 if scaling is None else scaling.priority,
    )


def _price(pool: NodePool, machine: MachineType | None, spot_percent: int) -> int:
    if pool.price_per_hour is not None:
        return pool.price_per_hour.nanos
    if machine is None:
        return 0
    if pool.spot:
        return machine.spot_price_nano_usd(spot_percent)
    return machine.price_per_hour_nano_usd


def allocatable_of(capacity: FrozenMap[str, Quantity]) -> FrozenMap[str, Quantity]:
    """What pods may have of a machine."""
    memory, disk = capacity["memory"], capacity["ephemeral-storage"]
    return capacity.merge(
        {
            "memory": memory - EVICTION_MEMORY,
            "ephemeral-storage": Quantity(
                str(disk.value() - disk.value() * EVICTION_DISK_PERCENT // 100)
            ),
        }
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
