"""The StatefulSet controller: numbered pods, each with a name that stays.

Mirrors: pkg/controller/statefulset (stateful_set.go, stateful_set_control.go, stateful_pod_control.go).
Departs: what ``ordinals`` and ``history`` depart in; a claim's owner is set when it is made and when its
pod is scaled away, not when the retention policy is changed.
"""

from __future__ import annotations

from typing import TypeVar

from typing_extensions import override

from kubesim.api.appsv1 import ControllerRevision, StatefulSet, StatefulSetStatus
from kubesim.api.corev1 import PersistentVolumeClaim, Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import KubeObject, controller_of
from kubesim.api.podutil import is_pod_ready
from kubesim.controlplane.client import (
    AlreadyExists,
    Client,
    Conflict,
    Controller,
    Informer,
    NotFound,
    Recorder,
    StatusError,
)
from kubesim.controlplane.controllers import history, ordinals
from kubesim.controlplane.controllers.claiming import claim
from kubesim.controlplane.controllers.consistency import ConsistencyStore
from kubesim.controlplane.controllers.indexes import (
    BY_CONTROLLER,
    ORPHANS,
    controller_uids,
    orphan_namespaces,
)
from kubesim.controlplane.controllers.podcontrol import slow_start_batches
from kubesim.facts import StartupPhaseEnded
from kubesim.sim import Sim, SimProcess

K = TypeVar("K", bound=KubeObject)

WORKERS = 5  # --concurrent-statefulset-syncs


