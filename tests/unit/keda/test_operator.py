"""KEDA in a cluster: what the operator does to workloads, autoscalers and jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from harness import EPOCH_NS, SECOND, Cluster
from workload_harness import JobPlayer

from kubesim.api.appsv1 import Deployment
from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.batchv1 import Job
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.kedav1alpha1 import ScaledJob, ScaledObject
from kubesim.cluster.keda import Keda
from kubesim.controlplane.autoscaling.keda import KedaConfig
from kubesim.controlplane.autoscaling.keda.webhook import ScaledObjectWebhook
from kubesim.controlplane.controllers.deployment import DeploymentController
from kubesim.controlplane.controllers.garbagecollector import GarbageCollector
from kubesim.controlplane.controllers.job import JobController
from kubesim.controlplane.controllers.replicaset import ReplicaSetController
from kubesim.controlplane.metrics import MetricsError
from kubesim.sim import Ticks
from kubesim.world.broker import Broker, QueueConfig
from kubesim.world.traffic import Meters

KEY = "default/web"


@dataclass
class World:
    """A cluster with KEDA and a queue of each kind."""

    cluster: Cluster = field(default_factory=Cluster)

    def __post_init__(self) -> None:
        cluster = self.cluster
        self.broker = Broker(
            cluster.sim, [QueueConfig(name="orders"), QueueConfig(name="mails", kind="redis")]
        )
        self.keda = Keda(
            cluster.sim,
            client=cluster.client("keda-operator"),
            config=KedaConfig(),
            meters=Meters(cluster.sim, waiting=lambda _: 0),
            broker=self.broker,
            ticks=Ticks(cluster.sim),
            others=NoMetrics(),
        )

    def deployment(self, replicas: int = 1) -> None:
        self.cluster.api.create(
            Deployment.model_validate(
                {
                    "metadata": {"name": "web", "namespace": "default"},
                    "spec": {
                        "replicas": replicas,
                        "selector": {"matchLabels": {"app": "web"}},
                        "template": {
                            "metadata": {"labels": {"app": "web"}},
                            "spec": {"containers": [{"name": "c", "image": "v1"}]},
                        },
                    },
                }
            )
        )

    def publish(self, count: int, queue: str = "orders") -> None:
        for _ in range(count):
            self.broker.queue(queue).publish()

    @property
    def replicas(self) -> int | None:
        return self.cluster.api.get(Deployment, KEY).spec.replicas

    @property
    def scaled(self) -> ScaledObject:
        return self.cluster.api.get(ScaledObject, KEY)

    @property
    def conditions(self) -> dict[str, tuple[str, str | None]]:
        return {c.type: (c.status, c.reason) for c in self.scaled.status.conditions}

    def annotate(self, **annotations: str) -> None:
        texts = {f"autoscaling.keda.sh/{k.replace('_', '-')}": v for k, v in annotations.items()}
        self.cluster.update(
            ScaledObject,
            KEY,
            lambda obj: obj.replace(metadata=obj.metadata.replace(annotations=FrozenMap(texts))),
        )


class NoMetrics:
    def series(self, namespace: str, metric: str, labels: Any) -> list[Any]:
        raise MetricsError("nobody else")

    def steady(self, namespace: str, metric: str, labels: Any) -> None:
        return None


RABBIT = {"type": "rabbitmq", "metadata": {"host": "http://r/", "queueName": "orders",
                                           "mode": "QueueLength", "value": "5"}}  # fmt: skip


def scaled_object(*triggers: dict, **spec: Any) -> ScaledObject:
    return ScaledObject.model_validate(
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"scaleTargetRef": {"name": "web"}, "triggers": list(triggers) or [RABBIT],
                     **spec},
        }
    )  # fmt: skip


@pytest.fixture
def world() -> World:
    return World()


def test_from_nothing_within_the_polling_interval(world):
    """A message makes the workload come at the next look, and the cooldown lets it go."""
    world.deployment(0)
    world.cluster.api.create(scaled_object(cooldownPeriod=60))
    world.cluster.run_to(10)
    world.publish(1)
    world.cluster.run_to(29.9)
    assert world.replicas == 0

    world.cluster.run_to(31)
    assert world.replicas == 1
    assert world.cluster.events("KEDAScaleTargetActivated") == [
        "Scaled apps/v1.Deployment default/web from 0 to 1, triggered by s0-rabbitmq-orders"
    ]

    delivery = world.broker.queue("orders").receive().value
    world.broker.queue("orders").acknowledge(delivery, consumer="default/web-1")
    world.cluster.run_to(89)
    assert (world.replicas, world.conditions["Active"]) == (1, ("False", "ScalerCooldown"))

    world.cluster.run_to(125)
    assert world.replicas == 0
    assert world.cluster.events("KEDAScaleTargetDeactivated") == [
        "Deactivated apps/v1.Deployment default/web from 1 to 0"
    ]


def test_reconciling_twice_changes_nothing(world):
    """What the operator wrote is what it wants."""
    world.deployment()
    world.cluster.api.create(scaled_object(minReplicaCount=1, advanced={
        "horizontalPodAutoscalerConfig": {
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}}))  # fmt: skip
    world.cluster.run(45)
    before = world.cluster.api.store.revision
    world.keda.scaled_objects.queue.add(KEY)
    world.cluster.run(10)

    assert before == world.cluster.api.store.revision


def test_an_autoscaler_that_somebody_deleted_comes_back(world):
    """It is the operator's."""
    world.deployment()
    world.cluster.api.create(scaled_object())
    world.cluster.run(5)
    world.cluster.api.delete(HorizontalPodAutoscaler, "default/keda-hpa-web")
    world.cluster.run(5)

    assert world.cluster.exists(HorizontalPodAutoscaler, "default/keda-hpa-web")


