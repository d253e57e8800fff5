"""An idle cluster is not looked at; and nobody can tell."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.kedav1alpha1 import ScaledObject
from kubesim.api.metav1 import KubeObject
from kubesim.facts import RunEnded
from kubesim.scenario import LiveRun, Scenario
from kubesim.sim import Ticks


def deployment(name: str, replicas: int) -> dict[str, Any]:
    container = {"name": "c", "image": f"{name}:v1", "resources": {"requests": {"cpu": "100m"}}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }  # fmt: skip


def service(name: str) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def autoscaler(name: str, **spec: Any) -> dict[str, Any]:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "maxReplicas": 5,
                 "metrics": [{"type": "Resource", "resource": cpu}], **spec},
    }  # fmt: skip


BEHAVIOR = {
    "scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}]},
    "scaleDown": {"stabilizationWindowSeconds": 60},
}


def seen(live: LiveRun) -> tuple[list[tuple[int, object]], list[KubeObject]]:
    """Everything that happened, and what the autoscalers' objects say in the end."""
    store = live.simulation.store
    happened = [(at_ns, f) for at_ns, f in live.simulation.sim.journal if type(f) is not RunEnded]
    return happened, [*store.values(HorizontalPodAutoscaler), *store.values(ScaledObject)]


def both_ways(scenario: Scenario, seed: int = 1) -> tuple[LiveRun, LiveRun]:
    """The run as it is, and with every tick taking place."""
    passed_over, ticked = (LiveRun(scenario, seed=seed) for _ in range(2))
    passed_over.advance(passed_over.end_ns)
    with mock.patch.object(Ticks, "_skip", return_value=None):
        ticked.advance(ticked.end_ns)
    return passed_over, ticked


def check(passed_over: LiveRun, ticked: LiveRun) -> None:
    assert seen(ticked) == seen(passed_over)
    events = [live.simulation.sim.events_processed for live in (passed_over, ticked)]
    assert events[0] < events[1]


@pytest.fixture
def load(write_scenario):
    """Loads a scenario with these manifests."""

    def made(manifests: list[dict[str, Any]], **spec: Any) -> Scenario:
        images = [
            {"name": "web:v1", "layers": [{"size": "1Mi"}], "program": {"service": "20ms"}},
            {"name": "busy:v1", "layers": [{"size": "1Mi"}], "program": {"cpu": "33m"}},
        ]
        text = "---\n".join(yaml.safe_dump(manifest) for manifest in manifests)
        return Scenario.load(write_scenario(yaml.safe_dump({"images": images, **spec}), text))

    return made


def test_an_idle_day_costs_next_to_nothing(load):
    """A Deployment and its autoscaler: some hundred events, not forty thousand."""
    scenario = load([deployment("web", 1), autoscaler("web")], duration="24h")
    run = scenario.run()

    assert run.events < 1000


moments = st.integers(1, 55)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    visits=st.lists(st.tuples(moments, st.integers(1, 4), st.integers(1, 20)), max_size=3),
    steps=st.lists(st.tuples(moments, st.integers(0, 4)), max_size=2),
    behavior=st.booleans(),
    minimum=st.integers(1, 2),
    seed=st.integers(1, 3),
)
def test_nobody_can_tell(load, visits, steps, behavior, minimum, seed):
    """Fact for fact, at the same instants: with visits, changes by hand, and a busy neighbour."""
    scenario = load(
        [
            deployment("web", 1), service("web"),
            autoscaler("web", minReplicas=minimum, **({"behavior": BEHAVIOR} if behavior else {})),
            deployment("busy", 1), autoscaler("busy"),
        ],
        duration="1h",
        traffic=[
            {"name": f"visit-{number}", "service": "web", "from": f"{at}m",
             "until": f"{at * 60 + 20 * length}s", "rate": f"{rate}/s"}
            for number, (at, length, rate) in enumerate(visits)
        ],
        timeline=[
            {"at": f"{at}m", "scale": {"kind": "Deployment", "name": "web", "replicas": replicas}}
            for at, replicas in steps
        ],
    )  # fmt: skip
    check(*both_ways(scenario, seed))


def scaled(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def rabbit(queue: str, **more: str) -> dict[str, Any]:
    metadata = {
        "host": "http://r/",
        "queueName": queue,
        "mode": "QueueLength",
        "value": "3",
        **more,
    }
    return {"type": "rabbitmq", "metadata": metadata}


CRON = {"type": "cron", "metadata": {"timezone": "UTC", "start": "20 * * * *", "end": "30 * * * *",
                                     "desiredReplicas": "2"}}  # fmt: skip
JOB = {"template": {"spec": {"containers": [{"name": "c", "image": "worker:v1"}]}}}


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    orders=st.lists(st.tuples(moments, st.integers(1, 30)), max_size=3),
    mode=st.sampled_from(["QueueLength", "MessageRate"]),
    cron=st.booleans(),
    outage=st.booleans(),
    minimum=st.integers(0, 1),
    seed=st.integers(1, 3),
)
def test_nobody_can_tell_of_keda(load, orders, mode, cron, outage, minimum, seed):
    """The same of scale loops: queues that fill now and then, a cron window, a broker that fails."""
    worker = {
        "name": "worker:v1",
        "layers": [{"size": "1Mi"}],
        "program": {"service": "5s", "port": 0, "consumes": {"queue": "films", "messages": 1}},
    }
    clerk = {"name": "clerk:v1", "layers": [{"size": "1Mi"}],
             "program": {"service": "2s", "port": 0, "consumes": "orders"}}  # fmt: skip
    scenario = load(
        [
            deployment("clerk", 0), deployment("web", 0),
            scaled("ScaledObject", "clerk", scaleTargetRef={"name": "clerk"},
                   triggers=[rabbit("orders", mode=mode)],
                   fallback={"failureThreshold": 2, "replicas": 2}),
            scaled("ScaledObject", "web", scaleTargetRef={"name": "web"}, cooldownPeriod=60,
                   minReplicaCount=minimum,
                   triggers=[CRON if cron else rabbit("films")]),
            scaled("ScaledJob", "films", jobTargetRef=JOB, triggers=[rabbit("films")],
                   successfulJobsHistoryLimit=1),
        ],
        duration="1h",
        images=[worker, clerk, {"name": "web:v1", "layers": [{"size": "1Mi"}], "program": {}}],
        queues=[{"name": "orders"}, {"name": "films"}],
        traffic=[
            {"name": f"{queue}-{number}", "queue": queue, "from": f"{at}m",
             "until": f"{at * 60 + 30}s", "rate": f"{rate}/m"}
            for number, (at, rate) in enumerate(orders) for queue in ("orders", "films")
        ],
        timeline=[{"at": "35m", "failQueue": "orders"}, {"at": "40m", "restoreQueue": "orders"}]
        if outage else [],
    )  # fmt: skip
    check(*both_ways(scenario, seed))
