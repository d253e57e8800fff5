"""The timeline's verbs: what each of them does to the cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kubesim.api.scheme import SCHEME
from kubesim.cluster import DrainOptions, Simulation
from kubesim.manifests import Manifest
from kubesim.scenario.changing import CHANGES, SCALABLE
from kubesim.scenario.format import Drain, MemoryHog, Step, Target
from kubesim.scenario.format.timeline import Partition


def take(simulation: Simulation, step: Step, manifests: Sequence[Manifest]) -> None:
    """Take a step.

    Args:
        simulation: The cluster.
        step: The step.
        manifests: What it applies, if that is its verb.
    """
    verb = next(name for name in VERBS if getattr(step, name) is not None)
    VERBS[verb](simulation, getattr(step, verb), manifests)


def _apply(simulation: Simulation, source: str, manifests: Sequence[Manifest]) -> None:
    simulation.apply([manifest.obj for manifest in manifests], what=source)


def _delete(simulation: Simulation, target: Target, _: Sequence[Manifest]) -> None:
    resource = SCHEME.find_name(target.kind)
    assert resource is not None, target
    simulation.delete(resource.model, _key(target, namespaced=resource.namespaced))


def _scale(simulation: Simulation, target: Any, _: Sequence[Manifest]) -> None:
    simulation.scale(SCALABLE[target.kind], _key(target, namespaced=True), target.replicas)


def _drain(simulation: Simulation, drain: Drain, _: Sequence[Manifest]) -> None:
    options = DrainOptions(
        ignore_daemon_sets=drain.ignore_daemon_sets,
        delete_empty_dir_data=drain.delete_empty_dir_data,
        force=drain.force,
        grace_period_seconds=drain.grace_period,
        timeout_ns=drain.timeout,
        disable_eviction=drain.disable_eviction,
    )
    simulation.drain(drain.node, options)


def _fail_node(simulation: Simulation, node: str, _: Sequence[Manifest]) -> None:
    simulation.fail_node(node)


def _reboot(simulation: Simulation, node: str, _: Sequence[Manifest]) -> None:
    simulation.reboot(node)


def _partition(simulation: Simulation, step: Partition, _: Sequence[Manifest]) -> None:
    simulation.partition(step.node, step.for_)


def _add_node(simulation: Simulation, pool: str, _: Sequence[Manifest]) -> None:
    simulation.add_node(pool)


def _remove_node(simulation: Simulation, node: str, _: Sequence[Manifest]) -> None:
    simulation.remove_node(node)


def _interrupt_node(simulation: Simulation, node: str, _: Sequence[Manifest]) -> None:
    simulation.interrupt_node(node)


def _cut(simulation: Simulation, place: str, _: Sequence[Manifest]) -> None:
    simulation.cut(place)


def _heal(simulation: Simulation, place: str, _: Sequence[Manifest]) -> None:
    simulation.heal(place)


def _fail_registry(simulation: Simulation, host: str, _: Sequence[Manifest]) -> None:
    simulation.fail_registry(host)


def _restore_registry(simulation: Simulation, host: str, _: Sequence[Manifest]) -> None:
    simulation.restore_registry(host)


def _fail_queue(simulation: Simulation, name: str, _: Sequence[Manifest]) -> None:
    simulation.fail_queue(name)


def _restore_queue(simulation: Simulation, name: str, _: Sequence[Manifest]) -> None:
    simulation.restore_queue(name)


def _fill_disk(simulation: Simulation, node: str, _: Sequence[Manifest]) -> None:
    simulation.fill_disk(node)


def _empty_disk(simulation: Simulation, node: str, _: Sequence[Manifest]) -> None:
    simulation.empty_disk(node)


def _take_memory(simulation: Simulation, hog: MemoryHog, _: Sequence[Manifest]) -> None:
    simulation.take_memory(hog.node, hog.memory.value())


def _give_memory(simulation: Simulation, node: str, _: Sequence[Manifest]) -> None:
    simulation.give_memory(node)


VERBS: dict[str, Callable[[Simulation, Any, Sequence[Manifest]], None]] = {
    "apply": _apply,
    "delete": _delete,
    "scale": _scale,
    **CHANGES,
    "drain": _drain,
    "fail_node": _fail_node,
    "reboot": _reboot,
    "partition": _partition,
    "add_node": _add_node,
    "remove_node": _remove_node,
    "interrupt_node": _interrupt_node,
    "cut": _cut,
    "heal": _heal,
    "fail_registry": _fail_registry,
    "restore_registry": _restore_registry,
    "fail_queue": _fail_queue,
    "restore_queue": _restore_queue,
    "fill_disk": _fill_disk,
    "empty_disk": _empty_disk,
    "take_memory": _take_memory,
    "give_memory": _give_memory,
}


def _key(target: Target, *, namespaced: bool) -> str:
    return f"{target.namespace}/{target.name}" if namespaced else target.name
