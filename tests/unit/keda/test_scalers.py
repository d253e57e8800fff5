"""Triggers: what they ask, what they want, and what is refused."""

from dataclasses import dataclass

import pytest
from harness import Cluster

from kubesim.api.kedav1alpha1 import ScaledObject
from kubesim.controlplane.autoscaling.keda.hpaobject import autoscaler_of
from kubesim.controlplane.autoscaling.keda.scalers import scalers_of
from kubesim.controlplane.autoscaling.keda.sources import SourceError, Sources
from kubesim.controlplane.autoscaling.keda.webhook import ScaledObjectWebhook
from kubesim.sim import Sim
from kubesim.sim.time import SECOND
from kubesim.world.broker import Broker, QueueConfig

HOUR_NS = 3600 * SECOND


@dataclass
class Meter:
    """A meter with fixed answers."""

    def rps(self, *, window_ns: int, at_ns: int | None = None) -> float:
        return window_ns / SECOND

    def in_flight(self, at_ns: int | None = None) -> int:
        return 7

    def queue_length(self) -> int:
        return 3


@dataclass
class Meters:
    """Notes who was asked."""

    asked: str = ""

    def service(self, key: str) -> Meter:
        self.asked = key
        return Meter()

    pod = service


def sources(
    meters: Meters | None = None, *, now_ns: int = 0, queues: Broker | None = None
) -> Sources:
    return Sources(now=lambda: now_ns, requests=meters or Meters(), queues=queues)


def scaled(*triggers: dict, **spec: object) -> ScaledObject:
    return ScaledObject.model_validate(
        {
            "metadata": {"name": "a", "namespace": "shop"},
            "spec": {"scaleTargetRef": {"name": "web"}, "triggers": list(triggers), **spec},
        }
    )


def prometheus(query: str, **metadata: str) -> dict:
    return {"type": "prometheus", "metadata": {"query": query, "threshold": "10", **metadata}}


def rabbit(**metadata: str) -> dict:
    known = {"host": "http://guest:guest@rabbitmq:15672/", "queueName": "orders"}
    return {"type": "rabbitmq", "metadata": {**known, **metadata}}


CRON = {"timezone": "UTC", "start": "0 8 * * *", "end": "0 18 * * *", "desiredReplicas": "4"}


@pytest.mark.parametrize(
    ("query", "service", "milli"),
    [
        ('sum(rate(http_requests_total{service="web"}[1m]))', "shop/web", 60_000),
        ('rate(http_requests_total{service="web",namespace="b"}[30s])', "b/web", 30_000),
        ('http_requests_in_flight{service="web"}', "shop/web", 7_000),
        ('sum(http_requests_queue_length{namespace="b", service="web"})', "b/web", 3_000),
    ],
)
def test_queries_are_answered_by_the_meters(query, service, milli):
    """Rate, requests under way and queue of a Service."""
    meters = Meters()
    (scaler,) = scalers_of(scaled(prometheus(query)))

    assert (milli, service) == (scaler.query.read(sources(meters)).milli, meters.asked)


@pytest.mark.parametrize(("threshold", "active"), [("2", True), ("3", False), ("2.9", True)])
def test_active_is_strictly_more(threshold, active):
    """At the activation threshold a trigger is not active."""
    trigger = prometheus('http_requests_queue_length{service="w"}', activationThreshold=threshold)
    (scaler,) = scalers_of(scaled(trigger))

    assert active == scaler.query.read(sources()).active


@pytest.mark.parametrize(("hour", "replicas"), [(7, 0), (8, 4), (17, 4), (18, 0), (23, 0)])
def test_a_cron_window_wishes_replicas(hour, replicas):
    """From its start to its end, with nothing in between the windows."""
    (scaler,) = scalers_of(scaled({"type": "cron", "metadata": CRON}))
    now_ns = 20_000 * 24 * HOUR_NS + hour * HOUR_NS

    reading = scaler.query.read(sources(now_ns=now_ns))
    assert (replicas * 1000, replicas > 0) == (reading.milli, reading.active)


def test_a_cron_window_keeps_to_its_time_zone():
    """Eight o'clock in New York is twelve by the world's clock in summer."""
    trigger = {"type": "cron", "metadata": {**CRON, "timezone": "America/New_York"}}
    (scaler,) = scalers_of(scaled(trigger))
    june_ns = 1_781_913_600 * SECOND  # 2026-06-20T00:00:00Z

    opened = [
        hour for hour in range(24)
        if scaler.query.read(sources(now_ns=june_ns + hour * HOUR_NS)).active
    ]  # fmt: skip

    assert list(range(12, 22)) == opened
    assert scaler.metric == "s0-cron-America-New_York-08xxx-018xxx"


