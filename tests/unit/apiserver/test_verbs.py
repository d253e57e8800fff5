"""The API server's verbs and what they do to metadata."""

from collections.abc import Callable

import pytest
from harness import EPOCH_NS, SECOND, Cluster, deployment, node, pod, replica_set, service

from kubesim.api.appsv1 import Deployment, DeploymentStatus, ReplicaSet
from kubesim.api.corev1 import Namespace, Node, Pod, PodStatus, Service
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ObjectMeta
from kubesim.controlplane.apiserver.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from kubesim.controlplane.apiserver.server import GENERATED_NAME_ALPHABET
from kubesim.controlplane.apiserver.store import EventType, WatchEvent
from kubesim.facts import ObjectWritten


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def labelled(**labels: str) -> Callable[[Pod], Pod]:
    return lambda p: p.replace(metadata=p.metadata.replace(labels=FrozenMap(labels)))


def scaled(replicas: int) -> Callable[[Deployment], Deployment]:
    return lambda d: d.replace(spec=d.spec.replace(replicas=replicas))


def without_finalizers(p: Pod) -> Pod:
    return p.replace(metadata=p.metadata.replace(finalizers=()))


def test_a_created_object_has_what_only_the_server_gives(cluster: Cluster) -> None:
    """UID, creation time and resourceVersion are the server's; a status is not the client's."""
    cluster.run(2)
    wanted = pod().replace(status=PodStatus(phase="Running", pod_ip="10.0.0.1"))
    created = cluster.api.create(wanted)

    assert 36 == len(created.uid)
    assert EPOCH_NS + 2 * SECOND == created.metadata.creation_timestamp
    assert str(cluster.api.store.revision) == created.metadata.resource_version
    assert ("Pending", None, "BestEffort") == (
        created.status.phase,
        created.status.pod_ip,
        created.status.qos_class,
    )
    assert created is cluster.pod()


def test_a_client_cannot_bring_its_own_metadata(cluster: Cluster) -> None:
    """A copy of a dying object is a new object."""
    copied = pod().replace(
        metadata=ObjectMeta(
            name="web",
            uid="mine",
            resource_version="99",
            generation=7,
            deletion_timestamp=1,
            deletion_grace_period_seconds=30,
        )
    )
    metadata = cluster.api.create(copied).metadata

    assert metadata.uid != "mine"
    assert (None, None, 1) == (
        metadata.deletion_timestamp,
        metadata.deletion_grace_period_seconds,
        metadata.generation,
    )


def test_only_a_node_is_born_with_a_status(cluster: Cluster) -> None:
    """A kubelet registers with its status; a Deployment's is dropped."""
    web = deployment().replace(status=DeploymentStatus(replicas=9))

    assert None is cluster.api.create(web).status.replicas
    assert "Ready" == cluster.api.create(node()).status.conditions[0].type


def test_names_are_taken_once(cluster: Cluster) -> None:
    """A second object of the name is refused in the real words."""
    cluster.api.create(pod())
    with pytest.raises(AlreadyExists) as refused:
        cluster.api.create(pod())

    assert 'pods "web" already exists' == refused.value.message
    assert 409 == refused.value.code


def test_a_namespace_has_to_exist(cluster: Cluster) -> None:
    """Nothing is created in a namespace that is not there."""
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        cluster.api.create(pod(namespace="nowhere"))


def test_an_object_without_a_namespace_goes_to_the_default_one(cluster: Cluster) -> None:
    """``default`` is the default; a Node has no namespace at all."""
    created = cluster.api.create(pod(namespace=""))

    assert "default/web" == created.key
    assert None is cluster.api.create(node()).metadata.namespace


def test_generated_names_are_prefix_and_five_safe_characters(cluster: Cluster) -> None:
    """No vowels and no look-alikes, and a prefix is cut to leave room."""
    short = cluster.api.create(pod("", generateName="web-")).name
    long = cluster.api.create(pod("", generateName="x" * 80)).name

    assert "web-" == short[:4]
    assert 5 == len(short[4:])
    assert set(short[4:]) <= set(GENERATED_NAME_ALPHABET)
    assert 63 == len(long)


def test_a_generated_name_that_is_taken_is_generated_again(cluster: Cluster) -> None:
    """Thousands of replicas do not fail by a birthday paradox."""
    twin = Cluster()
    taken = twin.api.create(pod("", generateName="web-")).name
    cluster.api.create(pod(taken))
    other = cluster.api.create(pod("", generateName="web-")).name

    assert taken != other
    assert "web-" == other[:4]


