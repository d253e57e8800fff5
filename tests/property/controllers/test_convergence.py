"""Workload controllers from any state: they arrive, stay in their band, and then leave things alone.

What happens to a workload is a list of steps that Hypothesis makes up; between them the controllers and
a played kubelet work. At rest every key is put into its queue once more, and nothing may be written.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness import Cluster, PlayedKubelet, deployment, pod, replica_set
from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.api.appsv1 import Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import controller_of
from kubesim.api.podutil import is_pod_ready, is_pod_terminal
from kubesim.controlplane.client import Controller
from kubesim.controlplane.controllers import (
    DeploymentController,
    GarbageCollector,
    ReplicaSetController,
    StatefulSetController,
)
from kubesim.controlplane.controllers.rollout import fenceposts, max_unavailable

IMAGES = ("v1", "v2", "v3")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.sampled_from(IMAGES)),
        st.tuples(st.just("scale"), st.integers(0, 6)),
        st.tuples(st.just("kill"), st.integers(0, 9)),
        st.tuples(st.just("fail"), st.integers(0, 9)),
        st.tuples(st.just("orphan"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.integers(0, 20)),
    ),
    max_size=8,
)


def act(cluster: Cluster, kind: type[Deployment | ReplicaSet | StatefulSet], key: str,
        step: tuple[str, int | str]) -> None:  # fmt: skip
    """Take one step."""
    verb, value = step
    if verb == "wait":
        cluster.run(int(value) / 10)
    elif verb == "scale":
        cluster.update(kind, key, lambda o: o.replace(spec=o.spec.replace(replicas=value)))
    elif verb == "image":
        if kind is ReplicaSet:
            return  # its pods would not change
        cluster.update(kind, key, lambda o: with_image(o, str(value)))
    elif pods := cluster.pods():
        victim = pods[int(value) % len(pods)]
        if verb == "kill":
            cluster.api.delete(Pod, victim.key)
        elif verb == "fail":
            failed = victim.status.replace(phase="Failed")
            cluster.api.update_status(victim.replace(status=failed))
        elif controller_of(victim) is not None:
            free = victim.metadata.replace(owner_references=())
            cluster.api.update(victim.replace(metadata=free))
    cluster.run(0.05)


def with_image(workload: Deployment | StatefulSet, image: str) -> Deployment | StatefulSet:
    """The workload with another image."""
    template = workload.spec.template
    containers = tuple(c.replace(image=image) for c in template.spec.containers)
    template = template.replace(spec=template.spec.replace(containers=containers))
    return workload.replace(spec=workload.spec.replace(template=template))


def assert_at_rest(cluster: Cluster, controllers: Iterable[Controller], *keys: str) -> None:
    """Reconciling again, and waiting for an hour, writes nothing."""
    before = cluster.api.store.revision
    for controller in controllers:
        for key in keys:
            controller.queue.add(key)
            controller.queue.add(key)
    cluster.run(3600)
    assert before == cluster.api.store.revision


def active(cluster: Cluster) -> list[Pod]:
    """Pods that are neither over nor going."""
    return [
        p
        for p in cluster.pods()
        if p.metadata.deletion_timestamp is None and not is_pod_terminal(p)
    ]


@given(
    total=st.integers(1, 8),
    surge=st.sampled_from([0, 1, 3, "25%", "100%"]),
    unavailable=st.sampled_from([0, 1, 2, "25%", "50%"]),
    images=st.lists(st.tuples(st.sampled_from(IMAGES), st.floats(0, 2)), min_size=1, max_size=4),
    stagger_s=st.sampled_from([0, 0.07]),
)
@settings(max_examples=30, deadline=None)
def test_a_deployment_never_leaves_its_band(
    total: int,
    surge: int | str,
    unavailable: int | str,
    images: list[tuple[str, float]],
    stagger_s: float,
) -> None:
    """Whatever is rolled out over what: no more pods than surge allows, no fewer ready ones."""
    if surge == 0 and unavailable == 0:
        unavailable = 1
    cluster = Cluster()
    controllers = (
        DeploymentController(cluster.sim, client=cluster.client()),
        ReplicaSetController(cluster.sim, client=cluster.client()),
    )
    PlayedKubelet(cluster, ready_s=0.4, delete_s=0.3, stagger_s=stagger_s)
    strategy = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    made = cluster.api.create(deployment(replicas=total, strategy=strategy))
    cluster.run(5)
    most = total + fenceposts(made)[0]
    least = total - max_unavailable(made)
    for image, wait_s in [*images, (images[-1][0], 20)]:
        act(cluster, Deployment, made.key, ("image", image))
        for _ in range(int(wait_s / 0.05)):
            cluster.run(0.05)
            assert sum(r.spec.replicas or 0 for r in cluster.api.list(ReplicaSet)) <= most
            assert len(active(cluster)) <= most
            ready = [p for p in active(cluster) if is_pod_ready(p)]
            assert len(ready) >= least
    assert [images[-1][0]] * total == [p.spec.containers[0].image for p in cluster.pods()]
    sets = [r.key for r in cluster.api.list(ReplicaSet)]
    assert_at_rest(cluster, controllers[:1], made.key)
    assert_at_rest(cluster, controllers[1:], *sets)


@given(steps=STEPS, recreate=st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_deployment_arrives_from_any_state(
    steps: list[tuple[str, int | str]], recreate: bool
) -> None:
    """Scaled, updated, its pods killed, failed and orphaned: in the end there is what was asked for."""
    cluster = Cluster()
    controllers = (
        DeploymentController(cluster.sim, client=cluster.client()),
        ReplicaSetController(cluster.sim, client=cluster.client()),
    )
    PlayedKubelet(cluster, ready_s=0.3, delete_s=0.2)
    more = {"strategy": {"type": "Recreate"}} if recreate else {}
    made = cluster.api.create(deployment(replicas=3, **more))
    for step in steps:
        act(cluster, Deployment, made.key, step)
    cluster.run(60)
    final = cluster.api.get(Deployment, made.key)
    image, wanted = final.spec.template.spec.containers[0].image, final.spec.replicas
    assert [image] * wanted == [p.spec.containers[0].image for p in active(cluster)]
    assert all(controller_of(p) is not None for p in active(cluster))
    status = final.status
    assert (wanted, wanted) == (status.updated_replicas or 0, status.available_replicas or 0)
    assert_at_rest(cluster, controllers, made.key, *(r.key for r in cluster.api.list(ReplicaSet)))


@given(
    replicas=st.integers(0, 6),
    found=st.lists(
        st.sampled_from(["mine", "going", "failed", "orphan", "stranger", "other label"]),
        max_size=8,
    ),
    steps=STEPS,
)
@settings(max_examples=40, deadline=None)
def test_a_replica_set_arrives_from_any_state(
    replicas: int, found: list[str], steps: list[tuple[str, int | str]]
) -> None:
    """It counts what is its own and alive, adopts what fits, and never overshoots."""
    cluster = Cluster()
    made = cluster.api.create(replica_set(replicas=replicas))
    strangers = 0
    for index, state in enumerate(found):
        strangers += _found(cluster, made, f"p{index}", state)
    controller = ReplicaSetController(cluster.sim, client=cluster.client())
    GarbageCollector(cluster.sim, client=cluster.client())
    PlayedKubelet(cluster, ready_s=0.2, delete_s=0.2)
    most = max(replicas, len(active(cluster)) - strangers)
    for _ in range(20):
        cluster.run(0.05)
        assert len(active(cluster)) - strangers <= most
    for step in steps:
        act(cluster, ReplicaSet, made.key, step)
    cluster.run(30)
    final = cluster.api.get(ReplicaSet, made.key)
    own = [p for p in active(cluster) if any(o.uid == made.uid for o in _owners(p))]
    assert final.spec.replicas == len(own)
    assert (final.spec.replicas, final.spec.replicas) == (
        final.status.replicas,
        final.status.ready_replicas or 0,
    )
    assert_at_rest(cluster, [controller], made.key)


def _owners(one: Pod):  # type: ignore[no-untyped-def]
    return one.metadata.owner_references


def _found(cluster: Cluster, owner: ReplicaSet, name: str, state: str) -> int:
    """Make a pod that was there before the controller was; 1 if it is none of the owner's."""
    labels = {"app": "elsewhere" if state in ("stranger", "other label") else "web"}
    made = pod(name, labels=labels)
    if state in ("mine", "going", "failed", "other label"):
        reference = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner.name, "uid": owner.uid,
            "controller": True,
        }  # fmt: skip
        raw = made.model_dump(by_alias=True, exclude_unset=True)
        raw["metadata"]["ownerReferences"] = [reference]
        made = Pod.model_validate(raw)
    stored = cluster.api.create(made)
    if state == "going":
        cluster.api.bind(stored.key, "n1")
        cluster.api.delete(Pod, stored.key)
    elif state == "failed":
        cluster.api.update_status(stored.replace(status=stored.status.replace(phase="Failed")))
    return int(state in ("stranger", "other label"))


