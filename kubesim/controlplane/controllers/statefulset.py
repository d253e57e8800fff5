"""The StatefulSet controller: numbered pods, each with a name that stays.

Mirrors: pkg/controller/statefulset (stateful_set.go, stateful_set_control.go, stateful_pod_control.go).
Departs: what ``ordinals`` departs in; orphaned pods are not adopted.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.appsv1 import StatefulSet, StatefulSetStatus
from kubesim.api.corev1 import PersistentVolumeClaim, Pod, PodTemplateSpec
from kubesim.api.podutil import is_pod_ready
from kubesim.controlplane.client import (
    AlreadyExists,
    Client,
    Controller,
    NotFound,
    Recorder,
    StatusError,
)
from kubesim.controlplane.controllers import ordinals
from kubesim.controlplane.controllers.indexes import BY_CONTROLLER, controller_uids
from kubesim.facts import StartupPhaseEnded
from kubesim.sim import Sim, SimProcess

WORKERS = 5  # --concurrent-statefulset-syncs


class StatefulSetController(Controller):
    """Reconciles StatefulSets."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._recorder = Recorder(sim, component="statefulset-controller")
        self._templates: dict[str, dict[str, PodTemplateSpec]] = {}
        self._wanted_since_ns: dict[str, int] = {}
        self._sets = client.informer(StatefulSet)
        self._sets.add_handler(self._set_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_CONTROLLER, controller_uids)
        self._pods.add_handler(self._pod_changed)
        self._claims = client.informer(PersistentVolumeClaim)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Take the next step, and report."""
        stateful_set = self._sets.get(key)
        if stateful_set is None:
            self._wanted_since_ns.pop(key, None)
            return
        owned = self._pods.by_index(BY_CONTROLLER, stateful_set.uid)
        update = ordinals.revision_of(stateful_set)
        templates = self._templates.setdefault(stateful_set.uid, {})
        templates[update] = stateful_set.spec.template
        if stateful_set.metadata.deletion_timestamp is None:
            pods = ordinals.Pods.of(stateful_set, owned)
            step = ordinals.next_step(stateful_set, pods, update=update, wall_ns=self._sim.wall_ns)
            creations = [
                self._sim.process(self._create(stateful_set, number, update))
                for number in step.create
            ]
            for pod in step.delete:
                yield from self._delete(stateful_set, pod)
            if creations:
                yield self._sim.all_of(creations)
            refusals = [process.value for process in creations if process.value is not None]
            if refusals:
                raise refusals[0]
        yield from self._update_status(stateful_set, owned, update)

    def _create(
        self, stateful_set: StatefulSet, number: int, update: str
    ) -> SimProcess[StatusError | None]:
        """Create a pod and the claims that it lacks; returns the refusal."""
        name = self._revision_for(stateful_set, number, update)
        template = self._templates[stateful_set.uid][name]
        pod = ordinals.pod_of(stateful_set, number, template, name)
        try:
            for claim in ordinals.claims_of(stateful_set, number):
                if self._claims.get(claim.key) is None:
                    yield from self._create_claim(claim)
            created = yield from self._client.create(pod)
        except StatusError as error:
            if not isinstance(error, AlreadyExists):
                message = (
                    f"create Pod {pod.name} in StatefulSet {stateful_set.name} failed error: "
                    f"{error.message}"
                )
                self._recorder.warning(stateful_set, "FailedCreate", message)
            return error
        message = f"create Pod {pod.name} in StatefulSet {stateful_set.name} successful"
        self._recorder.normal(stateful_set, "SuccessfulCreate", message)
        self._sim.emit(
            StartupPhaseEnded(
                namespace=created.namespace,
                name=created.name,
                uid=created.uid,
                container="",
                phase="controller",
                began_ns=self._wanted_since_ns.get(stateful_set.key, self._sim.now),
            )
        )
        return None

    def _create_claim(self, claim: PersistentVolumeClaim) -> SimProcess[None]:
        try:
            yield from self._client.create(claim)
        except AlreadyExists:
            return

    def _delete(self, stateful_set: StatefulSet, pod: Pod) -> SimProcess[None]:
        try:
            yield from self._client.delete(Pod, pod.key, uid=pod.uid)
        except NotFound:
            return
        message = f"delete Pod {pod.name} in StatefulSet {stateful_set.name} successful"
        self._recorder.normal(stateful_set, "SuccessfulDelete", message)

    def _revision_for(self, stateful_set: StatefulSet, number: int, update: str) -> str:
        """The revision that a new pod of that number should have."""
        lowest = ordinals.start(stateful_set) + ordinals.partition(stateful_set)
        current = stateful_set.status.current_revision
        rolls = stateful_set.spec.update_strategy.type != "OnDelete"
        if rolls and number < lowest and current in self._templates[stateful_set.uid]:
            return current
        return update

    def _update_status(
        self, stateful_set: StatefulSet, owned: tuple[Pod, ...], update: str
    ) -> SimProcess[None]:
        status = self._status(stateful_set, owned, update)
        if status != stateful_set.status:
            try:
                yield from self._client.update_status(stateful_set.replace(status=status))
            except NotFound:
                return
        soon_ns = ordinals.next_available_in_ns(stateful_set, owned, wall_ns=self._sim.wall_ns)
        if soon_ns is not None:
            self.queue.add_after(stateful_set.key, soon_ns)

    def _status(
        self, stateful_set: StatefulSet, owned: tuple[Pod, ...], update: str
    ) -> StatefulSetStatus:
        min_ready, wall_ns = stateful_set.spec.min_ready_seconds or 0, self._sim.wall_ns
        current = stateful_set.status.current_revision or update
        staying = [pod for pod in owned if pod.metadata.deletion_timestamp is None]
        revisions = [ordinals.revision(pod) for pod in staying]
        ready = sum(pod.status.phase == "Running" and is_pod_ready(pod) for pod in owned)
        updated = revisions.count(update)
        on_current = revisions.count(current)
        rolls = stateful_set.spec.update_strategy.type != "OnDelete"
        if rolls and updated == len(owned) == ready:
            current, on_current = update, updated
        return StatefulSetStatus(
            observed_generation=stateful_set.metadata.generation,
            replicas=len(owned),
            ready_replicas=ready,
            current_replicas=on_current,
            updated_replicas=updated,
            current_revision=current,
            update_revision=update,
            collision_count=0,
            available_replicas=sum(ordinals.is_available(p, min_ready, wall_ns) for p in owned),
        )

    def _set_changed(self, old: StatefulSet | None, new: StatefulSet | None) -> None:
        changed = new or old
        assert changed is not None
        if new is None:
            self._templates.pop(changed.uid, None)
        elif old is None or ordinals.replicas(old) != ordinals.replicas(new):
            self._wanted_since_ns[changed.key] = self._sim.now
        self.queue.add(changed.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        owner = next((o for o in pod.metadata.owner_references if o.controller), None)
        if owner is None or owner.kind != "StatefulSet":
            return
        self.queue.add(f"{pod.namespace}/{owner.name}")
