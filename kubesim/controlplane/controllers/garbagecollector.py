"""The garbage collector: what an owner leaves behind goes too.

When an object is gone, the objects that name it as an owner and have no other owner left are
deleted (background propagation, the default).

Mirrors: pkg/controller/garbagecollector.
Departs: no foreground deletion and no orphaning yet; dependents are found by the kinds below.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.appsv1 import ControllerRevision, Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import PersistentVolumeClaim, Pod, Secret, Service
from kubesim.api.discoveryv1 import EndpointSlice
from kubesim.api.metav1 import KubeObject
from kubesim.api.spinv1alpha1 import SpinApp
from kubesim.controlplane.client import Client, Controller, Informer, NotFound
from kubesim.controlplane.controllers.indexes import BY_OWNER, owner_uids
from kubesim.sim import Sim, SimProcess

WORKERS = 20  # --concurrent-gc-syncs
OWNERS: tuple[type[KubeObject], ...] = (
    Deployment,
    ReplicaSet,
    StatefulSet,
    Pod,
    Service,
    SpinApp,
)
DEPENDENTS: tuple[type[KubeObject], ...] = (
    Deployment,
    ReplicaSet,
    ControllerRevision,
    PersistentVolumeClaim,
    Pod,
    Service,
    EndpointSlice,
    Secret,
)


class GarbageCollector(Controller):
    """Deletes what no owner holds any more; its keys are the UIDs of owners that are gone."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._gone: dict[str, None] = {}
        self._dependents: dict[type[KubeObject], Informer[KubeObject]] = {}
        for kind in DEPENDENTS:
            informer = client.informer(kind)
            informer.add_index(BY_OWNER, owner_uids)
            informer.add_handler(self._dependent_changed)
            self._dependents[kind] = informer
        for kind in OWNERS:
            client.informer(kind).add_handler(self._owner_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Delete the dependents of an owner that is gone."""
        for kind, informer in self._dependents.items():
            for dependent in informer.by_index(BY_OWNER, key):
                owned = any(uid not in self._gone for uid in owner_uids(dependent))
                if owned or dependent.metadata.deletion_timestamp is not None:
                    continue
                try:
                    yield from self._client.delete(kind, dependent.key, uid=dependent.uid)
                except NotFound:
                    continue

    def _owner_changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        if new is None and old is not None and old.uid:
            self._gone[old.uid] = None
            self.queue.add(old.uid)

    def _dependent_changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        # A dependent that appears after its owner went (the two informers are not in step).
        if old is None and new is not None:
            for uid in owner_uids(new):
                if uid in self._gone:
                    self.queue.add(uid)
