"""Autoscalers, whatever state they find: bounded steps, an end, and nothing to do after it."""

from __future__ import annotations

import math
from typing import Any

from harness import Cluster, PlayedKubelet
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kubesim.api.appsv1 import Deployment
from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.kedav1alpha1 import ScaledJob, ScaledObject
from kubesim.controlplane.autoscaling.hpa import HorizontalController, HPAConfig
from kubesim.controlplane.autoscaling.keda.activation import decide
from kubesim.controlplane.autoscaling.keda.jobscaling import (
    Demand,
    TriggerMetrics,
    demand_of,
    jobs_to_make,
)
from kubesim.controlplane.controllers.deployment import DeploymentController
from kubesim.controlplane.controllers.replicaset import ReplicaSetController
from kubesim.sim import Ticks
from kubesim.sim.time import SECOND

NOW_NS = 10_000 * SECOND
PERIOD_S = 15


class Load:
    """One external metric; nobody has any other."""

    def __init__(self, cluster: Cluster) -> None:
        self._sim = cluster.sim
        self.milli = 0

    def get_external_metric(
        self, metric: str, namespace: str, labels: Any
    ) -> tuple[list[int], int]:
        return [self.milli], self._sim.wall_ns


def scaled_cluster(replicas: int, spec: dict[str, Any]) -> tuple[Cluster, Load]:
    cluster = Cluster()
    load = Load(cluster)
    DeploymentController(cluster.sim, client=cluster.client("deployment"))
    ReplicaSetController(cluster.sim, client=cluster.client("replicaset"))
    PlayedKubelet(cluster)
    HorizontalController(
        cluster.sim, client=cluster.client("hpa"), metrics=load, config=HPAConfig(),
        ticks=Ticks(cluster.sim), steady=lambda _: None,
    )  # fmt: skip
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "v1"}]},
    }
    cluster.api.create(
        Deployment.model_validate(
            {
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
                         "template": template},
            }
        )
    )  # fmt: skip
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    metric = {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "10"}}
    cluster.api.create(
        HorizontalPodAutoscaler.model_validate(
            {
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"scaleTargetRef": target,
                         "metrics": [{"type": "External", "external": metric}], **spec},
            }
        )
    )  # fmt: skip
    return cluster, load


def replicas_of(cluster: Cluster) -> int:
    return cluster.api.get(Deployment, "default/web").spec.replicas or 0


behaviors = st.sampled_from(
    [
        None,
        {"scaleDown": {"stabilizationWindowSeconds": 0}},
        {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 30}]}},
        {"scaleDown": {"stabilizationWindowSeconds": 30, "policies": [
            {"type": "Percent", "value": 50, "periodSeconds": 60}]}},
    ]
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@example(start=1, low=3, room=1, load=33, behavior=None)
@given(
    start=st.integers(1, 14),
    low=st.integers(1, 5),
    room=st.integers(0, 9),
    load=st.integers(0, 150),
    behavior=behaviors,
)
def test_the_autoscaler_arrives_and_stays(start, low, room, load, behavior):
    """By steps that its limits allow, at what the load wants within bounds; then nothing is written."""
    high = low + room
    spec = {"minReplicas": low, "maxReplicas": high}
    cluster, metric = scaled_cluster(
        start, {**spec, **({"behavior": behavior} if behavior else {})}
    )
    metric.milli = load * 1000
    before = start
    for _ in range(60):
        cluster.run(PERIOD_S)
        now = replicas_of(cluster)
        if now > before and before >= low and behavior is None:
            assert now <= max(2 * before, 4)
        assert now == start or low <= now <= high
        before = now
    wanted = min(max(math.ceil(load / 10), low), high)

    # Ten per cent, in whole numbers: 33 on 3 replicas is within, although 1.1 - 1 > 0.1 in binary.
    assert wanted == before or 9 * before <= load <= 11 * before
    revision = cluster.api.store.revision
    cluster.run(20 * PERIOD_S)
    assert revision == cluster.api.store.revision


counts = st.none() | st.integers(0, 6)


