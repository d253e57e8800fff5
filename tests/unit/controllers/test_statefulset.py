"""The StatefulSet controller: numbers, order, scaling, updates."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Cluster, PlayedKubelet, pod

from kubesim.api.appsv1 import StatefulSet
from kubesim.api.corev1 import PersistentVolumeClaim, Pod
from kubesim.controlplane.controllers import GarbageCollector, StatefulSetController
from kubesim.controlplane.controllers.ordinals import REVISION_LABEL

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def stateful_set(replicas: int = 3, image: str = "db:1", **spec: Any) -> StatefulSet:
    """A StatefulSet named ``db``."""
    labels = {"app": "db"}
    return StatefulSet.model_validate(
        {
            "metadata": {"name": "db", "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "serviceName": "db",
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "db", "image": image}]},
                },
                **spec,
            },
        }
    )


class Watched:
    """A cluster with the controller, and a record of what came and went."""

    def __init__(self, *, played: bool = True, **kubelet: float) -> None:
        self.cluster = Cluster()
        client = self.cluster.client("kube-controller-manager")
        StatefulSetController(self.cluster.sim, client=client)
        GarbageCollector(self.cluster.sim, client=client)
        self.history: list[str] = []
        self.cluster.client("watcher").informer(Pod).add_handler(self._seen)
        if played:
            PlayedKubelet(self.cluster, **kubelet)

    def _seen(self, old: Pod | None, new: Pod | None) -> None:
        if old is None and new is not None:
            self.history.append(f"+{new.name}")
        elif new is None and old is not None:
            self.history.append(f"-{old.name}")

    def get(self) -> StatefulSet:
        """The StatefulSet as it is."""
        return self.cluster.api.get(StatefulSet, "default/db")

    def change(self, **spec: Any) -> None:
        """Change its spec."""
        self.cluster.update(
            StatefulSet, "default/db", lambda old: old.replace(spec=old.spec.replace(**spec))
        )

    def names(self) -> list[str]:
        """The names of the pods that there are."""
        return sorted(pod.name for pod in self.cluster.pods())


def test_pods_come_one_after_the_other() -> None:
    """Number n is created when all before it are ready, and not before."""
    watched = Watched(ready_s=10)
    watched.cluster.api.create(stateful_set())
    watched.cluster.run(5)
    assert ["db-0"] == watched.names()
    watched.cluster.run(10)
    assert ["db-0", "db-1"] == watched.names()
    watched.cluster.run(30)
    assert ["+db-0", "+db-1", "+db-2"] == watched.history
    assert (3, 3, 3) == (
        watched.get().status.replicas,
        watched.get().status.ready_replicas,
        watched.get().status.current_replicas,
    )


def test_parallel_pods_come_at_once() -> None:
    """Parallel waits for nobody."""
    watched = Watched(ready_s=60)
    watched.cluster.api.create(stateful_set(podManagementPolicy="Parallel"))
    watched.cluster.run(2)
    assert ["db-0", "db-1", "db-2"] == watched.names()


def test_scaling_down_begins_at_the_top() -> None:
    """The highest number goes first, and the next when it is gone."""
    watched = Watched()
    watched.cluster.api.create(stateful_set(4))
    watched.cluster.run(20)
    watched.history.clear()
    watched.change(replicas=1)
    watched.cluster.run(20)
    assert ["-db-3", "-db-2", "-db-1"] == watched.history


def test_a_lost_pod_comes_back_under_its_name() -> None:
    """A pod that was deleted is replaced by one of the same number."""
    watched = Watched()
    watched.cluster.api.create(stateful_set())
    watched.cluster.run(20)
    before = watched.cluster.pod("db-1").uid
    watched.cluster.api.delete(Pod, "default/db-1")
    watched.cluster.run(20)
    assert ["db-0", "db-1", "db-2"] == watched.names()
    assert before != watched.cluster.pod("db-1").uid


def test_an_update_goes_down_to_the_partition() -> None:
    """Pods are replaced from the top, one at a time; those below the partition stay as they are."""
    watched = Watched()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    watched.cluster.api.create(stateful_set(updateStrategy=strategy))
    watched.cluster.run(20)
    watched.history.clear()
    new = stateful_set(image="db:2")
    watched.change(template=new.spec.template)
    watched.cluster.run(30)
    assert ["-db-2", "+db-2", "-db-1", "+db-1"] == watched.history
    images = [watched.cluster.pod(f"db-{n}").spec.containers[0].image for n in range(3)]
    assert ["db:1", "db:2", "db:2"] == images
    status = watched.get().status
    assert (1, 2) == (status.current_replicas, status.updated_replicas)


def test_a_pod_below_the_partition_keeps_its_revision() -> None:
    """A pod that is lost during a partitioned update comes back as it was."""
    watched = Watched()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}
    watched.cluster.api.create(stateful_set(updateStrategy=strategy))
    watched.cluster.run(20)
    watched.change(template=stateful_set(image="db:2").spec.template)
    watched.cluster.run(5)
    before = watched.cluster.pod("db-1").metadata.labels[REVISION_LABEL]
    watched.cluster.api.delete(Pod, "default/db-1")
    watched.cluster.run(20)
    assert before == watched.cluster.pod("db-1").metadata.labels[REVISION_LABEL]


def test_on_delete_waits_for_the_user() -> None:
    """With OnDelete a new template replaces nothing by itself."""
    watched = Watched()
    watched.cluster.api.create(stateful_set(updateStrategy={"type": "OnDelete"}))
    watched.cluster.run(20)
    watched.history.clear()
    watched.change(template=stateful_set(image="db:2").spec.template)
    watched.cluster.run(20)
    assert [] == watched.history


def test_each_pod_has_a_claim_that_outlives_it() -> None:
    """Claims are named after template and pod, mounted under the template's name, and stay."""
    watched = Watched()
    watched.cluster.api.create(stateful_set(2, volumeClaimTemplates=[CLAIM]))
    watched.cluster.run(20)
    watched.change(replicas=1)
    watched.cluster.run(20)
    claims = sorted(claim.name for claim in watched.cluster.api.list(PersistentVolumeClaim))
    assert ["data-db-0", "data-db-1"] == claims
    (volume,) = watched.cluster.pod("db-0").spec.volumes
    assert volume.persistent_volume_claim is not None
    assert ("data", "data-db-0") == (volume.name, volume.persistent_volume_claim.claim_name)


