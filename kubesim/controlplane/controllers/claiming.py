"""Adoption: a workload takes the orphans that its selector picks, and lets go what it does not.

Before it takes the first it asks the API server itself whether it still exists: its cache may be
behind, and a child adopted by an owner that is gone would be collected.

Mirrors: pkg/controller/controller_ref_manager.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import KubeObject, LabelSelector, new_controller_ref
from kubesim.controlplane.client import Client, Invalid, NotFound
from kubesim.sim import SimProcess

K = TypeVar("K", bound=KubeObject)


def claim(
    client: Client,
    owner: KubeObject,
    *,
    selector: LabelSelector,
    owned: Iterable[K],
    orphans: Iterable[K],
) -> SimProcess[list[K]]:
    """Adopt and release; returns the children that the owner has afterwards, adopted ones last.

    Args:
        client: The controller's connection.
        owner: The workload, as its controller's cache has it.
        selector: Which children it wants.
        owned: The children that it has.
        orphans: The objects in its namespace that have no controller.
    """
    kept: list[K] = []
    alive = owner.metadata.deletion_timestamp is None
    for child in owned:
        if label_selector_matches(selector, child.metadata.labels):
            kept.append(child)
        elif alive:
            yield from _patched(client, child, lambda one: _without(one, owner))
    wanted = [
        orphan
        for orphan in orphans
        if alive
        and orphan.metadata.deletion_timestamp is None
        and label_selector_matches(selector, orphan.metadata.labels)
    ]
    if wanted and not (yield from _may_adopt(client, owner)):
        return kept
    for orphan in wanted:
        adopted = yield from _patched(client, orphan, lambda one: _with(one, owner))
        if adopted is not None:
            kept.append(adopted)
    return kept


def _may_adopt(client: Client, owner: KubeObject) -> SimProcess[bool]:
    try:
        fresh = yield from client.get(type(owner), owner.key)
    except NotFound:
        return False
    return fresh.uid == owner.uid and fresh.metadata.deletion_timestamp is None


def _patched(client: Client, child: K, change: Callable[[K], K]) -> SimProcess[K | None]:
    def changed(current: K) -> K:
        return change(current) if current.uid == child.uid else current

    try:
        return (yield from client.patch(type(child), child.key, changed))
    except (NotFound, Invalid):
        return None  # gone, or somebody else's by now


def _with(child: K, owner: KubeObject) -> K:
    references = (*child.metadata.owner_references, new_controller_ref(owner))
    return child.replace(metadata=child.metadata.replace(owner_references=references))


def _without(child: K, owner: KubeObject) -> K:
    kept = tuple(o for o in child.metadata.owner_references if o.uid != owner.uid)
    return child.replace(metadata=child.metadata.replace(owner_references=kept))
