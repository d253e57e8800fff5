"""The garbage collector: what an owner leaves behind goes too."""

import pytest
from harness import Cluster, pod, replica_set

from kubesim.api.appsv1 import ReplicaSet
from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject, OwnerReference, new_controller_ref
from kubesim.controlplane.controllers import GarbageCollector


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    GarbageCollector(made.sim, client=made.client())
    return made


def owned(name: str, *owners: KubeObject) -> Pod:
    references: tuple[OwnerReference, ...] = tuple(
        new_controller_ref(o).replace(controller=None) for o in owners
    )
    made = pod(name)
    return made.replace(metadata=made.metadata.replace(owner_references=references))


def names(cluster: Cluster) -> list[str]:
    return [p.name for p in cluster.pods()]


def test_dependents_go_when_their_owner_is_gone(cluster: Cluster) -> None:
    """Those of others stay."""
    one, two = (cluster.api.create(replica_set(name)) for name in ("one", "two"))
    cluster.api.create(owned("a", one))
    cluster.api.create(owned("b", two))
    cluster.api.create(pod("free"))
    cluster.run(1)
    cluster.api.delete(ReplicaSet, one.key)
    cluster.run(1)

    assert ["b", "free"] == names(cluster)


def test_one_owner_is_enough_to_stay(cluster: Cluster) -> None:
    """An object with two owners goes with the second one."""
    one, two = (cluster.api.create(replica_set(name)) for name in ("one", "two"))
    cluster.api.create(owned("a", one, two))
    cluster.run(1)
    cluster.api.delete(ReplicaSet, one.key)
    cluster.run(1)

    assert ["a"] == names(cluster)

    cluster.api.delete(ReplicaSet, two.key)
    cluster.run(1)

    assert [] == names(cluster)


def test_a_dependent_that_comes_after_its_owner_went_goes_too(cluster: Cluster) -> None:
    """A controller that was late leaves nothing behind."""
    one = cluster.api.create(replica_set("one"))
    cluster.run(1)
    cluster.api.delete(ReplicaSet, one.key)
    cluster.run(1)
    cluster.api.create(owned("late", one))
    cluster.run(1)

    assert [] == names(cluster)


def test_a_new_owner_of_the_name_inherits_nothing(cluster: Cluster) -> None:
    """Owners are known by their UID."""
    one = cluster.api.create(replica_set("one"))
    cluster.api.create(owned("a", one))
    cluster.run(1)
    cluster.api.delete(ReplicaSet, one.key)
    cluster.api.create(replica_set("one"))
    cluster.run(1)

    assert [] == names(cluster)


def test_a_running_dependent_gets_its_grace_period(cluster: Cluster) -> None:
    """It is announced to its kubelet, once."""
    one = cluster.api.create(replica_set("one"))
    cluster.api.create(owned("a", one))
    cluster.api.bind("default/a", "n1")
    cluster.run(1)
    cluster.api.delete(ReplicaSet, one.key)
    cluster.run(1)
    announced = cluster.pod("a")
    cluster.run(10)

    assert 30 == announced.metadata.deletion_grace_period_seconds
    assert announced is cluster.pod("a")
