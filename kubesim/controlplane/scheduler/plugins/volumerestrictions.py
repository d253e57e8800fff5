"""VolumeRestrictions: some volumes can be used by one pod, or on one node, at a time.

Mirrors: pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import PersistentVolumeClaim, Pod, PodSpec, Volume
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
    QueueingHint,
)
from kubesim.controlplane.scheduler.framework.interface import (
    EnqueueExtensions,
    FilterPlugin,
    Handle,
    PreFilterExtensions,
    PreFilterPlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import SKIP, Status

NAME = "VolumeRestrictions"
DISK_CONFLICT = Status.unschedulable("node(s) had no available disk", plugin=NAME)
IN_USE = Status.unschedulable(
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already "
    "in-use by another pod",
    plugin=NAME,
)


@dataclass(slots=True)
class PreFilterState:
    """The pod's claims for exclusive use, and how many of them are in use."""

    exclusive: frozenset[str]
    conflicts: int

    def clone(self) -> PreFilterState:
        """A copy for a what-if evaluation."""
        return PreFilterState(self.exclusive, self.conflicts)


class VolumeRestrictions(PreFilterPlugin, PreFilterExtensions, FilterPlugin, EnqueueExtensions):
    """Refuses nodes where a volume of the pod is in use already.

    Args:
        handle: What the plugin may see.
    """

    name: ClassVar[str] = NAME

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        claim = ClusterEvent(EventResource.PERSISTENT_VOLUME_CLAIM, ActionType.ADD)
        pod = ClusterEvent(EventResource.POD, ActionType.DELETE)
        node = ClusterEvent(EventResource.NODE, ActionType.ADD)
        return (
            ClusterEventWithHint(pod, after_pod_deleted),
            ClusterEventWithHint(node),
            ClusterEventWithHint(claim, after_claim_added),
        )

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        signature = info.signature
        exclusive = set()
        for name in signature.claim_names:
            claim = self._handle.lister.get(PersistentVolumeClaim, f"{signature.namespace}/{name}")
            if claim is None:
                message = f'persistentvolumeclaim "{name}" not found'
                return None, Status.unresolvable(message, plugin=NAME)
            if "ReadWriteOncePod" in claim.spec.access_modes:
                exclusive.add(name)
        keys = {f"{signature.namespace}/{name}" for name in exclusive}
        conflicts = sum(
            any(key in node.claims for node in self._handle.snapshot.node_infos) for key in keys
        )
        if not conflicts and not any(map(is_disk, signature.spec.volumes)):
            return None, SKIP
        state.write(PreFilterState(frozenset(exclusive), conflicts))
        return None, None

    @override
    def add_pod(self, state: CycleState, info: PodInfo, added: PodInfo, node: NodeInfo) -> None:
        known = state.read(PreFilterState)
        known.conflicts += sum(name in known.exclusive for name in added.signature.claim_names)

    @override
    def remove_pod(self, state: CycleState, info: PodInfo, gone: PodInfo, node: NodeInfo) -> None:
        known = state.read(PreFilterState)
        known.conflicts -= sum(name in known.exclusive for name in gone.signature.claim_names)

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        specs = (other.signature.spec for other in node.pods)
        if disks_conflict(info.signature.spec, specs):
            return DISK_CONFLICT
        return IN_USE if state.read(PreFilterState).conflicts > 0 else None


def is_disk(volume: Volume) -> bool:
    """Whether a volume is a disk that cannot be shared freely."""
    return any(
        (volume.gce_persistent_disk, volume.aws_elastic_block_store, volume.rbd, volume.iscsi)
    )


def disks_conflict(spec: PodSpec, others: Iterable[PodSpec]) -> bool:
    """Whether a disk of a pod is in use by one of the others."""
    disks = [volume for volume in spec.volumes if is_disk(volume)]
    if not disks:
        return False
    return any(
        _same_disk(disk, volume) for other in others for volume in other.volumes for disk in disks
    )


def _same_disk(one: Volume, other: Volume) -> bool:
    gce, gce2 = one.gce_persistent_disk, other.gce_persistent_disk
    if gce is not None and gce2 is not None and gce.pd_name == gce2.pd_name:
        return not (gce.read_only and gce2.read_only)
    ebs, ebs2 = one.aws_elastic_block_store, other.aws_elastic_block_store
    if ebs is not None and ebs2 is not None:
        return ebs.volume_id == ebs2.volume_id
    iscsi, iscsi2 = one.iscsi, other.iscsi
    if iscsi is not None and iscsi2 is not None and iscsi.iqn == iscsi2.iqn:
        return not (iscsi.read_only and iscsi2.read_only)
    rbd, rbd2 = one.rbd, other.rbd
    if rbd is None or rbd2 is None or not set(rbd.monitors) & set(rbd2.monitors):
        return False
    same = (rbd.pool, rbd.image) == (rbd2.pool, rbd2.image)
    return same and not (rbd.read_only and rbd2.read_only)


def _claim_names(pod: Pod) -> set[str]:
    return {
        volume.persistent_volume_claim.claim_name
        for volume in pod.spec.volumes
        if volume.persistent_volume_claim is not None
    }


def after_pod_deleted(pod: Pod, old: KubeObject | None, _new: KubeObject | None) -> QueueingHint:
    """A pod went that used a disk or a claim of this pod."""
    assert isinstance(old, Pod)
    if old.namespace != pod.namespace:
        return QueueingHint.SKIP
    frees = disks_conflict(pod.spec, [old.spec]) or _claim_names(pod) & _claim_names(old)
    return QueueingHint.QUEUE if frees else QueueingHint.SKIP


def after_claim_added(pod: Pod, _old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """One of the pod's own claims came."""
    assert new is not None
    mine = new.namespace == pod.namespace and new.name in _claim_names(pod)
    return QueueingHint.QUEUE if mine else QueueingHint.SKIP
