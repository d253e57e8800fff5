"""The Deployment controller: rollouts inside their band, Recreate, revisions, history, status."""

from collections.abc import Callable
from typing import Any

import pytest
from harness import Cluster, PlayedKubelet, deployment

from kubesim.api.appsv1 import Deployment, ReplicaSet
from kubesim.api.corev1 import Pod
from kubesim.api.podutil import is_pod_ready
from kubesim.controlplane.controllers import (
    DeploymentController,
    GarbageCollector,
    ReplicaSetController,
    rollout,
)

Change = Callable[[Deployment], Deployment]


class Rollout:
    """A Deployment with its controllers, a played kubelet and a record of what was ever seen."""

    def __init__(self, **kubelet: float) -> None:
        self.cluster = Cluster()
        client = self.cluster.client("kube-controller-manager")
        DeploymentController(self.cluster.sim, client=client)
        ReplicaSetController(self.cluster.sim, client=client)
        GarbageCollector(self.cluster.sim, client=client)
        PlayedKubelet(self.cluster, **kubelet)
        self.available: list[int] = []
        self.wanted: list[int] = []
        self.images: list[frozenset[str]] = []
        self.cluster.api.watch(Pod, lambda event: self._look())
        self.cluster.api.watch(ReplicaSet, lambda event: self._look())

    def _look(self) -> None:
        alive = [p for p in self.cluster.pods() if p.metadata.deletion_timestamp is None]
        self.available.append(sum(is_pod_ready(p) for p in alive))
        self.wanted.append(sum(r.spec.replicas or 0 for r in self.sets()))
        self.images.append(
            frozenset(p.spec.containers[0].image or "" for p in self.cluster.pods())
        )

    def forget(self) -> None:
        """Begin a new record."""
        for record in (self.available, self.wanted, self.images):
            record.clear()

    def sets(self) -> list[ReplicaSet]:
        """All ReplicaSets, oldest first."""
        return list(self.cluster.api.list(ReplicaSet))

    def get(self) -> Deployment:
        """The Deployment as it is."""
        return self.cluster.api.get(Deployment, "default/web")

    def create(self, replicas: int, **more: Any) -> None:
        """Create it and let it become complete."""
        self.cluster.api.create(deployment(replicas=replicas, **more))
        self.cluster.run(5)
        self.forget()

    def change(self, change: Change, *, run_s: float = 60) -> None:
        """Change its spec and let it go on."""
        self.cluster.update(Deployment, "default/web", change)
        self.cluster.run(run_s)

    def condition(self, type_: str) -> tuple[str, str | None]:
        """Status and reason of a condition."""
        (found,) = [c for c in self.get().status.conditions if c.type == type_]
        return found.status, found.reason


def image(name: str) -> Change:
    def change(d: Deployment) -> Deployment:
        (container,) = d.spec.template.spec.containers
        spec = d.spec.template.spec.replace(containers=(container.replace(image=name),))
        return d.replace(spec=d.spec.replace(template=d.spec.template.replace(spec=spec)))

    return change


def replicas(count: int) -> Change:
    return lambda d: d.replace(spec=d.spec.replace(replicas=count))


def rolling(surge: int | str, unavailable: int | str) -> dict[str, Any]:
    return {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }


@pytest.mark.parametrize(
    ("count", "surge", "unavailable", "most", "least"),
    [
        (10, "25%", "25%", 13, 8),
        (10, 1, 0, 11, 10),
        (10, 0, 1, 10, 9),
        (10, 3, 2, 13, 8),
        (10, "100%", 0, 20, 10),
        (4, "25%", "25%", 5, 3),
        (1, "25%", "25%", 2, 1),
        (3, 0, "1%", 3, 2),
        (3, 0, 5, 3, 0),
    ],
)
@pytest.mark.parametrize("stagger_s", [0, 0.05])
def test_a_rollout_stays_in_its_band_and_finishes(
    count: int, surge: int | str, unavailable: int | str, most: int, least: int, stagger_s: float
) -> None:
    """Never more pods than asked for plus the surge, never fewer available than allowed."""
    story = Rollout(stagger_s=stagger_s)
    story.create(count, strategy=rolling(surge, unavailable))
    story.change(image("app:2"))

    assert max(story.wanted) <= most
    assert min(story.available) >= least
    assert frozenset({"app:2"}) == story.images[-1]
    assert (count, count) == (story.wanted[-1], story.available[-1])
    assert [0, count] == [r.spec.replicas for r in story.sets()]


def test_a_step_waits_for_pods_that_are_available_long_enough() -> None:
    """With minReadySeconds each step of surge 1 takes that long."""
    story = Rollout(ready_s=0)
    story.create(3, strategy=rolling(1, 0), minReadySeconds=10)
    story.cluster.run(20)
    story.forget()
    story.change(image("app:2"), run_s=25)

    assert frozenset({"app:1", "app:2"}) == story.images[-1]

    story.cluster.run(20)

    assert frozenset({"app:2"}) == story.images[-1]
    assert min(story.available) >= 3


def test_a_rollout_that_never_becomes_ready_stops_in_its_band() -> None:
    """The old pods that are needed stay, for ever."""
    story = Rollout()
    story.create(10, strategy=rolling("25%", "25%"))
    story.cluster.set_ready = lambda name, **more: None  # type: ignore[assignment,method-assign]
    story.change(image("app:broken"), run_s=600)

    assert 8 == story.available[-1]
    assert 13 == story.wanted[-1]
    assert ("True", "MinimumReplicasAvailable") == story.condition("Available")


