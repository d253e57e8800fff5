"""The ReplicaSet controller: counts, batches, expectations, and who goes first."""

from collections.abc import Callable

import pytest
from harness import EPOCH_NS, SECOND, Cluster, deployment, pod, replica_set

from kubesim.api.appsv1 import ReplicaSet
from kubesim.api.corev1 import ContainerStatus, Pod, PodCondition, PodStatus
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.apiserver.admission import DEFAULT_PLUGINS
from kubesim.controlplane.apiserver.errors import Forbidden
from kubesim.controlplane.apiserver.store import Store
from kubesim.controlplane.controllers import DeploymentController, ReplicaSetController
from kubesim.controlplane.controllers.expectations import Expectations
from kubesim.controlplane.controllers.podranking import DELETION_COST, to_delete
from kubesim.controlplane.controllers.replicaset import slow_start_batches
from kubesim.facts import ObjectWritten


class Quota:
    """Admission that lets so many pods in."""

    name = "Quota"

    def __init__(self, pods: int) -> None:
        self.left = pods
        self.asked = 0

    def admit(self, obj: KubeObject, store: Store) -> KubeObject:
        """Refuse a pod when there were enough."""
        if isinstance(obj, Pod):
            self.asked += 1
            if not self.left:
                raise Forbidden("exceeded quota")
            self.left -= 1
        return obj


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    ReplicaSetController(made.sim, client=made.client())
    return made


def with_quota(pods: int) -> tuple[Cluster, Quota]:
    cluster, quota = Cluster(), Quota(pods)
    cluster.api._admission = (*DEFAULT_PLUGINS, quota)
    ReplicaSetController(cluster.sim, client=cluster.client())
    return cluster, quota


def scale(cluster: Cluster, replicas: int, name: str = "web") -> None:
    cluster.update(
        ReplicaSet, f"default/{name}", lambda r: r.replace(spec=r.spec.replace(replicas=replicas))
    )


def status(cluster: Cluster) -> tuple[int | None, ...]:
    seen = cluster.api.get(ReplicaSet, "default/web").status
    return (seen.replicas, seen.ready_replicas, seen.available_replicas)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (3, [1, 2]), (6, [1, 2, 3]), (500, [1, 2, 4, 8, 16, 32, 64, 128, 245])],
)
def test_batches_double(count: int, sizes: list[int]) -> None:
    """1, 2, 4, ... and what is left."""
    assert sizes == list(slow_start_batches(count))


def test_as_many_pods_as_wanted(cluster: Cluster) -> None:
    """Pods carry the template's labels, the owner, and a generated name."""
    cluster.api.create(replica_set(replicas=5))
    cluster.run(1)
    made = cluster.pods()

    assert 5 == len({p.name for p in made})
    assert {"web-"} == {p.name[:4] for p in made}
    assert {("ReplicaSet", True)} == {
        (o.kind, o.controller) for p in made for o in p.metadata.owner_references
    }
    assert {"app": "web"} == dict(made[0].metadata.labels)
    assert (5, 0, 0) == status(cluster)


def test_every_change_of_the_number_is_followed(cluster: Cluster) -> None:
    """Up, down, to nothing."""
    cluster.api.create(replica_set(replicas=2))
    counts = []
    for wanted in (2, 7, 3, 0):
        scale(cluster, wanted)
        cluster.run(1)
        counts.append(len(cluster.pods()))

    assert [2, 7, 3, 0] == counts


def test_a_lost_pod_is_replaced(cluster: Cluster) -> None:
    """Deleted or failed, another one takes its place; a succeeded one counts as gone, too."""
    cluster.api.create(replica_set(replicas=3))
    cluster.run(1)
    first, second, third = cluster.pods()
    cluster.api.delete(Pod, first.key)
    for lost, phase in ((second, "Failed"), (third, "Succeeded")):
        cluster.api.patch(
            Pod, lost.key, lambda p, to=phase: p.replace(status=p.status.replace(phase=to)),
            status=True,
        )  # fmt: skip
    cluster.run(1)

    assert 3 == sum(p.status.phase == "Pending" for p in cluster.pods())
    assert 5 == len(cluster.pods())


def test_a_pod_that_is_going_is_replaced_at_once(cluster: Cluster) -> None:
    """A replacement does not wait for the end of the grace period."""
    cluster.api.create(replica_set(replicas=1))
    cluster.run(1)
    (old,) = cluster.pods()
    cluster.api.bind(old.key, "n1")
    cluster.api.delete(Pod, old.key)
    cluster.run(0.1)

    assert 2 == len(cluster.pods())