def test_a_pause_takes_the_autoscaler_away_and_holds_the_number(world):
    """And the end of it brings it back."""
    world.deployment(3)
    world.cluster.api.create(scaled_object(minReplicaCount=1))
    world.cluster.run(5)
    world.annotate(paused_replicas="2")
    world.cluster.run(5)

    assert world.replicas == 2
    assert not world.cluster.exists(HorizontalPodAutoscaler, "default/keda-hpa-web")
    assert world.conditions["Paused"] == ("True", "ScaledObjectPaused")
    assert world.scaled.status.paused_replica_count == 2

    world.annotate()
    world.cluster.run(5)
    assert world.cluster.exists(HorizontalPodAutoscaler, "default/keda-hpa-web")
    assert world.conditions["Paused"] == ("False", "ScaledObjectUnpaused")
    assert world.scaled.status.paused_replica_count is None


def test_a_half_pause_shuts_one_way_of_the_autoscaler(world):
    """And opens it again."""
    world.deployment()
    world.cluster.api.create(scaled_object(minReplicaCount=1))
    world.annotate(paused_scale_in="true")
    world.cluster.run(5)
    hpa = world.cluster.api.get(HorizontalPodAutoscaler, "default/keda-hpa-web")
    assert hpa.spec.behavior.scale_down.select_policy == "Disabled"

    world.annotate()
    world.cluster.run(5)
    hpa = world.cluster.api.get(HorizontalPodAutoscaler, "default/keda-hpa-web")
    assert hpa.spec.behavior is None


def test_a_workload_gets_its_old_number_back(world):
    """When the object goes, if that is wished."""
    world.deployment(3)
    world.cluster.api.create(scaled_object(advanced={"restoreToOriginalReplicaCount": True}))
    world.cluster.run(5)
    assert world.replicas == 0
    world.cluster.api.delete(ScaledObject, KEY)
    world.cluster.run(5)

    assert world.replicas == 3