def test_invalid_objects_are_refused_with_kind_and_group(cluster: Cluster) -> None:
    """The message names kind and group as a real API server's does."""
    with pytest.raises(Invalid, match=r'Deployment\.apps "UPPER" is invalid: metadata\.name'):
        cluster.api.create(deployment("UPPER"))
    with pytest.raises(Invalid, match=r'Pod "UPPER" is invalid: '):
        cluster.api.create(pod("UPPER"))


def test_an_update_must_be_of_the_current_version(cluster: Cluster) -> None:
    """Of two writers that read the same version the second one loses."""
    read = cluster.api.create(pod())
    cluster.api.update(labelled(a="1")(read))
    with pytest.raises(Conflict) as refused:
        cluster.api.update(labelled(a="2")(read))

    assert (
        'Operation cannot be fulfilled on pods "web": the object has been modified; please apply '
        "your changes to the latest version and try again"
    ) == refused.value.message


def test_an_update_without_a_version_wins_always(cluster: Cluster) -> None:
    """No resourceVersion, no optimistic lock."""
    read = cluster.api.create(pod())
    cluster.api.update(labelled(a="1")(read))
    blind = labelled(a="2")(read)
    updated = cluster.api.update(
        blind.replace(metadata=blind.metadata.replace(resource_version=None))
    )

    assert {"a": "2"} == dict(updated.metadata.labels)


def test_an_update_of_another_incarnation_is_refused(cluster: Cluster) -> None:
    """A UID that is not the object's is a conflict."""
    first = cluster.api.create(pod())
    cluster.api.delete(Pod, first.key)
    cluster.api.create(pod())
    stale = first.replace(metadata=first.metadata.replace(resource_version=None))

    with pytest.raises(Conflict, match="Precondition failed: UID in precondition"):
        cluster.api.update(stale)


def test_a_write_that_changes_nothing_is_not_a_write(cluster: Cluster) -> None:
    """No revision, no watch event, no fact."""
    created = cluster.api.create(pod())
    seen: list[WatchEvent] = []
    cluster.api.watch(Pod, seen.append)
    revision, facts = cluster.api.store.revision, len(cluster.facts(ObjectWritten))

    assert created is cluster.api.update(created)
    assert created is cluster.api.update_status(created)
    assert (revision, facts, []) == (
        cluster.api.store.revision,
        len(cluster.facts(ObjectWritten)),
        seen,
    )


def test_generation_follows_the_spec_and_nothing_else(cluster: Cluster) -> None:
    """Scaling raises it; labels and status do not; a Deployment's annotations do, as upstream."""
    api, key = cluster.api, "default/web"

    def generation() -> int | None:
        return api.get(Deployment, key).metadata.generation

    def annotated(d: Deployment) -> Deployment:
        return d.replace(metadata=d.metadata.replace(annotations=FrozenMap({"a": "b"})))

    def relabelled(d: Deployment) -> Deployment:
        return d.replace(metadata=d.metadata.replace(labels=FrozenMap({"a": "b"})))

    def counted(d: Deployment) -> Deployment:
        return d.replace(status=d.status.replace(replicas=4))

    api.create(deployment())
    seen = [generation()]
    for change, status in ((scaled(5), False), (relabelled, False), (counted, True),
                           (annotated, False)):  # fmt: skip
        api.patch(Deployment, key, change, status=status)
        seen.append(generation())

    assert [1, 2, 2, 2, 3] == seen


def test_kinds_without_a_generation_have_none(cluster: Cluster) -> None:
    """Nodes, Services and Namespaces do not count their specs."""
    made = [cluster.api.create(obj) for obj in (node(), service())]
    made.append(cluster.api.get(Namespace, "default"))

    assert [None, None, None] == [obj.metadata.generation for obj in made]


def test_update_and_update_of_the_status_do_not_mix(cluster: Cluster) -> None:
    """The main resource cannot write a status, the status subresource writes nothing else."""
    cluster.api.create(deployment(replicas=2))
    current = cluster.api.get(Deployment, "default/web")
    both = scaled(5)(current).replace(status=DeploymentStatus(replicas=7))
    by_status = cluster.api.update_status(both)

    assert (2, 7) == (by_status.spec.replicas, by_status.status.replicas)

    fresh = both.replace(metadata=by_status.metadata, status=DeploymentStatus(replicas=9))
    by_update = cluster.api.update(fresh)

    assert (5, 7) == (by_update.spec.replicas, by_update.status.replicas)


