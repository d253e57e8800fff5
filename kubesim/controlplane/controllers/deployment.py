"""The Deployment controller: one ReplicaSet a template, and a careful way from one to the next.

Every write carries the version that the cache had. One that is behind, which is the rule in a sync that
has written once already, meets a Conflict, and the Deployment is tried again some milliseconds later.

Mirrors: pkg/controller/deployment (deployment_controller.go, sync.go, rolling.go, recreate.go,
util/deployment_util.go).
Departs: the pod template hash is FNV-1a over our own writing of the template, so its value differs
from a real cluster's; the deprecated rollbackTo annotation is not heeded.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.appsv1 import Deployment, ReplicaSet, ReplicaSetSpec
from kubesim.api.corev1 import Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import ConditionStatus, LabelSelector, ObjectMeta, new_controller_ref
from kubesim.controlplane.client import (
    AlreadyExists,
    Client,
    Controller,
    NotFound,
    Recorder,
    StatusError,
)
from kubesim.controlplane.controllers import deploymentstatus as progress
from kubesim.controlplane.controllers import rollout
from kubesim.controlplane.controllers.claiming import claim
from kubesim.controlplane.controllers.indexes import (
    BY_CONTROLLER,
    ORPHANS,
    controller_uids,
    orphan_namespaces,
)
from kubesim.sim import Sim, SimProcess

WORKERS = 5  # --concurrent-deployment-syncs


class DeploymentController(Controller):
    """Reconciles Deployments."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._recorder = Recorder(sim, component="deployment-controller", client=client)
        self._deployments = client.informer(Deployment)
        self._deployments.add_handler(self._deployment_changed)
        self._replica_sets = client.informer(ReplicaSet)
        self._replica_sets.add_index(BY_CONTROLLER, controller_uids)
        self._replica_sets.add_index(ORPHANS, orphan_namespaces)
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
        owned = yield from claim(
            self._client,
            deployment,
            selector=deployment.spec.selector,
            owned=self._replica_sets.by_index(BY_CONTROLLER, deployment.uid),
            orphans=self._replica_sets.by_index(ORPHANS, deployment.namespace),
        )
        sync = _Sync(deployment, owned)
        if deployment.metadata.deletion_timestamp is not None:
            yield from self._revise(sync)
            yield from self._report(sync, rolls=False)
            return
        yield from self._note_pause(sync)
        if not deployment.spec.paused:
            yield from self._revise(sync)
        if deployment.spec.paused or rollout.is_scaling(sync.deployment, sync.all):
            yield from self._scale_only(sync)
        elif deployment.spec.strategy.type == "Recreate":
            yield from self._recreate(sync)
        else:
            yield from self._roll(sync)

    def _note_pause(self, sync: _Sync) -> SimProcess[None]:
        """Say that progress is not expected while paused, so that nobody times out on resuming."""
        deployment = sync.deployment
        said = progress.condition(deployment.status, progress.PROGRESSING)
        if not progress.has_deadline(deployment) or (said and said.reason == progress.TIMED_OUT):
            return
        was_paused = said is not None and said.reason == progress.PAUSED
        if bool(deployment.spec.paused) == was_paused:
            return
        reason, word = (progress.RESUMED, "resumed") if was_paused else (progress.PAUSED, "paused")
        yield from self._say(sync, "Unknown", reason, f"Deployment is {word}")

    def _say(
        self, sync: _Sync, value: ConditionStatus, reason: str, message: str, *, revision: str = ""
    ) -> SimProcess[None]:
        """Write the Progressing condition, and the revision if it is given."""
        status = progress.with_condition(
            sync.deployment.status, progress.PROGRESSING, value, reason, message,
            wall_ns=self._sim.wall_ns,
        )  # fmt: skip
        sync.deployment = _noted(sync.deployment, revision).replace(status=status)
        yield from self._client.update_status(sync.deployment)

    def _revise(self, sync: _Sync, *, create: bool = False) -> SimProcess[None]:
        """Find the ReplicaSet of the template; give it, and the Deployment, the newest revision."""
        if sync.new is None:
            if create:
                yield from self._create(sync)
            return
        synced = rollout.synced(sync.deployment, sync.new, sync.old)
        if synced != sync.new:
            sync.new = yield from self._client.update(synced)
            return
        deployment = sync.deployment
        revision = sync.new.metadata.annotations.get(rollout.REVISION, "")
        unsaid = progress.condition(deployment.status, progress.PROGRESSING) is None
        if progress.has_deadline(deployment) and unsaid:
            message = f'Found new replica set "{sync.new.name}"'
            yield from self._say(sync, "True", progress.FOUND, message, revision=revision)
        elif deployment.metadata.annotations.get(rollout.REVISION) != revision:
            sync.deployment = _noted(deployment, revision)
            yield from self._client.update_status(sync.deployment)

    def _create(self, sync: _Sync) -> SimProcess[None]:
        """Create the ReplicaSet of the current template."""
        deployment = sync.deployment
        revision = rollout.max_revision(sync.old) + 1
        new = new_replica_set(deployment, revision=revision)
        size = rollout.new_replicas(deployment, new, [*sync.old, new])
        new = new.replace(spec=new.spec.replace(replicas=size))
        try:
            sync.new = yield from self._client.create(new)
        except AlreadyExists as error:
            yield from self._met(sync, new, error)
            return
        except StatusError as error:
            message = f'Failed to create new replica set "{new.name}": {error.message}'
            self._recorder.warning(deployment, progress.CREATE_FAILED, message)
            if progress.has_deadline(deployment):
                yield from self._say(sync, "False", progress.CREATE_FAILED, message)
            raise
        if size:
            message = f"Scaled up replica set {new.name} from 0 to {size}"
            self._recorder.normal(deployment, "ScalingReplicaSet", message)
        if progress.has_deadline(deployment):
            message = f'Created new replica set "{new.name}"'
            yield from self._say(sync, "True", progress.CREATED, message, revision=str(revision))
        else:
            sync.deployment = _noted(deployment, str(revision))
            yield from self._client.update_status(sync.deployment)

    def _met(self, sync: _Sync, new: ReplicaSet, error: StatusError) -> SimProcess[None]:
        """The name is taken: by the ReplicaSet itself, made by an earlier sync, or by another's."""
        deployment = sync.deployment
        found = self._replica_sets.get(new.key)
        if found is None:
            raise error  # the cache will show it
        owner = controller_uids(found)
        if owner == (deployment.uid,) and rollout.find_new(deployment, [found]) is not None:
            sync.new = found
            return
        collisions = (deployment.status.collision_count or 0) + 1
        status = deployment.status.replace(collision_count=collisions)
        yield from self._client.update_status(deployment.replace(status=status))
        raise error

    def _scale_only(self, sync: _Sync) -> SimProcess[None]:
        """Another size, or paused: no step of a rollout is taken."""
        yield from self._revise(sync)
        deployment, before = sync.deployment, sync.all
        single = rollout.active_or_latest(sync.new, sync.old)
        if single is not None:
            yield from self._scale(sync, single, rollout.wanted(deployment))
        elif rollout.is_saturated(deployment, sync.new):
            for old in rollout.active(sync.old):
                yield from self._scale(sync, old, 0)
        elif deployment.spec.strategy.type != "Recreate":
            for rs, size in rollout.proportional(deployment, rollout.active(sync.all)):
                yield from self._scale(sync, rs, size, force=True)
        if deployment.spec.paused:
            yield from self._clean_up(sync)
        yield from self._report(sync, rolls=False, sets=before)

    def _roll(self, sync: _Sync) -> SimProcess[None]:
        yield from self._revise(sync, create=True)
        new = sync.new
        assert new is not None
        deployment = sync.deployment
        before = sync.all
        wanted = rollout.new_replicas(deployment, new, before)
        if wanted != rollout.replicas(new):
            yield from self._scale(sync, new, wanted)
        elif steps := rollout.old_replicas(deployment, new, sync.old):
            for rs, size in steps:
                yield from self._scale(sync, rs, size)
        elif progress.is_complete(deployment, deployment.status):
            yield from self._clean_up(sync)
        yield from self._report(sync, rolls=True, sets=before)

    def _recreate(self, sync: _Sync) -> SimProcess[None]:
        yield from self._revise(sync)
        before, going = sync.all, rollout.active(sync.old)
        for rs in going:
            yield from self._scale(sync, rs, 0)
        if not going and not self._old_pods_run(sync):
            if sync.new is None:
                yield from self._create(sync)
            assert sync.new is not None
            before = sync.all
            yield from self._scale(sync, sync.new, rollout.wanted(sync.deployment))
            if progress.is_complete(sync.deployment, sync.deployment.status):
                yield from self._clean_up(sync)
        yield from self._report(sync, rolls=True, sets=before)

    def _old_pods_run(self, sync: _Sync) -> bool:
        if any(rs.status.replicas for rs in sync.old):
            return True
        pods = (pod for rs in sync.old for pod in self._pods.by_index(BY_CONTROLLER, rs.uid))
        return any(pod.status.phase not in ("Succeeded", "Failed") for pod in pods)

    def _scale(
        self, sync: _Sync, replica_set: ReplicaSet, size: int, *, force: bool = False
    ) -> SimProcess[None]:
        """Give a ReplicaSet a size, and note which size the Deployment had; nothing if it has it."""
        replica_set = sync.latest(replica_set)
        before = rollout.replicas(replica_set)
        annotations = replica_set.metadata.annotations.merge(
            rollout.size_annotations(sync.deployment)
        )
        if before == size and not (force and annotations != replica_set.metadata.annotations):
            return
        changed = replica_set.replace(
            metadata=replica_set.metadata.replace(annotations=annotations),
            spec=replica_set.spec.replace(replicas=size),
        )
        updated = yield from self._client.update(changed)
        sync.put(updated)
        if before != size:
            direction = "up" if size > before else "down"
            message = f"Scaled {direction} replica set {replica_set.name} from {before} to {size}"
            self._recorder.normal(sync.deployment, "ScalingReplicaSet", message)

    def _clean_up(self, sync: _Sync) -> SimProcess[None]:
        for replica_set in rollout.superfluous(sync.deployment, sync.old):
            try:
                yield from self._client.delete(ReplicaSet, replica_set.key)
            except NotFound:
                continue

    def _report(
        self, sync: _Sync, *, rolls: bool, sets: list[ReplicaSet] | None = None
    ) -> SimProcess[None]:
        """Write the status if it changed; otherwise see when progress has to be looked at again."""
        deployment = sync.deployment
        calculate = progress.of_rollout if rolls else progress.calculated
        status = calculate(
            deployment, sync.all if sets is None else sets, sync.new, wall_ns=self._sim.wall_ns
        )
        if status != deployment.status:
            yield from self._client.update_status(deployment.replace(status=status))
        elif rolls:
            check_ns = progress.check_progress_in_ns(deployment, status, wall_ns=self._sim.wall_ns)
            if check_ns == 0:
                self.queue.add_rate_limited(deployment.key)
            elif check_ns is not None:
                self.queue.add_after(deployment.key, check_ns)

    def _deployment_changed(self, old: Deployment | None, new: Deployment | None) -> None:
        changed = new or old
        assert changed is not None
        self.queue.add(changed.key)

    def _replica_set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        changed = new or old
        assert changed is not None
        if new is not None and not controller_uids(new):
            for deployment in self._deployments.values():
                mine = deployment.namespace == new.namespace
                if mine and label_selector_matches(deployment.spec.selector, new.metadata.labels):
                    self.queue.add(deployment.key)
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


