"""A component's cache: order, indexes, and its end."""

import pytest
from harness import MILLISECOND, Cluster, pod

from kubesim.api.corev1 import Pod
from kubesim.controlplane.client import Informer
from kubesim.sim import Rng
from kubesim.sim.distribution import Uniform
from kubesim.sim.time import SECOND

Change = tuple[Pod | None, Pod | None]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(latency_ns=5 * MILLISECOND)


def names(pods: tuple[Pod, ...]) -> list[str]:
    return [p.name for p in pods]


def relabel(cluster: Cluster, name: str, value: str) -> None:
    def change(p: Pod) -> Pod:
        return p.replace(metadata=p.metadata.replace(labels=p.metadata.labels.set("app", value)))

    cluster.update(Pod, f"default/{name}", change)


def recorded(informer: Informer[Pod]) -> list[Change]:
    changes: list[Change] = []
    informer.add_handler(lambda old, new: changes.append((old, new)))
    return changes


def test_a_change_arrives_one_watch_latency_later(cluster: Cluster) -> None:
    """The cache is behind the truth."""
    informer = cluster.client().informer(Pod)
    cluster.api.create(pod())
    cluster.run(0.004)

    assert None is informer.get("default/web")

    cluster.run(0.001)

    assert cluster.pod() is informer.get("default/web")


def test_what_was_there_before_is_listed(cluster: Cluster) -> None:
    """A late informer begins with what exists."""
    for name in ("a", "b"):
        cluster.api.create(pod(name))
    informer = cluster.client().informer(Pod)
    changes = recorded(informer)
    cluster.run(1)

    assert ["a", "b"] == names(informer.values())
    assert [None, None] == [old for old, _ in changes]


def test_handlers_hear_old_and_new(cluster: Cluster) -> None:
    """None before the first version, None after the last; a deletion has the last version."""
    changes = recorded(cluster.client().informer(Pod))
    cluster.api.create(pod())
    relabel(cluster, "web", "x")
    last = cluster.pod()
    cluster.api.delete(Pod, "default/web")
    cluster.run(1)
    (none, first), (before, second), (_, announced), (gone, nothing) = changes

    assert None is none
    assert first is before
    assert last is second
    assert announced is not None
    assert announced.metadata.deletion_timestamp is not None
    assert gone is not None
    assert last.metadata.labels == gone.metadata.labels
    assert None is nothing


def test_a_handler_finds_its_change_in_the_cache(cluster: Cluster) -> None:
    """Reconcilers read the cache, so it is changed first, its indexes too."""
    informer = cluster.client().informer(Pod)
    informer.add_index("app", lambda p: (p.metadata.labels.get("app", ""),))
    found: list[list[str]] = []
    informer.add_handler(lambda old, new: found.append(names(informer.by_index("app", "x"))))
    cluster.api.create(pod(labels={"app": "x"}))
    cluster.run(1)
    relabel(cluster, "web", "y")
    cluster.run(1)

    assert [["web"], []] == found


def test_nothing_overtakes_on_a_watch() -> None:
    """However the latencies fall, changes arrive in the order of their commits."""
    cluster = Cluster()
    informer = Informer(
        cluster.sim,
        apiserver=cluster.api,
        kind=Pod,
        latency=Uniform(0, SECOND),
        rng=Rng(1, "watch"),
    )
    seen: list[int] = []

    def note(old: Pod | None, new: Pod | None) -> None:
        changed = new or old
        assert changed is not None
        seen.append(int(changed.metadata.resource_version or 0))

    informer.add_handler(note)
    for number in range(100):
        cluster.api.create(pod(f"p{number}"))
        cluster.run(0.003)
    cluster.run(2)

    assert 100 == len(seen)
    assert sorted(seen) == seen


def test_an_index_follows_every_change(cluster: Cluster) -> None:
    """Objects move between values, and an emptied value leaves nothing behind."""
    informer = cluster.client().informer(Pod)
    informer.add_index("app", lambda p: (p.metadata.labels.get("app", ""), "every"))
    cluster.api.create(pod("a", labels={"app": "x"}))
    cluster.api.create(pod("b", labels={"app": "x"}))
    cluster.run(1)
    relabel(cluster, "a", "y")
    cluster.api.delete(Pod, "default/b")
    cluster.run(1)

    assert ["a"] == names(informer.by_index("app", "y"))
    assert ["a"] == names(informer.by_index("app", "every"))
    assert () == informer.by_index("app", "x")
    assert {"y", "every"} == set(informer._indexes["app"])


def test_an_index_that_comes_late_knows_everything(cluster: Cluster) -> None:
    """Controllers share an informer and bring their own indexes; the same name twice is one."""
    informer = cluster.client().informer(Pod)
    cluster.api.create(pod())
    cluster.run(1)
    for _ in range(2):
        informer.add_index("namespace", lambda p: (p.namespace,))

    assert ["web"] == names(informer.by_index("namespace", "default"))


def test_a_client_has_one_informer_a_kind(cluster: Cluster) -> None:
    """Sharing is what keeps watches few."""
    client = cluster.client()

    assert client.informer(Pod) is client.informer(Pod)
    assert client.informer(Pod) is not client.informer(Pod, node_name="n1")


def test_after_its_end_an_informer_hears_nothing(cluster: Cluster) -> None:
    """Not even what was on its way."""
    client = cluster.client()
    changes = recorded(client.informer(Pod))
    cluster.api.create(pod("sent"))
    client.stop()
    client.stop()
    cluster.api.create(pod("late"))
    cluster.run(1)

    assert [] == changes


def test_an_informer_of_a_node_has_that_nodes_pods(cluster: Cluster) -> None:
    """Listed or bound later; a pod becomes known by its binding."""
    cluster.api.create(pod("early"))
    cluster.api.create(pod("elsewhere"))
    cluster.api.bind("default/early", "n1")
    cluster.api.bind("default/elsewhere", "n2")
    informer = cluster.client().informer(Pod, node_name="n1")
    changes = recorded(informer)
    cluster.api.create(pod("later"))
    cluster.run(1)
    cluster.api.bind("default/later", "n1")
    cluster.run(1)

    assert ["early", "later"] == names(informer.values())
    assert [None, None] == [old for old, _ in changes]