def test_a_patch_cannot_lose_the_optimistic_lock(cluster: Cluster) -> None:
    """A patch applies to whatever is current."""
    cluster.api.create(deployment())
    for replicas in (2, 3, 4):
        cluster.api.patch(Deployment, "default/web", scaled(replicas))

    assert 4 == cluster.api.get(Deployment, "default/web").spec.replicas


def test_a_service_gets_an_address_and_keeps_it(cluster: Cluster) -> None:
    """Applying the same manifest again does not ask for another cluster IP."""
    first = cluster.api.create(service())
    second = cluster.api.create(service("api"))
    manifest = service(ports=[{"port": 81}])
    updated = cluster.api.update(manifest)

    assert first.spec.cluster_ip != second.spec.cluster_ip
    assert first.spec.cluster_ip == updated.spec.cluster_ip
    assert (81,) == tuple(port.port for port in updated.spec.ports)


def test_a_headless_service_has_no_address(cluster: Cluster) -> None:
    """``None`` is an answer, too."""
    assert "None" == cluster.api.create(service(clusterIP="None")).spec.cluster_ip


def test_a_namespace_keeps_its_finalizer_when_it_is_applied_again(cluster: Cluster) -> None:
    """An update cannot take ``kubernetes`` away."""
    labels = FrozenMap({"team": "a"})
    cluster.api.update(Namespace(metadata=ObjectMeta(name="default", labels=labels)))
    updated = cluster.api.get(Namespace, "default")

    assert ("kubernetes",) == updated.spec.finalizers
    assert "a" == updated.metadata.labels["team"]


def test_binding_gives_a_pod_its_node(cluster: Cluster) -> None:
    """The pod has the node and the condition, in one write; generation stays."""
    cluster.api.create(pod())
    cluster.run(3)
    bound = cluster.api.bind("default/web", "n1")
    condition = bound.status.conditions[0]

    assert ("n1", 1) == (bound.spec.node_name, bound.metadata.generation)
    assert ("PodScheduled", "True", EPOCH_NS + 3 * SECOND) == (
        condition.type,
        condition.status,
        condition.last_transition_time,
    )


def test_a_pod_is_bound_once(cluster: Cluster) -> None:
    """The second binding is a conflict, as is that of a pod that is going or gated."""
    api = cluster.api
    api.create(pod())
    api.bind("default/web", "n1")
    with pytest.raises(Conflict, match='pod web is already assigned to node "n1"'):
        api.bind("default/web", "n2")
    api.delete(Pod, "default/web")
    with pytest.raises(Conflict, match="pod web is being deleted, cannot be assigned to a host"):
        api.bind("default/web", "n2")
    api.create(pod("gated", schedulingGates=[{"name": "example.com/wait"}]))
    with pytest.raises(Conflict, match=r"pod gated has non-empty \.spec\.schedulingGates"):
        api.bind("default/gated", "n1")
    with pytest.raises(NotFound, match='pods "gone" not found'):
        api.bind("default/gone", "n1")


def test_a_gated_pod_says_so_from_the_beginning(cluster: Cluster) -> None:
    """SchedulingGated is written by the server, not by the scheduler."""
    created = cluster.api.create(pod(schedulingGates=[{"name": "example.com/wait"}]))

    assert ("PodScheduled", "False", "SchedulingGated") == (
        created.status.conditions[0].type,
        created.status.conditions[0].status,
        created.status.conditions[0].reason,
    )


def test_a_pod_that_nobody_runs_goes_at_once(cluster: Cluster) -> None:
    """No node, or a pod that has ended: there is nothing to wait for."""
    api = cluster.api
    api.create(pod("pending"))
    api.create(pod("done"))
    api.bind("default/done", "n1")
    api.patch(
        Pod, "default/done", lambda p: p.replace(status=p.status.replace(phase="Succeeded")),
        status=True,
    )  # fmt: skip
    for name in ("pending", "done"):
        api.delete(Pod, f"default/{name}")

    assert [] == cluster.pods()


