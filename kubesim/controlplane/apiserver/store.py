"""The object store: etcd and the watch cache in one.

Objects are frozen values; the store hands the same one to everyone. Every commit raises one
cluster-wide revision, stamps it on the object as ``metadata.resourceVersion`` and tells the watches
of its kind, in the order of commits. Watches of pods may name a node (the kubelet's field selector
``spec.nodeName``), and such a watch costs nothing for the pods of other nodes.

Mirrors: staging/src/k8s.io/apiserver/pkg/storage (etcd3, cacher).
Departs: nothing is ever compacted away, because a watch begins where its list ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, NamedTuple, TypeVar, cast

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject

K = TypeVar("K", bound=KubeObject)


class EventType(Enum):
    """What a watch event says."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class WatchEvent(NamedTuple):
    """One change: the object after it (for DELETED: as it last was), and as it was before."""

    type: EventType
    object: KubeObject
    revision: int


Deliver = Callable[[WatchEvent], None]


@dataclass(eq=False, slots=True)
class Watch(Generic[K]):
    """One open watch: what it is about and who gets its events."""

    kind: type[K]
    deliver: Deliver
    node_name: str | None = None
    open: bool = field(default=True)


class Store:
    """All objects of the cluster, by kind and key (``namespace/name`` or ``name``)."""

    def __init__(self) -> None:
        self.revision = 0
        self._objects: dict[type[KubeObject], dict[str, KubeObject]] = {}
        self._watches: dict[type[KubeObject], list[Watch[KubeObject]]] = {}
        self._node_watches: dict[str, list[Watch[KubeObject]]] = {}

    def get(self, kind: type[K], key: str) -> K | None:
        """The object of that key, or ``None``."""
        return cast("K | None", self._objects.get(kind, {}).get(key))

    def values(self, kind: type[K]) -> Iterator[K]:
        """All objects of a kind, in the order in which they were created."""
        return cast("Iterator[K]", iter(tuple(self._objects.get(kind, {}).values())))

    def kinds(self) -> tuple[type[KubeObject], ...]:
        """The kinds of which an object was ever stored, in the order of the first."""
        return tuple(self._objects)

    def put(self, obj: K) -> K:
        """Commit a new or changed object; returns it with its new revision."""
        objects = self._objects.setdefault(type(obj), {})
        before = objects.get(obj.key)
        committed = self._stamp(obj)
        objects[obj.key] = committed
        event_type = EventType.ADDED if before is None else EventType.MODIFIED
        self._notify(event_type, committed, before=before)
        return committed

    def remove(self, obj: K) -> K:
        """Commit the deletion of an object; returns its last version with the deletion's revision."""
        committed = self._stamp(obj)
        del self._objects[type(obj)][obj.key]
        self._notify(EventType.DELETED, committed, before=obj)
        return committed

    def watch(self, kind: type[K], deliver: Deliver, *, node_name: str | None = None) -> Watch[K]:
        """Call ``deliver`` for every change of that kind from now on.

        Args:
            kind: The kind to watch.
            deliver: Called at the instant of the commit; delays are the client's.
            node_name: For pods: only those whose ``spec.nodeName`` it is.
        """
        watch = Watch(kind, deliver, node_name)
        self._list_of(watch).append(cast("Watch[KubeObject]", watch))
        return watch

    def unwatch(self, watch: Watch[K]) -> None:
        """Close a watch; nothing is delivered to it any more."""
        watch.open = False
        self._list_of(watch).remove(cast("Watch[KubeObject]", watch))

    def _list_of(self, watch: Watch[K]) -> list[Watch[KubeObject]]:
        if watch.node_name is not None:
            assert watch.kind is Pod, watch.kind
            return self._node_watches.setdefault(watch.node_name, [])
        return self._watches.setdefault(watch.kind, [])

    def _stamp(self, obj: K) -> K:
        self.revision += 1
        metadata = obj.metadata.replace(resource_version=str(self.revision))
        return obj.replace(metadata=metadata)

    def _notify(
        self, event_type: EventType, obj: KubeObject, *, before: KubeObject | None
    ) -> None:
        event = WatchEvent(event_type, obj, self.revision)
        for watch in tuple(self._watches.get(type(obj), ())):
            watch.deliver(event)
        if isinstance(obj, Pod) and obj.spec.node_name:
            # Invariant: a pod's nodeName is set once and never changes; the binding, a MODIFIED for
            # everyone else, brings the pod into its node's watch.
            if isinstance(before, Pod) and not before.spec.node_name:
                event = event._replace(type=EventType.ADDED)
            for watch in tuple(self._node_watches.get(obj.spec.node_name, ())):
                watch.deliver(event)