def test_a_slow_cache_does_not_make_too_many() -> None:
    """What was asked for and not seen yet is expected, however slow the watch is."""
    cluster = Cluster(latency_ns=SECOND)
    ReplicaSetController(cluster.sim, client=cluster.client())
    cluster.api.create(replica_set(replicas=10))
    for tick in range(60):
        cluster.update(
            ReplicaSet,
            "default/web",
            lambda r, n=tick: r.replace(
                metadata=r.metadata.replace(annotations=FrozenMap({"tick": str(n)}))
            ),
        )
        cluster.run(0.25)
    created = [f for f in cluster.facts(ObjectWritten) if (f.kind, f.verb) == ("Pod", "create")]

    assert 10 == len(created)


def test_a_quota_is_met_by_few_requests() -> None:
    """The first batch with a refusal is the last: 1, 2, 4 pods, then 8 that are refused."""
    cluster, quota = with_quota(7)
    cluster.api.create(replica_set(replicas=500))
    cluster.run(0.006)

    assert 7 == len(cluster.pods())
    assert 15 == quota.asked

    cluster.run(0.1)

    assert {"Error creating: exceeded quota"} == set(cluster.events("FailedCreate")[:9])


def test_a_refusal_shows_in_the_status_and_is_tried_again() -> None:
    """ReplicaFailure is there until a sync without a refusal."""
    cluster, quota = with_quota(1)
    cluster.api.create(replica_set(replicas=3))
    cluster.run(1)
    (failure,) = cluster.api.get(ReplicaSet, "default/web").status.conditions

    assert ("ReplicaFailure", "True", "FailedCreate", "exceeded quota") == (
        failure.type,
        failure.status,
        failure.reason,
        failure.message,
    )
    assert (1, 0, 0) == status(cluster)

    quota.left = 5
    cluster.run(60)

    assert 3 == len(cluster.pods())
    assert () == cluster.api.get(ReplicaSet, "default/web").status.conditions


def test_ready_and_available_are_counted(cluster: Cluster) -> None:
    """Ready at once, available after minReadySeconds."""
    cluster.api.create(replica_set(replicas=2, minReadySeconds=10))
    cluster.run(1)
    for p in cluster.pods():
        cluster.set_ready(p.name)
    cluster.run(1)

    assert (2, 2, 0) == status(cluster)

    cluster.run(10)

    assert (2, 2, 2) == status(cluster)


def test_the_status_waits_until_a_sync_has_made_its_pods() -> None:
    """500 pods at 20 a second: the count stays at nothing for 24 seconds, then jumps (as recorded)."""
    cluster = Cluster()
    client = cluster.client(qps=20, burst=30)
    ReplicaSetController(cluster.sim, client=client)
    cluster.api.create(replica_set(replicas=500))
    cluster.run(20)

    assert (None, 0) == (status(cluster)[1], status(cluster)[0] or 0)
    assert len(cluster.pods()) > 400

    cluster.run(10)

    assert 500 == status(cluster)[0]


def test_a_replica_set_that_is_going_makes_nothing(cluster: Cluster) -> None:
    """Only its finalizers keep it; no pod is created for it any more."""
    held = replica_set(replicas=2)
    held = held.replace(metadata=held.metadata.replace(finalizers=("example.com/a",)))
    cluster.api.create(held)
    cluster.run(1)
    cluster.api.delete(ReplicaSet, "default/web")
    cluster.api.delete(Pod, cluster.pods()[0].key)
    cluster.run(1)

    assert 1 == len(cluster.pods())


def test_expectations_are_given_up_after_five_minutes() -> None:
    """A lost event must not stop a controller for ever."""
    expectations = Expectations()
    expectations.expect_creations("rs", 2, now_ns=0)
    expectations.creation_observed("rs")

    assert not expectations.satisfied("rs", now_ns=300 * SECOND)
    assert expectations.satisfied("rs", now_ns=301 * SECOND)

    expectations.creation_observed("rs")

    assert expectations.satisfied("rs", now_ns=0)


def test_a_deletion_is_expected_by_name() -> None:
    """Seeing another pod go does not count, seeing it twice counts once."""
    expectations = Expectations()
    expectations.expect_deletions("rs", ["a", "b"], now_ns=0)
    for seen in ("a", "a", "c"):
        expectations.deletion_observed("rs", seen)

    assert not expectations.satisfied("rs", now_ns=0)

    expectations.deletion_observed("rs", "b")

    assert expectations.satisfied("rs", now_ns=0)


NOW_NS = EPOCH_NS + 1000 * SECOND