@given(
    steps=STEPS,
    policy=st.sampled_from(["OrderedReady", "Parallel"]),
    partition=st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_a_stateful_set_arrives_from_any_state(
    steps: list[tuple[str, int | str]], policy: str, partition: int
) -> None:
    """In the end each number has its pod, of the revision that it should be."""
    cluster = Cluster()
    controller = StatefulSetController(cluster.sim, client=cluster.client())
    PlayedKubelet(cluster, ready_s=0.2, delete_s=0.1)
    labels = {"app": "db"}
    spec = {
        "replicas": 3, "serviceName": "db", "podManagementPolicy": policy,
        "selector": {"matchLabels": labels},
        "updateStrategy": {"rollingUpdate": {"partition": partition}},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "v1"}]},
        },
    }  # fmt: skip
    body = {"metadata": {"name": "db", "namespace": "default"}, "spec": spec}
    made = cluster.api.create(StatefulSet.model_validate(body))
    cluster.run(3)
    for step in steps:
        act(cluster, StatefulSet, made.key, step)
    cluster.run(60)
    final = cluster.api.get(StatefulSet, made.key)
    wanted = final.spec.replicas or 0
    assert [f"db-{n}" for n in range(wanted)] == sorted(p.name for p in cluster.pods())
    assert all(is_pod_ready(p) and controller_of(p) is not None for p in cluster.pods())
    newest = final.spec.template.spec.containers[0].image
    for one in cluster.pods():
        if int(one.name.removeprefix("db-")) >= partition:
            assert newest == one.spec.containers[0].image
    assert (wanted, wanted) == (final.status.replicas, final.status.ready_replicas or 0)
    assert_at_rest(cluster, [controller], made.key)
