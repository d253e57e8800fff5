"""A component's cache of one kind, kept up by a watch.

What a component believes is what has reached its informer, a watch latency behind the truth.
Events arrive in the order of their commits. Handlers are told ``(old, new)``: ``old`` is ``None``
for a new object, ``new`` is ``None`` for a deleted one. Indexes answer questions such as "the pods
of this owner" without a scan.

Mirrors: staging/src/k8s.io/client-go/tools/cache (Reflector, SharedIndexInformer).
Departs: no periodic resync (a resync tells handlers nothing that they did not hear before).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar, cast

from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.apiserver.store import EventType, WatchEvent
from kubesim.sim import Rng, Sim
from kubesim.sim.distribution import Distribution

K = TypeVar("K", bound=KubeObject)

IndexFunction = Callable[[K], Iterable[Hashable]]


class Informer(Generic[K]):
    """A local copy of all objects of a kind.

    Args:
        sim: The run.
        apiserver: Where the objects come from.
        kind: The kind.
        latency: From commit to arrival.
        rng: The stream from which the latency is drawn.
        node_name: For pods: only those bound to that node.

    Attributes:
        kind: The kind.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        apiserver: APIServer,
        kind: type[K],
        latency: Distribution,
        rng: Rng,
        node_name: str | None = None,
    ) -> None:
        self.kind = kind
        self._sim = sim
        self._apiserver = apiserver
        self._latency = latency
        self._rng = rng
        self._objects: dict[str, K] = {}
        self._handlers: list[Callable[[K | None, K | None], None]] = []
        self._index_functions: dict[str, IndexFunction[K]] = {}
        self._indexes: dict[str, dict[Hashable, dict[str, K]]] = {}
        self._last_arrival_ns = 0
        self._last_revision = 0
        self._stopped = False
        self._held: list[WatchEvent] | None = None
        self._watch = apiserver.watch(kind, self._send, node_name=node_name)
        for obj in apiserver.list(kind):
            if node_name is None or getattr(obj, "spec").node_name == node_name:  # noqa: B009
                revision = int(obj.metadata.resource_version or 0)
                self._send(WatchEvent(EventType.ADDED, obj, revision))

    @property
    def last_revision(self) -> int:
        """The newest revision that has arrived."""
        return self._last_revision

    def get(self, key: str) -> K | None:
        """The object of that key as last heard of."""
        return self._objects.get(key)

    def values(self) -> tuple[K, ...]:
        """All objects, in the order in which they became known."""
        return tuple(self._objects.values())

    def add_handler(self, handler: Callable[[K | None, K | None], None]) -> None:
        """Call ``handler(old, new)`` for every change from now on, after the cache has it."""
        self._handlers.append(handler)

    def add_index(self, name: str, function: IndexFunction[K]) -> None:
        """Keep an index: ``function`` gives the values under which an object is found."""
        if name in self._index_functions:
            return
        self._index_functions[name] = function
        self._indexes[name] = {}
        for key, obj in self._objects.items():
            self._index(name, function, key, None, obj)

    def by_index(self, name: str, value: Hashable) -> tuple[K, ...]:
        """The objects under a value of an index, in the order in which they came there."""
        return tuple(self._indexes[name].get(value, {}).values())

    def stop(self) -> None:
        """Close the watch; what is on its way is lost."""
        if not self._stopped:
            self._stopped = True
            self._apiserver.store.unwatch(self._watch)

    def _send(self, event: WatchEvent) -> None:
        # Invariant: a stream delivers in order, so nothing overtakes what was sent before it.
        arrival_ns = max(self._last_arrival_ns, self._sim.now + self._latency.draw(self._rng))
        self._last_arrival_ns = arrival_ns
        self._sim.call_in(arrival_ns - self._sim.now, self._receive, event)

    def hold(self) -> None:
        """Nothing arrives any more; it waits."""
        self._held = []

    def release(self) -> None:
        """What waited arrives, in its order."""
        held, self._held = self._held or [], None
        for event in held:
            self._receive(event)

    def _receive(self, event: WatchEvent) -> None:
        if self._stopped:
            return
        if self._held is not None:
            self._held.append(event)
            return
        assert event.revision > self._last_revision or event.type is EventType.ADDED, event
        self._last_revision = max(self._last_revision, event.revision)
        obj = cast("K", event.object)
        key = obj.key
        old = self._objects.get(key)
        new = None if event.type is EventType.DELETED else obj
        if new is None:
            self._objects.pop(key, None)
        else:
            self._objects[key] = new
        for name, function in self._index_functions.items():
            self._index(name, function, key, old, new)
        for handler in self._handlers:
            # A deletion hands over the last version, which may be newer than the cached one.
            handler(obj if new is None else old, new)

    def _index(
        self, name: str, function: IndexFunction[K], key: str, old: K | None, new: K | None
    ) -> None:
        index = self._indexes[name]
        before = dict.fromkeys(function(old)) if old is not None else {}
        after = dict.fromkeys(function(new)) if new is not None else {}
        for value in before:
            if value not in after:
                index[value].pop(key, None)
                if not index[value]:
                    del index[value]
        if new is not None:
            for value in after:
                index.setdefault(value, {})[key] = new


class InformerFactory:
    """The caches of one process: one watch a kind, however many ask.

    Args:
        sim: The run.
        apiserver: Where the objects come from.
        component: The process; owns the random streams of the watches.
        latency: From a commit to its arrival.
    """

    def __init__(
        self, sim: Sim, *, apiserver: APIServer, component: str, latency: Distribution
    ) -> None:
        self._sim = sim
        self._apiserver = apiserver
        self._component = component
        self._latency = latency
        self._informers: dict[tuple[type[KubeObject], str | None], Informer[KubeObject]] = {}

    def informer(self, kind: type[K], *, node_name: str | None = None) -> Informer[K]:
        """The cache of a kind.

        Args:
            kind: The kind to follow.
            node_name: For pods: only those bound to that node.
        """
        known = self._informers.get((kind, node_name))
        if known is None:
            made = Informer(
                self._sim,
                apiserver=self._apiserver,
                kind=kind,
                latency=self._latency,
                rng=self._sim.rng(f"{self._component}/watch/{kind.__name__}"),
                node_name=node_name,
            )
            self._informers[kind, node_name] = cast("Informer[KubeObject]", made)
            return made
        return cast("Informer[K]", known)

    def hold(self) -> None:
        """Let nothing arrive."""
        for informer in self._informers.values():
            informer.hold()

    def release(self) -> None:
        """Let everything arrive that waited."""
        for informer in self._informers.values():
            informer.release()

    def stop(self) -> None:
        """Close every watch."""
        for informer in self._informers.values():
            informer.stop()
