"""From the scenario's queues to a broker's. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from kubesim.errors import Problem
from kubesim.manifests import Document, closest
from kubesim.scenario.format import ScenarioSpec, Step
from kubesim.world.broker import QueueConfig

Where = tuple[str | int, ...]


def queue_configs(spec: ScenarioSpec) -> tuple[QueueConfig, ...]:
    """The queues of a scenario."""
    return tuple(QueueConfig(name=queue.name, kind=queue.kind) for queue in spec.queues)


def unknown_queue(
    spec: ScenarioSpec, name: str, document: Document, where: Where
) -> Iterator[Problem]:
    """What is wrong with the name of a queue: nothing, if there is one."""
    known = [queue.name for queue in spec.queues]
    if name not in known:
        near = closest(name, known)
        hint = f'did you mean "{near}"?' if near else "queues are listed in spec.queues"
        yield document.problem(f'no queue "{name}"', where, suggestion=hint)


def queue_problems(spec: ScenarioSpec, document: Document) -> Iterator[Problem]:
    """What is wrong with what programs consume."""
    for index, image in enumerate(spec.images):
        if image.program is not None and image.program.consumes is not None:
            where = ("spec", "images", index, "program", "consumes")
            yield from unknown_queue(spec, image.program.consumes.queue, document, where)


def queue_step_problems(
    spec: ScenarioSpec, step: Step, document: Document, where: Where
) -> Iterator[Problem]:
    """What is wrong with the queue that a step is about."""
    for verb, name in (("failQueue", step.fail_queue), ("restoreQueue", step.restore_queue)):
        if name is not None:
            yield from unknown_queue(spec, name, document, (*where, verb))