def test_a_running_pod_is_only_announced_to_go(cluster: Cluster) -> None:
    """The object stays, with the time at which its grace will be over, until the kubelet is done."""
    cluster.api.create(pod(terminationGracePeriodSeconds=20))
    cluster.api.bind("default/web", "n1")
    cluster.run(5)
    cluster.api.delete(Pod, "default/web")
    metadata = cluster.pod().metadata

    assert (EPOCH_NS + 25 * SECOND, 20, 2) == (
        metadata.deletion_timestamp,
        metadata.deletion_grace_period_seconds,
        metadata.generation,
    )


def test_a_grace_period_can_only_be_made_shorter(cluster: Cluster) -> None:
    """A later deletion counts from the first one, and a longer grace changes nothing."""
    cluster.api.create(pod())
    cluster.api.bind("default/web", "n1")
    cluster.api.delete(Pod, "default/web")
    announced = cluster.pod()
    cluster.run(4)
    cluster.api.delete(Pod, "default/web", grace_period_seconds=60)
    cluster.api.delete(Pod, "default/web")

    assert announced is cluster.pod()

    cluster.api.delete(Pod, "default/web", grace_period_seconds=10)
    metadata = cluster.pod().metadata

    assert (EPOCH_NS + 10 * SECOND, 10, 2) == (
        metadata.deletion_timestamp,
        metadata.deletion_grace_period_seconds,
        metadata.generation,
    )

    cluster.run(20)
    cluster.api.delete(Pod, "default/web", grace_period_seconds=5)
    metadata = cluster.pod().metadata

    assert (EPOCH_NS + 24 * SECOND, 1) == (
        metadata.deletion_timestamp,
        metadata.deletion_grace_period_seconds,
    )

    cluster.api.delete(Pod, "default/web", grace_period_seconds=0)

    assert not cluster.exists(Pod, "default/web")


def test_a_forced_deletion_says_that_there_is_no_grace(cluster: Cluster) -> None:
    """The last that a kubelet hears of the pod has a grace period of nothing."""
    cluster.api.create(pod())
    cluster.api.bind("default/web", "n1")
    seen: list[WatchEvent] = []
    cluster.api.watch(Pod, seen.append, node_name="n1")
    cluster.api.delete(Pod, "default/web", grace_period_seconds=0)

    assert [(EventType.MODIFIED, 0), (EventType.DELETED, 0)] == [
        (event.type, event.object.metadata.deletion_grace_period_seconds) for event in seen
    ]


def test_finalizers_hold_an_object_until_the_last_is_gone(cluster: Cluster) -> None:
    """The update that takes the last finalizer away is the deletion: one event, no MODIFIED."""
    cluster.api.create(pod(finalizers=["example.com/a"]))
    seen: list[WatchEvent] = []
    cluster.api.watch(Pod, seen.append)
    cluster.api.delete(Pod, "default/web")
    cluster.api.delete(Pod, "default/web")

    assert 0 == cluster.pod().metadata.deletion_grace_period_seconds

    cluster.update(Pod, "default/web", without_finalizers)

    assert [EventType.MODIFIED, EventType.DELETED] == [event.type for event in seen]
    assert not cluster.exists(Pod, "default/web")


def test_losing_finalizers_does_not_cut_a_grace_period_short(cluster: Cluster) -> None:
    """A running pod that is going still belongs to its kubelet."""
    cluster.api.create(pod(finalizers=["example.com/a"]))
    cluster.api.bind("default/web", "n1")
    cluster.api.delete(Pod, "default/web")
    cluster.update(Pod, "default/web", without_finalizers)

    assert cluster.exists(Pod, "default/web")

    cluster.api.delete(Pod, "default/web", grace_period_seconds=0)

    assert not cluster.exists(Pod, "default/web")


def test_no_finalizer_can_be_added_to_what_is_going(cluster: Cluster) -> None:
    """Whoever comes late cannot hold it."""
    cluster.api.create(pod(finalizers=["example.com/a"]))
    cluster.api.delete(Pod, "default/web")

    with pytest.raises(Invalid, match="no new finalizers can be added"):
        cluster.update(
            Pod,
            "default/web",
            lambda p: p.replace(
                metadata=p.metadata.replace(finalizers=("example.com/a", "example.com/b"))
            ),
        )


