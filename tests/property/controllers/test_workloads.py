"""Jobs, DaemonSets, budgets and quotas, whatever happens to their pods."""

from __future__ import annotations

from contextlib import suppress

from harness import EPOCH_NS, SECOND, Cluster, node, pod
from hypothesis import given, settings
from hypothesis import strategies as st
from workload_harness import DaemonPlayer, JobPlayer, budget, daemon_set, job, set_image

from kubesim.api.appsv1 import DaemonSet
from kubesim.api.batchv1 import CronJob, Job
from kubesim.api.corev1 import Node, Pod, ResourceQuota, Taint
from kubesim.api.cron import parse_schedule
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.api.quota import total_usage
from kubesim.controlplane.client import StatusError, TooManyRequests
from kubesim.controlplane.controllers import (
    DaemonSetController,
    DisruptionController,
    JobController,
    ResourceQuotaController,
)
from kubesim.controlplane.controllers.cronjob import missed_times, next_in_ns
from kubesim.controlplane.controllers.jobindexes import (
    first_free,
    format_indexes,
    parse_indexes,
)

INDEXES = st.sets(st.integers(0, 40)).map(lambda numbers: tuple(sorted(numbers)))


def written(cluster: Cluster) -> int:
    """The revision of the store: it moves with every write."""
    return cluster.api.store.revision


