"""The garbage collector: what an owner leaves behind goes too, or is let go.

Background (the usual way): the owner is gone, and whatever has no other owner follows it.
Foreground: the owner stays with a finalizer until the dependents that block it are gone. Orphan: the
owner stays with a finalizer until its dependents have forgotten it. An object that names an owner
which does not exist is garbage, too.

Mirrors: pkg/controller/garbagecollector (garbagecollector.go, graph_builder.go).
Departs: ownership across namespaces is not looked for; an owner is looked up once an attempt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from typing_extensions import override

from kubesim.api.metav1 import KubeObject, OwnerReference
from kubesim.api.scheme import SCHEME
from kubesim.controlplane.client import Client, Controller, Informer, NotFound
from kubesim.controlplane.controllers.indexes import BY_OWNER, owner_uids
from kubesim.sim import Sim, SimProcess

WORKERS = 20  # --concurrent-gc-syncs
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
IGNORED = frozenset({"Binding", "Event", "Lease"})
ORPHANING = "orphan:"  # what the keys begin with that are about letting dependents go


class Node(NamedTuple):
    """An object in the graph of owners."""

    kind: type[KubeObject]
    key: str


class Owners(NamedTuple):
    """The owners of an object by what they mean for it.

    Attributes:
        solid: They exist and stay.
        dangling: UIDs of those that do not exist.
        waiting: UIDs of those that go once their dependents are gone.
    """

    solid: bool
    dangling: tuple[str, ...]
    waiting: tuple[str, ...]


class GarbageCollector(Controller):
    """Deletes what no owner holds any more; its keys are the UIDs of objects."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._nodes: dict[str, Node] = {}
        self._absent: dict[str, None] = {}
        self._informers: dict[type[KubeObject], Informer[KubeObject]] = {}
        for resource in SCHEME:
            if resource.kind in IGNORED:
                continue
            informer = client.informer(resource.model)
            informer.add_index(BY_OWNER, owner_uids)
            informer.add_handler(self._changed)
            self._informers[resource.model] = informer

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Look whether an object still has an owner that holds it; else delete it."""
        if key.startswith(ORPHANING):
            yield from self._orphan(key.removeprefix(ORPHANING))
            return
        node = self._nodes.get(key)
        known = self._known(key)
        if node is None or known is None or (_is_going(known) and not _waits(known)):
            return
        try:
            live = yield from self._client.get(node.kind, node.key)
        except NotFound:
            return
        if live.uid != key:
            return
        if _waits(live):
            yield from self._finish_foreground(node, live)
        elif live.metadata.owner_references:
            yield from self._attempt(node, live)

    def _attempt(self, node: Node, live: KubeObject) -> SimProcess[None]:
        owners = yield from self._classify(live)
        if owners.solid:
            gone = {*owners.dangling, *owners.waiting}
            if gone:
                yield from self._patch(node, lambda obj: _without_owners(obj, live.uid, gone))
            return
        dependents = self._dependents(live.uid)
        if owners.waiting and dependents:
            if any(_waits(dependent) for dependent in dependents):
                # A cycle: nobody may wait for this one, or all would wait for ever.
                yield from self._patch(node, lambda obj: _unblocking(obj, live.uid))
            policy = "Foreground"
        elif ORPHAN in live.metadata.finalizers:
            policy = "Orphan"
        else:
            policy = "Foreground" if FOREGROUND in live.metadata.finalizers else "Background"
        try:
            yield from self._client.delete(
                node.kind, node.key, uid=live.uid, propagation_policy=policy
            )
        except NotFound:
            return

    def _classify(self, obj: KubeObject) -> SimProcess[Owners]:
        solid = False
        dangling: list[str] = []
        waiting: list[str] = []
        for reference in obj.metadata.owner_references:
            owner = yield from self._owner(reference, obj.namespace)
            if owner is None:
                dangling.append(reference.uid)
            elif _is_going(owner) and FOREGROUND in owner.metadata.finalizers:
                waiting.append(reference.uid)
            else:
                solid = True
        return Owners(solid, tuple(dangling), tuple(waiting))

    def _owner(self, reference: OwnerReference, namespace: str) -> SimProcess[KubeObject | None]:
        """The owner itself, from the server; ``None`` when it does not exist (any more)."""
        if reference.uid in self._absent:
            return None
        resource = SCHEME.find(reference.api_version, reference.kind)
        if resource is None:
            return self._known(reference.uid)
        key = f"{namespace}/{reference.name}" if resource.namespaced else reference.name
        try:
            owner = yield from self._client.get(resource.model, key)
        except NotFound:
            owner = None
        if owner is None or owner.uid != reference.uid:
            self._absent[reference.uid] = None
            return None
        return owner

    def _finish_foreground(self, node: Node, live: KubeObject) -> SimProcess[None]:
        """Take the finalizer off an owner when nothing blocks it; else see to its dependents."""
        blocking = [d for d in self._dependents(live.uid) if _blocks(d, live.uid)]
        if not blocking:
            yield from self._patch(node, lambda obj: _without_finalizer(obj, live.uid, FOREGROUND))
        for dependent in blocking:
            if not _waits(dependent):
                self.queue.add(dependent.uid)

    def _orphan(self, uid: str) -> SimProcess[None]:
        """Let all dependents of an owner forget it, and then the owner go."""
        node, owner = self._nodes.get(uid), self._known(uid)
        if node is None or owner is None or ORPHAN not in owner.metadata.finalizers:
            return
        for dependent in self._dependents(uid):
            place = self._nodes[dependent.uid]
            yield from self._patch(
                place, lambda obj, d=dependent.uid: _without_owners(obj, d, {uid})
            )
        yield from self._patch(node, lambda obj: _without_finalizer(obj, uid, ORPHAN))

    def _patch(self, node: Node, change: object) -> SimProcess[None]:
        try:
            yield from self._client.patch(node.kind, node.key, change)  # type: ignore[arg-type]
        except NotFound:
            return

    def _known(self, uid: str) -> KubeObject | None:
        node = self._nodes.get(uid)
        if node is None:
            return None
        obj = self._informers[node.kind].get(node.key)
        return obj if obj is not None and obj.uid == uid else None

    def _dependents(self, uid: str) -> list[KubeObject]:
        return [
            obj
            for informer in self._informers.values()
            for obj in informer.by_index(BY_OWNER, uid)
        ]

    def _changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        if new is None:
            assert old is not None
            self._gone(old)
            return
        self._nodes[new.uid] = Node(type(new), new.key)
        if old is None:
            self._absent.pop(new.uid, None)
            if any(self._known(uid) is None for uid in owner_uids(new)):
                self.queue.add(new.uid)
        if _is_going(new):
            self._began_to_go(old, new)
        elif old is not None and old.metadata.owner_references != new.metadata.owner_references:
            self.queue.add(new.uid)

    def _began_to_go(self, old: KubeObject | None, new: KubeObject) -> None:
        finalizers = new.metadata.finalizers
        before = old.metadata.finalizers if old is not None and _is_going(old) else ()
        if FOREGROUND in finalizers and FOREGROUND not in before:
            self.queue.add(new.uid)
            self._enqueue(self._dependents(new.uid))
        if ORPHAN in finalizers and ORPHAN not in before:
            self.queue.add(ORPHANING + new.uid)

    def _gone(self, obj: KubeObject) -> None:
        self._nodes.pop(obj.uid, None)
        dependents = self._dependents(obj.uid)
        if dependents:
            self._absent[obj.uid] = None
            self._enqueue(dependents)
        for uid in owner_uids(obj):
            owner = self._known(uid)
            if owner is not None and _waits(owner):
                self.queue.add(uid)

    def _enqueue(self, objects: Iterable[KubeObject]) -> None:
        for obj in objects:
            self.queue.add(obj.uid)


def _is_going(obj: KubeObject) -> bool:
    return obj.metadata.deletion_timestamp is not None


def _waits(obj: KubeObject) -> bool:
    """Whether it goes once its dependents are gone."""
    return _is_going(obj) and FOREGROUND in obj.metadata.finalizers


def _blocks(dependent: KubeObject, owner_uid: str) -> bool:
    return any(
        reference.uid == owner_uid and reference.block_owner_deletion
        for reference in dependent.metadata.owner_references
    )


def _without_finalizer(obj: KubeObject, uid: str, finalizer: str) -> KubeObject:
    finalizers = tuple(f for f in obj.metadata.finalizers if f != finalizer)
    if obj.uid != uid or finalizers == obj.metadata.finalizers:
        return obj
    return obj.replace(metadata=obj.metadata.replace(finalizers=finalizers))


def _without_owners(obj: KubeObject, uid: str, gone: set[str]) -> KubeObject:
    references = tuple(r for r in obj.metadata.owner_references if r.uid not in gone)
    if obj.uid != uid or references == obj.metadata.owner_references:
        return obj
    return obj.replace(metadata=obj.metadata.replace(owner_references=references))


def _unblocking(obj: KubeObject, uid: str) -> KubeObject:
    if obj.uid != uid:
        return obj
    references = tuple(
        reference.replace(block_owner_deletion=False)
        for reference in obj.metadata.owner_references
    )
    return obj.replace(metadata=obj.metadata.replace(owner_references=references))
