"""NodeVolumeLimits: a CSI driver attaches so many volumes to a node and no more.

Mirrors: pkg/scheduler/framework/plugins/nodevolumelimits/csi.go.
Departs: in-tree volumes are not translated to CSI.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import PersistentVolume, PersistentVolumeClaim, Pod
from kubesim.api.metav1 import KubeObject
from kubesim.api.storagev1 import CSINode, StorageClass, VolumeAttachment
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
from kubesim.controlplane.scheduler.framework.volumes import claim_name, class_of_claim

NAME = "NodeVolumeLimits"
REFUSAL = Status.unschedulable("node(s) exceed max volume count", plugin=NAME)


class NodeVolumeLimits(PreFilterPlugin, FilterPlugin, EnqueueExtensions):
    """Refuses nodes that have as many volumes attached as their drivers can.

    Args:
        handle: What the plugin may see.
    """

    name: ClassVar[str] = NAME

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        change = ActionType.ADD | ActionType.UPDATE
        return (
            ClusterEventWithHint(ClusterEvent(EventResource.CSI_NODE, change)),
            ClusterEventWithHint(
                ClusterEvent(EventResource.POD, ActionType.DELETE), after_pod_deleted
            ),
            ClusterEventWithHint(
                ClusterEvent(EventResource.PERSISTENT_VOLUME_CLAIM, ActionType.ADD)
            ),
            ClusterEventWithHint(ClusterEvent(EventResource.VOLUME_ATTACHMENT, ActionType.DELETE)),
        )

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        volumes = info.signature.spec.volumes
        claims = any(claim_name("", volume) is not None for volume in volumes)
        return None, None if claims else SKIP

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        wanted = self._volumes_of(info.pod)
        if isinstance(wanted, str):
            return Status.unresolvable(wanted, plugin=NAME)
        limits = self._limits(node.name)
        if not wanted or not limits:
            return None
        attached: dict[str, str] = {}
        for other in node.pods:
            found = self._volumes_of(other.pod, strict=False)
            assert not isinstance(found, str)
            attached.update(found)
        counts = Counter(attached.values())
        for name, driver in self._attachments(node.name).items():
            counts[driver] += name not in attached
        new = Counter(driver for name, driver in wanted.items() if name not in attached)
        for driver, count in new.items():
            if driver in limits and counts[driver] + count > limits[driver]:
                return REFUSAL
        return None

    def _limits(self, node_name: str) -> dict[str, int]:
        """How many volumes each driver can attach to a node, as far as it says."""
        csi_node = self._handle.lister.get(CSINode, node_name)
        if csi_node is None:
            return {}
        return {
            driver.name: driver.allocatable.count
            for driver in csi_node.spec.drivers
            if driver.allocatable is not None and driver.allocatable.count is not None
        }

    def _volumes_of(self, pod: Pod, *, strict: bool = True) -> dict[str, str] | str:
        """The CSI volumes of a pod (name: driver), or which claim is missing."""
        found: dict[str, str] = {}
        for volume in pod.spec.volumes:
            name = claim_name(pod.name, volume)
            if name is None:
                continue
            claim = self._handle.lister.get(PersistentVolumeClaim, f"{pod.namespace}/{name}")
            if claim is None:
                if strict:
                    missing = f'persistentvolumeclaim "{name}" not found'
                    return f"looking up PVC {pod.namespace}/{name}: {missing}"
                continue
            driver, handle = self._driver_of(claim)
            if driver and handle:
                found[f"{driver}/{handle}"] = driver
        return found

    def _driver_of(self, claim: PersistentVolumeClaim) -> tuple[str, str]:
        """Who attaches the volume of a claim, and under which name."""
        name = claim.spec.volume_name
        volume = self._handle.lister.get(PersistentVolume, name) if name else None
        if volume is not None:
            csi = volume.spec.csi
            return (csi.driver, csi.volume_handle) if csi is not None else ("", "")
        storage_class = self._handle.lister.get(StorageClass, class_of_claim(claim))
        if storage_class is None:
            return "", ""
        return storage_class.provisioner, f"to-be-made-{claim.key}"

    def _attachments(self, node_name: str) -> dict[str, str]:
        """The CSI volumes that are attached to a node (name: driver)."""
        found: dict[str, str] = {}
        for item in self._handle.lister.values(VolumeAttachment):
            name = item.spec.source.persistent_volume_name
            if item.spec.node_name != node_name or not item.spec.attacher or name is None:
                continue
            volume = self._handle.lister.get(PersistentVolume, name)
            if volume is not None and volume.spec.csi is not None:
                found[f"{item.spec.attacher}/{volume.spec.csi.volume_handle}"] = item.spec.attacher
        return found


def after_pod_deleted(pod: Pod, old: KubeObject | None, _new: KubeObject | None) -> QueueingHint:
    """A pod with volumes left a node."""
    assert isinstance(old, Pod)
    if not old.spec.node_name:
        return QueueingHint.SKIP
    helps = any(claim_name(old.name, volume) is not None for volume in old.spec.volumes)
    return QueueingHint.QUEUE if helps and old.uid != pod.uid else QueueingHint.SKIP