@pytest.mark.parametrize(
    ("behavior", "replicas", "expected"),
    [
        (None, 2, 6),
        ("static", 2, 6),
        ("currentReplicas", 2, 2),
        ("currentReplicasIfHigher", 9, 9),
        ("currentReplicasIfLower", 9, 6),
    ],
)
def test_a_fallback_takes_the_place_of_a_source_that_fails(world, behavior, replicas, expected):
    """After more failures than the threshold the autoscaler is told what makes that many pods."""
    world.deployment(replicas)
    fallback = {
        "failureThreshold": 2,
        "replicas": 6,
        **({"behavior": behavior} if behavior else {}),
    }
    world.cluster.api.create(
        scaled_object(pollingInterval=10, minReplicaCount=1, fallback=fallback)
    )
    world.cluster.run_to(5)
    world.broker.queue("orders").go_down()
    world.cluster.run_to(25)
    assert world.scaled.status.health["s0-rabbitmq-orders"].number_of_failures == 2
    assert world.conditions["Fallback"] == ("False", "NoFallbackFound")

    world.cluster.run_to(35)
    assert world.conditions["Fallback"] == ("True", "FallbackExists")
    assert world.keda.handler.metric_milli(world.scaled, "s0-rabbitmq-orders") == expected * 5000
    assert len(world.cluster.events("ScaledObjectFallbackActivated")) == 1

    world.broker.queue("orders").come_up()
    world.cluster.run_to(45)
    assert world.conditions["Fallback"] == ("False", "NoFallbackFound")
    assert world.scaled.status.health["s0-rabbitmq-orders"].status == "Happy"


def test_without_a_fallback_a_failure_reaches_the_autoscaler(world):
    """As an error, and the object says that it is not ready."""
    world.deployment()
    world.cluster.api.create(scaled_object(pollingInterval=10))
    world.broker.queue("orders").go_down()
    world.cluster.run(12)

    assert world.conditions["Ready"] == ("False", "TriggerError")
    with pytest.raises(MetricsError, match="encountered error"):
        world.keda.handler.metric_milli(world.scaled, "s0-rabbitmq-orders")
    assert world.replicas == 1


def test_a_formula_makes_one_metric_of_all(world):
    """The autoscaler has the composite only, and it decides what is active."""
    world.deployment(0)
    named = {**RABBIT, "name": "orders"}
    mails = {"type": "redis", "name": "mails", "metadata": {"address": "r:1", "listName": "mails"}}
    modifiers = {"formula": "orders + 10 * mails", "target": "4", "activationTarget": "15"}
    world.cluster.api.create(
        scaled_object(named, mails, pollingInterval=10, advanced={"scalingModifiers": modifiers})
    )
    world.publish(7)
    world.cluster.run_to(12)
    hpa = world.cluster.api.get(HorizontalPodAutoscaler, "default/keda-hpa-web")
    (metric,) = hpa.spec.metrics
    assert metric.external.metric.name == "composite-metric"
    assert metric.external.target.average_value.value() == 4
    assert world.replicas == 0

    world.publish(1, "mails")
    assert world.keda.handler.metric_milli(world.scaled, "composite-metric") == 17_000
    world.cluster.run_to(22)
    assert world.replicas == 1


def test_a_formula_can_do_without_a_source_that_fails(world):
    """``??`` takes another trigger when the first has failed too often."""
    world.deployment()
    named = {**RABBIT, "name": "orders"}
    mails = {"type": "redis", "name": "mails", "metadata": {"address": "r:1", "listName": "mails"}}
    world.cluster.api.create(
        scaled_object(
            named, mails, pollingInterval=10, minReplicaCount=1,
            fallback={"failureThreshold": 1, "replicas": 6, "behavior": "scalingModifiers"},
            advanced={"scalingModifiers": {"formula": "orders ?? mails", "target": "4"}},
        )
    )  # fmt: skip
    world.publish(3, "mails")
    world.broker.queue("orders").go_down()
    world.cluster.run_to(15)

    assert world.keda.handler.metric_milli(world.scaled, "composite-metric") == 3000


def scaled_job(**spec: Any) -> ScaledJob:
    template = {"spec": {"containers": [{"name": "c", "image": "v1"}]}}
    return ScaledJob.model_validate(
        {
            "metadata": {"name": "work", "namespace": "default"},
            "spec": {"jobTargetRef": {"template": template}, "pollingInterval": 10,
                     "triggers": [RABBIT], **spec},
        }
    )  # fmt: skip


def with_jobs(world: World, finish_s: float | None) -> None:
    cluster = world.cluster
    JobController(cluster.sim, client=cluster.client("job"))
    GarbageCollector(cluster.sim, client=cluster.client("gc"))
    JobPlayer(cluster, finish_s=finish_s)


