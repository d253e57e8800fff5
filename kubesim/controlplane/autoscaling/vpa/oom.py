"""Which containers were killed for want of memory, by how a pod's status changed. Pure functions.

Mirrors: vertical-pod-autoscaler/pkg/recommender/input/oom/observer.go, pkg/utils/resources.
Departs: evictions by a kubelet that is short of memory are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kubesim.api.corev1 import ContainerStatus, Pod, ResourceRequirements

OOM_KILLED = "OOMKilled"


class Oom(NamedTuple):
    """A container that was killed: when, and how much memory it had asked for."""

    pod: str
    container: str
    at_ns: int
    requested_bytes: int


def resources_of(pod: Pod, container: str) -> ResourceRequirements:
    """What a container really has: by its status, or else by its spec."""
    for status in pod.status.container_statuses:
        if status.name == container and status.resources is not None:
            return status.resources
    for item in pod.spec.containers:
        if item.name == container:
            return item.resources
    return ResourceRequirements.zero()


def ooms(old: Pod, new: Pod) -> Iterable[Oom]:
    """Those that were killed between two versions of a pod."""
    if "Pending" in (old.status.phase, new.status.phase):
        return
    before = {status.name: status for status in old.status.container_statuses}
    for status in new.status.container_statuses:
        was = before.get(status.name)
        if was is None:
            continue
        restarted = status.restart_count > was.restart_count
        ended, last = status.state.terminated, status.last_state.terminated
        if _killed(status, was, restarted=restarted):
            assert ended is not None
            yield _oom(new, status.name, ended.finished_at)
        elif (
            status.state.running is not None
            and was.state.running is not None
            and restarted
            and last is not None
            and last.reason == OOM_KILLED
        ):
            yield _oom(old, status.name, last.finished_at)


def _killed(status: ContainerStatus, was: ContainerStatus, *, restarted: bool) -> bool:
    ended = status.state.terminated
    if ended is None or ended.reason != OOM_KILLED:
        return False
    return was.state.terminated is None or restarted


def _oom(pod: Pod, container: str, at_ns: int | None) -> Oom:
    memory = resources_of(pod, container).requests.get("memory")
    return Oom(pod.key, container, at_ns or 0, 0 if memory is None else memory.value())
