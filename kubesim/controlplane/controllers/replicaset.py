"""The ReplicaSet controller: as many pods as wanted, no more, no less.

Pods are created in batches of 1, 2, 4, ... so that a quota or an admission that refuses them is met
by one request and not by hundreds; at most 500 are created or deleted in one go.

Mirrors: pkg/controller/replicaset/replica_set.go, replica_set_utils.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from typing_extensions import override

from kubesim.api.appsv1 import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from kubesim.api.corev1 import Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import ObjectMeta, new_controller_ref
from kubesim.api.podutil import (
    get_pod_condition,
    is_pod_available,
    is_pod_ready,
    is_pod_terminal,
)
from kubesim.controlplane.client import (
    Client,
    Conflict,
    Controller,
    NotFound,
    Recorder,
    StatusError,
)
from kubesim.controlplane.controllers.claiming import claim
from kubesim.controlplane.controllers.consistency import ConsistencyStore
from kubesim.controlplane.controllers.expectations import Expectations
from kubesim.controlplane.controllers.indexes import (
    BY_CONTROLLER,
    ORPHANS,
    controller_uids,
    orphan_namespaces,
)
from kubesim.controlplane.controllers.podranking import to_delete
from kubesim.facts import StartupPhaseEnded
from kubesim.sim import Process, Sim, SimProcess
from kubesim.sim.time import SECOND

WORKERS = 5  # --concurrent-replicaset-syncs
BURST_REPLICAS = 500
SLOW_START_INITIAL_BATCH = 1
REPLICA_FAILURE = "ReplicaFailure"


class ReplicaSetController(Controller):
    """Reconciles ReplicaSets."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._recorder = Recorder(sim, component="replicaset-controller", client=client)
        self._expectations = Expectations()
        self._wanted_since_ns: dict[str, int] = {}
        self._replica_sets = client.informer(ReplicaSet)
        self._replica_sets.add_index(BY_CONTROLLER, controller_uids)
        self._replica_sets.add_handler(self._replica_set_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_CONTROLLER, controller_uids)
        self._pods.add_index(ORPHANS, orphan_namespaces)
        self._pods.add_handler(self._pod_changed)
        self._consistency = ConsistencyStore(self._replica_sets, self._pods)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Create or delete pods until there are as many as wanted, and report."""
        self._consistency.ensure_ready(key)
        replica_set = self._replica_sets.get(key)
        if replica_set is None:
            self._consistency.clear(key)
            self._expectations.forget(key)
            self._wanted_since_ns.pop(key, None)
            return
        may_act = self._expectations.satisfied(key, now_ns=self._sim.now)
        owned, orphans = self._owned(replica_set), self._orphans(replica_set)
        terminating = sum(_is_terminating(pod) for pod in owned)
        active = yield from claim(
            self._client,
            replica_set,
            selector=replica_set.spec.selector,
            owned=filter(_is_active, owned),
            orphans=filter(_is_active, orphans),
        )
        failure: StatusError | None = None
        if may_act and replica_set.metadata.deletion_timestamp is None:
            failure = yield from self._manage(replica_set, active)
        # The status speaks of the pods from before; those that are new will ask for another sync.
        yield from self._update_status(replica_set, active, terminating, failure)
        if failure is not None:
            raise failure

    def _manage(
        self, replica_set: ReplicaSet, active: list[Pod]
    ) -> SimProcess[StatusError | None]:
        """Create or delete what is missing or too much; returns the first refusal."""
        missing = _replicas(replica_set) - len(active)
        if missing > 0:
            return (yield from self._create(replica_set, min(missing, BURST_REPLICAS)))
        if missing < 0:
            return (yield from self._delete(replica_set, active, min(-missing, BURST_REPLICAS)))
        return None

    def _create(self, replica_set: ReplicaSet, count: int) -> SimProcess[StatusError | None]:
        key = replica_set.key
        self._expectations.expect_creations(key, count, now_ns=self._sim.now)
        template = pod_from_template(replica_set)
        remaining = count
        for size in slow_start_batches(count):
            failures: list[StatusError] = []
            batch = [
                self._sim.process(self._create_one(replica_set, template, failures))
                for _ in range(size)
            ]
            yield self._sim.all_of(batch)
            remaining -= size
            if failures:
                for _ in range(remaining):
                    self._expectations.creation_observed(key)
                return failures[0]
        return None

    def _create_one(
        self, replica_set: ReplicaSet, template: Pod, failures: list[StatusError]
    ) -> SimProcess[None]:
        since_ns = self._wanted_since_ns.get(replica_set.key, self._sim.now)
        try:
            pod = yield from self._client.create(template)
        except StatusError as error:
            if error.has_cause("NamespaceTerminating"):
                return  # nothing will ever come in there again: wait, and say nothing
            self._expectations.creation_observed(replica_set.key)
            self._recorder.warning(replica_set, "FailedCreate", f"Error creating: {error.message}")
            failures.append(error)
            return
        self._consistency.wrote(replica_set.key, pod)
        self._recorder.normal(replica_set, "SuccessfulCreate", f"Created pod: {pod.name}")
        self._sim.emit(
            StartupPhaseEnded(
                namespace=pod.namespace or "",
                name=pod.name,
                uid=pod.uid,
                container="",
                phase="controller",
                began_ns=since_ns,
            )
        )

    def _delete(
        self, replica_set: ReplicaSet, active: list[Pod], count: int
    ) -> SimProcess[StatusError | None]:
        doomed = to_delete(
            active, count, related=self._related(replica_set), wall_ns=self._sim.wall_ns
        )
        keys = [pod.key for pod in doomed]
        self._expectations.expect_deletions(replica_set.key, keys, now_ns=self._sim.now)
        failures: list[StatusError] = []
        deletions: list[Process] = [
            self._sim.process(self._delete_one(replica_set, pod, failures)) for pod in doomed
        ]
        yield self._sim.all_of(deletions)
        return failures[0] if failures else None

    def _delete_one(
        self, replica_set: ReplicaSet, pod: Pod, failures: list[StatusError]
    ) -> SimProcess[None]:
        try:
            yield from self._client.delete(Pod, pod.key, uid=pod.uid)
        except NotFound:
            self._expectations.deletion_observed(replica_set.key, pod.key)
            return
        except StatusError as error:
            self._expectations.deletion_observed(replica_set.key, pod.key)
            self._recorder.warning(replica_set, "FailedDelete", f"Error deleting: {error.message}")
            failures.append(error)
            return
        self._recorder.normal(replica_set, "SuccessfulDelete", f"Deleted pod: {pod.name}")

    def _update_status(
        self,
        replica_set: ReplicaSet,
        active: list[Pod],
        terminating: int,
        failure: StatusError | None,
    ) -> SimProcess[None]:
        status = self._status(replica_set, active).replace(
            terminating_replicas=terminating,
            conditions=_failure_conditions(replica_set, active, failure, self._sim.wall_ns),
        )
        if status != replica_set.status:
            yield from self._write_status(replica_set, status)
        ready, available = status.ready_replicas or 0, status.available_replicas or 0
        min_ready_seconds = replica_set.spec.min_ready_seconds or 0
        if failure is None and min_ready_seconds and available != ready:
            wait_ns = next_availability_in_ns(
                active, min_ready_seconds=min_ready_seconds, wall_ns=self._sim.wall_ns
            )
            self.queue.add_after(replica_set.key, wait_ns)

    def _write_status(self, replica_set: ReplicaSet, status: ReplicaSetStatus) -> SimProcess[None]:
        """Write the status; over a version that is newer than the cache's it is tried once more."""
        try:
            updated = yield from self._client.update_status(replica_set.replace(status=status))
        except Conflict:
            fresh = yield from self._client.get(ReplicaSet, replica_set.key)
            updated = yield from self._client.update_status(fresh.replace(status=status))
        except NotFound:
            return
        self._consistency.wrote(replica_set.key, updated)

    def _status(self, replica_set: ReplicaSet, active: list[Pod]) -> ReplicaSetStatus:
        wanted_labels = replica_set.spec.template.metadata.labels.items()
        min_ready_seconds = replica_set.spec.min_ready_seconds or 0
        wall_ns = self._sim.wall_ns
        return replica_set.status.replace(
            replicas=len(active),
            fully_labeled_replicas=sum(wanted_labels <= p.metadata.labels.items() for p in active),
            ready_replicas=sum(is_pod_ready(pod) for pod in active),
            available_replicas=sum(
                is_pod_available(pod, min_ready_seconds, wall_ns) for pod in active
            ),
            observed_generation=replica_set.metadata.generation,
        )

    def _related(self, replica_set: ReplicaSet) -> list[Pod]:
        """The active pods of all ReplicaSets of its Deployment, or its own when it has none."""
        owners = controller_uids(replica_set)
        siblings = self._replica_sets.by_index(BY_CONTROLLER, owners[0]) if owners else ()
        return [
            pod
            for sibling in siblings or (replica_set,)
            for pod in self._owned(sibling)
            if _is_active(pod)
        ]

    def _owned(self, replica_set: ReplicaSet) -> tuple[Pod, ...]:
        return self._pods.by_index(BY_CONTROLLER, replica_set.uid)

    def _orphans(self, replica_set: ReplicaSet) -> tuple[Pod, ...]:
        return self._pods.by_index(ORPHANS, replica_set.namespace)

    def _replica_set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        changed = new or old
        assert changed is not None
        if new is not None and (old is None or _replicas(old) != _replicas(new)):
            self._wanted_since_ns[changed.key] = self._sim.now
        self.queue.add(changed.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        owner = next((o for o in pod.metadata.owner_references if o.controller), None)
        if owner is None and new is not None:
            self._orphan_changed(new, was_owned=old is not None and bool(controller_uids(old)))
        if owner is None or owner.kind != "ReplicaSet":
            return
        key = f"{pod.namespace}/{owner.name}"
        if new is None or new.metadata.deletion_timestamp is not None:
            self._expectations.deletion_observed(key, pod.key)
        elif old is None:
            self._expectations.creation_observed(key)
        self.queue.add(key)
        replica_set = self._replica_sets.get(key)
        if replica_set is not None and old is not None and new is not None:
            self._watch_availability(replica_set, old, new)

    def _watch_availability(self, replica_set: ReplicaSet, old: Pod, new: Pod) -> None:
        min_ready_seconds = replica_set.spec.min_ready_seconds or 0
        if min_ready_seconds and is_pod_ready(new) and not is_pod_ready(old):
            self.queue.add_after(replica_set.key, min_ready_seconds * SECOND)

    def _orphan_changed(self, pod: Pod, *, was_owned: bool) -> None:
        """Somebody may want to adopt it; its former owner may want another."""
        for replica_set in self._replica_sets.values():
            if replica_set.namespace == pod.namespace and (
                was_owned or label_selector_matches(replica_set.spec.selector, pod.metadata.labels)
            ):
                self.queue.add(replica_set.key)


def next_availability_in_ns(pods: list[Pod], *, min_ready_seconds: int, wall_ns: int) -> int:
    """When the next ready pod will have been so for long enough; at most ``minReadySeconds``."""
    wait_ns = min_ready_seconds * SECOND
    ready = (get_pod_condition(pod.status, "Ready") for pod in pods if is_pod_ready(pod))
    due = (
        condition.last_transition_time + wait_ns - wall_ns
        for condition in ready
        if condition is not None and condition.last_transition_time is not None
    )
    return min((left_ns for left_ns in due if left_ns > 0), default=wait_ns)


def slow_start_batches(count: int) -> Iterator[int]:
    """Sizes that add up to ``count``: 1, 2, 4, ... and what is left."""
    size = SLOW_START_INITIAL_BATCH
    while count > 0:
        batch = min(size, count)
        yield batch
        count -= batch
        size *= 2


def pod_from_template(replica_set: ReplicaSet) -> Pod:
    """The pod to create: the template with an owner and a name to be generated.

    The spec is the template's own object: all replicas share one.
    """
    template = replica_set.spec.template
    owner = new_controller_ref(replica_set)
    return Pod(
        metadata=ObjectMeta(
            generate_name=f"{replica_set.name}-",
            namespace=replica_set.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            owner_references=(owner,),
        ),
        spec=template.spec,
    )


def _failure_conditions(
    replica_set: ReplicaSet, active: list[Pod], failure: StatusError | None, wall_ns: int
) -> tuple[ReplicaSetCondition, ...]:
    """Its conditions: ``ReplicaFailure`` from the first refusal until a sync without one."""
    conditions = replica_set.status.conditions
    if failure is None:
        return tuple(c for c in conditions if c.type != REPLICA_FAILURE)
    if any(c.type == REPLICA_FAILURE for c in conditions):
        return conditions
    made = ReplicaSetCondition(
        type=REPLICA_FAILURE,
        status="True",
        reason="FailedCreate" if len(active) < _replicas(replica_set) else "FailedDelete",
        message=failure.message,
        last_transition_time=wall_ns // SECOND * SECOND,
    )
    return (*conditions, made)


def _is_terminating(pod: Pod) -> bool:
    """Whether it is on its way out and may still run."""
    return not is_pod_terminal(pod) and pod.metadata.deletion_timestamp is not None


def _is_active(pod: Pod) -> bool:
    return not is_pod_terminal(pod) and pod.metadata.deletion_timestamp is None


def _replicas(replica_set: ReplicaSet) -> int:
    return 1 if replica_set.spec.replicas is None else replica_set.spec.replicas