def jobs(world: World) -> list[Job]:
    return list(world.cluster.api.list(Job))


def test_messages_become_jobs(world):
    """Ten at five each are two jobs; none is made again while they run."""
    with_jobs(world, finish_s=None)
    world.publish(10)
    world.cluster.api.create(scaled_job())
    world.cluster.run(35)

    assert len(jobs(world)) == 2
    assert world.cluster.events("KEDAJobsCreated") == ["Created 2 jobs"]
    assert world.cluster.events("ScaledJobActive")


def test_history_limits_are_kept(world):
    """Finished jobs beyond the limit go, the oldest first."""
    with_jobs(world, finish_s=1)
    world.publish(10)
    world.cluster.api.create(scaled_job(successfulJobsHistoryLimit=3))
    world.cluster.run(65)

    finished = [job for job in jobs(world) if job.status.completion_time]
    assert len(finished) <= 5  # three, and the two of the last look
    assert max(job.metadata.creation_timestamp for job in finished) > EPOCH_NS + 50 * SECOND


@pytest.mark.parametrize(("strategy", "left"), [("immediate", 0), ("gradual", 2)])
def test_a_rollout_takes_older_jobs_away_or_leaves_them(world, strategy, left):
    """As the strategy says."""
    with_jobs(world, finish_s=None)
    world.publish(10)
    world.cluster.api.create(scaled_job(rollout={"strategy": strategy}))
    world.cluster.run(5)
    old = {job.name for job in jobs(world)}
    world.cluster.update(
        ScaledJob,
        "default/work",
        lambda obj: obj.replace(spec=obj.spec.replace(max_replica_count=50)),
    )
    world.cluster.run(4)

    assert left == len(old & {job.name for job in jobs(world)})


def test_a_paused_object_makes_no_jobs(world):
    """Until the annotation goes."""
    with_jobs(world, finish_s=None)
    world.publish(10)
    paused = scaled_job()
    annotations = FrozenMap({"autoscaling.keda.sh/paused": "true"})
    world.cluster.api.create(
        paused.replace(metadata=paused.metadata.replace(annotations=annotations))
    )
    world.cluster.run(25)
    assert jobs(world) == []

    world.cluster.update(
        ScaledJob,
        "default/work",
        lambda obj: obj.replace(metadata=obj.metadata.replace(annotations=FrozenMap())),
    )
    world.cluster.run(5)
    assert len(jobs(world)) == 2


def test_as_many_pods_as_there_are_others(world):
    """A kubernetes-workload trigger counts pods that have not ended."""
    cluster = world.cluster
    DeploymentController(cluster.sim, client=cluster.client("deployment"))
    ReplicaSetController(cluster.sim, client=cluster.client("replicaset"))
    world.deployment(4)
    trigger = {"type": "kubernetes-workload", "metadata": {"podSelector": "app=web", "value": "2"}}
    cluster.api.create(scaled_object(trigger, minReplicaCount=1))
    cluster.run(5)

    assert world.keda.handler.metric_milli(world.scaled, "s0-workload-default") == 4000


CPU = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "50"}}


@pytest.mark.parametrize(
    ("annotations", "name", "triggers", "message"),
    [
        ({}, "b", [RABBIT], "is already managed by the ScaledObject 'web'"),
        ({}, "b", [RABBIT], "is already managed by the hpa 'keda-hpa-web'"),
        ({"validations.keda.sh/hpa-ownership": "false"}, "b", [RABBIT], "ScaledObject 'web'"),
        ({}, "web", [CPU], "the container c doesn't have the cpu request defined"),
        ({}, "web", [RABBIT], ""),
    ],
)
def test_a_workload_has_one_master(world, annotations, name, triggers, message):
    """A second one is refused, and so is a resource of which nothing is requested."""
    world.deployment()
    world.cluster.api.create(scaled_object())
    world.cluster.run(5)
    base = scaled_object(*triggers, minReplicaCount=1)
    given = base.replace(
        metadata=base.metadata.replace(name=name, annotations=FrozenMap(annotations))
    )
    errors = ScaledObjectWebhook().validate(given, world.cluster.api.store)

    assert bool(message) == bool(errors)
    assert not message or any(message in str(error) for error in errors), errors
