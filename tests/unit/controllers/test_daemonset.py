"""The DaemonSet controller, against what real ones were seen to do (shared recordings, v1.36.2)."""

from __future__ import annotations

import pytest
from harness import SECOND, Cluster, node
from workload_harness import DaemonPlayer, daemon_set, set_image

from kubesim.api.appsv1 import ControllerRevision, DaemonSet
from kubesim.api.corev1 import Node, Pod, Taint
from kubesim.controlplane.controllers import DaemonSetController


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    for name in ("n1", "n2", "n3"):
        made.api.create(node(name))
    DaemonSetController(made.sim, client=made.client())
    DaemonPlayer(made)
    return made


def where(cluster: Cluster) -> list[str]:
    return sorted(pod.spec.node_name or "" for pod in cluster.pods())


def numbers(cluster: Cluster) -> tuple[int | None, ...]:
    status = cluster.api.get(DaemonSet, "default/ag").status
    return (
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_misscheduled,
        status.number_ready,
        status.updated_number_scheduled,
    )


def taint(cluster: Cluster, name: str, effect: str) -> None:
    made = Taint.model_validate({"key": "k", "effect": effect})
    cluster.update(Node, name, lambda n: n.replace(spec=n.spec.replace(taints=(made,))))


def test_one_pod_on_every_node(cluster: Cluster) -> None:
    """Also on one that comes later; each by an affinity to the node's name."""
    cluster.api.create(daemon_set())
    cluster.run(3)
    assert ["n1", "n2", "n3"] == where(cluster)
    cluster.api.create(node("n4"))
    cluster.run(3)

    assert ["n1", "n2", "n3", "n4"] == where(cluster)
    assert (4, 4, 0, 4, 4) == numbers(cluster)


def test_it_tolerates_what_befalls_nodes(cluster: Cluster) -> None:
    """Lost, full and cordoned nodes keep their daemons."""
    cluster.api.create(daemon_set())
    cluster.run(1)
    tolerated = {(t.key, t.effect) for t in cluster.pods()[0].spec.tolerations}

    assert {
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    } <= tolerated


def test_taints_keep_away_or_drive_away(cluster: Cluster) -> None:
    """NoSchedule lets an old pod stay as misscheduled; NoExecute does not."""
    taint(cluster, "n1", "NoSchedule")
    cluster.api.create(daemon_set())
    cluster.run(3)
    assert ["n2", "n3"] == where(cluster)
    taint(cluster, "n2", "NoSchedule")
    taint(cluster, "n3", "NoExecute")
    cluster.run(3)

    assert ["n2"] == where(cluster)
    assert (0, 0, 1, 0, None) == numbers(cluster)


def test_a_rolling_update_goes_node_by_node(cluster: Cluster) -> None:
    """The next node only when the new pod is available [ds-rolling-maxunavailable1]."""
    cluster.api.create(daemon_set())
    cluster.run(3)
    set_image(cluster, "v2")
    going: list[int] = []
    for _ in range(80):
        cluster.run(0.1)
        going.append(3 - sum(p.metadata.deletion_timestamp is None for p in cluster.pods()))

    assert {0, 1} == set(going)
    assert ["v2"] * 3 == [pod.spec.containers[0].image for pod in cluster.pods()]
    revisions = list(cluster.api.list(ControllerRevision))
    assert [1, 2] == [revision.revision for revision in revisions]


def test_a_surge_makes_the_new_pod_first(cluster: Cluster) -> None:
    """No node is ever without a ready pod [ds-rolling-maxsurge1]."""
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    cluster.api.create(daemon_set(updateStrategy=strategy))
    cluster.run(3)
    set_image(cluster, "v2")
    ready: list[int] = []
    for _ in range(80):
        cluster.run(0.1)
        staying = [p for p in cluster.pods() if p.metadata.deletion_timestamp is None]
        ready.append(sum(any(c.type == "Ready" for c in p.status.conditions) for p in staying))

    assert min(ready) == 3
    assert ["v2"] * 3 == [pod.spec.containers[0].image for pod in cluster.pods()]


def test_on_delete_waits_for_the_user(cluster: Cluster) -> None:
    """Only a pod that somebody deletes is replaced by a new one."""
    cluster.api.create(daemon_set(updateStrategy={"type": "OnDelete"}))
    cluster.run(3)
    set_image(cluster, "v2")
    cluster.run(5)
    assert ["v1"] * 3 == [pod.spec.containers[0].image for pod in cluster.pods()]
    cluster.api.delete(Pod, cluster.pods()[0].key)
    cluster.run(5)

    assert ["v1", "v1", "v2"] == sorted(p.spec.containers[0].image or "" for p in cluster.pods())


def test_a_failed_pod_is_replaced_later_and_later(cluster: Cluster) -> None:
    """At once, then after 1 s, 2 s: a back-off for each node [ds-failed-pod]."""
    cluster.api.create(daemon_set())
    cluster.run(3)
    removed: list[float] = []
    for _ in range(3):
        victim = next(pod for pod in cluster.pods() if pod.spec.node_name == "n1")
        failed = victim.status.replace(phase="Failed")
        cluster.api.update_status(victim.replace(status=failed))
        began_ns = cluster.sim.now
        while cluster.exists(Pod, victim.key):
            cluster.run(0.01)
        removed.append(round((cluster.sim.now - began_ns) / SECOND, 1))
        cluster.run(0.1)

    assert [0.0, 1.0, 2.0] == removed
    assert 3 == len(cluster.events("FailedDaemonPod"))


def test_the_template_has_a_generation(cluster: Cluster) -> None:
    """It moves with the template and is on the pods."""
    cluster.api.create(daemon_set())
    cluster.run(3)
    set_image(cluster, "v2")
    made = cluster.api.get(DaemonSet, "default/ag")

    assert "2" == made.metadata.annotations["deprecated.daemonset.template.generation"]
    assert {"1"} == {p.metadata.labels["pod-template-generation"] for p in cluster.pods()}
