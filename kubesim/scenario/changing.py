"""The timeline's verbs that change one object: what each asks of kubectl, and which images they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from kubesim.api.appsv1 import Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import Node, Taint
from kubesim.api.metav1 import KubeObject
from kubesim.api.scheme import SCHEME
from kubesim.cluster import Simulation, changes
from kubesim.cluster.draining import cordoned
from kubesim.cluster.patching import patched
from kubesim.manifests import Manifest
from kubesim.scenario.format import ScenarioSpec
from kubesim.scenario.format.changes import (
    Evicted,
    Labelled,
    PatchStep,
    SetImage,
    Subject,
    TaintStep,
    Undo,
)

SCALABLE: dict[str, type[Deployment | ReplicaSet | StatefulSet]] = {
    "Deployment": Deployment,
    "ReplicaSet": ReplicaSet,
    "StatefulSet": StatefulSet,
}
Verb = Callable[[Simulation, Any, Sequence[Manifest]], None]


def step_images(spec: ScenarioSpec) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """The images that steps bring in, and where they stand."""
    for index, step in enumerate(spec.timeline):
        if step.set_image is not None:
            for container, image in step.set_image.images.items():
                where = ("spec", "timeline", index, "setImage", "images", container)
                yield image, where


def _kind(subject: Subject) -> type[KubeObject]:
    found = SCHEME.find_name(subject.kind)
    assert found is not None, subject
    return found.model


def _changing(verb: str, change: Callable[[Any, Any, Simulation], Any]) -> Verb:
    """A verb that changes its subject."""

    def take(simulation: Simulation, subject: Any, _: Sequence[Manifest]) -> None:
        kind = _kind(subject)
        simulation.change(verb, kind, subject.key, lambda obj: change(obj, subject, simulation))

    return take


def _paused(obj: Any, _subject: Subject, _simulation: Simulation) -> Any:
    return changes.paused(obj)


def _resumed(obj: Any, _subject: Subject, _simulation: Simulation) -> Any:
    return changes.resumed(obj)


def _restarted(obj: Any, _subject: Subject, simulation: Simulation) -> Any:
    return changes.restarted(obj, wall_ns=simulation.sim.wall_ns)


def _imaged(obj: Any, step: SetImage, _simulation: Simulation) -> Any:
    return changes.with_images(obj, step.images)


def _patch(simulation: Simulation, step: PatchStep, _: Sequence[Manifest]) -> None:
    def change(obj: Any) -> Any:
        return patched(obj, step.patch, strategic=step.type == "strategic")

    if step.subresource == "resize":
        simulation.resize(step.key, change)
    else:
        simulation.change("patch", _kind(step), step.key, change)


def _labelled(obj: Any, step: Labelled, _simulation: Simulation) -> Any:
    return changes.labelled(obj, step.values)


def _annotated(obj: Any, step: Labelled, _simulation: Simulation) -> Any:
    return changes.labelled(obj, step.values, annotations=True)


def _undo(simulation: Simulation, step: Undo, _: Sequence[Manifest]) -> None:
    simulation.undo(_kind(step), step.key, step.to_revision)


def _evict(simulation: Simulation, step: Evicted, _: Sequence[Manifest]) -> None:
    simulation.evict(f"{step.namespace}/{step.name}", step.grace_period)


def _cordon(simulation: Simulation, node: str, _: Sequence[Manifest]) -> None:
    simulation.change("cordon", Node, node, cordoned)


def _uncordon(simulation: Simulation, node: str, _: Sequence[Manifest]) -> None:
    simulation.change("uncordon", Node, node, changes.uncordoned)


def _taint(simulation: Simulation, step: TaintStep, _: Sequence[Manifest]) -> None:
    if step.remove:
        change = partial(changes.untainted, key=step.key, effect=step.effect)
        simulation.change("untaint", Node, step.node, change)
        return
    assert step.effect is not None, step
    taint = Taint(key=step.key, value=step.value or None, effect=step.effect)
    change = partial(changes.tainted, taint=taint, wall_ns=simulation.sim.wall_ns)
    simulation.change("taint", Node, step.node, change)


CHANGES: dict[str, Verb] = {
    "pause": _changing("pause", _paused),
    "resume": _changing("resume", _resumed),
    "restart": _changing("restart", _restarted),
    "undo": _undo,
    "set_image": _changing("set image", _imaged),
    "patch": _patch,
    "label": _changing("label", _labelled),
    "annotate": _changing("annotate", _annotated),
    "taint": _taint,
    "cordon": _cordon,
    "uncordon": _uncordon,
    "evict": _evict,
}
