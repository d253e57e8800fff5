"""A schedule of faults, made from its seed and from nothing else: what breaks, when, and for how long.

Each fault begins in the first minutes. Most end again after a while, so that at the end of the run one
can ask whether everything came back; a node that crashes stays down until something boots it, and one
never crashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kubesim.scenario.format import Step
from kubesim.sim.rng import Rng
from kubesim.sim.time import SECOND

NODES = ("node-0", "node-1", "node-2")
HOST = "registry.example"
DURATION_NS = 15 * 60 * SECOND
FIRST_NS, EARLY_NS, LAST_NS = SECOND // 2, 10 * SECOND, 240 * SECOND
SHORTEST_NS, LONGEST_NS = 5 * SECOND, 180 * SECOND
MOST_FAULTS = 4
MEMORY_GIB = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What happens to one cluster.

    Attributes:
        seed: It follows from this, and so does everything else in the run.
        steps: The timeline.
    """

    seed: int
    steps: tuple[Step, ...]

    def lines(self) -> Iterator[str]:
        """The timeline as one would write it in a scenario."""
        for step in self.steps:
            verb = step.model_dump(by_alias=True, exclude_none=True)
            at_s = verb.pop("at") / SECOND
            for name, subject in verb.items():
                yield f"at {at_s:.3f}s {name} {subject}"


def schedule_of(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = Rng(seed, "faults/schedule")
    steps: list[Step] = []
    crashed: set[str] = set()
    for _ in range(rng.uniform(1, MOST_FAULTS)):
        last_ns = rng.choice((EARLY_NS, LAST_NS))  # while everything starts, or whenever
        at_ns = rng.uniform(FIRST_NS, last_ns)
        until_ns = at_ns + rng.uniform(SHORTEST_NS, LONGEST_NS)
        node, kind = rng.choice(NODES), rng.choice(KINDS)
        if kind == "crash":
            if len(crashed | {node}) == len(NODES) - 1:
                kind = "outage"  # somebody has to run the pods
            else:
                crashed.add(node)
        steps += _steps(kind, node, at_ns, until_ns, rng)
    return Schedule(seed=seed, steps=tuple(sorted(steps, key=lambda step: step.at)))


KINDS = (
    "crash", "outage of power", "reboot", "partition", "cut", "outage", "disk", "memory", "rollout",
)  # fmt: skip


def _steps(kind: str, node: str, at_ns: int, until_ns: int, rng: Rng) -> Iterator[Step]:
    match kind:
        case "crash":
            yield _step(at_ns, fail_node=node)
        case "outage of power":
            yield _step(at_ns, fail_node=node)
            yield _step(until_ns, reboot=node)
        case "reboot":
            yield _step(at_ns, reboot=node)
        case "partition":
            yield _step(at_ns, partition={"node": node, "for": f"{until_ns - at_ns}ns"})
        case "cut":
            yield _step(at_ns, cut=f"node/{node}")
            yield _step(until_ns, heal=f"node/{node}")
        case "outage":
            yield _step(at_ns, fail_registry=HOST)
            yield _step(until_ns, restore_registry=HOST)
        case "disk":
            yield _step(at_ns, fill_disk=node)
            yield _step(until_ns, empty_disk=node)
        case "memory":
            mib = 1024 * MEMORY_GIB - rng.uniform(0, 512)
            yield _step(at_ns, take_memory={"node": node, "memory": f"{mib}Mi"})
            yield _step(until_ns, give_memory=node)
        case _:  # so that pods start and stop while something is broken
            replicas = rng.uniform(1, 6)
            target = {"kind": "Deployment", "name": rng.choice(("shop", "greeter"))}
            yield _step(at_ns, scale={**target, "replicas": replicas})


def _step(at_ns: int, **verb: Any) -> Step:
    return Step.model_validate({"at": f"{at_ns}ns", **verb})
