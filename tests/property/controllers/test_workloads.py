"""Deployment, ReplicaSet and StatefulSet, whatever is done to them: they converge, stay in their band,
and a second look changes nothing."""

from __future__ import annotations

from typing import Any

from harness import Cluster, PlayedKubelet, deployment, replica_set
from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.api.appsv1 import Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import Pod
from kubesim.api.podutil import is_pod_ready
from kubesim.controlplane.controllers import (
    DeploymentController,
    GarbageCollector,
    ReplicaSetController,
    StatefulSetController,
    rollout,
)

LONG_S = 300.0
sizes = st.integers(0, 8)
images = st.sampled_from(["app:1", "app:2", "app:3"])
pauses = st.floats(0.01, 1.5)
steps = st.lists(
    st.tuples(
        st.one_of(
            st.tuples(st.just("scale"), sizes),
            st.tuples(st.just("image"), images),
            st.tuples(st.just("paused"), st.booleans()),
            st.tuples(st.just("lose"), st.integers(0, 20)),
            st.tuples(st.just("orphan"), st.integers(0, 20)),
        ),
        pauses,
    ),
    max_size=6,
)
bands = st.tuples(
    st.one_of(st.integers(0, 3), st.sampled_from(["25%", "50%", "100%"])),
    st.one_of(st.integers(1, 3), st.sampled_from(["25%", "50%", "100%"])),
)


