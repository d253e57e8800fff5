"""Controllers that clean up, count and tell: whatever they find, they end it, once, and rest."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from harness import SECOND, Cluster, bound, node, pod, replica_set, service
from hypothesis import given, settings
from hypothesis import strategies as st
from workload_harness import JobPlayer, job

from kubesim.api.appsv1 import ReplicaSet
from kubesim.api.batchv1 import CronJob, Job
from kubesim.api.corev1 import ConfigMap, LimitRange, Namespace, Node, Pod, Service
from kubesim.api.discoveryv1 import EndpointSlice
from kubesim.api.metav1 import ObjectMeta
from kubesim.api.podutil import is_pod_ready
from kubesim.api.quantity import Quantity
from kubesim.controlplane.apiserver.admission.limitranger import LimitRanger
from kubesim.controlplane.client import Forbidden, Invalid, StatusError
from kubesim.controlplane.controllers import (
    CronJobController,
    EndpointSliceController,
    GarbageCollector,
    JobController,
    NamespaceController,
    NodeLifecycleController,
    PodGCController,
    TaintEvictionController,
    TTLAfterFinishedController,
)

UNREACHABLE = "node.kubernetes.io/unreachable"


def assert_at_rest(cluster: Cluster, for_s: float = 3600) -> None:
    """Nothing is written any more."""
    before = cluster.api.store.revision
    cluster.run(for_s)
    assert before == cluster.api.store.revision


@given(
    policy=st.sampled_from(["Allow", "Forbid", "Replace"]),
    lasts_s=st.sampled_from([5, 70, 200]),
    keep=st.tuples(st.integers(0, 3), st.integers(0, 2)),
    codes=st.lists(st.sampled_from([0, 1]), min_size=1, max_size=6),
    stopped_min=st.integers(1, 5),
)
@settings(max_examples=25, deadline=None)
def test_a_cron_job_keeps_its_policy_and_its_history(
    policy: str, lasts_s: int, keep: tuple[int, int], codes: list[int], stopped_min: int
) -> None:
    """Forbid and Replace never have two Jobs at work; suspended, it keeps what it may and rests."""
    cluster = Cluster()
    controller = CronJobController(cluster.sim, client=cluster.client())
    JobController(cluster.sim, client=cluster.client())
    GarbageCollector(cluster.sim, client=cluster.client())
    JobPlayer(cluster, finish_s=lasts_s, exit_code=lambda n: codes[n % len(codes)], delete_s=1)
    template = job(backoffLimit=0).model_dump(by_alias=True, exclude_unset=True)["spec"]
    spec = {
        "schedule": "* * * * *", "concurrencyPolicy": policy, "jobTemplate": {"spec": template},
        "successfulJobsHistoryLimit": keep[0], "failedJobsHistoryLimit": keep[1],
    }  # fmt: skip
    body = {"metadata": {"name": "c", "namespace": "default"}, "spec": spec}
    made = cluster.api.create(CronJob.model_validate(body))
    for _ in range(6 * stopped_min):
        cluster.run(10)
        at_work = [j for j in cluster.api.list(Job) if not _ends(j) and not _goes(j)]
        assert policy == "Allow" or len(at_work) <= 1
    cluster.update(CronJob, made.key, lambda c: c.replace(spec=c.spec.replace(suspend=True)))
    cluster.run(600)
    ends = [_ends(j) for j in cluster.api.list(Job)]
    assert ends.count("Complete") <= keep[0]
    assert ends.count("Failed") <= keep[1]
    assert () == cluster.api.get(CronJob, made.key).status.active
    controller.queue.add(made.key)
    assert_at_rest(cluster)


def _ends(one: Job) -> str:
    conditions = one.status.conditions
    return next((c.type for c in conditions if c.type in ("Complete", "Failed")), "")


def _goes(one: Job) -> bool:
    return one.metadata.deletion_timestamp is not None


@given(jobs=st.lists(st.tuples(st.none() | st.integers(0, 60), st.integers(0, 40)), max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_finished_job_goes_when_its_time_is_up(jobs: list[tuple[int | None, int]]) -> None:
    """Not a second before, not a second after; one without a time to live stays."""
    cluster = Cluster()
    controller = TTLAfterFinishedController(cluster.sim, client=cluster.client())
    GarbageCollector(cluster.sim, client=cluster.client())
    due: dict[str, int | None] = {}
    for index, (ttl, after_s) in enumerate(sorted(jobs, key=lambda one: one[1])):
        cluster.run_to(after_s)
        spec = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
        made = cluster.api.create(job(f"j{index}", **spec))
        ended = {"type": "Complete", "status": "True", "lastTransitionTime": cluster.sim.wall_ns}
        status = {**made.model_dump(by_alias=True), "status": {"conditions": [ended]}}
        cluster.api.update_status(made.replace(status=Job.model_validate(status).status))
        due[made.key] = None if ttl is None else after_s + ttl
    for second in range(int(cluster.sim.now / SECOND) + 1, 120):
        cluster.run_to(second - 0.5)
        there = {j.key for j in cluster.api.list(Job)}
        assert {k for k, at_s in due.items() if at_s is None or at_s >= second} <= there
        assert not {k for k, at_s in due.items() if at_s is not None and at_s < second - 1} & there
    for key in due:
        controller.queue.add(key)
    assert_at_rest(cluster)


@given(
    pods=st.lists(
        st.tuples(st.sampled_from(["ready", "not ready", "no ip", "over", "going", "other"])),
        max_size=12,
    ),
    changes=st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=8),
    publish=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_endpoints_are_the_pods_behind_a_service(
    pods: list[tuple[str]], changes: list[tuple[int, bool]], publish: bool
) -> None:
    """At rest each running pod of the Service is an endpoint once, and says whether it is ready."""
    cluster = Cluster()
    controller = EndpointSliceController(cluster.sim, client=cluster.client())
    made = cluster.api.create(service(publishNotReadyAddresses=publish))
    for index, (state,) in enumerate(pods):
        labels = {"app": "other" if state == "other" else "web"}
        cluster.api.create(bound(f"p{index}", labels=labels))
        ip = None if state == "no ip" else f"10.0.0.{index}"
        cluster.set_ready(f"p{index}", ready=state != "not ready", ip=ip)
        one = cluster.pod(f"p{index}")
        if state == "over":
            cluster.api.update_status(one.replace(status=one.status.replace(phase="Succeeded")))
        elif state == "going":
            cluster.api.delete(Pod, one.key)
    for number, ready in changes:
        if number < len(pods) and pods[number][0] in ("ready", "not ready"):
            cluster.set_ready(f"p{number}", ready=ready)
            cluster.run(0.3)
    cluster.run(10)
    expected = {
        p.name: publish or (is_pod_ready(p) and p.metadata.deletion_timestamp is None)
        for p in cluster.pods()
        if p.metadata.labels["app"] == "web" and p.status.pod_ip and p.status.phase == "Running"
    }
    seen = [e for piece in cluster.api.list(EndpointSlice) for e in piece.endpoints]
    assert len(expected) == len(seen)
    assert expected == {
        e.target_ref.name: e.conditions.ready for e in seen if e.target_ref is not None
    }
    controller.queue.add(made.key)
    assert_at_rest(cluster)
    cluster.api.delete(Service, made.key)
    cluster.run(10)


@given(counts=st.tuples(*[st.integers(0, 4)] * 3), delete_s=st.sampled_from([0, 2, 40]))
@settings(max_examples=25, deadline=None)
def test_a_namespace_goes_with_all_that_is_in_it(
    counts: tuple[int, int, int], delete_s: int
) -> None:
    """And with nothing else; it waits for the last pod, however long that takes."""
    cluster = Cluster()
    controller = NamespaceController(cluster.sim, client=cluster.client())
    for kind, count in zip(("pod", "set", "map"), counts, strict=True):
        for where in ("other", "default"):
            for index in range(count):
                metadata = ObjectMeta(name=f"{kind}-{index}", namespace=where)
                if kind == "pod":
                    made: Any = bound(f"pod-{index}").replace(metadata=metadata)
                elif kind == "set":
                    made = replica_set().replace(metadata=metadata)
                else:
                    made = ConfigMap(metadata=metadata)
                cluster.api.create(made)
    cluster.api.delete(Namespace, "other")
    cluster.run(6)
    cluster.run(delete_s)
    for one in cluster.pods():
        if one.namespace == "other":
            assert cluster.exists(Namespace, "other")
            cluster.api.delete(Pod, one.key, grace_period_seconds=0)
    cluster.run(300)
    assert not cluster.exists(Namespace, "other")
    for kind, count in zip((Pod, ReplicaSet, ConfigMap), counts, strict=True):
        left = [o.namespace for o in cluster.api.list(kind)]
        assert ["default"] * count == left
    controller.queue.add("other")
    assert_at_rest(cluster)


@given(
    owners=st.lists(st.sets(st.integers(0, 5), max_size=2), max_size=6),
    deletions=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["Background", "Foreground", "Orphan"])),
        max_size=4,
    ),
)
@settings(max_examples=50, deadline=None)
def test_nothing_outlives_all_its_owners(
    owners: list[set[int]], deletions: list[tuple[int, str]]
) -> None:
    """An object with owners goes when the last of them is gone; one that was set free stays."""
    cluster = Cluster()
    GarbageCollector(cluster.sim, client=cluster.client())
    made: list[ReplicaSet] = []
    for index, of in enumerate(owners):
        references = [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"r{n}", "uid": made[n].uid}
            for n in sorted(of)
            if n < index
        ]
        raw = replica_set(f"r{index}").model_dump(by_alias=True, exclude_unset=True)
        raw["metadata"]["ownerReferences"] = references
        made.append(cluster.api.create(ReplicaSet.model_validate(raw)))
    cluster.run(1)
    for number, policy in deletions:
        with suppress(StatusError):
            cluster.api.delete(ReplicaSet, f"default/r{number}", propagation_policy=policy)
        cluster.run(0.005)
    cluster.run(60)
    alive = {r.uid: r for r in cluster.api.list(ReplicaSet)}
    for one in alive.values():
        held = [o.uid for o in one.metadata.owner_references]
        assert not held or any(uid in alive for uid in held)
        assert one.metadata.deletion_timestamp is None
    gone = {number for number, _ in deletions}
    roots = [r for n, r in enumerate(made) if n not in gone and not r.metadata.owner_references]
    assert {r.uid for r in roots} <= alive.keys()
    assert_at_rest(cluster)


@given(
    pods=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["runs", "over", "going", "unbound going"])),
        max_size=10,
    ),
    gone=st.sets(st.integers(0, 3)),
    threshold=st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_pods_of_nodes_that_are_gone_go_and_no_others(
    pods: list[tuple[int, str]], gone: set[int], threshold: int
) -> None:
    """A node's pods outlive it by 40 to 60 s; of those that are over as many stay as may."""
    cluster = Cluster()
    for number in range(4):
        cluster.api.create(node(f"n{number}"))
    controller = PodGCController(
        cluster.sim, client=cluster.client(), terminated_pod_threshold=threshold
    )
    for index, (where, state) in enumerate(pods):
        made = (
            pod(f"p{index}") if state == "unbound going" else bound(f"p{index}", node=f"n{where}")
        )
        made = cluster.api.create(made)
        if state == "over":
            cluster.api.update_status(made.replace(status=made.status.replace(phase="Succeeded")))
        elif state != "runs":
            cluster.api.delete(Pod, made.key)
    for number in sorted(gone):
        cluster.api.delete(Node, f"n{number}")
    cluster.run(55)
    running = [f"p{i}" for i, (_, state) in enumerate(pods) if state == "runs"]
    assert set(running) <= {p.name for p in cluster.pods()}
    cluster.run(65)
    left = {p.name: p for p in cluster.pods()}
    assert not [p for p in left.values() if p.spec.node_name in {f"n{n}" for n in gone}]
    kept = {f"p{i}" for i, (where, state) in enumerate(pods)
            if state in ("runs", "going") and where not in gone}  # fmt: skip
    assert kept <= left.keys()
    over = [p for p in left.values() if p.status.phase == "Succeeded"]
    assert not threshold or len(over) <= threshold
    controller.queue.add("look")
    assert_at_rest(cluster)


