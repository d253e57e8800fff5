"""ResourceQuota and LimitRange: what comes in, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Cluster, pod

from kubesim.api.corev1 import LimitRange, Pod, ResourceQuota
from kubesim.controlplane.client import Forbidden
from kubesim.controlplane.controllers import ResourceQuotaController


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    ResourceQuotaController(made.sim, client=made.client())
    return made


def quota(cluster: Cluster, hard: dict[str, str], **spec: Any) -> None:
    cluster.api.create(
        ResourceQuota.model_validate(
            {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": hard, **spec}}
        )
    )
    cluster.run(1)


def used(cluster: Cluster) -> dict[str, str]:
    status = cluster.api.get(ResourceQuota, "default/q").status
    return {name: str(quantity) for name, quantity in status.used.items()}


def asking(name: str, resources: dict[str, dict[str, str]] | None = None, **more: Any) -> Pod:
    return pod(
        name, containers=[{"name": "c", "image": "v1", "resources": resources or {}}], **more
    )


def refusal(cluster: Cluster, made: Pod) -> str:
    with pytest.raises(Forbidden) as caught:
        cluster.api.create(made)
    return caught.value.message


def test_the_last_place_is_taken_once(cluster: Cluster) -> None:
    """403 with the numbers; a pod that is over or gone gives its place back."""
    quota(cluster, {"pods": "2"})
    one, _ = (cluster.api.create(pod(name)) for name in ("a", "b"))
    told = 'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'

    assert told == refusal(cluster, pod("c"))
    cluster.api.update_status(one.replace(status=one.status.replace(phase="Succeeded")))
    cluster.run(1)
    assert {"pods": "1"} == used(cluster)
    cluster.api.create(pod("c"))
    assert {"pods": "2"} == used(cluster)


def test_what_is_counted_must_be_said(cluster: Cluster) -> None:
    """A quota of CPU wants every container to ask for some."""
    quota(cluster, {"requests.cpu": "1", "limits.memory": "1Gi"})
    told = "failed quota: q: must specify limits.memory for: c; requests.cpu for: c"

    assert f'pods "a" is forbidden: {told}' == refusal(cluster, asking("a"))
    cluster.api.create(asking("b", {"requests": {"cpu": "600m"}, "limits": {"memory": "512Mi"}}))
    more = asking("c", {"requests": {"cpu": "600m"}, "limits": {"memory": "64Mi"}})
    over = "requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1"
    assert f'pods "c" is forbidden: exceeded quota: q, {over}' == refusal(cluster, more)


@pytest.mark.parametrize(
    ("spec", "name", "counted"),
    [
        ({"scopes": ["BestEffort"]}, "plain", 1),
        ({"scopes": ["NotBestEffort"]}, "plain", 0),
        ({"scopes": ["BestEffort"]}, "asking", 0),
        ({"scopes": ["Terminating"]}, "ends", 1),
        ({"scopes": ["NotTerminating"]}, "ends", 0),
    ],
)
def test_scopes(cluster: Cluster, spec: dict[str, Any], name: str, counted: int) -> None:
    """A quota counts only the pods that all its scopes fit."""
    quota(cluster, {"pods": "5"}, **spec)
    pods = {
        "plain": pod("plain"),
        "asking": asking("asking", {"requests": {"cpu": "1"}}),
        "ends": pod("ends", activeDeadlineSeconds=5),
    }
    cluster.api.create(pods[name])

    assert {"pods": str(counted)} == used(cluster)


def test_objects_of_any_kind_can_be_counted(cluster: Cluster) -> None:
    """``count/deployments.apps`` and its like."""
    quota(cluster, {"count/pods": "1", "count/resourcequotas": "9", "resourcequotas": "9"})
    cluster.api.create(pod("a"))

    assert {"count/pods": "1", "count/resourcequotas": "1", "resourcequotas": "1"} == used(cluster)
    assert "exceeded quota: q, requested: count/pods=1" in refusal(cluster, pod("b"))


def test_a_raised_limit_counts_when_it_was_looked_at(cluster: Cluster) -> None:
    """The controller takes it over some milliseconds later."""
    quota(cluster, {"pods": "0"})
    refusal(cluster, pod("a"))
    raised = ResourceQuota.model_validate({"metadata": {}, "spec": {"hard": {"pods": "1"}}}).spec
    cluster.update(ResourceQuota, "default/q", lambda q: q.replace(spec=raised))
    refusal(cluster, pod("a"))
    cluster.run(1)

    assert "a" == cluster.api.create(pod("a")).name


def limit(cluster: Cluster, **item: Any) -> None:
    cluster.api.create(
        LimitRange.model_validate(
            {
                "metadata": {"name": "l", "namespace": "default"},
                "spec": {"limits": [{"type": "Container", **item}]},
            }
        )
    )


def test_defaults_are_filled_in(cluster: Cluster) -> None:
    """And noted in an annotation; a default limit is the default request, too."""
    limit(cluster, default={"cpu": "500m"}, defaultRequest={"memory": "64Mi"})
    made = cluster.api.create(asking("a"))
    resources = made.spec.containers[0].resources

    assert {"cpu": "500m"} == {k: str(v) for k, v in resources.limits.items()}
    assert {"cpu": "500m", "memory": "64Mi"} == {k: str(v) for k, v in resources.requests.items()}
    note = "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c"
    assert note == made.metadata.annotations["kubernetes.io/limit-ranger"]


@pytest.mark.parametrize(
    ("item", "resources", "told"),
    [
        (
            {"max": {"cpu": "1"}},
            {"limits": {"cpu": "2"}},
            "maximum cpu usage per Container is 1, but limit is 2",
        ),
        (
            {"min": {"cpu": "200m"}},
            {"requests": {"cpu": "100m"}},
            "minimum cpu usage per Container is 200m, but request is 100m",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 5.000000",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {},
            (
                "cpu max limit to request ratio per Container is 2, but no request is specified or "
                "request is 0"
            ),
        ),
        (
            {"max": {"cpu": "1", "memory": "1Gi"}},
            {"limits": {"cpu": "2", "memory": "2Gi"}},
            (
                "[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per "
                "Container is 1Gi, but limit is 2Gi]"
            ),
        ),
    ],
)
def test_bounds(
    cluster: Cluster, item: dict[str, Any], resources: dict[str, dict[str, str]], told: str
) -> None:
    """Too little, too much, or too far apart."""
    limit(cluster, **item)
    assert f'pods "a" is forbidden: {told}' == refusal(cluster, asking("a", resources))
