"""Volumes: which claims a pod makes, what state they are in, and which volumes may serve them.

Mirrors: pkg/scheduler/framework/plugins/volumebinding/binder.go, component-helpers/storage
(volume, ephemeral).
Departs: in-tree volumes are not translated to CSI; storage capacity objects are not looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubesim.api.corev1 import Node, PersistentVolume, PersistentVolumeClaim, Pod, Volume
from kubesim.api.labels import label_selector_matches, node_selector_matches
from kubesim.api.metav1 import controller_of
from kubesim.api.storagev1 import StorageClass
from kubesim.controlplane.scheduler.framework.listers import Lister

BETA_STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
WAIT_FOR_FIRST_CONSUMER = "WaitForFirstConsumer"


def claim_name(pod_name: str, volume: Volume) -> str | None:
    """The claim that a volume of a pod stands for; ``None`` when it is another kind of volume."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    if volume.ephemeral is not None:
        return f"{pod_name}-{volume.name}"
    return None


def class_of_claim(claim: PersistentVolumeClaim) -> str:
    """The storage class that a claim asks for; empty for none."""
    beta = claim.metadata.annotations.get(BETA_STORAGE_CLASS)
    return beta if beta is not None else claim.spec.storage_class_name or ""


def class_of_volume(volume: PersistentVolume) -> str:
    """The storage class that a volume belongs to; empty for none."""
    beta = volume.metadata.annotations.get(BETA_STORAGE_CLASS)
    return beta if beta is not None else volume.spec.storage_class_name or ""


def is_fully_bound(claim: PersistentVolumeClaim) -> bool:
    """Whether a claim has its volume for good."""
    return bool(claim.spec.volume_name) and BIND_COMPLETED in claim.metadata.annotations


def fits_node(volume: PersistentVolume, node: Node) -> bool:
    """Whether a volume can be reached from a node."""
    affinity = volume.spec.node_affinity
    required = affinity.required if affinity is not None else None
    return required is None or node_selector_matches(required, node)


def is_bound_to(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether a volume was promised to a claim."""
    ref = volume.spec.claim_ref
    if ref is None or ref.name != claim.name or ref.namespace != claim.namespace:
        return False
    return not ref.uid or ref.uid == claim.uid


@dataclass(slots=True)
class Claims:
    """The claims of a pod, by what has to be done about them.

    Attributes:
        bound: They have their volumes.
        delayed: They wait for the pod to have a node.
        immediate: They should have a volume already, but do not.
    """

    bound: list[PersistentVolumeClaim] = field(default_factory=list)
    delayed: list[PersistentVolumeClaim] = field(default_factory=list)
    immediate: list[PersistentVolumeClaim] = field(default_factory=list)


def find_claims(pod: Pod, lister: Lister) -> list[PersistentVolumeClaim] | str:
    """The claims that a pod makes, or what is wrong with one of them."""
    found = []
    for volume in pod.spec.volumes:
        name = claim_name(pod.name, volume)
        if name is None:
            continue
        claim = lister.get(PersistentVolumeClaim, f"{pod.namespace}/{name}")
        if claim is None:
            if volume.ephemeral is not None:
                return (
                    "waiting for ephemeral volume controller to create the "
                    f'persistentvolumeclaim "{name}"'
                )
            return f'persistentvolumeclaim "{name}" not found'
        problem = _problem_of(claim)
        if volume.ephemeral is not None and not problem:
            owner = controller_of(claim)
            if owner is None or owner.uid != pod.uid:
                return (
                    f"PVC {claim.namespace}/{claim.name} was not created for pod "
                    f"{pod.namespace}/{pod.name} (pod is not owner)"
                )
        if problem:
            return problem
        found.append(claim)
    return found


def _problem_of(claim: PersistentVolumeClaim) -> str:
    if claim.status.phase == "Lost":
        return (
            f'persistentvolumeclaim "{claim.name}" bound to non-existent persistentvolume '
            f'"{claim.spec.volume_name or ""}"'
        )
    if claim.metadata.deletion_timestamp is not None:
        return f'persistentvolumeclaim "{claim.name}" is being deleted'
    return ""


def sort_claims(claims: Iterable[PersistentVolumeClaim], lister: Lister) -> Claims:
    """The claims by what has to be done about them."""
    sorted_claims = Claims()
    for claim in claims:
        if is_fully_bound(claim):
            sorted_claims.bound.append(claim)
        elif _is_delayed(claim, lister) and not claim.spec.volume_name:
            sorted_claims.delayed.append(claim)
        else:
            sorted_claims.immediate.append(claim)
    return sorted_claims


def _is_delayed(claim: PersistentVolumeClaim, lister: Lister) -> bool:
    storage_class = lister.get(StorageClass, class_of_claim(claim))
    return (
        storage_class is not None and storage_class.volume_binding_mode == WAIT_FOR_FIRST_CONSUMER
    )


def find_matching_volume(
    claim: PersistentVolumeClaim,
    volumes: Iterable[PersistentVolume],
    node: Node,
    taken: Collection[str],
) -> PersistentVolume | None:
    """The smallest volume that can serve a claim on a node; one that was promised to it wins."""
    smallest: PersistentVolume | None = None
    wanted = claim.spec.resources.requests.get("storage")
    for volume in volumes:
        size = volume.spec.capacity.get("storage")
        if volume.name in taken or not _may_serve(volume, claim):
            continue
        if wanted is not None and (size is None or size < wanted):
            continue
        if is_bound_to(volume, claim):
            return volume if fits_node(volume, node) else None
        if not _is_candidate(volume, claim) or not fits_node(volume, node):
            continue
        if smallest is None or (
            size is not None and size < smallest.spec.capacity.get("storage", size)
        ):
            smallest = volume
    return smallest


def _may_serve(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether nothing speaks against the pair, free or not."""
    if volume.spec.claim_ref is not None and not is_bound_to(volume, claim):
        return False
    if volume.metadata.deletion_timestamp is not None:
        return False
    if (volume.spec.volume_mode or "Filesystem") != (claim.spec.volume_mode or "Filesystem"):
        return False
    attributes = volume.spec.volume_attributes_class_name or ""
    return attributes == (claim.spec.volume_attributes_class_name or "")


def _is_candidate(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether a free volume is of the kind that the claim asks for."""
    if volume.status.phase != "Available":
        return False
    selector = claim.spec.selector
    if selector is not None and not label_selector_matches(selector, volume.metadata.labels):
        return False
    if class_of_volume(volume) != class_of_claim(claim):
        return False
    return set(claim.spec.access_modes) <= set(volume.spec.access_modes)


def allows_topology(storage_class: StorageClass, labels: Mapping[str, str]) -> bool:
    """Whether a class can provision for a node with these labels."""
    terms = storage_class.allowed_topologies
    if not terms:
        return True
    return any(
        all(labels.get(item.key) in item.values for item in term.match_label_expressions)
        for term in terms
        if term.match_label_expressions
    )


def smallest_first(claims: Sequence[PersistentVolumeClaim]) -> list[PersistentVolumeClaim]:
    """The claims by the size they ask for."""

    def size(claim: PersistentVolumeClaim) -> int:
        wanted = claim.spec.resources.requests.get("storage")
        return wanted.nanos if wanted is not None else 0

    return sorted(claims, key=size)
