"""Namespaces that go, pods that nobody wants, and deletions that wait for their dependents."""

from __future__ import annotations

import pytest
from harness import Cluster, PlayedKubelet, bound, deployment, node, pod, replica_set

from kubesim.api.appsv1 import Deployment, ReplicaSet
from kubesim.api.corev1 import ConfigMap, Namespace, Node, Pod
from kubesim.api.metav1 import ObjectMeta, OwnerReference
from kubesim.controlplane.client import Forbidden
from kubesim.controlplane.controllers import (
    DeploymentController,
    GarbageCollector,
    NamespaceController,
    PodGCController,
    ReplicaSetController,
)


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    for start in (DeploymentController, ReplicaSetController, GarbageCollector):
        start(made.sim, client=made.client())
    NamespaceController(made.sim, client=made.client())
    PlayedKubelet(made, ready_s=3600, delete_s=1)
    return made


def deploy(cluster: Cluster) -> None:
    cluster.api.create(deployment(replicas=3))
    cluster.run(3)
    assert 3 == len(cluster.pods())


def counts(cluster: Cluster) -> tuple[int, int, int]:
    kinds = (Deployment, ReplicaSet, Pod)
    return tuple(len(list(cluster.api.list(kind))) for kind in kinds)  # type: ignore[return-value]


def test_background_takes_the_owner_first(cluster: Cluster) -> None:
    """Then the ReplicaSet, then the pods [gc-deployment-background]."""
    deploy(cluster)
    cluster.api.delete(Deployment, "default/web", propagation_policy="Background")
    assert (0, 1, 3) == counts(cluster)
    cluster.run(0.1)
    assert (0, 0, 3) == counts(cluster)
    cluster.run(1.1)

    assert (0, 0, 0) == counts(cluster)


def test_foreground_takes_the_owner_last(cluster: Cluster) -> None:
    """It waits with a finalizer until nothing blocks it [gc-deployment-foreground]."""
    deploy(cluster)
    cluster.api.delete(Deployment, "default/web", propagation_policy="Foreground")
    cluster.run(0.5)
    going = cluster.api.get(Deployment, "default/web")
    assert ("foregroundDeletion",) == going.metadata.finalizers
    assert (1, 1, 3) == counts(cluster)
    cluster.run(1)

    assert (0, 0, 0) == counts(cluster)


def test_orphans_stay(cluster: Cluster) -> None:
    """They forget their owner before it goes."""
    deploy(cluster)
    cluster.api.delete(Deployment, "default/web", propagation_policy="Orphan")
    cluster.run(2)

    assert (0, 1, 3) == counts(cluster)
    assert () == next(cluster.api.list(ReplicaSet)).metadata.owner_references


def test_an_owner_that_never_was(cluster: Cluster) -> None:
    """What names it is garbage."""
    owner = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="ghost", uid="u-1")
    made = pod("lost")
    cluster.api.create(made.replace(metadata=made.metadata.replace(owner_references=(owner,))))
    cluster.run(2)

    assert [] == cluster.pods()


def test_a_new_owner_of_the_same_name_is_another(cluster: Cluster) -> None:
    """The UID counts."""
    cluster.api.create(replica_set("rs", replicas=0))
    owner = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="rs", uid="u-1")
    made = pod("lost")
    cluster.api.create(made.replace(metadata=made.metadata.replace(owner_references=(owner,))))
    cluster.run(2)

    assert [] == cluster.pods()


def test_a_namespace_goes_in_two_looks(cluster: Cluster) -> None:
    """After 5 s its pods, after 10 s the rest and itself [gc-namespace-delete]."""
    cluster.api.create(ConfigMap(metadata=ObjectMeta(name="cm", namespace="other")))
    made = deployment(replicas=2)
    cluster.api.create(made.replace(metadata=made.metadata.replace(namespace="other")))
    cluster.run(3)
    cluster.api.delete(Namespace, "other")
    assert "Terminating" == cluster.api.get(Namespace, "other").status.phase
    cluster.run(4.9)
    assert [None, None] == [p.metadata.deletion_timestamp for p in cluster.pods()]
    cluster.run(1.5)
    assert ([], True) == (cluster.pods(), cluster.exists(ConfigMap, "other/cm"))
    cluster.run(4)

    assert not cluster.exists(ConfigMap, "other/cm")
    assert not cluster.exists(Namespace, "other")


def test_nothing_new_comes_into_it(cluster: Cluster) -> None:
    """403, with a cause that controllers know."""
    cluster.api.delete(Namespace, "other")
    with pytest.raises(Forbidden) as caught:
        cluster.api.create(ConfigMap(metadata=ObjectMeta(name="cm", namespace="other")))

    assert (
        'configmaps "cm" is forbidden: unable to create new content in namespace other because it '
        "is being terminated"
    ) == caught.value.message
    assert caught.value.has_cause("NamespaceTerminating")


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_some_namespaces_stay(name: str) -> None:
    """Every cluster needs them."""
    cluster = Cluster()
    if name != "default":
        cluster.api.create(Namespace(metadata=ObjectMeta(name=name)))
    with pytest.raises(Forbidden):
        cluster.api.delete(Namespace, name)


def test_pods_of_a_missing_node() -> None:
    """They fail and go 40 to 60 s after their node [podgc-node-deleted]."""
    cluster = Cluster()
    cluster.api.create(node("n1"))
    PodGCController(cluster.sim, client=cluster.client())
    cluster.api.create(bound("web"))
    cluster.run(31)
    cluster.api.delete(Node, "n1")
    cluster.run(48)
    assert ["web"] == [p.name for p in cluster.pods()]
    cluster.run(2)

    assert [] == cluster.pods()


def test_a_node_that_comes_back_keeps_its_pods() -> None:
    """Within the quarantine."""
    cluster = Cluster()
    cluster.api.create(node("n1"))
    PodGCController(cluster.sim, client=cluster.client())
    cluster.api.create(bound("web"))
    cluster.run(31)
    cluster.api.delete(Node, "n1")
    cluster.run(20)
    cluster.api.create(node("n1"))
    cluster.run(300)

    assert ["web"] == [p.name for p in cluster.pods()]


def test_too_many_pods_that_are_over() -> None:
    """The oldest go, down to the threshold; evicted ones before all others."""
    cluster = Cluster()
    PodGCController(cluster.sim, client=cluster.client(), terminated_pod_threshold=2)
    for number in range(4):
        made = cluster.api.create(pod(f"p{number}"))
        reason = "Evicted" if number == 3 else None
        status = made.status.replace(phase="Failed", reason=reason)
        cluster.api.update_status(made.replace(status=status))
        cluster.run(1)
    cluster.run(30)

    assert ["p1", "p2"] == [p.name for p in cluster.pods()]
