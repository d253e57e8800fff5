"""Whether a pod lets its node go: the rules, in order; the first that has an opinion decides.

Mirrors: kubernetes/autoscaler cluster-autoscaler/simulator/drainability/rules (Default) and
utils/drain.
Departs: a replicated pod is one with a controller of a known kind; how many replicas it has is not
asked (``--min-replica-count`` 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from kubesim.api.corev1 import Pod, Volume
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import controller_of
from kubesim.api.podutil import is_pod_terminal
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.sim.time import SECOND

SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_LOCAL_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
MIRROR = "kubernetes.io/config.mirror"
LONG_TERMINATING_EXTRA_NS = 30 * SECOND
DEFAULT_GRACE_SECONDS = 30
CONTROLLERS = ("ReplicaSet", "ReplicationController", "StatefulSet", "Job", "DaemonSet")


class Drainability(Enum):
    """What becomes of a pod when its node goes; the blocking ones by upstream's names."""

    SKIP = "Skip"
    DRAIN = "Drain"
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
        skip_nodes_with_system_pods: A pod of kube-system without a budget blocks.
        skip_nodes_with_local_storage: A pod with a directory on the node blocks.
    """

    skip_nodes_with_system_pods: bool = True
    skip_nodes_with_local_storage: bool = True


def drainability(  # noqa: PLR0911  # one return a rule
    pod: Pod, budgets: Sequence[PodDisruptionBudget], rules: DrainRules, now_ns: int
) -> Drainability:
    """What becomes of a pod when its node goes.

    Args:
        pod: The pod.
        budgets: All disruption budgets.
        rules: The flags.
        now_ns: Nanoseconds since the epoch.
    """
    owner = controller_of(pod)
    annotations = pod.metadata.annotations
    if MIRROR in annotations or _terminating_too_long(pod, now_ns):
        return Drainability.SKIP
    if owner is not None and owner.kind == "DaemonSet":
        return Drainability.SKIP
    if annotations.get(SAFE_TO_EVICT) == "true" or is_pod_terminal(pod):
        return Drainability.DRAIN
    if owner is None or owner.kind not in CONTROLLERS:
        return Drainability.NOT_REPLICATED
    matching = [budget for budget in budgets if protects(budget, pod)]
    system = pod.namespace == "kube-system" and not matching
    if rules.skip_nodes_with_system_pods and system:
        return Drainability.UNMOVABLE_SYSTEM_POD
    if annotations.get(SAFE_TO_EVICT) == "false":
        return Drainability.NOT_SAFE_TO_EVICT
    if rules.skip_nodes_with_local_storage and _has_local_storage(pod):
        return Drainability.LOCAL_STORAGE
    if any((budget.status.disruptions_allowed or 0) < 1 for budget in matching):
        return Drainability.NOT_ENOUGH_PDB
    return Drainability.DRAIN


def protects(budget: PodDisruptionBudget, pod: Pod) -> bool:
    """Whether a budget is about a pod."""
    return pod.namespace == budget.namespace and label_selector_matches(
        budget.spec.selector, pod.metadata.labels
    )


def _terminating_too_long(pod: Pod, now_ns: int) -> bool:
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
