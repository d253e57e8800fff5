"""The Job controller, against what real ones were seen to do (shared recordings, v1.36.2)."""

import pytest
from harness import Cluster
from workload_harness import JobPlayer, job

from kubesim.api.batchv1 import Job
from kubesim.controlplane.controllers import JobController
from kubesim.controlplane.controllers.jobindexes import format_indexes, parse_indexes


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    JobController(made.sim, client=made.client())
    return made


def of(cluster: Cluster, name: str = "j") -> Job:
    return cluster.api.get(Job, f"default/{name}")


def conditions(cluster: Cluster) -> list[tuple[str, str | None]]:
    return [(c.type, c.reason) for c in of(cluster).status.conditions if c.status == "True"]


def rounded(times: list[float]) -> list[float]:
    return [round(t, 1) for t in times]


def test_three_at_a_time(cluster: Cluster) -> None:
    """Seven completions by threes: what pods do is looked at a second late [job-p3-c7]."""
    player = JobPlayer(cluster, finish_s=2)
    cluster.api.create(job(parallelism=3, completions=7))
    cluster.run(12)

    assert [0.0] * 3 + [3.0] * 3 + [6.0] == rounded(player.created_s)
    assert [
        ("SuccessCriteriaMet", "CompletionsReached"),
        ("Complete", "CompletionsReached"),
    ] == conditions(cluster)
    assert 7 == of(cluster).status.succeeded
    assert {()} == {pod.metadata.finalizers for pod in cluster.pods()}


def test_a_failure_is_waited_for(cluster: Cluster) -> None:
    """10 s after the first failure, 20 s after the second, by whole seconds [job-backofflimit-2]."""
    player = JobPlayer(cluster, finish_s=1, exit_code=lambda _: 1)
    cluster.api.create(job(backoffLimit=2))
    cluster.run(40)

    assert [0.0, 11.0, 32.0] == rounded(player.created_s)
    assert [
        ("FailureTarget", "BackoffLimitExceeded"),
        ("Failed", "BackoffLimitExceeded"),
    ] == conditions(cluster)
    assert 3 == of(cluster).status.failed
    assert ["Job has reached the specified backoff limit"] == cluster.events(
        "BackoffLimitExceeded"
    )


def test_backoff_counts_pods(cluster: Cluster) -> None:
    """Four pods that fail together are four failures: 80 s [job-backofflimit-6-parallel]."""
    player = JobPlayer(cluster, finish_s=1, exit_code=lambda _: 1)
    cluster.api.create(job(parallelism=4, completions=4))
    cluster.run(100)

    assert [0.0] * 4 + [81.0] * 4 == rounded(player.created_s)
    assert 8 == of(cluster).status.failed


def test_a_rule_fails_the_job(cluster: Cluster) -> None:
    """FailJob: the others are deleted and count; the end waits for them [job-pfp-failjob]."""
    rules = [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]
    JobPlayer(cluster, finish_s=1, exit_code=lambda n: 42 if n == 1 else 0, delete_s=0.5)
    spec = {"parallelism": 1, "completions": 3, "podFailurePolicy": {"rules": rules}}
    cluster.api.create(job(**spec))
    cluster.run(6)

    name = cluster.pods()[0].name
    message = (
        f"Container c for pod default/{name} failed with exit code 42 "
        "matching FailJob rule at index 0"
    )
    assert [
        ("FailureTarget", "PodFailurePolicy"),
        ("Failed", "PodFailurePolicy"),
    ] == conditions(cluster)
    assert [message] == cluster.events("PodFailurePolicy")


