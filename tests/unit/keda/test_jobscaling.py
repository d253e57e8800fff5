"""ScaledJobs: how many jobs are made of what waits."""

import pytest

from kubesim.api.kedav1alpha1 import ScaledJob
from kubesim.controlplane.autoscaling.keda.jobscaling import (
    Demand,
    TriggerMetrics,
    demand_of,
    jobs_to_make,
)
from kubesim.controlplane.autoscaling.keda.scaledjobcontroller import job_of
from kubesim.controlplane.autoscaling.keda.webhook import ScaledJobWebhook

CONTAINER = {"name": "c", "image": "v1"}


def scaled(**spec: object) -> ScaledJob:
    template = {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [CONTAINER]}}
    return ScaledJob.model_validate(
        {
            "metadata": {"name": "w", "namespace": "default", "generation": 3, "uid": "u",
                         "labels": {"team": "red"}},
            "spec": {"jobTargetRef": {"template": template}, "triggers": [], **spec},
        }
    )  # fmt: skip


def strategy(name: str, **more: object) -> dict:
    return {"maxReplicaCount": 10, "scalingStrategy": {"strategy": name, **more}}


@pytest.mark.parametrize(
    ("spec", "wanted", "running", "pending", "expected"),
    [
        # Upstream's own table for each strategy: what is wanted less what runs; pending ones apart.
        (strategy("default"), 3, 2, 0, 1),
        (strategy("default"), 3, 5, 0, 0),
        (strategy("accurate"), 3, 2, 0, 3),
        (strategy("accurate"), 5, 8, 0, 2),
        (strategy("accurate"), 5, 3, 2, 3),
        (strategy("eager"), 4, 3, 0, 4),
        (strategy("eager"), 9, 3, 2, 5),
        (strategy("custom", customScalingQueueLengthDeduction=1,
                  customScalingRunningJobPercentage="0.5"), 9, 5, 0, 6),
        (strategy("custom", customScalingRunningJobPercentage="x"), 9, 5, 0, 4),
        # A minimum comes first, and counts against the maximum.
        ({"minReplicaCount": 4, "maxReplicaCount": 10}, 9, 1, 0, 3),
        ({"minReplicaCount": 4, "maxReplicaCount": 10}, 5, 6, 0, 3),
    ],
)  # fmt: skip
def test_strategies(spec, wanted, running, pending, expected):
    """Each of them makes as many jobs as upstream's."""
    demand = Demand(active=True, length=100, wanted=wanted)

    assert expected == jobs_to_make(scaled(**spec), demand, running=running, pending=pending)


def test_there_is_never_more_than_there_is_to_do():
    """Two messages make two jobs, however many would be allowed."""
    demand = Demand(active=True, length=2, wanted=9)

    assert jobs_to_make(scaled(), demand, running=0, pending=0) == 2


@pytest.mark.parametrize(
    ("how", "expected"), [(None, (10, 5)), ("max", (10, 5)), ("min", (4, 4)), ("avg", (7, 5)),
                          ("sum", (14, 9))],
)  # fmt: skip
def test_several_triggers_make_one_demand(how, expected):
    """The largest, the smallest, the mean or the sum of those that are active."""
    triggers = [
        TriggerMetrics(length=10, wanted=5, active=True),
        TriggerMetrics(length=4, wanted=4, active=True),
        TriggerMetrics(length=90, wanted=90, active=False),
    ]
    given = scaled(scalingStrategy={} if how is None else {"multipleScalersCalculation": how})
    demand = demand_of(triggers, given)

    assert (True, *expected) == (demand.active, demand.length, demand.wanted)


def test_a_job_is_made_as_the_object_wants_it():
    """Labels and generation on it, its pods restart on failure, and the object is its owner."""
    job = job_of(scaled())

    assert job.metadata.generate_name == "w-"
    assert job.metadata.annotations["scaledjob.keda.sh/generation"] == "3"
    assert (job.metadata.labels["scaledjob.keda.sh/name"], job.metadata.labels["team"]) == (
        "w", "red",
    )  # fmt: skip
    assert job.spec.template.spec.restart_policy == "OnFailure"
    assert dict(job.spec.template.metadata.labels) == {"app": "w", "scaledjob.keda.sh/name": "w"}
    assert job.metadata.owner_references[0].kind == "ScaledJob"


def test_a_trigger_of_a_job_has_no_metric_type():
    """The webhook says so."""
    trigger = {"type": "redis", "metricType": "Value", "metadata": {"listName": "l"}}
    errors = ScaledJobWebhook().validate(scaled(triggers=[trigger]), None)

    assert any("metricType" in str(error) for error in errors)
