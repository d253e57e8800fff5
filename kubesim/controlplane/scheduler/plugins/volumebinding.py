"""VolumeBinding: a pod runs where its volumes can be reached, or can be made.

Claims that have a volume bind the pod to the nodes from which it can be reached. Claims that wait
for their first consumer need, on each node, a free volume that fits or a class that can provision
one.

Mirrors: pkg/scheduler/framework/plugins/volumebinding.
Departs: a chosen volume is reserved in the scheduler's memory only; nobody writes the binding to
the claim, as no volume controller is simulated. Storage capacity is not scored, as by default
upstream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Node, PersistentVolume, PersistentVolumeClaim, Pod
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
    PreScorePlugin,
    ReservePlugin,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import SKIP, Status
from kubesim.controlplane.scheduler.framework.volumes import (
    NO_PROVISIONER,
    SELECTED_NODE,
    Claims,
    allows_topology,
    claim_name,
    class_of_claim,
    class_of_volume,
    find_claims,
    find_matching_volume,
    fits_node,
    smallest_first,
    sort_claims,
)

NAME = "VolumeBinding"
NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
BIND_CONFLICT = "node(s) didn't find available persistent volumes to bind"
NO_VOLUME = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND_IMMEDIATE = Status.unresolvable(
    "pod has unbound immediate PersistentVolumeClaims", plugin=NAME
)


@dataclass(slots=True)
class StateData:
    """The pod's claims, and the volumes chosen for them on each node that passed."""

    claims: Claims
    volumes: list[PersistentVolume]
    chosen: dict[str, dict[str, str]] = field(default_factory=dict)

    def clone(self) -> StateData:
        """Itself: what is chosen on a node does not depend on the pods there."""
        return self


class VolumeBinding(
    PreFilterPlugin, FilterPlugin, PreScorePlugin, ScorePlugin, ReservePlugin, EnqueueExtensions
):
    """Refuses nodes where the pod's claims cannot be served.

    Args:
        handle: What the plugin may see.
    """

    name: ClassVar[str] = NAME

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._reserved: dict[str, str] = {}

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        change = ActionType.ADD | ActionType.UPDATE
        node = ActionType.ADD | ActionType.UPDATE_NODE_LABEL
        return (
            ClusterEventWithHint(ClusterEvent(EventResource.STORAGE_CLASS, change)),
            ClusterEventWithHint(
                ClusterEvent(EventResource.PERSISTENT_VOLUME_CLAIM, change), after_claim_change
            ),
            ClusterEventWithHint(ClusterEvent(EventResource.PERSISTENT_VOLUME, change)),
            ClusterEventWithHint(ClusterEvent(EventResource.NODE, node)),
            ClusterEventWithHint(ClusterEvent(EventResource.CSI_NODE, change)),
        )

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        if not info.signature.spec.volumes:
            return None, SKIP
        found = find_claims(info.pod, self._handle.lister)
        if isinstance(found, str):
            return None, Status.unresolvable(found, plugin=NAME)
        if not found:
            return None, SKIP
        claims = sort_claims(found, self._handle.lister)
        if claims.immediate:
            return None, UNBOUND_IMMEDIATE
        volumes = list(self._handle.lister.values(PersistentVolume)) if claims.delayed else []
        state.write(StateData(claims, volumes))
        return None, None

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        known = state.read(StateData)
        reasons = self._bound_problems(known.claims.bound, node.node)
        chosen = self._choose(known, node.node)
        if chosen is None:
            reasons.append(BIND_CONFLICT)
        if NO_VOLUME in reasons:
            reasons.sort(key=NO_VOLUME.__eq__)  # upstream names it last
        if reasons:
            return Status.unresolvable(*reasons, plugin=NAME)
        if chosen:
            known.chosen[node.name] = chosen
        return None

    @override
    def pre_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        return SKIP

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        return 0

    @override
    def reserve(self, state: CycleState, info: PodInfo, node_name: str) -> Status | None:
        self._reserved.update(_chosen_on(state, node_name))
        return None

    @override
    def unreserve(self, state: CycleState, info: PodInfo, node_name: str) -> None:
        for volume in _chosen_on(state, node_name):
            self._reserved.pop(volume, None)

    def _bound_problems(self, claims: Sequence[PersistentVolumeClaim], node: Node) -> list[str]:
        for claim in claims:
            volume = self._handle.lister.get(PersistentVolume, claim.spec.volume_name or "")
            if volume is None:
                return [NO_VOLUME]
            if not fits_node(volume, node):
                return [NODE_CONFLICT]
        return []

    def _choose(self, known: StateData, node: Node) -> dict[str, str] | None:
        """A volume for each claim that waits (by name: its claim); ``None`` if one gets nothing."""
        chosen: dict[str, str] = {}
        to_provision: list[PersistentVolumeClaim] = []
        to_match: list[PersistentVolumeClaim] = []
        for claim in known.claims.delayed:
            selected = claim.metadata.annotations.get(SELECTED_NODE)
            if selected is not None and selected != node.name:
                return None
            (to_match if selected is None else to_provision).append(claim)
        for claim in smallest_first(to_match):
            storage_class = class_of_claim(claim)
            volumes = (item for item in known.volumes if class_of_volume(item) == storage_class)
            taken = {name for name, owner in self._reserved.items() if owner != claim.key}
            volume = find_matching_volume(claim, volumes, node, taken | chosen.keys())
            if volume is None:
                to_provision.append(claim)
            else:
                chosen[volume.name] = claim.key
        return chosen if all(self._can_provision(claim, node) for claim in to_provision) else None

    def _can_provision(self, claim: PersistentVolumeClaim, node: Node) -> bool:
        storage_class = self._handle.lister.get(StorageClass, class_of_claim(claim))
        if storage_class is None or storage_class.provisioner in ("", NO_PROVISIONER):
            return False
        return allows_topology(storage_class, node.metadata.labels)


def after_claim_change(pod: Pod, _old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """One of the pod's own claims came or changed."""
    if new is None or new.namespace != pod.namespace:
        return QueueingHint.SKIP
    names = {claim_name(pod.name, volume) for volume in pod.spec.volumes}
    return QueueingHint.QUEUE if new.name in names else QueueingHint.SKIP


def _chosen_on(state: CycleState, node_name: str) -> dict[str, str]:
    known = state.find(StateData)
    return known.chosen.get(node_name, {}) if known is not None else {}
