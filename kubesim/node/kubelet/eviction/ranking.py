"""Who goes first, and what is said about it. Pure functions.

Memory and disk: who uses more than it requested before who does not, the lower priority first, then
who uses most beyond its request. A pod of which nothing is known yet goes before all others.

Mirrors: pkg/kubelet/eviction/helpers.go (rankMemoryPressure, rankDiskPressureFunc, evictionMessage,
getThresholdMetInfo), eviction_manager.go (localStorageEviction); messages as there, with the blank
at their end.
Departs: equal pods stay in the order in which they came, where upstream's sort is not stable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kubesim.api.corev1 import Pod
from kubesim.api.podutil import pod_limits, pod_requests
from kubesim.api.quantity import Quantity
from kubesim.node.kubelet.container import is_restartable_init
from kubesim.node.kubelet.eviction.observing import Observation, PodStats
from kubesim.node.kubelet.eviction.thresholds import EvictionThreshold

STORAGE = "ephemeral-storage"
Stats = Callable[[Pod], PodStats | None]


def rank(pods: Iterable[Pod], resource: str, stats: Stats) -> list[Pod]:
    """The pods in the order in which they go."""

    def key(pod: Pod) -> tuple[bool, bool, int, int]:
        used = stats(pod)
        if used is None:
            return False, False, pod.spec.priority or 0, 0
        beyond = usage(used, resource) - requested(pod, resource)
        return True, beyond <= 0, pod.spec.priority or 0, -beyond

    return sorted(pods, key=key)


def usage(used: PodStats, resource: str) -> int:
    """How much of a resource a pod uses."""
    return used.memory_bytes if resource == "memory" else used.disk_bytes


def requested(pod: Pod, resource: str) -> int:
    """How much of a resource a pod requested."""
    requests = pod_requests(pod.spec)
    return requests[resource].value() if resource in requests else 0


def eviction_message(
    pod: Pod,
    resource: str,
    used: PodStats | None,
    thresholds: Sequence[EvictionThreshold],
    seen: Mapping[str, Observation],
) -> str:
    """Why a pod goes, as its status and its event say it."""
    message = f"The node was low on resource: {resource}. "
    about = next((t for t in thresholds if t.resource == resource and t.signal in seen), None)
    if about is not None:
        there = seen[about.signal]
        quantity = about.quantity(there.capacity)
        message += f"Threshold quantity: {_text(quantity)}, available: {_text(there.available)}. "
    if used is None:
        return message
    of_each = used.container_memory if resource == "memory" else used.container_disk
    for container in (*pod.spec.containers, *pod.spec.init_containers):
        request = container.resources.requests.get(resource) or Quantity("0")
        amount = of_each.get(container.name)
        if amount is not None and amount > request.value():
            message += (
                f"Container {container.name} was using {_text(amount)}, request is {request}, "
                f"has larger consumption of {resource}. "
            )
    return message


def exceeded_local_storage(pod: Pod, used: PodStats) -> str | None:
    """Which limit of local storage a pod has exceeded, as upstream says it; ``None`` for none."""
    for volume in pod.spec.volumes:
        limit = volume.empty_dir.size_limit if volume.empty_dir is not None else None
        if limit is not None and 0 < limit.value() < used.volumes.get(volume.name, 0):
            return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{limit}". '
    total = pod_limits(pod.spec).get(STORAGE)
    if total is not None and used.disk_bytes > total.value():
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {total}. "
    for container in pod.spec.containers:
        limit = container.resources.limits.get(STORAGE)
        if limit is not None and used.container_disk.get(container.name, 0) > limit.value() > 0:
            return (
                f"Container {container.name} exceeded its local ephemeral storage limit "
                f'"{limit}". '
            )
    return None


def has_local_limits(pod: Pod) -> bool:
    """Whether there is a limit of local storage that the pod could exceed."""
    sidecars = tuple(c for c in pod.spec.init_containers if is_restartable_init(c))
    return any(
        STORAGE in container.resources.limits for container in (*pod.spec.containers, *sidecars)
    ) or any(
        volume.empty_dir is not None and volume.empty_dir.size_limit is not None
        for volume in pod.spec.volumes
    )


def _text(amount: int) -> str:
    return Quantity.of_value(amount, "BinarySI").canonical()
