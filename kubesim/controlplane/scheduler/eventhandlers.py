"""What the scheduler does when it hears of a change.

Pods with a node go to the cache, pods without one to the queue, nodes to the cache; and everything
that may help a waiting pod is told to the queue as a cluster event.

Mirrors: pkg/scheduler/eventhandlers.go.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.api.appsv1 import ReplicaSet, StatefulSet
from kubesim.api.corev1 import (
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    ReplicationController,
    Service,
)
from kubesim.api.metav1 import KubeObject
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.api.storagev1 import CSINode, StorageClass, VolumeAttachment
from kubesim.controlplane.scheduler.cache import Cache
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.events import (
    ASSIGNED_POD_ADD,
    ASSIGNED_POD_DELETE,
    NODE_ADD,
    NODE_DELETE,
    ActionType,
    ClusterEvent,
    EventResource,
    node_changes,
    pod_changes,
)
from kubesim.controlplane.scheduler.queue import (
    SchedulingQueue,
    at_most_priority,
    nomination_changed,
)

OTHER_KINDS: tuple[tuple[type[KubeObject], EventResource], ...] = (
    (PersistentVolume, EventResource.PERSISTENT_VOLUME),
    (PersistentVolumeClaim, EventResource.PERSISTENT_VOLUME_CLAIM),
    (StorageClass, EventResource.STORAGE_CLASS),
    (CSINode, EventResource.CSI_NODE),
    (VolumeAttachment, EventResource.VOLUME_ATTACHMENT),
)
"""What else can make a waiting pod schedulable."""

LISTED_KINDS: tuple[type[KubeObject], ...] = (
    Namespace,
    Service,
    ReplicationController,
    ReplicaSet,
    StatefulSet,
    PodDisruptionBudget,
)
"""What plugins look up without waiting for it."""


class EventHandlers:
    """Keeps cache and queue in step with the informers.

    Args:
        engine: Whose cache it is, and whose profiles.
        queue: The waiting pods.
        changed: Called after each change, when something may be due later.
    """

    def __init__(
        self, engine: Engine, *, queue: SchedulingQueue, changed: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._cache: Cache = engine.cache
        self._queue = queue
        self._changed = changed

    def on_pod(self, old: Pod | None, new: Pod | None) -> None:
        """A pod was added, changed or deleted."""
        if new is None:
            assert old is not None
            self._deleted(old)
        elif new.status.phase in ("Succeeded", "Failed"):
            self._ended(old)
        elif old is None:
            self._added(new)
        elif old.spec.node_name:
            self._cache.update_pod(new)
            for event in pod_changes(new, old):
                self._queue.move_all(event, old, new)
        elif new.spec.node_name:
            self._assigned(new)
            if self._ours(old):
                self._queue.delete(old)
        elif self._ours(old):
            self._waiting_changed(old, new)
        self._changed()

    def on_node(self, old: Node | None, new: Node | None) -> None:
        """A node was added, changed or deleted."""
        if new is None:
            assert old is not None
            self._queue.move_all(NODE_DELETE, old, None)
            self._cache.remove_node(old.name)
        elif old is None:
            self._cache.add_node(new)
            self._queue.move_all(NODE_ADD, None, new)
        else:
            self._cache.update_node(new)
            for event in node_changes(new, old):
                self._queue.move_all(event, old, new)
        self._changed()

    def on_other(
        self, resource: EventResource
    ) -> Callable[[KubeObject | None, KubeObject | None], None]:
        """The handler for a kind that only plugins look at."""

        def handler(old: KubeObject | None, new: KubeObject | None) -> None:
            action = ActionType.UPDATE
            if old is None:
                action = ActionType.ADD
            elif new is None:
                action = ActionType.DELETE
            self._queue.move_all(ClusterEvent(resource, action), old, new)
            self._changed()

        return handler

    def _ours(self, pod: Pod) -> bool:
        return self._engine.framework_for(pod) is not None

    def _added(self, pod: Pod) -> None:
        if pod.spec.node_name:
            self._assigned(pod)
        elif self._ours(pod):
            self._queue.add(pod)

    def _assigned(self, pod: Pod) -> None:
        self._cache.add_pod(pod)
        self._queue.move_all(ASSIGNED_POD_ADD, None, pod)

    def _ended(self, old: Pod | None) -> None:
        """Upstream's informer hides pods that have ended: ending is a deletion."""
        if old is not None and old.status.phase not in ("Succeeded", "Failed"):
            self._deleted(old)

    def _deleted(self, pod: Pod) -> None:
        if pod.status.phase in ("Succeeded", "Failed"):
            return
        if pod.spec.node_name:
            self._cache.remove_pod(pod.uid)
            self._queue.move_all(ASSIGNED_POD_DELETE, pod, None)
        elif self._ours(pod):
            self._queue.delete(pod)
            if self._cache.is_assumed(pod.uid):
                self._assumed_deleted(pod)
            elif pod.status.nominated_node_name:
                self._queue.move_all(ASSIGNED_POD_DELETE, pod, None, at_most_priority(pod))

    def _waiting_changed(self, old: Pod, new: Pod) -> None:
        if self._cache.is_assumed(new.uid):
            was_deleted = old.metadata.deletion_timestamp is not None
            if new.metadata.deletion_timestamp is not None and not was_deleted:
                self._assumed_deleted(new)
            return
        self._queue.update(old, new)
        if nomination_changed(old, new):
            self._queue.move_all(ASSIGNED_POD_DELETE, old, None, at_most_priority(old))

    def _assumed_deleted(self, pod: Pod) -> None:
        """A pod that was promised a node went away before it was bound."""
        node_name = self._cache.node_name_of(pod.uid)
        self._cache.forget_pod(pod.uid)
        self._engine.waiting_pods.reject(pod.uid)
        left = pod.replace(spec=pod.spec.replace(node_name=node_name))
        self._queue.move_all(ASSIGNED_POD_DELETE, left, None)