def test_suspending_deletes_and_forgets_the_start(cluster: Cluster) -> None:
    """Pods deleted by it are not counted; resuming starts the clock anew [job-suspend-resume]."""
    player = JobPlayer(cluster, finish_s=3)
    cluster.api.create(job(parallelism=3, completions=6))
    cluster.run(1.5)
    cluster.update(Job, "default/j", lambda j: j.replace(spec=j.spec.replace(suspend=True)))
    cluster.run(3)

    assert 0 == len(cluster.pods())
    assert (None, None) == (of(cluster).status.start_time, of(cluster).status.failed)
    assert [("Suspended", "JobSuspended")] == conditions(cluster)

    cluster.update(Job, "default/j", lambda j: j.replace(spec=j.spec.replace(suspend=False)))
    cluster.run(10)

    assert [0.0] * 3 + [4.5] * 3 + [8.5] * 3 == rounded(player.created_s)
    assert ["Job suspended", "Job resumed"] == [
        *cluster.events("Suspended"),
        *cluster.events("Resumed"),
    ]
    assert 6 == of(cluster).status.succeeded


def test_the_success_policy_ends_it_early(cluster: Cluster) -> None:
    """The leader's success is enough: the workers go [job-success-policy]."""
    JobPlayer(cluster, finish_s=2, delete_s=0.5, exit_code=lambda _: 0)
    policy = {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}
    cluster.api.create(
        job(parallelism=2, completions=4, completionMode="Indexed", successPolicy=policy)
    )
    cluster.run(10)

    assert [("SuccessCriteriaMet", "SuccessPolicy"), ("Complete", "SuccessPolicy")] == conditions(
        cluster
    )
    assert "0,1" == of(cluster).status.completed_indexes


def test_each_index_has_its_own_limit(cluster: Cluster) -> None:
    """An index that failed once too often is failed for good; the others go on."""
    JobPlayer(cluster, finish_s=1, exit_code=lambda n: 1 if n in (1, 4) else 0)
    spec = {"parallelism": 3, "completions": 3, "completionMode": "Indexed"}
    cluster.api.create(job(backoffLimitPerIndex=1, maxFailedIndexes=2, **spec))
    cluster.run(60)
    status = of(cluster).status

    assert ("0", 2, 2) == (status.failed_indexes, status.succeeded, status.failed)
    assert [("FailureTarget", "FailedIndexes"), ("Failed", "FailedIndexes")] == conditions(cluster)


def test_the_deadline_counts_while_active(cluster: Cluster) -> None:
    """At the deadline the pods are deleted and counted as failed."""
    JobPlayer(cluster, finish_s=None)
    cluster.api.create(job(parallelism=2, completions=2, activeDeadlineSeconds=5))
    cluster.run(10)

    assert [("FailureTarget", "DeadlineExceeded"), ("Failed", "DeadlineExceeded")] == conditions(
        cluster
    )
    assert 2 == of(cluster).status.failed
    assert [] == cluster.pods()


def test_a_pod_knows_its_index(cluster: Cluster) -> None:
    """By annotation, label, hostname and environment."""
    cluster.api.create(job(parallelism=2, completions=2, completionMode="Indexed"))
    cluster.run(1)
    pod = cluster.pods()[1]

    assert "1" == pod.metadata.annotations["batch.kubernetes.io/job-completion-index"]
    assert "1" == pod.metadata.labels["batch.kubernetes.io/job-completion-index"]
    assert "j-1" == pod.spec.hostname
    assert ["JOB_COMPLETION_INDEX"] == [v.name for v in pod.spec.containers[0].env]
    assert pod.name.startswith("j-1-")


def test_a_job_selects_its_own_pods(cluster: Cluster) -> None:
    """The API server makes a selector of the job's UID."""
    made = cluster.api.create(job())

    assert {"batch.kubernetes.io/controller-uid": made.uid} == dict(
        (made.spec.selector and made.spec.selector.match_labels) or {}
    )
    assert made.uid == made.spec.template.metadata.labels["controller-uid"]
    assert "j" == made.spec.template.metadata.labels["job-name"]


@pytest.mark.parametrize("text", ["", "0", "0,1", "0-2", "0,2", "1-3,5,7,8", "0-9"])
def test_indexes_are_written_as_they_are_read(text: str) -> None:
    """Two neighbours by a comma, three by a dash."""
    assert text == format_indexes(parse_indexes(text, 10))
