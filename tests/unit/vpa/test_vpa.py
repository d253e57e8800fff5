"""The VerticalPodAutoscaler in a whole cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vpa_harness import autoscaler, budget, deployment, load, minutes, recommended

from kubesim.api.corev1 import Pod
from kubesim.cluster import verticalautoscaler
from kubesim.errors import InputError
from kubesim.facts import EventRecorded
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import load_scenario
from kubesim.scenario.verticalautoscaler import sizes_of

LARGE = {"requests": {"cpu": "800m", "memory": "1Gi"}}
QUICK = {"vpaRecommender": {"confidence-interval-cpu": "10m", "confidence-interval-memory": "10m"}}


def pods(live: LiveRun) -> list[Pod]:
    """The pods that are not about to go."""
    found = live.simulation.store.values(Pod)
    return [pod for pod in found if pod.metadata.deletion_timestamp is None]


def cpu_of(live: LiveRun) -> list[int]:
    """What the pods request, in thousandths."""
    return [p.spec.containers[0].resources.requests["cpu"].milli_value() for p in pods(live)]


def events(live: LiveRun, reason: str) -> list[EventRecorded]:
    """The Kubernetes Events of a reason."""
    journal = live.simulation.sim.journal
    return [fact for _, fact in journal.of(EventRecorded) if fact.reason == reason]


def conditions(live: LiveRun) -> dict[str, tuple[str, str | None]]:
    """The conditions of the autoscaler: status and message."""
    found = recommended(live).status.conditions
    return {item.type: (item.status, item.message) for item in found}


def test_off_recommends_and_changes_nothing(tmp_path: Path) -> None:
    """100m of use become a target of 126m; the pods keep what they ask for."""
    live = minutes(load(tmp_path, deployment(**LARGE), autoscaler(mode="Off"), **QUICK), 90)
    recommendation = recommended(live).status.recommendation
    assert recommendation is not None
    target = recommendation.container_recommendations[0].target
    assert target["cpu"].milli_value() == 126
    assert target["memory"].value() == 250 << 20  # the least for a pod
    assert conditions(live) == {"RecommendationProvided": ("True", None)}
    assert cpu_of(live) == [800, 800]


def test_initial_sizes_new_pods_only(tmp_path: Path) -> None:
    """Mode Initial leaves running pods alone; one that is created later has the target."""
    step = {"at": "60m", "scale": {"kind": "Deployment", "name": "web", "replicas": 3}}
    objects = (deployment(**LARGE), autoscaler(mode="Initial"))
    live = minutes(load(tmp_path, *objects, timeline=[step], **QUICK), 90)
    assert sorted(cpu_of(live)) == [126, 800, 800]
    assert not events(live, "EvictedByVPA")


@pytest.mark.parametrize("mode", ["Recreate", "Auto"])
def test_recreate_evicts_one_after_another(tmp_path: Path, mode: str) -> None:
    """Both pods are replaced by smaller ones, never both at once."""
    live = minutes(load(tmp_path, deployment(**LARGE), autoscaler(mode=mode), **QUICK), 90)
    assert cpu_of(live) == [126, 126]
    evicted = [at for at, fact in live.simulation.sim.journal.of(EventRecorded)
               if fact.reason == "EvictedByVPA"]  # fmt: skip
    assert len(evicted) == 2
    assert evicted[1] - evicted[0] >= 59 * 10**9
    assert events(live, "EvictedPod")[0].kind == "VerticalPodAutoscaler"


def test_a_disruption_budget_holds(tmp_path: Path) -> None:
    """The updater goes through the Eviction API, and is told no."""
    objects = (deployment(**LARGE), autoscaler(mode="Recreate"), budget(minAvailable=2))
    live = minutes(load(tmp_path, *objects, **QUICK), 90)
    assert cpu_of(live) == [800, 800]
    assert not events(live, "EvictedByVPA")


def test_a_single_pod_is_left_alone(tmp_path: Path) -> None:
    """--min-replicas is 2; the flag and the autoscaler can say otherwise."""
    single = deployment(replicas=1, **LARGE)
    live = minutes(load(tmp_path, single, autoscaler(mode="Recreate"), **QUICK), 90)
    assert cpu_of(live) == [800]
    flags: dict[str, Any] = {**QUICK, "vpaUpdater": {"min-replicas": 1}}
    live = minutes(load(tmp_path, single, autoscaler(mode="Recreate"), **flags), 90)
    assert cpu_of(live) == [126]


def test_in_place_restarts_nobody(tmp_path: Path) -> None:
    """InPlaceOrRecreate resizes the same pods."""
    live = load(tmp_path, deployment(**LARGE), autoscaler(mode="InPlaceOrRecreate"), **QUICK)
    before = [pod.uid for pod in pods(minutes(live, 1))]
    minutes(live, 90)
    assert cpu_of(live) == [126, 126]
    assert [pod.uid for pod in pods(live)] == before
    assert all(pod.status.container_statuses[0].restart_count == 0 for pod in pods(live))
    assert all(pod.metadata.annotations["vpaInPlaceUpdated"] == "true" for pod in pods(live))
    assert len(events(live, "InPlaceResizedByVPA")) == 2


def test_what_the_node_cannot_give_is_recreated(tmp_path: Path) -> None:
    """A resize that the API server refuses becomes an eviction."""
    small = deployment(requests={"cpu": "100m", "memory": "64Mi"})
    objects = (small, autoscaler(mode="InPlaceOrRecreate", resourcePolicy={
        "containerPolicies": [{"containerName": "*", "minAllowed": {"cpu": "3"}}]}))  # fmt: skip
    live = minutes(load(tmp_path, *objects, **QUICK), 30)
    assert events(live, "EvictedByVPA")
    assert not events(live, "InPlaceResizedByVPA")


def test_a_container_without_memory_is_rescued(tmp_path: Path) -> None:
    """Killed again and again with 100 MiB, it gets 100 MiB more and a margin, and runs."""
    limits = {"requests": {"memory": "100Mi"}, "limits": {"memory": "100Mi"}}
    objects = (deployment(**limits), autoscaler(mode="Recreate"))
    live = minutes(load(tmp_path, *objects), 20)
    assert all(pod.status.phase == "Running" for pod in pods(live))
    memory = [p.spec.containers[0].resources.limits["memory"].value() for p in pods(live)]
    assert all(250 << 20 <= amount < 300 << 20 for amount in memory)


def test_a_target_that_does_not_exist_is_said(tmp_path: Path) -> None:
    """Conditions ConfigUnsupported and NoPodsMatched say why nothing is recommended."""
    live = minutes(load(tmp_path, autoscaler(mode="Off")), 5)
    assert conditions(live) == {
        "ConfigUnsupported": (
            "True", "Cannot read targetRef. Reason: Deployment default/web does not exist"
        ),
        "NoPodsMatched": ("True", "No pods match this VPA object"),
        "RecommendationProvided": ("False", "No pods match this VPA object"),
    }  # fmt: skip


def test_the_target_has_to_be_at_the_top(tmp_path: Path) -> None:
    """A ReplicaSet that a Deployment owns is no target."""
    own = autoscaler(mode="Off")
    live = load(tmp_path, deployment(**LARGE), own)
    name = minutes(live, 1) and pods(live)[0].metadata.owner_references[0].name
    own["spec"]["targetRef"] = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name}
    live = minutes(load(tmp_path, deployment(**LARGE), own), 5)
    assert conditions(live)["ConfigUnsupported"][1] == (
        f"The target apps/v1.ReplicaSet/{name} has a parent controller but it should point to a "
        "topmost well-known or scalable controller"
    )


def test_both_autoscalers_on_one_resource_are_told(tmp_path: Path) -> None:
    """Sizing by cpu and counting replicas by cpu is simulated, and warned of."""
    horizontal = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "maxReplicas": 3,
        },
    }
    objects = (deployment(**LARGE), autoscaler(mode="Recreate"), horizontal)
    load(tmp_path, *objects)
    (told,) = load_scenario(tmp_path).unsimulated
    assert told == (
        "VerticalPodAutoscaler default/web and HorizontalPodAutoscaler default/web both act on the cpu "
        "of Deployment web: they are simulated, and work against each other as on a cluster"
    )
    memory = {"containerPolicies": [{"containerName": "*", "controlledResources": ["memory"]}]}
    for other in (autoscaler(mode="Off"), autoscaler(mode="Recreate", resourcePolicy=memory)):
        load(tmp_path, objects[0], other, horizontal)
        assert not load_scenario(tmp_path).unsimulated


def test_sleeping_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recommender that sleeps while nothing happens comes to what one that never does comes to."""
    seen = []
    objects = (deployment(**LARGE), autoscaler(mode="InPlaceOrRecreate"))
    for awake in (False, True):
        if awake:
            busy = property(lambda _: True)
            monkeypatch.setattr(verticalautoscaler.NodeActivity, "busy", busy)
        live, rows = load(tmp_path, *objects, hours=30), []
        for hour in range(1, 30):
            row = sizes_of(minutes(live, hour * 60).simulation.store)[0]
            rows.append(row)
        seen.append((live.simulation.sim.events_processed, rows))
    (few, asleep), (many, watched) = seen
    assert few < many / 5
    for one, other in zip(asleep, watched, strict=True):
        for name in ("has_cpu_m", "target_cpu_m", "target_memory"):
            assert one[name] == other[name]
        for name in ("lower_cpu_m", "upper_cpu_m", "upper_memory"):
            assert one[name] == pytest.approx(other[name], rel=0.02)


