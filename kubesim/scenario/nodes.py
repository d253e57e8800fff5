"""From node pools to nodes. Pure functions.

What an operator wrote for a pool (KubeletConfiguration, ``config.toml``, a cloud's reserved amounts)
becomes each node's configuration here, and its allocatable resources follow.

Departs: a machine type's local disk is 100Gi.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.calibration import MachineType, Preset, load_machines
from kubesim.cluster import KarpenterConfig, NodeConfig, PoolConfig
from kubesim.cluster.shims import KNOWN_SHIMS, known_handlers, runs_wasm
from kubesim.controlplane.autoscaler.karpenter import Options as KarpenterOptions
from kubesim.controlplane.spin.names import WASM_LABEL
from kubesim.errors import InputError, Problem
from kubesim.manifests import Document, closest
from kubesim.node.kubelet.configuration import allocatable, pod_capacity
from kubesim.scenario.format import NodePool, ScenarioSpec, Step
from kubesim.scenario.nodeconfig import cri_config, kubelet_configuration, shim_of

POOL_LABEL = "kubesim.dev/pool"
CAPACITY_TYPE_LABEL = "kubesim.dev/capacity-type"
MACHINE_LABEL = "node.kubernetes.io/instance-type"
GUESSES_SHOWN = 20
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
    problems = [*_problems(spec, document), *machine_problems(spec, document)]
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
        ("drain", step.drain.node if step.drain is not None else None),
        ("failNode", step.fail_node),
        ("reboot", step.reboot),
        ("partition", step.partition.node if step.partition is not None else None),
        ("removeNode", step.remove_node),
        ("interruptNode", step.interrupt_node),
        ("fillDisk", step.fill_disk),
        ("emptyDisk", step.empty_disk),
        ("takeMemory", step.take_memory.node if step.take_memory is not None else None),
        ("giveMemory", step.give_memory),
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
        for handler, table in pool.containerd.runtimes.items():
            shim = shim_of(table)
            if shim not in KNOWN_SHIMS:
                yield document.problem(
                    f'runtime "{handler}": there is no model of "{table.runtime_type}"',
                    (*where, "containerd", "runtimes", handler, "runtime_type"),
                    suggestion=_guess(shim, list(KNOWN_SHIMS)),
                )


def machine_problems(spec: ScenarioSpec, document: Document) -> Iterator[Problem]:
    """The machine types of the cloud that there are not."""
    for index, name in enumerate(spec.cloud.machines):
        if name not in load_machines():
            yield document.problem(
                f'there is no machine type "{name}"',
                ("spec", "cloud", "machines", index),
                suggestion=_guess(name, list(load_machines())),
            )


def _guess(word: str, choices: list[str]) -> str:
    near = closest(word, choices)
    if near:
        return f'did you mean "{near}"?'
    more = len(choices) - GUESSES_SHOWN
    others = f" and {more} more" if more > 0 else ""
    return f"there are: {', '.join(choices[:GUESSES_SHOWN])}{others}"


def karpenter_config(spec: ScenarioSpec, preset: Preset) -> KarpenterConfig:
    """What Karpenter can buy: the machine types that the cloud names, else the usual ones."""
    machines = load_machines()
    percent = preset.cloud.spot_price_percent.value
    usual = [name for name, machine in machines.items() if machine.usual]
    nodes = []
    for name in spec.cloud.machines or usual:
        pool = NodePool(name="karpenter", count=0, machine=name)
        nodes.append(replace(_pool(pool, percent).template, labels=FrozenMap()))
    return KarpenterConfig(
        machines=tuple(nodes),
        spot_prices={name: m.spot_price_nano_usd(percent) for name, m in machines.items()},
        zones=spec.cloud.zones,
        flags=karpenter_flags(spec),
    )


def karpenter_flags(spec: ScenarioSpec) -> KarpenterOptions:
    """Karpenter's settings, with the real one's defaults."""
    given = spec.karpenter
    if given is None:
        return KarpenterOptions()
    values = {
        name: value
        for name in type(given).model_fields
        if (value := getattr(given, name)) is not None and name != "feature_gates"
    }
    gates = given.feature_gates or {}
    return KarpenterOptions(
        **values, spot_to_spot_consolidation=gates.get("SpotToSpotConsolidation", False)
    )


def _pool(pool: NodePool, spot_percent: int) -> PoolConfig:
    machine = load_machines()[pool.machine] if pool.machine is not None else None
    raw = _capacity(pool, machine)
    pods = None if machine is None else machine.pods
    kubelet = kubelet_configuration(pool, raw, machine_pods=pods)
    most = pod_capacity(kubelet, raw["cpu"].milli_value())
    capacity = raw.merge({"pods": Quantity(str(most))})
    cri = cri_config(pool)
    labels = {POOL_LABEL: pool.name}
    if pool.machine is not None:
        labels[MACHINE_LABEL] = pool.machine
    if pool.spot:
        labels[CAPACITY_TYPE_LABEL] = "spot"
    if any(runs_wasm(entry.shim) for entry in cri.runtimes.values()):
        labels[WASM_LABEL] = "true"
    scaling = pool.autoscaling
    template = NodeConfig(
        name=pool.name,
        pool=pool.name,
        capacity=capacity,
        allocatable=allocatable(capacity, kubelet),
        labels=FrozenMap({**labels, **pool.labels}),
        taints=pool.taints,
        runtimes=tuple(cri.runtimes),
        kubelet=kubelet,
        cri=cri,
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


def _capacity(pool: NodePool, machine: MachineType | None) -> FrozenMap[str, Quantity]:
    if machine is not None:
        return FrozenMap(
            {
                "cpu": Quantity(str(machine.cpu)),
                "memory": Quantity(str(machine.memory)),
                "ephemeral-storage": MACHINE_DISK,
            }
        )
    assert pool.capacity is not None
    return FrozenMap(
        {
            "cpu": pool.capacity.cpu,
            "memory": pool.capacity.memory,
            "ephemeral-storage": pool.capacity.ephemeral_storage,
            **pool.capacity.devices,
        }
    )
