"""VolumeZone: a pod runs in the zone and region of its volumes.

Mirrors: pkg/scheduler/framework/plugins/volumezone/volume_zone.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import PersistentVolume, PersistentVolumeClaim, Pod
from kubesim.api.metav1 import KubeObject
from kubesim.api.storagev1 import StorageClass
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
    PreFilterPlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import SKIP, Status
from kubesim.controlplane.scheduler.framework.volumes import (
    WAIT_FOR_FIRST_CONSUMER,
    class_of_claim,
)

NAME = "VolumeZone"
REFUSAL = Status.unresolvable("node(s) had no available volume zone", plugin=NAME)

TOPOLOGY_LABELS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
}
"""The labels that place a volume, and the names they have today."""


@dataclass(frozen=True, slots=True)
class StateData:
    """The places that the pod's volumes allow: label and values, all of which must hold."""

    places: tuple[tuple[str, frozenset[str]], ...]

    def clone(self) -> StateData:
        """Itself: it never changes."""
        return self


class VolumeZone(PreFilterPlugin, FilterPlugin, EnqueueExtensions):
    """Refuses nodes outside of the volumes' zones.

    Args:
        handle: What the plugin may see.
    """

    name: ClassVar[str] = NAME

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        change = ActionType.ADD | ActionType.UPDATE
        node = ActionType.ADD | ActionType.UPDATE_NODE_LABEL
        return (
            ClusterEventWithHint(
                ClusterEvent(EventResource.STORAGE_CLASS, ActionType.ADD), after_class_added
            ),
            ClusterEventWithHint(ClusterEvent(EventResource.NODE, node)),
            ClusterEventWithHint(
                ClusterEvent(EventResource.PERSISTENT_VOLUME_CLAIM, change), after_claim_change
            ),
            ClusterEventWithHint(
                ClusterEvent(EventResource.PERSISTENT_VOLUME, change), after_volume_change
            ),
        )

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        allowed: list[tuple[str, frozenset[str]]] = []
        for name in info.signature.claim_names:
            found = self._places_of(f"{info.signature.namespace}/{name}")
            if isinstance(found, str):
                return None, Status.unresolvable(found, plugin=NAME)
            allowed.extend(found)
        if not allowed:
            return None, SKIP
        state.write(StateData(tuple(allowed)))
        return None, None

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        labels = node.node.metadata.labels
        if not any(label in labels for label in TOPOLOGY_LABELS):
            return None
        for label, values in state.read(StateData).places:
            if labels.get(label, labels.get(TOPOLOGY_LABELS[label])) not in values:
                return REFUSAL
        return None

    def _places_of(self, key: str) -> Sequence[tuple[str, frozenset[str]]] | str:
        """Where a claim's volume is, or what is wrong with the claim."""
        name = key.rpartition("/")[2]
        claim = self._handle.lister.get(PersistentVolumeClaim, key)
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        volume_name = claim.spec.volume_name
        if not volume_name:
            return self._unbound(claim)
        volume = self._handle.lister.get(PersistentVolume, volume_name)
        if volume is None:
            return f'persistentvolume "{volume_name}" not found'
        return places(volume.metadata.labels)

    def _unbound(self, claim: PersistentVolumeClaim) -> Sequence[tuple[str, frozenset[str]]] | str:
        class_name = class_of_claim(claim)
        if not class_name:
            return "PersistentVolumeClaim had no pv name and storageClass name"
        storage_class = self._handle.lister.get(StorageClass, class_name)
        if storage_class is None:
            return f'storageclass.storage.k8s.io "{class_name}" not found'
        if storage_class.volume_binding_mode is None:
            return f'VolumeBindingMode not set for StorageClass "{class_name}"'
        if storage_class.volume_binding_mode == WAIT_FOR_FIRST_CONSUMER:
            return ()
        return "PersistentVolume had no name"


def places(labels: Mapping[str, str]) -> list[tuple[str, frozenset[str]]]:
    """The places in a volume's labels; a value may name several zones, joined by ``__``."""
    return [
        (label, frozenset(part.strip() for part in labels[label].split("__")))
        for label in TOPOLOGY_LABELS
        if label in labels and all(part.strip() for part in labels[label].split("__"))
    ]


def after_class_added(_pod: Pod, _old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """A class came that lets claims wait for their pods."""
    assert isinstance(new, StorageClass)
    waits = new.volume_binding_mode == WAIT_FOR_FIRST_CONSUMER
    return QueueingHint.QUEUE if waits else QueueingHint.SKIP


def after_claim_change(pod: Pod, _old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """One of the pod's own claims came or changed."""
    mine = (
        new is not None
        and new.namespace == pod.namespace
        and any(
            volume.persistent_volume_claim is not None
            and volume.persistent_volume_claim.claim_name == new.name
            for volume in pod.spec.volumes
        )
    )
    return QueueingHint.QUEUE if mine else QueueingHint.SKIP


def after_volume_change(_pod: Pod, old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """A volume came, or moved."""
    assert new is not None
    if old is None or places(old.metadata.labels) != places(new.metadata.labels):
        return QueueingHint.QUEUE
    return QueueingHint.SKIP