@given(
    patience=st.lists(st.none() | st.integers(0, 200), max_size=5),
    silent_s=st.integers(1, 30),
    back_s=st.none() | st.integers(60, 150),
)
@settings(max_examples=40, deadline=None)
def test_pods_leave_a_lost_node_when_their_patience_ends(
    patience: list[int | None], silent_s: int, back_s: int | None
) -> None:
    """After the grace period and tolerationSeconds, not before, and not if the node is back by then."""
    cluster = Cluster()
    cluster.api.create(node())
    client = cluster.client()
    TaintEvictionController(cluster.sim, client=client)
    lifecycle = NodeLifecycleController(cluster.sim, client=client)
    for index, seconds in enumerate(patience):
        more = {} if seconds is None else {"tolerationSeconds": seconds}
        tolerations = [{"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", **more}]
        cluster.api.create(bound(f"p{index}", tolerations=tolerations))
        cluster.set_ready(f"p{index}")
    cluster.run_to(silent_s)
    lifecycle.node_silent("n1", last_renewal_ns=cluster.sim.now)
    noticed_s = -(-silent_s // 5) * 5 + 50
    back = 10_000 if back_s is None else max(back_s, noticed_s + 1)
    for second in range(silent_s, noticed_s + 220):
        cluster.run_to(second + 0.5)
        if second == back:
            lifecycle.node_heard("n1")
            cluster.api.update(
                cluster.api.get(Node, "n1").replace(
                    spec=cluster.api.get(Node, "n1").spec.replace(taints=())
                )
            )
        for index, seconds in enumerate(patience):
            ends_s = 10_000 if seconds is None else noticed_s + seconds
            going = cluster.pod(f"p{index}").metadata.deletion_timestamp is not None
            if ends_s < min(back, second) - 1:
                assert going
            elif ends_s > min(back, second) + 1:
                assert not going
    assert_at_rest(cluster)


AMOUNT = st.none() | st.integers(1, 8)


@given(
    bounds=st.lists(st.tuples(AMOUNT, AMOUNT, AMOUNT, AMOUNT), min_size=1, max_size=3),
    containers=st.lists(st.tuples(AMOUNT, AMOUNT), min_size=1, max_size=3),
)
@settings(max_examples=80, deadline=None)
def test_what_a_limit_range_lets_in_is_within_its_bounds(
    bounds: list[tuple[int | None, ...]], containers: list[tuple[int | None, int | None]]
) -> None:
    """Each container that comes in is within all bounds; a second look changes nothing."""
    cluster = Cluster()
    for index, (least, most, default, request) in enumerate(bounds):
        item: dict[str, Any] = {"type": "Container"}
        for field, amount in (
            ("min", least), ("max", most), ("default", default), ("defaultRequest", request),
        ):  # fmt: skip
            if amount is not None:
                item[field] = {"cpu": str(amount)}
        body = {
            "metadata": {"name": f"l{index}", "namespace": "default"},
            "spec": {"limits": [item]},
        }
        cluster.api.create(LimitRange.model_validate(body))
    specs: list[dict[str, Any]] = []
    for index, (request, limit) in enumerate(containers):
        resources: dict[str, Any] = {}
        if request is not None:
            resources["requests"] = {"cpu": str(request)}
        if limit is not None:
            resources["limits"] = {"cpu": str(max(limit, request or 0))}
        specs.append({"name": f"c{index}", "image": "v1", "resources": resources})
    try:
        made = cluster.api.create(pod("p", containers=specs))
    except (Forbidden, Invalid):
        return
    for container in made.spec.containers:
        asked = container.resources.requests.get("cpu")
        limited = container.resources.limits.get("cpu")
        for least, most, _default, _request in bounds:
            assert least is None or (asked is not None and asked >= Quantity(str(least)))
            assert most is None or (limited is not None and limited <= Quantity(str(most)))
    assert made.spec == LimitRanger().admit(made, cluster.api.store).spec  # type: ignore[attr-defined]
