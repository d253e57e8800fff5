"""Whether a pod lets its node go: the rules, in order; the first that has an opinion decides.

Mirrors: kubernetes/autoscaler cluster-autoscaler/simulator/drainability/rules (Default) and
utils/drain.
Departs: ReplicationControllers do not exist; a DaemonSet pod never asks whether its DaemonSet is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from kubesim.api.corev1 import Pod, Volume
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import controller_of
from kubesim.api.podutil import is_pod_terminal
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.sim.time import HOUR, SECOND

SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_LOCAL_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
MIRROR = "kubernetes.io/config.mirror"
LONG_TERMINATING_EXTRA_NS = 30 * SECOND
DEFAULT_GRACE_SECONDS = 30
CONTROLLERS = ("ReplicaSet", "ReplicationController", "StatefulSet", "Job")
WITH_REPLICAS = ("ReplicaSet", "StatefulSet", "Job")

Replicas = Callable[[Pod], int | None]
"""How many replicas a pod's controller wants; ``None`` if it is not there."""


class Drainability(Enum):
    """What becomes of a pod when its node goes; the blocking ones by upstream's names."""

    SKIP = "Skip"
    DRAIN = "Drain"
    CONTROLLER_NOT_FOUND = "ControllerNotFound"
    MIN_REPLICAS_REACHED = "MinReplicasReached"
    NOT_REPLICATED = "NotReplicated"
    UNMOVABLE_SYSTEM_POD = "UnmovableKubeSystemPod"
    NOT_SAFE_TO_EVICT = "NotSafeToEvictAnnotation"
    LOCAL_STORAGE = "LocalStorageRequested"
    NOT_ENOUGH_PDB = "NotEnoughPdb"

    @property
    def blocks(self) -> bool:
        """Whether the node has to stay."""
        return self not in (Drainability.SKIP, Drainability.DRAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainRules:
    """The flags.

    Attributes:
        skip_nodes_with_system_pods: A pod of kube-system without a budget blocks,
        system_pod_timeout_ns: until it is so old.
        skip_nodes_with_local_storage: A pod with a directory on the node blocks.
        skip_nodes_with_custom_controller_pods: A pod of an unknown kind of controller blocks.
        min_replica_count: A ReplicaSet with fewer replicas blocks.
    """

    skip_nodes_with_system_pods: bool = True
    system_pod_timeout_ns: int = HOUR
    skip_nodes_with_local_storage: bool = True
    skip_nodes_with_custom_controller_pods: bool = True
    min_replica_count: int = 0


def drainability(  # noqa: PLR0911  # one return a rule
    pod: Pod,
    budgets: Sequence[PodDisruptionBudget],
    rules: DrainRules,
    now_ns: int,
    replicas: Replicas | None = None,
) -> Drainability:
    """What becomes of a pod when its node goes.

    Args:
        pod: The pod.
        budgets: All disruption budgets.
        rules: The flags.
        now_ns: Nanoseconds since the epoch.
        replicas: What is known of controllers; without it nothing is asked of them.
    """
    owner = controller_of(pod)
    annotations = pod.metadata.annotations
    if MIRROR in annotations or terminating_too_long(pod, now_ns):
        return Drainability.SKIP
    if rules.skip_nodes_with_custom_controller_pods and replicas is not None:
        verdict = _of_controller(pod, rules, replicas)
        if verdict is not None:
            return verdict
    if owner is not None and owner.kind == "DaemonSet":
        return Drainability.SKIP
    if annotations.get(SAFE_TO_EVICT) == "true" or is_pod_terminal(pod):
        return Drainability.DRAIN
    known = not rules.skip_nodes_with_custom_controller_pods
    if owner is None or not (known or owner.kind in CONTROLLERS):
        return Drainability.NOT_REPLICATED
    matching = [budget for budget in budgets if protects(budget, pod)]
    if rules.skip_nodes_with_system_pods and pod.namespace == "kube-system" and not matching:
        created_ns = pod.metadata.creation_timestamp
        if created_ns is not None and now_ns > created_ns + rules.system_pod_timeout_ns:
            return Drainability.DRAIN
        return Drainability.UNMOVABLE_SYSTEM_POD
    if annotations.get(SAFE_TO_EVICT) == "false":
        return Drainability.NOT_SAFE_TO_EVICT
    if rules.skip_nodes_with_local_storage and _has_local_storage(pod):
        return Drainability.LOCAL_STORAGE
    if any((budget.status.disruptions_allowed or 0) < 1 for budget in matching):
        return Drainability.NOT_ENOUGH_PDB
    return Drainability.DRAIN


def _of_controller(pod: Pod, rules: DrainRules, replicas: Replicas) -> Drainability | None:
    owner = controller_of(pod)
    if owner is None or owner.kind not in WITH_REPLICAS:
        return None
    wanted = replicas(pod)
    if wanted is None:
        return Drainability.CONTROLLER_NOT_FOUND
    if owner.kind == "ReplicaSet" and wanted < rules.min_replica_count:
        return Drainability.MIN_REPLICAS_REACHED
    return None


def protects(budget: PodDisruptionBudget, pod: Pod) -> bool:
    """Whether a budget is about a pod."""
    return pod.namespace == budget.namespace and label_selector_matches(
        budget.spec.selector, pod.metadata.labels
    )


def terminating_too_long(pod: Pod, now_ns: int) -> bool:
    """Whether a pod should have ended some time ago."""
    deleted_ns = pod.metadata.deletion_timestamp
    if deleted_ns is None:
        return False
    grace = pod.spec.termination_grace_period_seconds
    seconds = DEFAULT_GRACE_SECONDS if grace is None else grace
    return now_ns > deleted_ns + seconds * SECOND + LONG_TERMINATING_EXTRA_NS


def _has_local_storage(pod: Pod) -> bool:
    listed = pod.metadata.annotations.get(SAFE_LOCAL_VOLUMES, "").split(",")
    return any(_is_local(volume) and volume.name not in listed for volume in pod.spec.volumes)


def _is_local(volume: Volume) -> bool:
    if volume.host_path is not None:
        return True
    return volume.empty_dir is not None and volume.empty_dir.medium != "Memory"
