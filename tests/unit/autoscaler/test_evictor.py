"""How the Cluster Autoscaler empties a node: by evictions, and no other way."""

from __future__ import annotations

from typing import Any

import pytest

from kubesim.api.corev1 import Pod
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.autoscaler.clusterautoscaler import Options
from kubesim.controlplane.autoscaler.clusterautoscaler.evictor import (
    Evictor,
    daemon_set_pods,
    grace_seconds,
    group_by_priority,
)
from kubesim.controlplane.client import Recorder
from kubesim.sim.time import SECOND
from tests.harness import Cluster


def pod(name: str, *, kind: str = "ReplicaSet", priority: int = 0, **given: Any) -> Pod:
    """A running, ready pod on node n."""
    owner = {"kind": kind, "apiVersion": "apps/v1", "name": "r", "uid": "u", "controller": True}
    return Pod.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "default",
                "labels": {"app": "web"},
                "ownerReferences": [owner],
                "annotations": given.pop("annotations", {}),
            },
            "spec": {
                "nodeName": "n",
                "priority": priority,
                "containers": [{"name": "c", "image": "i"}],
                **given,
            },
        }
    )


class World:
    """A control plane with pods of a node that a kubelet removes at once, and a budget for them."""

    def __init__(self, *pods: Pod, allowed: int, options: Options | None = None) -> None:
        self.cluster = Cluster()
        self.client = self.cluster.client("cluster-autoscaler")
        self.pods = [self.cluster.api.create(one) for one in pods]
        running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        for one in self.pods:
            status = one.model_validate(
                {**one.model_dump(by_alias=True), "status": running}
            ).status
            self.cluster.api.update_status(one.replace(status=status))
        self.budget = self.cluster.api.create(
            PodDisruptionBudget.model_validate(
                {
                    "metadata": {"name": "b", "namespace": "default"},
                    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
                }
            )
        )
        self.allow(allowed)
        self.evictor = Evictor(
            self.cluster.sim,
            client=self.client,
            recorder=Recorder(self.cluster.sim, component="cluster-autoscaler"),
            options=options or Options(),
        )
        self.cluster.run(1)

    def allow(self, count: int) -> None:
        """What the disruption controller would say."""
        budget = self.cluster.api.get(PodDisruptionBudget, "default/b")
        status = budget.status.replace(
            disruptions_allowed=count, observed_generation=budget.metadata.generation
        )
        self.cluster.api.update_status(budget.replace(status=status))

    def kubelet(self) -> None:
        """Pods that are to end have ended."""
        for one in self.cluster.api.list(Pod):
            if one.metadata.deletion_timestamp is not None:
                self.cluster.api.delete(Pod, one.key, grace_period_seconds=0)

    def names(self) -> list[str]:
        return sorted(one.name for one in self.cluster.api.list(Pod))


def test_what_a_budget_refuses_is_asked_for_again() -> None:
    """One of two may go; the other one goes ten seconds after the budget allows it, no sooner."""
    world = World(pod("a"), pod("b"), allowed=1)
    done = world.cluster.sim.process(world.evictor.drain("n", world.pods, []))
    world.cluster.run(2)
    world.kubelet()
    assert 1 == len(world.names())
    world.cluster.run(20)
    assert 1 == len(world.names())
    world.allow(1)
    world.cluster.run(11)
    world.kubelet()
    assert [] == world.names()
    world.cluster.run(10)
    assert done.triggered
    assert done.value is None


def test_after_max_pod_eviction_time_it_gives_up() -> None:
    """The pod stays, an event says so, and the drain says why it failed."""
    world = World(pod("a"), allowed=0, options=Options(max_pod_eviction_time=60 * SECOND))
    done = world.cluster.sim.process(world.evictor.drain("n", world.pods, []))
    world.cluster.run(90)
    assert ["a"] == world.names()
    assert ["failed to delete pod for ScaleDown"] == world.cluster.events("ScaleDownFailed")
    assert str(done.value).startswith(
        "Failed to drain node /n, due to following errors: [failed to evict pod default/a within "
        "allowed timeout (last error: Cannot evict pod as it would violate"
    )


def test_who_does_not_end_is_not_waited_for_forever() -> None:
    """The drain fails thirty seconds after the longest grace that it gives."""
    options = Options(max_graceful_termination_sec=60)
    world = World(pod("a"), allowed=1, options=options)
    done = world.cluster.sim.process(world.evictor.drain("n", world.pods, []))
    world.cluster.run(85)
    assert not done.triggered
    world.cluster.run(12)
    assert "Failed to drain node /n: pods remaining after timeout" == done.value


def test_daemon_set_pods_may_stay() -> None:
    """Their eviction is refused, and the drain succeeds all the same."""
    world = World(pod("a"), allowed=0, options=Options(max_pod_eviction_time=10 * SECOND))
    done = world.cluster.sim.process(world.evictor.drain("n", [], world.pods))
    world.cluster.run(30)
    assert done.value is None


@pytest.mark.parametrize(
    ("wanted", "at_most", "expected"),
    [(None, 600, 30), (900, 600, 600), (900, 0, 900), (5, 600, 5)],
)
def test_graces(wanted: int | None, at_most: int, expected: int) -> None:
    """A pod has its own grace, thirty seconds by default, and no more than the flag allows."""
    given: dict[str, Any] = {} if wanted is None else {"terminationGracePeriodSeconds": wanted}
    assert expected == grace_seconds(pod("a", **given), at_most=at_most)


def test_groups_of_priorities() -> None:
    """A pod belongs to the highest rule that is not above it, and to the lowest if all are."""
    pods = [pod(str(p), priority=p) for p in (-5, 0, 50, 100, 5000)]
    groups = group_by_priority(((0, 60), (100, 20), (1000, 10)), pods, [])
    assert [["-5", "0", "50"], ["100"], ["5000"]] == [[p.name for p in g.full] for g in groups]


def test_an_annotation_decides_about_a_daemon_set_pod() -> None:
    """Against the flag, both ways."""
    key = "cluster-autoscaler.kubernetes.io/enable-ds-eviction"
    yes = pod("yes", kind="DaemonSet", annotations={key: "true"})
    no = pod("no", kind="DaemonSet", annotations={key: "false"})
    plain, other = pod("plain", kind="DaemonSet"), pod("other")
    pods = [yes, no, plain, other]
    assert [yes] == daemon_set_pods(pods, by_default=False)
    assert [yes, plain] == daemon_set_pods(pods, by_default=True)