def test_a_month_costs_little(tmp_path: Path) -> None:
    """Thirty quiet days are a few thousand events, not 43,200 minutes of a recommender."""
    live = load(tmp_path, deployment(**LARGE), autoscaler(mode="Off"), hours=720)
    minutes(live, 720 * 60)
    assert live.simulation.sim.events_processed < 20_000


def test_kubectl_shows_mode_and_target(tmp_path: Path) -> None:
    """The columns of the custom resource, as ``kubectl get vpa`` prints them."""
    step = {"at": "10m", "kubectl": "get vpa"}
    objects = (deployment(**LARGE), autoscaler(mode="Off"))
    run = minutes(load(tmp_path, *objects, timeline=[step]), 11).finish()
    head, row = run.transcript[0]["output"].splitlines()
    assert head.split() == ["NAME", "MODE", "CPU", "MEM", "PROVIDED", "AGE"]
    assert row.split()[:5] == ["web", "Off", "126m", "250Mi", "True"]


def test_a_patch_of_the_subresource_resizes_a_pod(tmp_path: Path) -> None:
    """``--subresource resize`` changes the resources of a running pod, and restarts nothing."""
    container = {"name": "main", "image": "app", "resources": {"requests": {"cpu": "100m"}}}
    alone = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alone"},
        "spec": {"containers": [container]},
    }
    patch = {
        "spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": "300m"}}}]}
    }
    step = {"kind": "Pod", "name": "alone", "subresource": "resize", "patch": patch}
    live = minutes(load(tmp_path, alone, timeline=[{"at": "1m", "patch": step}]), 5)
    assert cpu_of(live) == [300]
    status = pods(live)[0].status.container_statuses[0]
    assert status.allocated_resources["cpu"].milli_value() == 300
    assert status.restart_count == 0
    step["kind"] = "Deployment"
    with pytest.raises(InputError, match="only a Pod has the subresource resize"):
        load(tmp_path, alone, timeline=[{"at": "1m", "patch": step}])
