"""Which pods go first when there are too many. Pure functions.

Mirrors: pkg/controller/controller_utils.go (ActivePodsWithRanks.Less).
Departs: ages are compared exactly, not by the binary logarithm of their difference.
"""

from __future__ import annotations

from collections import Counter

from kubesim.api.corev1 import Pod
from kubesim.api.podutil import get_pod_condition, is_pod_ready

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def to_delete(pods: list[Pod], count: int) -> list[Pod]:
    """The ``count`` pods to delete: those whose loss costs least."""
    if count >= len(pods):
        return pods
    colocated = Counter(pod.spec.node_name for pod in pods if pod.status.phase == "Running")
    return sorted(pods, key=lambda pod: _rank(pod, colocated[pod.spec.node_name]))[:count]


def _rank(pod: Pod, colocated: int) -> tuple[object, ...]:
    ready = get_pod_condition(pod.status, "Ready")
    ready_since = (ready.last_transition_time or 0) if ready and ready.status == "True" else 0
    restarts = max((s.restart_count for s in pod.status.container_statuses), default=0)
    return (
        bool(pod.spec.node_name),
        _PHASES.get(pod.status.phase or "", 0),
        is_pod_ready(pod),
        _deletion_cost(pod),
        -colocated,
        -ready_since,
        -restarts,
        -(pod.metadata.creation_timestamp or 0),
        pod.uid,
    )


def _deletion_cost(pod: Pod) -> int:
    text = pod.metadata.annotations.get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0
