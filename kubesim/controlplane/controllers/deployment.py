"""The Deployment controller: one ReplicaSet a template, and a careful way from one to the next.

Mirrors: pkg/controller/deployment (deployment_controller.go, sync.go, rolling.go, recreate.go,
util/deployment_util.go).
Departs: no rollback and no proportional scaling in the middle of a rollout yet; the pod template
hash is FNV-1a over our own writing of the template, so its value differs from a real cluster's.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.appsv1 import (
    Deployment,
    DeploymentStatus,
    ReplicaSet,
    ReplicaSetSpec,
)
from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import LabelSelector, ObjectMeta, new_controller_ref
from kubesim.controlplane.client import AlreadyExists, Client, Controller, NotFound, Recorder
from kubesim.controlplane.controllers import rollout
from kubesim.controlplane.controllers.indexes import BY_CONTROLLER, controller_uids
from kubesim.sim import Sim, SimProcess

WORKERS = 5  # --concurrent-deployment-syncs


class DeploymentController(Controller):
    """Reconciles Deployments."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._recorder = Recorder(sim, component="deployment-controller")
        self._deployments = client.informer(Deployment)
        self._deployments.add_handler(self._deployment_changed)
        self._replica_sets = client.informer(ReplicaSet)
        self._replica_sets.add_index(BY_CONTROLLER, controller_uids)
        self._replica_sets.add_handler(self._replica_set_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_CONTROLLER, controller_uids)
        self._pods.add_handler(self._pod_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Bring the ReplicaSets one step nearer to the wanted template and number, and report."""
        deployment = self._deployments.get(key)
        if deployment is None:
            return
        owned = list(self._replica_sets.by_index(BY_CONTROLLER, deployment.uid))
        if deployment.metadata.deletion_timestamp is None and not deployment.spec.paused:
            yield from self._step(deployment, owned)
            owned = list(self._replica_sets.by_index(BY_CONTROLLER, deployment.uid))
        yield from self._update_status(deployment, owned)

    def _step(self, deployment: Deployment, owned: list[ReplicaSet]) -> SimProcess[None]:
        new = rollout.find_new(deployment, owned)
        old = [rs for rs in owned if rs is not new]
        if new is not None and (synced := rollout.synced(deployment, new, old)) != new:
            new = yield from self._client.update(synced)
        if deployment.spec.strategy.type == "Recreate":
            yield from self._recreate(deployment, new, old)
        else:
            yield from self._roll(deployment, new, old)
        if rollout.is_complete(deployment):
            yield from self._clean_up(deployment, old)

    def _roll(
        self, deployment: Deployment, new: ReplicaSet | None, old: list[ReplicaSet]
    ) -> SimProcess[None]:
        if new is None:
            yield from self._create(deployment, old)
            return
        wanted = rollout.new_replicas(deployment, new, [*old, new])
        if wanted != rollout.replicas(new):
            yield from self._scale(deployment, new, wanted)
            return
        for replica_set, smaller in rollout.old_replicas(deployment, new, old):
            yield from self._scale(deployment, replica_set, smaller)

    def _recreate(
        self, deployment: Deployment, new: ReplicaSet | None, old: list[ReplicaSet]
    ) -> SimProcess[None]:
        active = [rs for rs in old if rollout.replicas(rs)]
        for replica_set in active:
            yield from self._scale(deployment, replica_set, 0)
        remaining = [pod for rs in old for pod in self._pods.by_index(BY_CONTROLLER, rs.uid)]
        if active or any(pod.status.phase not in ("Succeeded", "Failed") for pod in remaining):
            return
        if new is None:
            yield from self._create(deployment, old)
        elif rollout.replicas(new) != rollout.wanted(deployment):
            yield from self._scale(deployment, new, rollout.wanted(deployment))

    def _create(self, deployment: Deployment, old: list[ReplicaSet]) -> SimProcess[None]:
        """Create the ReplicaSet of the current template."""
        new = new_replica_set(deployment, revision=rollout.max_revision(old) + 1)
        size = rollout.new_replicas(deployment, new, [*old, new])
        new = new.replace(spec=new.spec.replace(replicas=size))
        try:
            created = yield from self._client.create(new)
        except AlreadyExists:
            return  # made by an earlier sync; the cache will show it
        self._scaled(deployment, created, before=0, after=size)

    def _scale(
        self, deployment: Deployment, replica_set: ReplicaSet, size: int
    ) -> SimProcess[None]:
        before = rollout.replicas(replica_set)
        annotations = replica_set.metadata.annotations.merge(rollout.size_annotations(deployment))
        changed = replica_set.replace(
            metadata=replica_set.metadata.replace(annotations=annotations),
            spec=replica_set.spec.replace(replicas=size),
        )
        yield from self._client.update(changed)
        self._scaled(deployment, replica_set, before=before, after=size)

    def _scaled(
        self, deployment: Deployment, replica_set: ReplicaSet, *, before: int, after: int
    ) -> None:
        if before != after:
            direction = "up" if after > before else "down"
            message = f"Scaled {direction} replica set {replica_set.name} from {before} to {after}"
            self._recorder.normal(deployment, "ScalingReplicaSet", message)

    def _clean_up(self, deployment: Deployment, old: list[ReplicaSet]) -> SimProcess[None]:
        for replica_set in rollout.superfluous(deployment, old):
            try:
                yield from self._client.delete(ReplicaSet, replica_set.key)
            except NotFound:
                continue

    def _update_status(self, deployment: Deployment, owned: list[ReplicaSet]) -> SimProcess[None]:
        status: DeploymentStatus = rollout.status(deployment, owned, wall_ns=self._sim.wall_ns)
        new = rollout.find_new(deployment, owned)
        revision = {} if new is None else {rollout.REVISION: str(rollout.revision(new))}
        annotations = deployment.metadata.annotations.merge(revision)
        if (status, annotations) == (deployment.status, deployment.metadata.annotations):
            return

        def reported(current: Deployment) -> Deployment:
            noted = current.metadata.annotations.merge(revision)
            metadata = current.metadata.replace(annotations=noted)
            return current.replace(metadata=metadata, status=status)

        try:
            yield from self._client.patch(Deployment, deployment.key, reported, status=True)
        except NotFound:
            return

    def _deployment_changed(self, old: Deployment | None, new: Deployment | None) -> None:
        changed = new or old
        assert changed is not None
        self.queue.add(changed.key)

    def _replica_set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        changed = new or old
        assert changed is not None
        self._enqueue_owner(changed, "Deployment")

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        # Only a Recreate rollout waits for pods to be gone; all else is seen on the ReplicaSets.
        if new is not None or old is None:
            return
        owner = next((o for o in old.metadata.owner_references if o.controller), None)
        if owner is not None and owner.kind == "ReplicaSet":
            replica_set = self._replica_sets.get(f"{old.namespace}/{owner.name}")
            if replica_set is not None:
                self._enqueue_owner(replica_set, "Deployment")

    def _enqueue_owner(self, replica_set: ReplicaSet, kind: str) -> None:
        for owner in replica_set.metadata.owner_references:
            if owner.controller and owner.kind == kind:
                self.queue.add(f"{replica_set.namespace}/{owner.name}")


def new_replica_set(deployment: Deployment, *, revision: int) -> ReplicaSet:
    """The ReplicaSet of the Deployment's current template; its size is decided later."""
    template = deployment.spec.template
    hashed = rollout.template_hash(deployment)
    labels = template.metadata.labels.set(rollout.HASH_LABEL, hashed)
    selector = deployment.spec.selector
    owner = new_controller_ref(deployment)
    annotations = deployment.metadata.annotations.without(*rollout.NOT_COPIED).merge(
        {rollout.REVISION: str(revision), **rollout.size_annotations(deployment)}
    )
    return ReplicaSet(
        metadata=ObjectMeta(
            name=f"{deployment.name}-{hashed}",
            namespace=deployment.namespace,
            labels=labels,
            annotations=annotations,
            owner_references=(owner,),
        ),
        spec=ReplicaSetSpec(
            min_ready_seconds=deployment.spec.min_ready_seconds,
            selector=LabelSelector(
                match_labels=selector.match_labels.set(rollout.HASH_LABEL, hashed),
                match_expressions=selector.match_expressions,
            ),
            template=template.replace(metadata=template.metadata.replace(labels=labels)),
        ),
    )
