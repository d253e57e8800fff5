"""Triggers: what they ask, what they want, and what is refused."""

from dataclasses import dataclass

import pytest

from kubesim.api.kedav1alpha1 import ScaledObject
from kubesim.controlplane.autoscaling.keda.hpaobject import autoscaler_of
from kubesim.controlplane.autoscaling.keda.scalers import scalers_of
from kubesim.controlplane.autoscaling.keda.webhook import ScaledObjectWebhook
from kubesim.sim.time import SECOND

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


def scaled(*triggers: dict, **spec: object) -> ScaledObject:
    return ScaledObject.model_validate(
        {
            "metadata": {"name": "a", "namespace": "shop"},
            "spec": {"scaleTargetRef": {"name": "web"}, "triggers": list(triggers), **spec},
        }
    )


def prometheus(query: str, **metadata: str) -> dict:
    return {"type": "prometheus", "metadata": {"query": query, "threshold": "10", **metadata}}


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

    assert (milli, service) == (scaler.value_milli(meters, 0), meters.asked)


@pytest.mark.parametrize(("threshold", "active"), [("2", True), ("3", False), ("2.9", True)])
def test_active_is_strictly_more(threshold, active):
    """At the activation threshold a trigger is not active."""
    trigger = prometheus('http_requests_queue_length{service="w"}', activationThreshold=threshold)
    (scaler,) = scalers_of(scaled(trigger))

    assert active == scaler.is_active(Meters(), 0)


@pytest.mark.parametrize(("hour", "replicas"), [(7, 1), (8, 4), (17, 4), (18, 1), (23, 1)])
def test_a_cron_window_wishes_replicas(hour, replicas):
    """From its start to its end, with one replica in between the windows."""
    (scaler,) = scalers_of(scaled({"type": "cron", "metadata": CRON}))
    now_ns = 20_000 * 24 * HOUR_NS + hour * HOUR_NS

    assert replicas * 1000 == scaler.value_milli(Meters(), now_ns)
    assert (replicas > 1) == scaler.is_active(Meters(), now_ns)


def test_the_autoscaler_has_all_triggers():
    """Named after the object, at least one replica, at most 100, metrics sorted by type."""
    cpu = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "50"}}
    hpa = autoscaler_of(scaled(cpu, prometheus('http_requests_in_flight{service="web"}')))

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
        (scaled(minReplicaCount=5, maxReplicaCount=2), "MinReplicaCount=5 must be less than"),
        (scaled(minReplicaCount=1, idleReplicaCount=1), "IdleReplicaCount=1 must be less than"),
    ],
)
def test_the_webhook_refuses(given, message):
    """What KEDA refuses, and what is not simulated, with the reason."""
    errors = ScaledObjectWebhook().validate(given, None)

    assert any(message in str(error) for error in errors), errors