class _Sync:
    """What one sync knows: the Deployment and its ReplicaSets, as they were read or written."""

    def __init__(self, deployment: Deployment, owned: list[ReplicaSet]) -> None:
        self.deployment = deployment
        self.new = rollout.find_new(deployment, owned)
        self.old = [rs for rs in owned if rs is not self.new]

    @property
    def all(self) -> list[ReplicaSet]:
        """Old ones, then the new one if it exists."""
        return [*self.old, *([self.new] if self.new is not None else [])]

    def latest(self, replica_set: ReplicaSet) -> ReplicaSet:
        """That ReplicaSet as this sync wrote it last."""
        return next((rs for rs in self.all if rs.uid == replica_set.uid), replica_set)

    def put(self, updated: ReplicaSet) -> None:
        """This sync wrote a ReplicaSet."""
        if self.new is not None and self.new.uid == updated.uid:
            self.new = updated
        self.old = [updated if rs.uid == updated.uid else rs for rs in self.old]


def _noted(deployment: Deployment, revision: str) -> Deployment:
    """The Deployment with a revision, if there is one to note."""
    if not revision:
        return deployment
    annotations = deployment.metadata.annotations.set(rollout.REVISION, revision)
    return deployment.replace(metadata=deployment.metadata.replace(annotations=annotations))


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
