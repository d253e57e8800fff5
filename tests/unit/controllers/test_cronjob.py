"""CronJobs and their schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from harness import SECOND, Cluster

from kubesim.api.batchv1 import CronJob, Job, JobCondition
from kubesim.api.cron import CronError, parse_schedule
from kubesim.controlplane.controllers import CronJobController, TTLAfterFinishedController


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "wanted"),
    [
        ("* * * * *", None, "2026-01-01T00:00:00", "2026-01-01T00:01:00"),
        ("*/15 * * * *", None, "2026-01-01T00:07:30", "2026-01-01T00:15:00"),
        ("5/20 * * * *", None, "2026-01-01T00:26:00", "2026-01-01T00:45:00"),
        ("0 9-17/4 * * mon-fri", None, "2026-01-02T17:30:00", "2026-01-05T09:00:00"),
        ("0 0 13 * 5", None, "2026-01-03T00:00:00", "2026-01-09T00:00:00"),  # either will do
        ("0 0 13 * *", None, "2026-01-03T00:00:00", "2026-01-13T00:00:00"),
        ("@weekly", None, "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("@every 90s", None, "2026-01-01T00:00:10", "2026-01-01T00:01:40"),
        ("0 0 29 feb *", None, "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("30 6 * * *", "Europe/Berlin", "2026-07-01T00:00:00", "2026-07-01T04:30:00"),
        # 02:30 does not exist on the day on which clocks go forward...
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00", "2026-03-30T00:30:00"),
        # ... and comes twice on the day on which they go back.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00", "2026-10-25T01:30:00"),
    ],
)
def test_the_next_time(schedule: str, zone: str | None, after: str, wanted: str) -> None:
    """The first moment after another at which all fields fit."""
    found = parse_schedule(schedule, zone).next(at(after))
    assert found is not None
    assert wanted == datetime.fromtimestamp(found, UTC).replace(tzinfo=None).isoformat()


def test_a_day_that_never_comes() -> None:
    """There is no 30th of February."""
    assert parse_schedule("0 0 30 2 *").next(at("2026-01-01T00:00:00")) is None


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("61 * * * *", "end of range (61) above maximum (59): 61"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("9-5 * * * *", "beginning of range (9) beyond end of range (5): 9-5"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", "failed to parse int from x"),
        ("@noon", "unrecognized descriptor: @noon"),
        ("", "empty spec string"),
    ],
)
def test_what_is_no_schedule(schedule: str, message: str) -> None:
    """The words are those of the library that Kubernetes uses."""
    with pytest.raises(CronError) as caught:
        parse_schedule(schedule)
    assert message == str(caught.value)


def cron_job(**spec: Any) -> CronJob:
    template = {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "v1"}]},
    }
    return CronJob.model_validate(
        {
            "metadata": {"name": "cj", "namespace": "default"},
            "spec": {
                "schedule": "* * * * *",
                "jobTemplate": {"spec": {"template": template}},
                **spec,
            },
        }
    )


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    CronJobController(made.sim, client=made.client())
    return made


def jobs(cluster: Cluster) -> list[Job]:
    return list(cluster.api.list(Job))


def end(cluster: Cluster, job: Job, type_: str = "Complete") -> None:
    done = JobCondition.model_validate(
        {"type": type_, "status": "True", "lastTransitionTime": cluster.sim.wall_ns}
    )
    completed = cluster.sim.wall_ns if type_ == "Complete" else None
    status = job.status.replace(conditions=(done,), completion_time=completed)
    cluster.api.update_status(job.replace(status=status))


def test_it_fires_a_tenth_of_a_second_late(cluster: Cluster) -> None:
    """One job a minute, called after its minute."""
    cluster.api.create(cron_job())
    cluster.run(59)
    assert [] == jobs(cluster)
    cluster.run(1.2)
    (made,) = jobs(cluster)

    due_s = cluster.sim.wall_ns // (60 * SECOND) * 60
    assert f"cj-{due_s // 60}" == made.name
    annotation = "batch.kubernetes.io/cronjob-scheduled-timestamp"
    assert "2026-01-01T00:01:00Z" == made.metadata.annotations[annotation]
    status = cluster.api.get(CronJob, "default/cj").status
    assert ([made.name], due_s * SECOND) == (
        [reference.name for reference in status.active],
        status.last_schedule_time,
    )


@pytest.mark.parametrize(("policy", "running"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
def test_a_job_that_is_still_running(cluster: Cluster, policy: str, running: int) -> None:
    """Another beside it, none, or one in its place."""
    cluster.api.create(cron_job(concurrencyPolicy=policy))
    cluster.run(185)
    active = [job for job in jobs(cluster) if job.metadata.deletion_timestamp is None]

    assert running == len(active)
    last = {"Allow": 3, "Forbid": 1, "Replace": 3}[policy]
    assert active[-1].name.endswith(str(at("2026-01-01T00:00:00") // 60 + last))


def test_forbid_starts_what_was_missed_when_it_can(cluster: Cluster) -> None:
    """Right when the job that was in the way is over [cronjob-every-minute]."""
    cluster.api.create(cron_job(concurrencyPolicy="Forbid"))
    cluster.run(135)
    end(cluster, jobs(cluster)[0])
    cluster.run(0.1)

    assert 2 == len(jobs(cluster))
    assert jobs(cluster)[1].name.endswith(str(at("2026-01-01T00:02:00") // 60))


def test_a_deadline_gives_up_what_is_too_late(cluster: Cluster) -> None:
    """Ten seconds late is too late; it says so."""
    cluster.api.create(cron_job(concurrencyPolicy="Forbid", startingDeadlineSeconds=10))
    cluster.run(135)
    end(cluster, jobs(cluster)[0])
    cluster.run(1)

    assert 1 == len(jobs(cluster))


def test_history_is_limited(cluster: Cluster) -> None:
    """Three good ones and one bad one are kept."""
    cluster.api.create(cron_job())
    for number in range(8):
        cluster.run(60.5)
        newest = jobs(cluster)[-1]
        end(cluster, newest, "Failed" if number % 2 else "Complete")
    cluster.run(1)
    kinds = sorted(c.type for job in jobs(cluster) for c in job.status.conditions)

    assert ["Complete"] * 3 + ["Failed"] == kinds


def test_suspended_it_does_nothing(cluster: Cluster) -> None:
    """Resumed it starts the last time that was missed, once."""
    cluster.api.create(cron_job(suspend=True))
    cluster.run(200)
    assert [] == jobs(cluster)
    cluster.update(CronJob, "default/cj", lambda c: c.replace(spec=c.spec.replace(suspend=False)))
    cluster.run(1)

    assert [str(at("2026-01-01T00:03:00") // 60)] == [j.name[3:] for j in jobs(cluster)]


def test_many_missed_times_are_one_job_and_a_warning(cluster: Cluster) -> None:
    """More than a hundred."""
    cluster.api.create(cron_job(suspend=True))
    cluster.run(7000)
    cluster.update(CronJob, "default/cj", lambda c: c.replace(spec=c.spec.replace(suspend=False)))
    cluster.run(1)

    assert 1 == len(jobs(cluster))
    assert 1 == len(cluster.events("TooManyMissedTimes"))


def test_a_finished_job_goes_when_its_time_is_up() -> None:
    """Counted from the whole second in which it ended, with its pods [facts: 4.92 s for 5]."""
    cluster = Cluster()
    TTLAfterFinishedController(cluster.sim, client=cluster.client())
    template = cron_job().spec.job_template.spec
    made = cluster.api.create(
        Job.model_validate(
            {
                "metadata": {"name": "j", "namespace": "default"},
                "spec": {**template.model_dump(exclude_unset=True), "ttlSecondsAfterFinished": 5},
            }
        )
    )
    cluster.run(0.3)
    end(cluster, made)
    cluster.run(4.6)
    assert jobs(cluster)[0].metadata.deletion_timestamp is None
    cluster.run(0.2)

    assert ("foregroundDeletion",) == jobs(cluster)[0].metadata.finalizers