def test_pods_have_an_identity() -> None:
    """Name, host name, subdomain and labels say which one it is."""
    watched = Watched()
    watched.cluster.api.create(stateful_set(1, ordinals={"start": 5}))
    watched.cluster.run(5)
    pod = watched.cluster.pod("db-5")
    assert ("db-5", "db") == (pod.spec.hostname, pod.spec.subdomain)
    assert "5" == pod.metadata.labels["apps.kubernetes.io/pod-index"]
    assert "db-5" == pod.metadata.labels["statefulset.kubernetes.io/pod-name"]


def test_its_pods_go_with_it() -> None:
    """Deleting the set deletes its pods."""
    watched = Watched()
    watched.cluster.api.create(stateful_set())
    watched.cluster.run(20)
    watched.cluster.api.delete(StatefulSet, "default/db")
    watched.cluster.run(20)
    assert [] == watched.names()


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_minimum_ready_seconds_hold_the_next_one_back(policy: str) -> None:
    """In order, the next pod waits until the one before was ready for long enough."""
    watched = Watched()
    watched.cluster.api.create(stateful_set(2, minReadySeconds=30, podManagementPolicy=policy))
    watched.cluster.run(10)
    expected = ["db-0"] if policy == "OrderedReady" else ["db-0", "db-1"]
    assert expected == watched.names()
    watched.cluster.run(60)
    assert ["db-0", "db-1"] == watched.names()
    assert 2 == watched.get().status.available_replicas


def test_pods_that_are_nobodys_are_adopted() -> None:
    """By name and labels; one with the name and other labels stays as it is, and in the way."""
    watched = Watched()
    watched.cluster.api.create(pod("db-1", labels={"app": "db"}))
    watched.cluster.api.create(pod("db-2", labels={"app": "other"}))
    watched.cluster.api.create(stateful_set(replicas=2, podManagementPolicy="Parallel"))
    watched.cluster.run(5)
    one, two = (watched.cluster.pod(name) for name in ("db-1", "db-2"))

    assert ["db"] == [owner.name for owner in one.metadata.owner_references]
    assert () == two.metadata.owner_references
    assert 2 == watched.get().status.replicas


def test_a_set_that_was_deleted_without_its_pods_finds_them_again() -> None:
    """Orphaned with --cascade=orphan, the pods and the revision belong to the new set of that name."""
    watched = Watched()
    watched.cluster.api.create(stateful_set(replicas=2))
    watched.cluster.run(5)
    before = {p.name: p.uid for p in watched.cluster.pods()}
    watched.cluster.api.delete(StatefulSet, "default/db", propagation_policy="Orphan")
    watched.cluster.run(2)
    assert [()] * 2 == [p.metadata.owner_references for p in watched.cluster.pods()]
    new = watched.cluster.api.create(stateful_set(replicas=2))
    watched.cluster.run(5)

    assert before == {p.name: p.uid for p in watched.cluster.pods()}
    owners = {o.uid for p in watched.cluster.pods() for o in p.metadata.owner_references}
    assert {new.uid} == owners


def test_claims_are_told_of() -> None:
    """An Event for each claim that is made, with its pod."""
    watched = Watched()
    watched.cluster.api.create(stateful_set(replicas=1, volumeClaimTemplates=[CLAIM]))
    watched.cluster.run(3)

    assert "Create Claim data-db-0 Pod db-0 in StatefulSet db success" in watched.cluster.events(
        "SuccessfulCreate"
    )