def test_recreate_lets_everything_go_before_anything_comes() -> None:
    """Two versions are never there together."""
    story = Rollout(delete_s=3)
    story.create(4, strategy={"type": "Recreate"})
    story.change(image("app:2"))

    assert {frozenset({"app:1"}), frozenset(), frozenset({"app:2"})} >= set(story.images)
    assert frozenset({"app:2"}) == story.images[-1]
    assert 4 == story.available[-1]


def test_scaling_changes_the_current_replica_set() -> None:
    """Up and down, without a new one."""
    story = Rollout()
    story.create(2)
    seen = []
    for count in (5, 1, 0, 3):
        story.change(replicas(count), run_s=5)
        seen.append([r.spec.replicas for r in story.sets()])

    assert [[5], [1], [0], [3]] == seen
    assert (
        f"Scaled up replica set {story.sets()[0].name} from 2 to 5"
        in story.cluster.events("ScalingReplicaSet")
    )  # fmt: skip


def test_revisions_count_and_a_way_back_gets_a_new_number() -> None:
    """The ReplicaSet that is rolled back to keeps its old number in its history."""
    story = Rollout()
    story.create(1)
    for version in ("app:2", "app:3", "app:1"):
        story.change(image(version), run_s=10)
    by_image = {
        r.spec.template.spec.containers[0].image: rollout.revision(r) for r in story.sets()
    }
    first = story.sets()[0].metadata.annotations

    assert {"app:1": 4, "app:2": 2, "app:3": 3} == by_image
    assert ("4", "1") == (first[rollout.REVISION], first[rollout.REVISION_HISTORY])
    assert "4" == story.get().metadata.annotations[rollout.REVISION]


def test_old_replica_sets_are_kept_up_to_the_limit() -> None:
    """The oldest revisions go first, and only when the rollout is complete."""
    story = Rollout()
    story.create(1, revisionHistoryLimit=2)
    for number in range(2, 7):
        story.change(image(f"app:{number}"), run_s=10)
    kept = [r.spec.template.spec.containers[0].image for r in story.sets()]

    assert ["app:4", "app:5", "app:6"] == kept


def test_a_history_of_nothing_keeps_the_current_one() -> None:
    """Limit 0 removes every old ReplicaSet, never the new one."""
    story = Rollout()
    story.create(2, revisionHistoryLimit=0)
    story.change(image("app:2"))

    assert ["app:2"] == [r.spec.template.spec.containers[0].image for r in story.sets()]


def test_the_status_counts_and_says_how_far_it_is() -> None:
    """Updated, ready, available; complete in the end, with the ReplicaSet's name."""
    story = Rollout()
    story.create(3)
    status = story.get().status
    message = next(c.message for c in status.conditions if c.type == "Progressing")

    assert (3, 3, 3, 3, 0) == (
        status.replicas,
        status.updated_replicas,
        status.ready_replicas,
        status.available_replicas,
        status.unavailable_replicas,
    )
    assert story.get().metadata.generation == status.observed_generation
    assert ("True", "NewReplicaSetAvailable") == story.condition("Progressing")
    assert f'ReplicaSet "{story.sets()[0].name}" has successfully progressed.' == message


def test_scaling_a_complete_deployment_is_no_rollout() -> None:
    """Progressing stays NewReplicaSetAvailable while the new pods come."""
    story = Rollout(ready_s=30)
    story.create(1)
    story.cluster.run(60)
    story.change(replicas(5), run_s=5)

    assert ("True", "NewReplicaSetAvailable") == story.condition("Progressing")
    assert ("False", "MinimumReplicasUnavailable") == story.condition("Available")


def test_a_deployments_annotations_reach_its_replica_set() -> None:
    """All but those of kubectl and of the controller itself."""
    story = Rollout()
    story.create(1)

    def annotated(d: Deployment) -> Deployment:
        notes = d.metadata.annotations.merge({"team": "a", rollout.LAST_APPLIED: "{}"})
        return d.replace(metadata=d.metadata.replace(annotations=notes))

    story.change(annotated, run_s=5)
    notes = story.sets()[0].metadata.annotations

    assert "a" == notes["team"]
    assert rollout.LAST_APPLIED not in notes


def test_a_deleted_deployment_takes_everything_with_it() -> None:
    """ReplicaSets and pods go in the background, each when its owner is gone."""
    story = Rollout()
    story.create(3)
    story.change(image("app:2"))
    story.cluster.api.delete(Deployment, "default/web")
    story.cluster.run(5)

    assert ([], []) == (story.sets(), story.cluster.pods())


def test_the_same_template_again_is_the_same_replica_set() -> None:
    """A name that follows from the template makes creation idempotent."""
    story = Rollout()
    story.create(1)
    name = story.sets()[0].name
    story.cluster.api.delete(Deployment, "default/web")
    story.cluster.run(5)
    story.create(1)

    assert [name] == [r.name for r in story.sets()]


def test_a_rollover_abandons_the_middle_version() -> None:
    """A third template in the middle of a rollout lets the second one shrink, inside the band."""
    story = Rollout(ready_s=2)
    story.create(10)
    story.cluster.run(5)
    story.forget()
    story.change(image("app:2"), run_s=1)
    story.change(image("app:3"))

    assert frozenset({"app:3"}) == story.images[-1]
    assert max(story.wanted) <= 13
    assert min(story.available) >= 8
