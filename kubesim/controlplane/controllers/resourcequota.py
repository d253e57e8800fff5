"""The resource quota controller: counts what a namespace uses, and takes over new limits.

The API server charges what comes in; this one gives back what has gone, and does the sum when the
limits change.

Mirrors: pkg/controller/resourcequota (resource_quota_controller.go, resource_quota_monitor.go).
Departs: no full recount every five minutes, as nothing is charged here that was not let in.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.corev1 import Pod, PodSpec, ResourceQuota
from kubesim.api.metav1 import KubeObject
from kubesim.api.podresize import reserved_spec
from kubesim.api.podutil import ResourceList, pod_limits, pod_requests
from kubesim.api.quota import is_counted, restricted, total_usage
from kubesim.api.scheme import SCHEME
from kubesim.controlplane.client import Client, Controller, Informer, NotFound
from kubesim.sim import Sim, SimProcess

WORKERS = 5  # --concurrent-resource-quota-syncs
NOT_COUNTED = frozenset({"Binding", "Event"})


class ResourceQuotaController(Controller):
    """Keeps the status of ResourceQuotas."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._quotas = client.informer(ResourceQuota)
        self._quotas.add_handler(self._quota_changed)
        self._counted: dict[type[KubeObject], Informer[KubeObject]] = {}
        for resource in SCHEME:
            if resource.namespaced and resource.kind not in NOT_COUNTED:
                informer = client.informer(resource.model)
                informer.add_handler(self._object_changed)
                self._counted[resource.model] = informer

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Count, and write the sum and the limits down."""
        quota = self._quotas.get(key)
        if quota is None:
            return
        objects = (
            obj
            for kind, informer in self._counted.items()
            if restricted(kind, quota.spec.hard)
            for obj in informer.values()
            if obj.namespace == quota.namespace
        )
        used = total_usage(quota, objects, wall_ns=self._sim.wall_ns)
        status = quota.status.replace(hard=quota.spec.hard, used=used)
        if status == quota.status:
            return
        try:
            yield from self._client.update_status(quota.replace(status=status))
        except NotFound:
            return

    def _quota_changed(self, old: ResourceQuota | None, new: ResourceQuota | None) -> None:
        if new is not None and (old is None or old.spec.hard != new.spec.hard):
            self.queue.add(new.key)

    def _object_changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        quotas = self._quotas.values()
        if old is None or not quotas or not self._replenishes(old, new):
            return
        for quota in quotas:
            if quota.namespace == old.namespace and restricted(type(old), quota.status.hard):
                self.queue.add(quota.key)

    def _replenishes(self, old: KubeObject, new: KubeObject | None) -> bool:
        """Whether something is given back: an object is gone, a pod is over or has another size."""
        if new is None:
            return True
        if not isinstance(old, Pod) or not isinstance(new, Pod):
            return False
        before, after = reserved_spec(old), reserved_spec(new)
        if before is not after and _size(before) != _size(after):
            return True
        wall_ns = self._sim.wall_ns
        return is_counted(old, wall_ns=wall_ns) and not is_counted(new, wall_ns=wall_ns)


def _size(spec: PodSpec) -> tuple[ResourceList, ResourceList]:
    return pod_requests(spec), pod_limits(spec)
