"""What a kubelet lets in."""

from typing import Any

import pytest
from harness import Cluster, NodeUnderTest, bound, image

from kubesim.api.corev1 import Node


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def asking(cpu: str) -> list[dict[str, Any]]:
    return [{"name": "main", "image": "app:1", "resources": {"requests": {"cpu": cpu}}}]


def test_a_pod_for_which_there_is_no_cpu_fails(cluster: Cluster) -> None:
    """OutOfcpu, with what was asked for, what is used and what there is, in thousandths."""
    NodeUnderTest(cluster, image())
    cluster.api.create(bound("first", containers=asking("3")))
    cluster.run(5)
    cluster.api.create(bound("second", containers=asking("1500m")))
    cluster.run(5)
    status = cluster.pod("second").status

    assert ("Failed", "OutOfcpu") == (status.phase, status.reason)
    assert (
        "Pod was rejected: Node didn't have enough resource: cpu, "
        "requested: 1500, used: 3000, capacity: 4000"
    ) == status.message
    assert "Running" == cluster.pod("first").status.phase


def test_the_hundred_and_eleventh_pod_fails(cluster: Cluster) -> None:
    """OutOfpods: maxPods caps the density, whatever else there is room for."""
    NodeUnderTest(cluster, image())
    for number in range(111):
        cluster.api.create(bound(f"p{number}"))
    cluster.run(5)
    failed = [pod.status.reason for pod in cluster.pods() if pod.status.phase == "Failed"]

    assert ["OutOfpods"] == failed


def test_a_pod_that_does_not_match_the_node_fails(cluster: Cluster) -> None:
    """NodeAffinity, unless the node has the label by now."""
    NodeUnderTest(cluster, image())
    cluster.api.create(bound("early", nodeSelector={"disk": "ssd"}))
    cluster.run(5)
    cluster.update(
        Node, "n1", lambda node: node.replace(
            metadata=node.metadata.replace(labels=node.metadata.labels.merge({"disk": "ssd"}))
        ),
    )  # fmt: skip
    cluster.api.create(bound("late", nodeSelector={"disk": "ssd"}))
    cluster.run(5)

    assert "NodeAffinity" == cluster.pod("early").status.reason
    assert "Predicate NodeAffinity failed" in cluster.events("NodeAffinity")
    assert "Running" == cluster.pod("late").status.phase