def candidate(
    name: str,
    *,
    node: str = "n1",
    phase: str = "Running",
    ready_s: int | None = 100,
    cost: str | None = None,
    restarts: int = 0,
    age_s: int = 500,
) -> Pod:
    """A pod with an age, and ready for so long."""
    conditions = ()
    if ready_s is not None:
        since = NOW_NS - ready_s * SECOND
        conditions = (PodCondition(type="Ready", status="True", last_transition_time=since),)
    containers = (
        ContainerStatus(name="c", ready=True, restart_count=restarts, image="i", image_id=""),
    )
    annotations = {DELETION_COST: cost} if cost is not None else {}
    made = pod(name, nodeName=node, annotations=annotations) if node else pod(name)
    return made.replace(
        metadata=made.metadata.replace(
            uid=name, creation_timestamp=NOW_NS - age_s * SECOND
        ),
        status=PodStatus(phase=phase, conditions=conditions, container_statuses=containers),
    )  # fmt: skip


LESS_BEFORE_MORE: list[tuple[str, Callable[[], tuple[Pod, Pod]]]] = [
    ("unassigned before assigned", lambda: (candidate("z", node=""), candidate("a"))),
    ("pending before running", lambda: (candidate("z", phase="Pending"), candidate("a"))),
    ("unready before ready", lambda: (candidate("z", ready_s=None), candidate("a"))),
    ("cheap before dear", lambda: (candidate("z", cost="-5"), candidate("a"))),
    ("nonsense costs nothing", lambda: (candidate("z", cost="-1"), candidate("a", cost="x"))),
    ("ready for less time", lambda: (candidate("z", ready_s=10), candidate("a", ready_s=100))),
    ("more restarts", lambda: (candidate("z", restarts=3), candidate("a"))),
    ("younger", lambda: (candidate("z", age_s=101), candidate("a", age_s=500))),
    ("same age class: by UID", lambda: (candidate("a", age_s=500), candidate("z", age_s=400))),
    ("same ready class: by UID", lambda: (candidate("a", ready_s=100), candidate("z", ready_s=90))),
    ("readiness before restarts",
     lambda: (candidate("z", ready_s=10), candidate("a", ready_s=100, restarts=9))),
    ("phase before cost", lambda: (candidate("z", phase="Pending", cost="9"), candidate("a"))),
]  # fmt: skip


@pytest.mark.parametrize(
    "pair", [make for _, make in LESS_BEFORE_MORE], ids=[name for name, _ in LESS_BEFORE_MORE]
)
def test_the_pod_whose_loss_costs_least_goes_first(
    pair: Callable[[], tuple[Pod, Pod]],
) -> None:
    """Each criterion decides when all before it are equal, whatever the order of the list."""
    first, second = pair()

    for pods in ([first, second], [second, first]):
        assert [first] == to_delete(pods, 1, related=(), wall_ns=NOW_NS)


def test_a_crowded_node_gives_first() -> None:
    """Pods on the node with most active pods of the same Deployment go before others."""
    pods = [candidate("a", node="n1"), candidate("b", node="n2"), candidate("c", node="n2")]
    sibling = [candidate(f"s{n}", node="n1", phase="Pending", ready_s=None) for n in range(3)]

    assert ["b", "c"] == [p.name for p in to_delete(pods, 2, related=pods, wall_ns=NOW_NS)]
    assert ["a"] == [p.name for p in to_delete(pods, 1, related=[*pods, *sibling], wall_ns=NOW_NS)]


def test_all_go_when_all_have_to() -> None:
    """No ranking is needed for everything."""
    pods = [candidate("b"), candidate("a")]

    assert pods == to_delete(pods, 2, related=pods, wall_ns=NOW_NS)


def test_the_ranking_knows_the_deployments_other_pods() -> None:
    """A new ReplicaSet's pods crowd a node for the old one's, too."""
    cluster = Cluster()
    client = cluster.client()
    ReplicaSetController(cluster.sim, client=client)
    DeploymentController(cluster.sim, client=client)
    paused = deployment(replicas=2, strategy={"type": "RollingUpdate", "rollingUpdate": {
        "maxSurge": 2, "maxUnavailable": 0}})  # fmt: skip
    cluster.api.create(paused)
    cluster.run(1)
    on_n1, on_n2 = cluster.pods()
    for p, where in ((on_n1, "n1"), (on_n2, "n2")):
        cluster.api.bind(p.key, where)
        cluster.set_ready(p.name)
    cluster.run(200)
    cluster.update(
        type(paused), paused.key,
        lambda d: d.replace(spec=deployment(replicas=2, image="app:2", strategy={
            "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0},
        }).spec),
    )  # fmt: skip
    cluster.run(1)
    new = [p for p in cluster.pods() if p.uid not in (on_n1.uid, on_n2.uid)]
    for p in new:
        cluster.api.bind(p.key, "n2")
    cluster.set_ready(new[0].name)
    cluster.run(0.1)
    going = [p.name for p in cluster.pods() if p.metadata.deletion_timestamp is not None]

    assert [on_n2.name] == going