class World:
    """A control plane with the workload controllers and a played kubelet."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        client = self.cluster.client("kube-controller-manager")
        self.controllers = (
            DeploymentController(self.cluster.sim, client=client),
            ReplicaSetController(self.cluster.sim, client=client),
            StatefulSetController(self.cluster.sim, client=client),
        )
        GarbageCollector(self.cluster.sim, client=client)
        PlayedKubelet(self.cluster, stagger_s=0.03)

    def do(self, kind: Any, key: str, step: tuple[str, Any]) -> None:
        """One thing that a user or a failure does."""
        what, value = step
        pods = self.cluster.pods()
        if what == "scale":
            self.cluster.update(
                kind, key, lambda old: old.replace(spec=old.spec.replace(replicas=value))
            )
        elif what == "image":
            self.cluster.update(kind, key, lambda old: _with_image(old, value))
        elif what == "paused" and kind is Deployment:
            self.cluster.update(
                kind, key, lambda old: old.replace(spec=old.spec.replace(paused=value))
            )
        elif what == "lose" and pods:
            self.cluster.api.delete(Pod, pods[value % len(pods)].key, grace_period_seconds=0)
        elif what == "orphan" and pods:
            self.cluster.update(Pod, pods[value % len(pods)].key, _released)

    def settle(self) -> None:
        """Let everything come to rest."""
        self.cluster.run(LONG_S)

    def has_reported(self) -> bool:
        """Whether every ReplicaSet has the pods that it was told to have, and has said so."""
        return all(
            rs.spec.replicas == rs.status.replicas
            and rs.metadata.generation == rs.status.observed_generation
            for rs in self.cluster.api.list(ReplicaSet)
        )

    def look_again(self, key: str) -> int:
        """Have every controller look at the key once more; how many writes that made."""
        before = self.cluster.api.store.revision
        for controller in self.controllers:
            controller.queue.add(key)
        self.cluster.run(LONG_S)
        return self.cluster.api.store.revision - before


def _with_image(workload: Any, image: str) -> Any:
    template = workload.spec.template
    (container,) = template.spec.containers
    spec = template.spec.replace(containers=(container.replace(image=image),))
    return workload.replace(spec=workload.spec.replace(template=template.replace(spec=spec)))


def _released(pod: Pod) -> Pod:
    return pod.replace(metadata=pod.metadata.replace(owner_references=()))


def _rolling(band: tuple[int | str, int | str]) -> dict[str, Any]:
    surge, unavailable = band
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": rolling}


@settings(max_examples=40, deadline=None)
@given(size=sizes, band=bands, recreate=st.booleans(), history=steps)
def test_a_deployment_converges_from_any_state(
    size: int, band: tuple[int | str, int | str], recreate: bool, history: list[Any]
) -> None:
    """Whatever happened, it ends complete with the wanted pods, and then nothing is written."""
    world = World()
    strategy = {"type": "Recreate"} if recreate else _rolling(band)
    world.cluster.api.create(deployment(replicas=size, strategy=strategy))
    for step, pause_s in history:
        world.do(Deployment, "default/web", step)
        world.cluster.run(pause_s)
    world.do(Deployment, "default/web", ("paused", False))
    world.settle()

    found = world.cluster.api.get(Deployment, "default/web")
    images_of = [pod.spec.containers[0].image for pod in world.cluster.pods()]
    wanted = rollout.wanted(found)
    assert [found.spec.template.spec.containers[0].image] * wanted == images_of
    assert (wanted, wanted) == (found.status.updated_replicas, found.status.available_replicas)
    assert 0 == world.look_again("default/web")


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 10), band=bands, versions=st.lists(images, max_size=4), pause_s=pauses)
def test_a_rollout_never_leaves_its_band(
    size: int, band: tuple[int | str, int | str], versions: list[str], pause_s: float
) -> None:
    """At no commit are there more pods asked for, or fewer available, than the strategy allows.

    The template changes at moments at which the ReplicaSets have reported what they were told last:
    within the milliseconds before, a rollback counts on pods that are about to go, as upstream does.
    """
    world = World()
    made = deployment(replicas=size, strategy=_rolling(band))
    world.cluster.api.create(made)
    world.settle()
    surge, _ = rollout.fenceposts(world.cluster.api.get(Deployment, "default/web"))
    least = size - rollout.max_unavailable(world.cluster.api.get(Deployment, "default/web"))
    seen: list[tuple[int, int]] = []

    def look(_event: object) -> None:
        asked = sum(rs.spec.replicas or 0 for rs in world.cluster.api.list(ReplicaSet))
        alive = [p for p in world.cluster.pods() if p.metadata.deletion_timestamp is None]
        seen.append((asked, sum(is_pod_ready(pod) for pod in alive)))

    world.cluster.api.watch(ReplicaSet, look)
    world.cluster.api.watch(Pod, look)
    for version in versions:
        while not world.has_reported():
            world.cluster.run(0.005)
        world.do(Deployment, "default/web", ("image", version))
        world.cluster.run(pause_s)
    world.settle()

    assert [] == [pair for pair in seen if pair[0] > size + surge or pair[1] < least]


@settings(max_examples=30, deadline=None)
@given(size=sizes, history=steps)
def test_a_replica_set_converges_from_any_state(size: int, history: list[Any]) -> None:
    """It ends with as many ready pods as wanted, has taken orphans back, and then rests."""
    world = World()
    world.cluster.api.create(replica_set(replicas=size))
    for step, pause_s in history:
        if step[0] != "image":
            world.do(ReplicaSet, "default/web", step)
        world.cluster.run(pause_s)
    world.settle()

    found = world.cluster.api.get(ReplicaSet, "default/web")
    wanted = found.spec.replicas
    assert (wanted, wanted, 0) == (
        found.status.replicas,
        found.status.ready_replicas,
        found.status.terminating_replicas,
    )
    assert wanted == len(world.cluster.pods())
    assert 0 == world.look_again("default/web")


@settings(max_examples=40, deadline=None)
@given(
    size=sizes,
    first=st.integers(0, 3),
    policy=st.sampled_from(["OrderedReady", "Parallel"]),
    history=steps,
)
def test_a_stateful_set_converges_from_any_state(
    size: int, first: int, policy: str, history: list[Any]
) -> None:
    """It ends with exactly its numbers, all of the newest revision, and then rests."""
    world = World()
    template = deployment().spec.template
    world.cluster.api.create(
        StatefulSet.model_validate(
            {
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {
                    "replicas": size,
                    "serviceName": "web",
                    "selector": {"matchLabels": dict(template.metadata.labels)},
                    "template": template,
                    "podManagementPolicy": policy,
                    "ordinals": {"start": first},
                },
            }
        )
    )
    for step, pause_s in history:
        if step[0] != "orphan":
            world.do(StatefulSet, "default/web", step)
        world.cluster.run(pause_s)
    world.settle()

    found = world.cluster.api.get(StatefulSet, "default/web")
    wanted = found.spec.replicas or 0
    names = sorted(f"web-{number}" for number in range(first, first + wanted))
    image = found.spec.template.spec.containers[0].image
    assert names == sorted(pod.name for pod in world.cluster.pods())
    assert {image} >= {pod.spec.containers[0].image for pod in world.cluster.pods()}
    assert found.status.update_revision == found.status.current_revision
    assert 0 == world.look_again("default/web")