@st.composite
def scaled_objects(draw: st.DrawFn) -> ScaledObject:
    low, idle = draw(counts), draw(counts)
    assume(idle is None or (low is not None and idle < low))
    spec: dict[str, Any] = {"minReplicaCount": low, "idleReplicaCount": idle,
                            "cooldownPeriod": draw(st.none() | st.integers(0, 600)),
                            "initialCooldownPeriod": draw(st.none() | st.integers(0, 600))}  # fmt: skip
    if draw(st.booleans()):
        spec["fallback"] = {"failureThreshold": 1, "replicas": draw(st.integers(0, 3))}
    given_spec = {name: value for name, value in spec.items() if value is not None}
    made = ScaledObject.model_validate(
        {"metadata": {"name": "a", "namespace": "default"},
         "spec": {"scaleTargetRef": {"name": "web"}, "triggers": [], **given_spec}}
    )  # fmt: skip
    marks = draw(st.sets(st.sampled_from(["paused-scale-in", "paused-scale-out"])))
    annotations = FrozenMap({f"autoscaling.keda.sh/{mark}": "true" for mark in sorted(marks)})
    made = made.replace(
        metadata=made.metadata.replace(
            annotations=annotations, creation_timestamp=NOW_NS - draw(st.integers(0, 900)) * SECOND
        )
    )
    active_s = draw(st.none() | st.integers(0, 900))
    if active_s is not None:
        at_ns = NOW_NS - active_s * SECOND
        made = made.replace(status=made.status.replace(last_active_time=at_ns))
    return made


@settings(max_examples=400, deadline=None)
@given(
    scaled=scaled_objects(), current=st.integers(0, 8), active=st.booleans(), failed=st.booleans()
)
def test_keda_decides_once(scaled, current, active, failed):
    """What it has done it does not do again; it goes to nothing, idle, one or the minimum only."""
    spec = scaled.spec
    step = decide(scaled, current=current, active=active, failed=failed, now_ns=NOW_NS)
    after = current if step.replicas is None else step.replicas
    again = decide(scaled, current=after, active=active, failed=failed, now_ns=NOW_NS)

    assert again.replicas in (None, after)
    assert {c.type for c in step.conditions} == {"Ready", "Active"}
    assert step.replicas in {None, 0, 1, spec.idle_replica_count, spec.min_replica_count}
    if active and "paused-scale-out" not in str(scaled.metadata.annotations):
        assert after >= 1
    if after < current:
        assert not active
        assert "paused-scale-in" not in str(scaled.metadata.annotations)


@settings(max_examples=200, deadline=None)
@given(scaled=scaled_objects(), current=st.integers(0, 8))
def test_keda_rests_where_it_is_to_rest(scaled, current):
    """Long after the last activity: at idle, at nothing, or where the autoscaler keeps the minimum."""
    assume("paused" not in str(scaled.metadata.annotations))
    later_ns = NOW_NS + 2000 * SECOND
    step = decide(scaled, current=current, active=False, now_ns=later_ns)
    after = current if step.replicas is None else step.replicas
    low, idle = scaled.spec.min_replica_count or 0, scaled.spec.idle_replica_count

    if idle is not None:
        assert after == min(current, idle)
    else:
        assert after == 0 if low == 0 else after == max(current, low)


@settings(max_examples=300, deadline=None)
@given(
    low=counts,
    high=st.none() | st.integers(1, 12),
    strategy=st.sampled_from([None, "default", "accurate", "eager"]),
    how=st.sampled_from([None, "min", "max", "avg", "sum"]),
    queues=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=3),
    running=st.integers(0, 12),
    pending=st.integers(0, 12),
)
def test_jobs_are_bounded(low, high, strategy, how, queues, running, pending):
    """Never below nothing, never more than the maximum; at rest nothing is made but the minimum."""
    names = (("strategy", strategy), ("multipleScalersCalculation", how))
    spec = {
        "minReplicaCount": low,
        "maxReplicaCount": high,
        "scalingStrategy": {name: value for name, value in names if value},
    }
    template = {"spec": {"containers": [{"name": "c", "image": "v1"}]}}
    scaled = ScaledJob.model_validate(
        {"metadata": {"name": "a", "namespace": "default"},
         "spec": {"jobTargetRef": {"template": template}, "triggers": [],
                  **{name: value for name, value in spec.items() if value is not None}}}
    )  # fmt: skip
    most = 100 if high is None else high
    running = min(running, most)
    pending = min(pending, running)
    triggers = [
        TriggerMetrics(length=length, wanted=min(length, most), active=active and length > 0)
        for length, active in queues
    ]
    demand = demand_of(triggers, scaled)
    made = jobs_to_make(scaled, demand, running=running, pending=pending)
    minimum = min(low or 0, most)

    assert made >= 0
    assert running + made <= most + (minimum if high is None or (low or 0) > most else 0)
    nothing = Demand(active=minimum > 0, length=0, wanted=0)
    at_rest = jobs_to_make(scaled, nothing, running=running, pending=pending)
    assert at_rest == max(0, minimum - running)
