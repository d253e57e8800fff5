"""The store and its watchers, whatever clients do in whatever order."""

from collections.abc import Hashable

from harness import EPOCH_NS, Cluster, pod
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kubesim.api.corev1 import Pod
from kubesim.controlplane.apiserver.store import EventType, WatchEvent
from kubesim.controlplane.client import Informer, StatusError
from kubesim.sim import Rng
from kubesim.sim.distribution import Uniform
from kubesim.sim.time import SECOND

NAMES = st.sampled_from([f"p{n}" for n in range(5)])
NODES = ("n1", "n2")


class Store(RuleBasedStateMachine):
    """Clients create, change, bind and delete pods; watchers and informers follow."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()
        sim = self.cluster.sim
        self.events: list[WatchEvent] = []
        self.node_events: dict[str, list[WatchEvent]] = {node: [] for node in NODES}
        self.cluster.api.watch(Pod, self.events.append)
        for node, events in self.node_events.items():
            self.cluster.api.watch(Pod, events.append, node_name=node)
        self.informer: Informer[Pod] = Informer(
            sim, apiserver=self.cluster.api, kind=Pod, latency=Uniform(0, SECOND), rng=Rng(1, "w"),
        )  # fmt: skip
        self.informer.add_index("label", _labels)
        self.heard: dict[str, str | None] = {}
        self.informer.add_handler(self._hear)
        self.revision = self.cluster.api.store.revision

    def _hear(self, old: Pod | None, new: Pod | None) -> None:
        changed = new or old
        assert changed is not None
        if new is not None and old is not None:
            # Invariant: every change is told with what the cache had before.
            assert old.metadata.resource_version == self.heard[old.key]
        self.heard[changed.key] = None if new is None else new.metadata.resource_version

    def _try(self, what: object) -> None:
        """Do something that the server may refuse; a refusal changes nothing."""
        before = (self.cluster.api.store.revision, len(self.events))
        try:
            assert callable(what)
            what()
        except StatusError:
            assert before == (self.cluster.api.store.revision, len(self.events))

    @rule(name=NAMES, finalizer=st.booleans())
    def create(self, name: str, finalizer: bool) -> None:
        """A pod, perhaps with a finalizer."""
        finalizers = ["example.com/a"] if finalizer else []
        self._try(lambda: self.cluster.api.create(pod(name, finalizers=finalizers)))

    @rule(name=NAMES, value=st.sampled_from("abc"))
    def label(self, name: str, value: str) -> None:
        """A change of the main resource, sometimes to what it is already."""

        def change(p: Pod) -> Pod:
            labels = p.metadata.labels.set("x", value)
            return p.replace(metadata=p.metadata.replace(labels=labels))

        self._try(lambda: self.cluster.api.patch(Pod, f"default/{name}", change))

    @rule(name=NAMES, phase=st.sampled_from(["Running", "Succeeded"]))
    def report(self, name: str, phase: str) -> None:
        """A change of the status."""
        self._try(
            lambda: self.cluster.api.patch(
                Pod, f"default/{name}",
                lambda p: p.replace(status=p.status.replace(phase=phase)), status=True,
            )
        )  # fmt: skip

    @rule(name=NAMES, node=st.sampled_from(NODES))
    def bind(self, name: str, node: str) -> None:
        """The scheduler's write."""
        self._try(lambda: self.cluster.api.bind(f"default/{name}", node))

    @rule(name=NAMES, grace=st.sampled_from([None, 0, 5, 60]))
    def delete(self, name: str, grace: int | None) -> None:
        """A deletion, announced or not."""
        self._try(
            lambda: self.cluster.api.delete(
                Pod, f"default/{name}", grace_period_seconds=grace
            )
        )  # fmt: skip

    @rule(name=NAMES)
    def finalize(self, name: str) -> None:
        """The owner of the finalizer lets go."""
        self._try(
            lambda: self.cluster.api.patch(
                Pod, f"default/{name}", lambda p: p.replace(
                    metadata=p.metadata.replace(finalizers=())
                ),
            )
        )  # fmt: skip

    @rule(seconds=st.floats(min_value=0.001, max_value=2))
    def wait(self, seconds: float) -> None:
        """Time passes, and watches deliver."""
        self.cluster.run(seconds)

    @invariant()
    def revisions_rise(self) -> None:
        """Every commit has a higher revision than the one before, and its object carries it."""
        revisions = [event.revision for event in self.events]
        assert sorted(set(revisions)) == revisions
        for event in self.events:
            assert str(event.revision) == event.object.metadata.resource_version
        assert self.revision <= self.cluster.api.store.revision
        self.revision = self.cluster.api.store.revision

    @invariant()
    def the_events_tell_the_store(self) -> None:
        """Whoever applies all events to an empty cache has what the store has."""
        assert {p.key: p for p in self.cluster.pods()} == _replayed(self.events)

    @invariant()
    def a_nodes_events_tell_its_pods(self) -> None:
        """The same for the watch of a node; each pod is ADDED there first."""
        for node, events in self.node_events.items():
            bound = {p.key: p for p in self.cluster.pods() if p.spec.node_name == node}
            assert bound == _replayed(events)

    @invariant()
    def announced_deletions_have_a_time(self) -> None:
        """A timestamp and a grace period come together, and name the end of the grace."""
        for p in self.cluster.pods():
            metadata = p.metadata
            announced = metadata.deletion_timestamp is not None
            assert announced == (metadata.deletion_grace_period_seconds is not None)
            if metadata.deletion_timestamp is not None:
                assert metadata.deletion_timestamp >= EPOCH_NS
                assert metadata.finalizers or p.spec.node_name

    def teardown(self) -> None:
        """After a while without changes the informer and its index have caught up."""
        self.cluster.run(5)
        assert {p.key: p for p in self.cluster.pods()} == {
            p.key: p for p in self.informer.values()
        }
        for value in "abc":
            expected = {p.key for p in self.cluster.pods() if value in _labels(p)}
            assert expected == {p.key for p in self.informer.by_index("label", value)}


def _labels(p: Pod) -> tuple[Hashable, ...]:
    return tuple(p.metadata.labels.values())


def _replayed(events: list[WatchEvent]) -> dict[str, Pod]:
    cache: dict[str, Pod] = {}
    for event in events:
        assert isinstance(event.object, Pod)
        key = event.object.key
        # Invariant: ADDED is for what was not known, everything else for what was.
        assert (event.type is EventType.ADDED) == (key not in cache), event
        if event.type is EventType.DELETED:
            del cache[key]
        else:
            cache[key] = event.object
    return cache


class TestStore(Store.TestCase):  # type: ignore[name-defined,misc]
    """Runs the machine."""

    settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