@given(
    parallelism=st.integers(0, 5),
    completions=st.none() | st.integers(0, 6),
    indexed=st.booleans(),
    codes=st.lists(st.sampled_from([0, 0, 0, 1]), max_size=12),
    kills=st.lists(st.tuples(st.integers(0, 5), st.floats(0.1, 20)), max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_a_job_never_runs_more_than_it_may_and_comes_to_an_end(
    parallelism: int,
    completions: int | None,
    indexed: bool,
    codes: list[int],
    kills: list[tuple[int, float]],
) -> None:
    """Never more active pods than parallelism; every pod counted once; then nothing changes."""
    cluster = Cluster()
    JobController(cluster.sim, client=cluster.client())
    JobPlayer(cluster, finish_s=2, exit_code=lambda n: codes[n - 1] if n <= len(codes) else 0)
    most = parallelism
    spec: dict[str, object] = {"parallelism": parallelism, "backoffLimit": 3}
    if completions is not None:
        spec["completions"] = completions
        if indexed:
            spec["completionMode"] = "Indexed"
    cluster.api.create(job(**spec))
    plan = sorted(kills, key=lambda kill: kill[1])
    for tick in range(60):
        cluster.run(0.5)
        active = [
            p
            for p in cluster.pods()
            if p.metadata.deletion_timestamp is None
            and p.status.phase not in ("Succeeded", "Failed")
        ]
        assert len(active) <= most
        while plan and plan[0][1] <= tick / 2:
            victim, _ = plan.pop(0)
            if active:
                cluster.api.delete(Pod, active[victim % len(active)].key)
                active.pop(victim % len(active))
    cluster.run(1500)
    status = cluster.api.get(Job, "default/j").status
    ends = [c.type for c in status.conditions if c.type in ("Complete", "Failed")]
    if parallelism or completions == 0:
        assert 1 == len(ends)
        assert status.active is None
    if ends == ["Complete"] and completions is not None:
        assert (status.succeeded or 0) >= completions
    uncounted = status.uncounted_terminated_pods
    assert uncounted is None or not (uncounted.succeeded or uncounted.failed)
    before = written(cluster)
    cluster.run(3600)
    assert before == written(cluster)


@given(
    nodes=st.integers(1, 6),
    rolling=st.sampled_from(
        [{"maxUnavailable": 1}, {"maxUnavailable": 2}, {"maxUnavailable": "50%"},
         {"maxSurge": 1, "maxUnavailable": 0}, {"maxSurge": 2, "maxUnavailable": 0}]
    ),
    failures=st.lists(st.integers(0, 5), max_size=3),
    tainted=st.sets(st.integers(0, 5), max_size=2),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_a_daemon_set_stays_in_its_band_and_arrives(
    nodes: int, rolling: dict[str, object], failures: list[int], tainted: set[int]
) -> None:
    """One pod a node; in an update no more nodes without a pod than allowed; then nothing changes."""
    cluster = Cluster()
    for number in range(nodes):
        cluster.api.create(node(f"n{number}"))
    DaemonSetController(cluster.sim, client=cluster.client())
    DaemonPlayer(cluster, ready_s=0.5, delete_s=0.5)
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    cluster.api.create(daemon_set(updateStrategy=strategy))
    cluster.run(5)
    set_image(cluster, "v2")
    share = rolling["maxUnavailable"]
    missing = -(-nodes // 2) if share == "50%" else int(str(share))
    for _ in range(60):
        cluster.run(0.25)
        staying = [p for p in cluster.pods() if p.metadata.deletion_timestamp is None]
        ready = {
            p.spec.node_name
            for p in staying
            if any(c.type == "Ready" for c in p.status.conditions)
        }
        assert len(ready) >= nodes - missing
    for index in failures:
        victims = cluster.pods()
        victim = victims[index % len(victims)]
        failed = victim.status.replace(phase="Failed")
        cluster.api.update_status(victim.replace(status=failed))
    for index in sorted(tainted):
        if index < nodes:
            taint = Taint.model_validate({"key": "k", "effect": "NoExecute"})
            cluster.update(
                Node, f"n{index}", lambda n, t=taint: n.replace(spec=n.spec.replace(taints=(t,)))
            )
    cluster.run(60)
    wanted = sorted(f"n{number}" for number in range(nodes) if number not in tainted)
    assert wanted == sorted(p.spec.node_name or "" for p in cluster.pods())
    assert {"v2"} >= {p.spec.containers[0].image for p in cluster.pods()}
    status = cluster.api.get(DaemonSet, "default/ag").status
    assert (len(wanted), len(wanted)) == (status.desired_number_scheduled, status.number_ready)
    before = written(cluster)
    cluster.run(3600)
    assert before == written(cluster)


@given(
    count=st.integers(1, 6),
    at_least=st.integers(0, 7),
    evictions=st.lists(st.integers(0, 5), max_size=8),
    not_ready=st.sets(st.integers(0, 5), max_size=2),
)
@settings(max_examples=40, deadline=None)
def test_evictions_never_break_a_budget(
    count: int, at_least: int, evictions: list[int], not_ready: set[int]
) -> None:
    """Of healthy pods at least as many are left as the budget wants, if there were as many."""
    cluster = Cluster()
    DisruptionController(cluster.sim, client=cluster.client())
    for number in range(count):
        cluster.api.create(pod(f"p{number}", labels={"app": "web"}, nodeName="n1"))
        cluster.set_ready(f"p{number}", ready=number not in not_ready)
    cluster.api.create(budget(minAvailable=at_least))
    cluster.run(1)
    healthy = count - len([n for n in not_ready if n < count])
    for number in evictions:
        key = f"default/p{number}"
        if cluster.exists(Pod, key):
            with suppress(TooManyRequests):
                cluster.api.evict(key)
        staying = [p for p in cluster.pods() if p.metadata.deletion_timestamp is None]
        assert sum(_is_ready(p) for p in staying) >= min(at_least, healthy)
    cluster.run(200)
    status = cluster.api.get(PodDisruptionBudget, "default/p").status
    assert (status.disruptions_allowed or 0) == max(0, (status.current_healthy or 0) - at_least)
    before = written(cluster)
    cluster.run(3600)
    assert before == written(cluster)


def _is_ready(one: Pod) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in one.status.conditions)


@given(
    limit=st.integers(0, 5),
    actions=st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=20),
)
@settings(max_examples=40, deadline=None)
def test_a_quota_is_never_overdrawn_and_counts_right(
    limit: int, actions: list[tuple[bool, int]]
) -> None:
    """Never more pods than allowed; at rest the account is the sum of what is there."""
    cluster = Cluster()
    ResourceQuotaController(cluster.sim, client=cluster.client())
    body = {
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"hard": {"pods": str(limit)}},
    }
    cluster.api.create(ResourceQuota.model_validate(body))
    cluster.run(1)
    for create, number in actions:
        try:
            if create:
                cluster.api.create(pod(f"p{number}"))
            else:
                cluster.api.delete(Pod, f"default/p{number}")
        except StatusError:
            pass
        assert len(cluster.pods()) <= limit
        cluster.run(0.001)
    cluster.run(1)
    quota = cluster.api.get(ResourceQuota, "default/q")
    assert quota.status.used == total_usage(quota, cluster.pods(), wall_ns=cluster.sim.wall_ns)


@given(one=INDEXES, wanted=st.integers(0, 50))
def test_indexes_round_trip(one: tuple[int, ...], wanted: int) -> None:
    """Written and read again they are the same; free ones are free and the lowest."""
    assert one == parse_indexes(format_indexes(one), 41)
    free = first_free(one, wanted, 41)
    assert not set(free) & set(one)
    assert list(free) == [i for i in range(41) if i not in one][:wanted]


@given(
    minute=st.sampled_from(["*", "*/7", "0", "59", "10-20/3"]),
    hour=st.sampled_from(["*", "3", "*/5"]),
    now_s=st.integers(0, 90 * 86_400),
    last_s=st.none() | st.integers(0, 10**6),
)
def test_a_cron_job_is_never_late_twice(
    minute: str, hour: str, now_s: int, last_s: int | None
) -> None:
    """The last missed time is not in the future; after it was started the next look is ahead."""
    schedule = parse_schedule(f"{minute} {hour} * * *")
    wall_ns = EPOCH_NS + now_s * SECOND
    made = CronJob.model_validate(
        {
            "metadata": {"name": "c", "namespace": "d", "creationTimestamp": EPOCH_NS},
            "spec": {"schedule": "", "jobTemplate": {}},
        }
    )
    began_ns = EPOCH_NS + min(last_s or 0, now_s) * SECOND
    status = made.status.replace(last_schedule_time=began_ns if last_s is not None else None)
    missed = missed_times(made, status, schedule, wall_ns=wall_ns, with_deadline=True)
    if missed.latest_s is not None:
        assert began_ns // SECOND < missed.latest_s <= wall_ns // SECOND
        following = schedule.next(missed.latest_s)
        assert following is None or following > wall_ns // SECOND
        status = status.replace(last_schedule_time=missed.latest_s * SECOND)
        again = missed_times(made, status, schedule, wall_ns=wall_ns, with_deadline=True)
        assert again.latest_s is None
    wait_ns = next_in_ns(made, status, schedule, wall_ns=wall_ns)
    assert wait_ns is not None
    assert wait_ns > 0
