"""Which pods go first when there are too many. Pure functions.

Mirrors: pkg/controller/controller_utils.go (ActivePodsWithRanks.Less), pkg/controller/replicaset/
replica_set.go (getPodsRankedByRelatedPodsOnSameNode).
Departs: pods that upstream leaves in any order go by their UID.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cmp_to_key

from kubesim.api.corev1 import Pod
from kubesim.api.podutil import get_pod_condition, is_pod_ready

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def to_delete(pods: list[Pod], count: int, *, related: Iterable[Pod], wall_ns: int) -> list[Pod]:
    """The ``count`` pods to delete: those whose loss costs least.

    Args:
        pods: The active pods of one owner.
        count: How many have to go.
        related: The active pods of all owners that share its own owner, its own among them; a node
            with many of them can spare one.
        wall_ns: The time on the wall.
    """
    if count >= len(pods):
        return pods
    colocated = Counter(pod.spec.node_name for pod in related)

    def compare(one: Pod, other: Pod) -> int:
        first, second = (_rank(pod, colocated[pod.spec.node_name]) for pod in (one, other))
        return (first > second) - (first < second) or _compare_ages(one, other, wall_ns)

    return sorted(pods, key=cmp_to_key(compare))[:count]


def _rank(pod: Pod, colocated: int) -> tuple[int, ...]:
    return (
        bool(pod.spec.node_name),
        _PHASES.get(pod.status.phase or "", 0),
        is_pod_ready(pod),
        _deletion_cost(pod),
        -colocated,
    )


def _compare_ages(one: Pod, other: Pod, wall_ns: int) -> int:
    """Negative when ``one`` goes first: ready for less time, more restarts, younger, lower UID."""
    by_uid = (one.uid > other.uid) - (one.uid < other.uid)
    if is_pod_ready(one) and _ready_since(one) != _ready_since(other):
        return (
            _age_class(_ready_since(one), wall_ns) - _age_class(_ready_since(other), wall_ns)
            or by_uid
        )
    if _restarts(one) != _restarts(other):
        return _restarts(other) - _restarts(one)
    created, created_other = (pod.metadata.creation_timestamp or 0 for pod in (one, other))
    return _age_class(created, wall_ns) - _age_class(created_other, wall_ns) or by_uid


def _age_class(since_ns: int, wall_ns: int) -> int:
    """The binary logarithm of an age: pods of about the same age go by their UID, that is, at random."""
    return max(0, wall_ns - since_ns).bit_length()


def _ready_since(pod: Pod) -> int:
    ready = get_pod_condition(pod.status, "Ready")
    return (ready.last_transition_time or 0) if ready is not None else 0


def _restarts(pod: Pod) -> int:
    return max((status.restart_count for status in pod.status.container_statuses), default=0)


def _deletion_cost(pod: Pod) -> int:
    text = pod.metadata.annotations.get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0