class StatefulSetController(Controller):
    """Reconciles StatefulSets."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._recorder = Recorder(sim, component="statefulset-controller", client=client)
        self._wanted_since_ns: dict[str, int] = {}
        self._sets = client.informer(StatefulSet)
        self._sets.add_handler(self._set_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_CONTROLLER, controller_uids)
        self._pods.add_index(ORPHANS, orphan_namespaces)
        self._pods.add_handler(self._pod_changed)
        self._claims = client.informer(PersistentVolumeClaim)
        self._revisions = client.informer(ControllerRevision)
        self._revisions.add_index(BY_CONTROLLER, controller_uids)
        self._revisions.add_index(ORPHANS, orphan_namespaces)
        self._consistency = ConsistencyStore(self._sets, self._pods, self._claims)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Take the next step, and report."""
        self._consistency.ensure_ready(key)
        stateful_set = self._sets.get(key)
        if stateful_set is None:
            self._consistency.clear(key)
            self._wanted_since_ns.pop(key, None)
            return
        revisions = history.in_order((yield from self._claimed(stateful_set, self._revisions)))
        owned = tuple((yield from self._claimed(stateful_set, self._pods)))
        update = yield from history.update_revision(
            self._client, stateful_set, stateful_set.spec.template, revisions
        )
        named = stateful_set.status.current_revision
        current = next((one for one in revisions if one.name == named), update)
        refusal, updating = None, 0
        if stateful_set.metadata.deletion_timestamp is None:
            pods = ordinals.Pods.of(stateful_set, owned)
            wall_ns = self._sim.wall_ns
            step = ordinals.next_step(stateful_set, pods, update=update.name, wall_ns=wall_ns)
            refusal = yield from self._take(stateful_set, step, current, update)
            updating = int(step.is_update)
        yield from self._update_status(
            stateful_set, owned, current=current.name, update=update.name, updating=updating
        )
        if refusal is not None:
            raise refusal
        live = {current.name, update.name, *map(ordinals.revision, owned)}
        limit = stateful_set.spec.revision_history_limit
        yield from history.truncate(self._client, revisions, live=live, limit=limit)

    def _claimed(self, stateful_set: StatefulSet, informer: Informer[K]) -> SimProcess[list[K]]:
        """Its pods or revisions, with the orphans among those that bear its name."""
        orphans = informer.by_index(ORPHANS, stateful_set.namespace)
        return claim(
            self._client,
            stateful_set,
            selector=stateful_set.spec.selector,
            owned=informer.by_index(BY_CONTROLLER, stateful_set.uid),
            orphans=[o for o in orphans if o.name.rpartition("-")[0] == stateful_set.name],
        )

    def _take(
        self,
        stateful_set: StatefulSet,
        step: ordinals.Step,
        current: ControllerRevision,
        update: ControllerRevision,
    ) -> SimProcess[StatusError | None]:
        """Create and delete; pods that come at once come in batches of 1, 2, 4, ..."""
        # The batches are of all numbers, those among them whose pods are there already.
        numbers = list(step.of or step.create)
        for size in slow_start_batches(len(numbers)):
            batch = [
                self._sim.process(self._create(stateful_set, number, current, update))
                for number in numbers[:size]
                if number in step.create
            ]
            del numbers[:size]
            if batch:
                yield self._sim.all_of(batch)
            refusals: list[StatusError] = [p.value for p in batch if p.value is not None]
            if refusals:
                return refusals[0]
        going = [self._sim.process(self._delete(stateful_set, pod)) for pod in step.delete]
        if going:
            yield self._sim.all_of(going)
        refused: list[StatusError] = [p.value for p in going if p.value is not None]
        return refused[0] if refused else None

    def _create(
        self,
        stateful_set: StatefulSet,
        number: int,
        current: ControllerRevision,
        update: ControllerRevision,
    ) -> SimProcess[StatusError | None]:
        """Create a pod and the claims that it lacks; returns the refusal."""
        revision = self._revision_for(stateful_set, number, current, update)
        is_update = revision.name == update.name
        template = stateful_set.spec.template if is_update else history.template_of(revision)
        pod = ordinals.pod_of(stateful_set, number, template, revision.name)
        try:
            for wanted in ordinals.claims_of(stateful_set, number):
                if self._claims.get(wanted.key) is None:
                    yield from self._create_claim(wanted, stateful_set, pod)
            created = yield from self._client.create(pod)
        except StatusError as error:
            if not isinstance(error, AlreadyExists):
                message = (
                    f"Create Pod {pod.name} in StatefulSet {stateful_set.name} failed error: "
                    f"{error.message}"
                )
                self._recorder.warning(stateful_set, "FailedCreate", message)
            return error
        self._consistency.wrote(stateful_set.key, created)
        message = f"Create Pod {pod.name} in StatefulSet {stateful_set.name} successful"
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

    def _create_claim(
        self, wanted: PersistentVolumeClaim, stateful_set: StatefulSet, pod: Pod
    ) -> SimProcess[None]:
        whose = f"Claim {wanted.name} Pod {pod.name} in StatefulSet {stateful_set.name}"
        try:
            yield from self._client.create(wanted)
        except AlreadyExists:
            return
        self._recorder.normal(stateful_set, "SuccessfulCreate", f"Create {whose} success")

    def _delete(self, stateful_set: StatefulSet, pod: Pod) -> SimProcess[StatusError | None]:
        """Delete a pod; returns the refusal. Claims that should go with it then belong to it."""
        try:
            yield from self._release_claims(stateful_set, pod)
            yield from self._client.delete(Pod, pod.key, uid=pod.uid)
        except NotFound:
            return None
        except StatusError as error:
            message = (
                f"Delete Pod {pod.name} in StatefulSet {stateful_set.name} failed error: "
                f"{error.message}"
            )
            self._recorder.warning(stateful_set, "FailedDelete", message)
            return error
        message = f"Delete Pod {pod.name} in StatefulSet {stateful_set.name} successful"
        self._recorder.normal(stateful_set, "SuccessfulDelete", message)
        return None

    def _release_claims(self, stateful_set: StatefulSet, pod: Pod) -> SimProcess[None]:
        number = ordinals.ordinal(pod)
        if number is None or not ordinals.claims_go_with(stateful_set, number):
            return
        for mine in ordinals.claims_of(stateful_set, number):
            if self._claims.get(mine.key) is not None:
                yield from self._client.patch(
                    PersistentVolumeClaim,
                    mine.key,
                    lambda found: ordinals.owned_by_pod(found, pod),
                )

    def _revision_for(
        self,
        stateful_set: StatefulSet,
        number: int,
        current: ControllerRevision,
        update: ControllerRevision,
    ) -> ControllerRevision:
        """The revision that a new pod of that number should have."""
        lowest = ordinals.start(stateful_set) + ordinals.partition(stateful_set)
        rolls = stateful_set.spec.update_strategy.type != "OnDelete"
        return current if rolls and number < lowest else update

    def _update_status(
        self,
        stateful_set: StatefulSet,
        owned: tuple[Pod, ...],
        *,
        current: str,
        update: str,
        updating: int,
    ) -> SimProcess[None]:
        status = self._status(stateful_set, owned, current, update)
        status = status.replace(current_replicas=(status.current_replicas or 0) - updating)
        status = _completed(stateful_set, status)
        if status != stateful_set.status:
            try:
                updated = yield from self._client.update_status(
                    stateful_set.replace(status=status)
                )
            except Conflict:
                fresh = yield from self._client.get(StatefulSet, stateful_set.key)
                updated = yield from self._client.update_status(fresh.replace(status=status))
            except NotFound:
                return
            self._consistency.wrote(stateful_set.key, updated)
        soon_ns = ordinals.next_available_in_ns(stateful_set, owned, wall_ns=self._sim.wall_ns)
        if soon_ns is not None:
            self.queue.add_after(stateful_set.key, soon_ns)

    def _status(
        self, stateful_set: StatefulSet, owned: tuple[Pod, ...], current: str, update: str
    ) -> StatefulSetStatus:
        min_ready, wall_ns = stateful_set.spec.min_ready_seconds or 0, self._sim.wall_ns
        staying = [pod for pod in owned if pod.metadata.deletion_timestamp is None]
        revisions = [ordinals.revision(pod) for pod in staying]
        return StatefulSetStatus(
            observed_generation=stateful_set.metadata.generation,
            replicas=len(owned),
            ready_replicas=sum(
                pod.status.phase == "Running" and is_pod_ready(pod) for pod in owned
            ),
            current_replicas=revisions.count(current),
            updated_replicas=revisions.count(update),
            current_revision=current,
            update_revision=update,
            collision_count=0,
            available_replicas=sum(
                ordinals.is_long_enough_ready(p, min_ready, wall_ns) for p in owned
            ),
        )

    def _set_changed(self, old: StatefulSet | None, new: StatefulSet | None) -> None:
        changed = new or old
        assert changed is not None
        resized = old is None or new is None or ordinals.replicas(old) != ordinals.replicas(new)
        if new is not None and resized:
            self._wanted_since_ns[changed.key] = self._sim.now
        self.queue.add(changed.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for pod in (old, new):
            owner = None if pod is None else controller_of(pod)
            if pod is not None and owner is not None and owner.kind == "StatefulSet":
                self.queue.add(f"{pod.namespace}/{owner.name}")
        if new is not None and controller_of(new) is None:
            self._orphan_changed(new)

    def _orphan_changed(self, pod: Pod) -> None:
        """Somebody may want to adopt it."""
        found = self._sets.get(f"{pod.namespace}/{pod.name.rpartition('-')[0]}")
        if found is not None and label_selector_matches(found.spec.selector, pod.metadata.labels):
            self.queue.add(found.key)


def _completed(stateful_set: StatefulSet, status: StatefulSetStatus) -> StatefulSetStatus:
    """The status, which at the end of a rolling update calls the new revision the current one."""
    total = ordinals.replicas(stateful_set)
    counts = (status.updated_replicas, status.ready_replicas, status.replicas)
    if stateful_set.spec.update_strategy.type == "OnDelete" or counts != (total, total, total):
        return status
    return status.replace(
        current_replicas=status.updated_replicas, current_revision=status.update_revision
    )
