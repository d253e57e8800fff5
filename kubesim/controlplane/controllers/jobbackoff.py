"""How long a job waits before it makes another pod in the place of one that failed. Pure functions.

The wait doubles with every pod that failed since the last success: pods, not rounds. It counts from
when the last of them ended, which is known in whole seconds.

Mirrors: pkg/controller/job/backoff_utils.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kubesim.api.corev1 import Pod
from kubesim.api.corev1.containerstatus import ContainerStatus
from kubesim.api.podutil import get_pod_condition
from kubesim.sim.time import MINUTE, SECOND

DEFAULT_BACKOFF_NS = 10 * SECOND  # DefaultJobPodFailureBackOff
MAX_BACKOFF_NS = 10 * MINUTE  # MaxJobPodFailureBackOff


class Backoff(NamedTuple):
    """The failed pods since the last success, and when the last of them ended."""

    failures: int = 0
    last_failure_ns: int = 0


NO_FAILURES = Backoff()


def counted(before: Backoff, *, succeeded: Sequence[Pod], failed: Sequence[Pod]) -> Backoff:
    """The record after some more pods have ended."""
    ends = [finished_ns(pod) for pod in failed]
    if succeeded:
        last_success_ns = max(finished_ns(pod) for pod in succeeded)
        ends = [end for end in ends if end > last_success_ns]
        return Backoff(len(ends), max(ends, default=0))
    if not ends:
        return before
    return Backoff(before.failures + len(ends), max(ends))


def remaining_ns(backoff: Backoff, *, wall_ns: int) -> int:
    """How long from now the next pod has to wait."""
    if not backoff.failures:
        return 0
    wait_ns = min(DEFAULT_BACKOFF_NS << min(backoff.failures - 1, 30), MAX_BACKOFF_NS)
    return max(0, wait_ns - (wall_ns - backoff.last_failure_ns))


def finished_ns(pod: Pod) -> int:
    """When a pod ended, in whole seconds as it is stored: by its containers, or what else tells."""
    at_ns = _containers_finished_ns(pod)
    if at_ns is None:
        ready = get_pod_condition(pod.status, "Ready")
        if ready is not None and ready.status == "False":
            at_ns = ready.last_transition_time
    if at_ns is None and pod.metadata.deletion_timestamp is not None:
        grace = pod.metadata.deletion_grace_period_seconds or 0
        at_ns = pod.metadata.deletion_timestamp - grace * SECOND
    if at_ns is None:
        at_ns = pod.metadata.creation_timestamp or 0
    return at_ns // SECOND * SECOND


def _containers_finished_ns(pod: Pod) -> int | None:
    """When the last container ended; ``None`` while one has not."""
    sidecars = {c.name for c in pod.spec.init_containers if c.restart_policy == "Always"}
    init = [status for status in pod.status.init_container_statuses if status.name in sidecars]
    latest = _latest(pod.status.container_statuses)
    of_sidecars = _latest(init)
    if latest is None or of_sidecars is None:
        return of_sidecars if init else latest
    return max(latest, of_sidecars)


def _latest(statuses: Iterable[ContainerStatus]) -> int | None:
    latest: int | None = None
    for status in statuses:
        terminated = status.state.terminated
        if terminated is None or terminated.finished_at is None:
            return None
        latest = max(latest or 0, terminated.finished_at)
    return latest
