"""Disruption budgets and the Eviction API, as real ones were seen (shared recordings, v1.36.2)."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Cluster, PlayedKubelet, pod, replica_set
from workload_harness import budget

from kubesim.api.corev1 import Pod
from kubesim.api.podutil import get_pod_condition
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.apiserver.errors import SeveralBudgets
from kubesim.controlplane.client import TooManyRequests
from kubesim.controlplane.controllers import DisruptionController, ReplicaSetController


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    ReplicaSetController(made.sim, client=made.client())
    DisruptionController(made.sim, client=made.client())
    PlayedKubelet(made, ready_s=2, delete_s=1)
    return made


def web(cluster: Cluster, replicas: int = 5, **spec: Any) -> list[Pod]:
    cluster.api.create(replica_set(replicas=replicas))
    cluster.api.create(budget(**spec))
    cluster.run(5)
    return cluster.pods()


def status(cluster: Cluster, name: str = "p") -> tuple[int, int, int, int]:
    s = cluster.api.get(PodDisruptionBudget, f"default/{name}").status
    return (
        s.disruptions_allowed or 0,
        s.current_healthy or 0,
        s.desired_healthy or 0,
        s.expected_pods or 0,
    )


def refusal(cluster: Cluster, victim: Pod) -> str:
    with pytest.raises(TooManyRequests) as caught:
        cluster.api.evict(victim.key)
    return caught.value.causes[0].message


def test_the_budget_returns_with_the_replacement(cluster: Cluster) -> None:
    """One at a time; what counts is that the new pod is ready [pdb-maxunavailable-1]."""
    pods = web(cluster, maxUnavailable=1)
    assert (1, 5, 4, 5) == status(cluster)
    cluster.api.evict(pods[0].key)
    cluster.run(0.1)
    needs = "The disruption budget p needs 4 healthy pods and has 4 currently"

    assert needs == refusal(cluster, pods[1])
    cluster.api.evict(pods[0].key)  # it is going already: nothing is used
    cluster.run(1.5)
    assert needs == refusal(cluster, pods[1])
    cluster.run(1)
    assert (1, 5, 4, 5) == status(cluster)
    cluster.api.evict(pods[1].key)
    assert pods[0].name not in {p.name for p in cluster.pods()}


def test_an_evicted_pod_says_why_it_goes(cluster: Cluster) -> None:
    """The condition DisruptionTarget, by the Eviction API."""
    pods = web(cluster, maxUnavailable=1)
    cluster.api.evict(pods[0].key)
    found = get_pod_condition(cluster.api.get(Pod, pods[0].key).status, "DisruptionTarget")

    assert found is not None
    assert ("True", "EvictionByEvictionAPI", "Eviction API: evicting") == (
        found.status,
        found.reason,
        found.message,
    )


def test_two_budgets_are_an_error(cluster: Cluster) -> None:
    """A pod that two of them cover cannot be evicted: 500 [pdb-two-budgets]."""
    pods = web(cluster, replicas=3, maxUnavailable=1)
    cluster.api.create(budget("p2", maxUnavailable=1))
    cluster.run(1)

    with pytest.raises(SeveralBudgets) as caught:
        cluster.api.evict(pods[0].key)
    assert 500 == caught.value.code


def test_a_percentage_is_of_what_the_owner_wants(cluster: Cluster) -> None:
    """60 % of five are three, rounded up [pdb-minavailable-60pct]."""
    web(cluster, minAvailable="60%")

    assert (2, 5, 3, 5) == status(cluster)


def test_a_dry_run_uses_nothing(cluster: Cluster) -> None:
    """It is only the answer."""
    pods = web(cluster, maxUnavailable=1)
    cluster.api.evict(pods[0].key, dry_run=True)
    cluster.run(1)

    assert (1, 5, 4, 5) == status(cluster)
    assert cluster.api.get(Pod, pods[0].key).metadata.deletion_timestamp is None


@pytest.mark.parametrize(("policy", "goes"), [("AlwaysAllow", True), ("IfHealthyBudget", False)])
def test_a_pod_that_is_not_ready(cluster: Cluster, policy: str, goes: bool) -> None:
    """It goes freely if the budget says so, or if enough others are healthy."""
    pods = web(cluster, replicas=3, minAvailable=3, unhealthyPodEvictionPolicy=policy)
    cluster.set_ready(pods[0].name, ready=False)
    cluster.run(1)
    if not goes:
        needs = "The disruption budget p needs 3 healthy pods and has 2 currently"
        assert needs == refusal(cluster, pods[0])
        return
    cluster.api.evict(pods[0].key)
    assert cluster.api.get(Pod, pods[0].key).metadata.deletion_timestamp is not None


def test_a_budget_nobody_has_looked_at_refuses(cluster: Cluster) -> None:
    """Between its creation and the controller's first look it allows nothing."""
    cluster.api.create(replica_set(replicas=1))
    cluster.run(5)
    cluster.api.create(budget(maxUnavailable=1))

    told = "The disruption budget p is still being processed by the server."
    assert told == refusal(cluster, cluster.pods()[0])


def test_owners_without_a_scale(cluster: Cluster) -> None:
    """A percentage of a DaemonSet's pods is nothing anybody knows: nothing may go."""
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u"}
    made = pod("d-1", labels={"app": "d"})
    owned = Pod.model_validate(
        {
            "metadata": {
                **made.metadata.model_dump(exclude_unset=True),
                "ownerReferences": [{**owner, "controller": True}],
            },
            "spec": made.spec.model_dump(exclude_unset=True),
        }
    )
    cluster.api.create(owned)
    cluster.api.create(budget(app="d", maxUnavailable=1))
    cluster.run(5)
    found = cluster.api.get(PodDisruptionBudget, "default/p").status.conditions[0]

    assert ("False", "SyncFailed") == (found.status, found.reason)
    assert "daemonsets.apps does not implement the scale subresource" == found.message


def test_an_eviction_without_a_deletion_is_forgotten(cluster: Cluster) -> None:
    """After two minutes the budget is given back."""
    pods = web(cluster, maxUnavailable=1)
    current = cluster.api.get(PodDisruptionBudget, "default/p")
    disrupted = current.status.disrupted_pods.set(pods[0].name, cluster.sim.wall_ns)
    cluster.api.update_status(
        current.replace(status=current.status.replace(disrupted_pods=disrupted))
    )
    cluster.run(1)
    assert (0, 4, 4, 5) == status(cluster)
    cluster.run(121)
    assert (1, 5, 4, 5) == status(cluster)