def test_a_deletion_can_be_meant_for_one_incarnation(cluster: Cluster) -> None:
    """With another UID it is a conflict; without the object it is NotFound."""
    cluster.api.create(pod())
    with pytest.raises(Conflict, match="The object might have been deleted and then recreated"):
        cluster.api.delete(Pod, "default/web", uid="another")
    cluster.api.delete(Pod, "default/web", uid=cluster.pod().uid)

    with pytest.raises(NotFound, match='pods "web" not found'):
        cluster.api.delete(Pod, "default/web")


def test_one_error_is_said_once(cluster: Cluster) -> None:
    """An invalid update lists each problem a single time."""
    cluster.api.create(replica_set())
    with pytest.raises(Invalid) as refused:
        cluster.update(
            ReplicaSet, "default/web", lambda r: r.replace(spec=r.spec.replace(replicas=-1))
        )

    assert 1 == refused.value.message.count("spec.replicas")


def test_get_and_list_know_kinds_apart(cluster: Cluster) -> None:
    """Objects of two kinds may share a name; a list is in the order of creation."""
    cluster.api.create(service())
    for name in ("b", "a", "c"):
        cluster.api.create(pod(name))

    assert ["b", "a", "c"] == [p.name for p in cluster.api.list(Pod)]
    assert ["web"] == [s.name for s in cluster.api.list(Service)]
    with pytest.raises(NotFound, match=r'deployments\.apps "web" not found'):
        cluster.api.get(Deployment, "default/web")


def test_every_write_is_a_fact_with_its_revision(cluster: Cluster) -> None:
    """The journal has what an audit log would have, revisions rising."""
    cluster.api.create(pod())
    cluster.api.bind("default/web", "n1")
    cluster.api.delete(Pod, "default/web")
    cluster.api.delete(Pod, "default/web", grace_period_seconds=0)
    writes = [fact for fact in cluster.facts(ObjectWritten) if fact.kind == "Pod"]
    revisions = [fact.resource_version for fact in writes]

    assert ["create", "bind", "delete", "delete"] == [fact.verb for fact in writes]
    assert sorted(set(revisions)) == revisions


def test_a_refusal_prints_as_kubectl_prints_it() -> None:
    """``Error from server (Reason): message``."""
    assert "Error from server (Forbidden): no" == str(Forbidden("no"))


def test_watches_see_changes_in_the_order_of_their_commits(cluster: Cluster) -> None:
    """A watch has every change of its kind from its opening to its end, and no other."""
    cluster.api.create(pod("early"))
    seen: list[WatchEvent] = []
    watch = cluster.api.watch(Pod, seen.append)
    cluster.api.create(pod("a"))
    cluster.api.create(node())
    cluster.update(Pod, "default/a", labelled(x="1"))
    cluster.api.delete(Pod, "default/early")
    cluster.api.store.unwatch(watch)
    cluster.api.create(pod("late"))
    revisions = [event.revision for event in seen]

    assert [
        (EventType.ADDED, "a"),
        (EventType.MODIFIED, "a"),
        (EventType.MODIFIED, "early"),
        (EventType.DELETED, "early"),
    ] == [(event.type, event.object.name) for event in seen]
    assert sorted(revisions) == revisions


def test_a_nodes_watch_has_a_pod_added_when_it_is_bound(cluster: Cluster) -> None:
    """For the kubelet the binding is the beginning; for everybody else it is a change."""
    mine: list[WatchEvent] = []
    everyone: list[WatchEvent] = []
    cluster.api.watch(Pod, mine.append, node_name="n1")
    cluster.api.watch(Pod, everyone.append)
    for name in ("a", "b", "c"):
        cluster.api.create(pod(name))
    cluster.api.bind("default/a", "n1")
    cluster.api.bind("default/b", "n2")
    cluster.update(Pod, "default/a", labelled(x="1"))
    cluster.api.delete(Pod, "default/a", grace_period_seconds=0)

    changes = [EventType.ADDED, EventType.MODIFIED, EventType.MODIFIED, EventType.DELETED]
    assert changes == [e.type for e in mine]
    assert {"a"} == {event.object.name for event in mine}
    assert EventType.MODIFIED is everyone[3].type


def test_a_node_can_be_updated_and_deleted(cluster: Cluster) -> None:
    """Cluster-scoped objects go by their bare name."""
    cluster.api.create(node())
    cluster.update(Node, "n1", lambda n: n.replace(spec=n.spec.replace(unschedulable=True)))

    assert cluster.api.get(Node, "n1").spec.unschedulable

    cluster.api.delete(Node, "n1")

    assert not cluster.exists(Node, "n1")