def test_the_autoscaler_has_all_triggers():
    """Named after the object, at least one replica, at most 100, metrics sorted by type."""
    cpu = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "50"}}
    given = scaled(cpu, prometheus('http_requests_in_flight{service="web"}'))
    hpa = autoscaler_of(given, scalers_of(given))

    assert ("keda-hpa-a", 1, 100) == (hpa.name, hpa.spec.min_replicas, hpa.spec.max_replicas)
    external, resource = hpa.spec.metrics
    assert ("External", "s1-prometheus") == (external.type, external.external.metric.name)
    assert ("Resource", 50) == (resource.type, resource.resource.target.average_utilization)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (scaled({"type": "kafka"}), 'triggers of type "kafka" are not simulated'),
        (scaled(prometheus("up")), "more PromQL than is simulated"),
        (scaled({"type": "cpu", "metadata": {"value": "50"}}), "unsupported metric type"),
        (scaled({"type": "cron", "metadata": {**CRON, "end": "99 * * * *"}}), "cron metadata"),
        (scaled(rabbit(mode="Depth", value="5")), "trigger mode Depth must be one of"),
        (scaled(rabbit(mode="MessageRate", value="5", host="amqp://r/")), "must be HTTP to use"),
        (scaled(rabbit(queueLength="5", mode="QueueLength")), "queueLength is deprecated"),
        (scaled(rabbit(useRegex="true")), "useRegex is not simulated"),
        (scaled(rabbit(colour="red")), '"colour" is not simulated'),
        (scaled(rabbit(host="")), 'missing required parameter "hostFromEnv"'),
        (scaled({"type": "external-push", "metadata": {"scalerAddress": "x"}}), "HTTP add-on"),
        (scaled({**rabbit(), "metricType": "Utilization"}), "'Utilization' metric type"),
        (scaled(rabbit(), pollingInterval=0), "greater than or equal to 1"),
        (scaled(minReplicaCount=5, maxReplicaCount=2), "MinReplicaCount=5 must be less than"),
        (scaled(minReplicaCount=1, idleReplicaCount=1), "IdleReplicaCount=1 must be less than"),
    ],
)
def test_the_webhook_refuses(given, message):
    """What KEDA refuses, and what is not simulated, with the reason."""
    errors = ScaledObjectWebhook().validate(given, Cluster().api.store)

    assert any(message in str(error) for error in errors), errors


def broker() -> Broker:
    """Two queues: seven messages of RabbitMQ, of which two are with a consumer, and a list of three."""
    sim = Sim(seed=1)
    found = Broker(sim, [QueueConfig(name="orders"), QueueConfig(name="mails", kind="redis")])
    for _ in range(7):
        found.queue("orders").publish()
    for _ in range(3):
        found.queue("mails").publish()
    for _ in range(2):
        found.queue("orders").receive()
    sim.run_until(2 * SECOND)
    return found


@pytest.mark.parametrize(
    ("trigger", "milli", "active", "metric", "target"),
    [
        (rabbit(), 7000, True, "s0-rabbitmq-orders", 20),
        (rabbit(mode="QueueLength", value="5", excludeUnacknowledged="true"), 5000, True, "", 5),
        (rabbit(queueLength="3", host="amqp://rabbitmq/"), 5000, True, "", 3),
        (rabbit(mode="QueueLength", value="5", activationValue="7"), 7000, False, "", 5),
        (rabbit(mode="MessageRate", value="5"), 1400, True, "", 5),
        (rabbit(mode="DeliverGetRate", value="5"), 400, True, "", 5),
        (rabbit(mode="PublishedToDeliveredRatio", value="2"), 3499, True, "", 2),
        (rabbit(mode="ExpectedQueueConsumptionTime", value="9"), 20000, True, "", 9),
        ({"type": "redis", "metadata": {"address": "r:6379", "listName": "mails"}}, 3000, True,
         "s0-redis-mails", 5),
        ({"type": "redis", "metadata": {"address": "r:6379", "listName": "nobody"}}, 0, False, "", 5),
    ],
)  # fmt: skip
def test_queues_are_asked(trigger, milli, active, metric, target):
    """Length, rates, and how long it takes, as the queue has them at that moment."""
    (scaler,) = scalers_of(scaled(trigger))
    reading = scaler.query.read(sources(queues=broker()))

    assert (milli, active) == (reading.milli, reading.active)
    assert target == scaler.target.value()
    assert not metric or metric == scaler.metric


@pytest.mark.parametrize("name", ["orders", "nobody"])
def test_a_broker_that_is_down_does_not_answer(name):
    """Nor one that has no such queue."""
    queues = broker()
    queues.queue("orders").go_down()
    (scaler,) = scalers_of(scaled(rabbit(queueName=name)))

    with pytest.raises(SourceError):
        scaler.query.read(sources(queues=queues))
