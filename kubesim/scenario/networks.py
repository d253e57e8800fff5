"""From the scenario's network to the topology. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from kubesim.errors import InputError, Problem
from kubesim.manifests import Document, closest
from kubesim.scenario.format import ScenarioSpec, Step
from kubesim.scenario.format.network import LinkSpec
from kubesim.world.network import LinkConfig, RackConfig, TopologyConfig
from kubesim.world.registry import RegistryConfig

Where = tuple[str | int, ...]


def topology_config(spec: ScenarioSpec, document: Document) -> TopologyConfig:
    """The topology of a scenario.

    Raises:
        InputError: If it names a place that there is not.
    """
    network = spec.network
    problems = list(_problems(spec, document))
    if problems:
        raise InputError(problems)
    return TopologyConfig(
        node_link=_link(network.nodes),
        users=_link(network.users),
        zones=tuple((zone.name, _link(zone)) for zone in network.zones),
        racks=tuple(
            RackConfig(name=rack.name, zone=rack.zone, nodes=rack.nodes, link=_link(rack))
            for rack in network.racks
        ),
        registries=tuple((each.name, _link(each)) for each in network.registries),
        extra=tuple((*link.between, _link(link)) for link in network.links),
    )


def registry_configs(spec: ScenarioSpec) -> tuple[RegistryConfig, ...]:
    """The registries with limits."""
    return tuple(
        RegistryConfig(host=each.name, limit=each.limit, window_ns=each.window)
        for each in spec.network.registries
        if each.limit
    )


def cut_problems(
    spec: ScenarioSpec, step: Step, document: Document, where: Where
) -> Iterator[Problem]:
    """What is wrong with the places that a step cuts off or joins."""
    known = [*_places(spec), *_nodes(spec)]
    for verb, place in (("cut", step.cut), ("heal", step.heal)):
        if place is not None and place not in known:
            yield _unknown(place, known, document, (*where, verb))


def _problems(spec: ScenarioSpec, document: Document) -> Iterator[Problem]:
    places, zones = _places(spec), [zone.name for zone in spec.network.zones]
    for number, rack in enumerate(spec.network.racks):
        if rack.zone and rack.zone not in zones:
            yield _unknown(
                rack.zone, zones, document, ("spec", "network", "racks", number, "zone")
            )
    for number, link in enumerate(spec.network.links):
        for end, place in enumerate(link.between):
            if place not in places:
                where = ("spec", "network", "links", number, "between", end)
                yield _unknown(place, places, document, where)


def _places(spec: ScenarioSpec) -> list[str]:
    network = spec.network
    return [
        "core",
        "users",
        *(f"zone/{zone.name}" for zone in network.zones),
        *(f"rack/{rack.name}" for rack in network.racks),
        *(f"registry/{each.name}" for each in network.registries),
    ]


def _nodes(spec: ScenarioSpec) -> list[str]:
    pools = spec.node_pools
    return [f"node/{pool.name}-{number}" for pool in pools for number in range(pool.count)]


def _unknown(place: str, known: list[str], document: Document, where: Where) -> Problem:
    near = closest(place, known)
    hint = f'did you mean "{near}"?' if near else f"there are: {', '.join(known[:8])}"
    return document.problem(f'there is no place "{place}" in the network', where, suggestion=hint)


def _link(spec: LinkSpec) -> LinkConfig:
    bandwidth = 0 if spec.bandwidth is None else max(1, spec.bandwidth.value())
    return LinkConfig(latency_ns=spec.latency, bandwidth=bandwidth)
