"""Questions that several components ask about pods: ready? how much does it request? which QoS?

Mirrors: pkg/api/v1/pod/util.go, staging/src/k8s.io/component-helpers/resource/helpers.go,
pkg/apis/core/v1/helper/qos/qos.go.
Departs: resources of device claims are not counted; for those that the status reports (in-place
resize) see ``podresize.reserved_spec``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from kubesim.api.corev1.container import Container
from kubesim.api.corev1.enums import PodQOSClass
from kubesim.api.corev1.node import NodeCondition, NodeStatus
from kubesim.api.corev1.pod import Pod, PodCondition, PodSpec, PodStatus
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity

__all__ = [
    "ResourceList",
    "add_resources",
    "get_condition",
    "get_node_condition",
    "get_pod_condition",
    "is_pod_available",
    "is_pod_ready",
    "is_pod_terminal",
    "max_resources",
    "pod_limits",
    "pod_qos",
    "pod_requests",
    "set_pod_condition",
]

ResourceList = FrozenMap[str, Quantity]

_ConditionT = TypeVar("_ConditionT", PodCondition, NodeCondition)
_QOS_RESOURCES = ("cpu", "memory")


def get_condition(conditions: tuple[_ConditionT, ...], type_: str) -> _ConditionT | None:
    """The condition of a type, if there is one."""
    return next((condition for condition in conditions if condition.type == type_), None)


def get_pod_condition(status: PodStatus, type_: str) -> PodCondition | None:
    """The pod's condition of a type, if there is one."""
    return get_condition(status.conditions, type_)


def get_node_condition(status: NodeStatus, type_: str) -> NodeCondition | None:
    """The node's condition of a type, if there is one."""
    return get_condition(status.conditions, type_)


def set_pod_condition(status: PodStatus, condition: PodCondition) -> PodStatus:
    """The status with ``condition`` in the place of the one of the same type.

    While the condition's ``status`` stays the same, so does its ``last_transition_time``. When
    nothing changes at all, the very same status comes back.
    """
    old = get_pod_condition(status, condition.type)
    if old is None:
        return status.replace(conditions=(*status.conditions, condition))
    if old.status == condition.status:
        condition = condition.replace(last_transition_time=old.last_transition_time)
    if old == condition:
        return status
    return status.replace(
        conditions=tuple(condition if item is old else item for item in status.conditions)
    )


def is_pod_ready(pod: Pod) -> bool:
    """Whether the pod's ``Ready`` condition is true."""
    condition = get_pod_condition(pod.status, "Ready")
    return condition is not None and condition.status == "True"


def is_pod_available(pod: Pod, min_ready_seconds: int, now: int) -> bool:
    """Whether the pod has been ready for ``min_ready_seconds`` at ``now`` (epoch nanoseconds)."""
    condition = get_pod_condition(pod.status, "Ready")
    if condition is None or condition.status != "True":
        return False
    if min_ready_seconds == 0:
        return True
    since = condition.last_transition_time
    return since is not None and since + min_ready_seconds * 10**9 <= now


def is_pod_terminal(pod: Pod) -> bool:
    """Whether the pod has ended for good: ``Succeeded`` or ``Failed``."""
    return pod.status.phase in ("Succeeded", "Failed")


def add_resources(total: dict[str, Quantity], more: Mapping[str, Quantity]) -> None:
    """Adds ``more`` to ``total``, in place."""
    for name, quantity in more.items():
        total[name] = total[name] + quantity if name in total else quantity


def max_resources(total: dict[str, Quantity], other: Mapping[str, Quantity]) -> None:
    """Raises each entry of ``total`` to that of ``other``, in place."""
    for name, quantity in other.items():
        if name not in total or quantity > total[name]:
            total[name] = quantity


def pod_requests(spec: PodSpec) -> ResourceList:
    """What the scheduler must reserve for a pod: the most it needs at any time, plus its overhead.

    Init containers run before the others, so the larger of the two needs counts; sidecars (init
    containers that restart always) keep running and are added to both. Requests of the pod as a
    whole, if there are any, stand in the place of the containers'.
    """
    total = _aggregate(
        spec,
        ((item, item.resources.requests) for item in spec.init_containers),
        (item.resources.requests for item in spec.containers),
    )
    if spec.resources is not None:
        total.update(_pod_level(spec.resources.requests))
    add_resources(total, spec.overhead)
    return FrozenMap(total)


def pod_limits(spec: PodSpec) -> ResourceList:
    """What a pod may use at most; the overhead is added to those resources that have a limit."""
    total = _aggregate(
        spec,
        ((item, item.resources.limits) for item in spec.init_containers),
        (item.resources.limits for item in spec.containers),
    )
    if spec.resources is not None:
        total.update(_pod_level(spec.resources.limits))
    add_resources(total, {name: q for name, q in spec.overhead.items() if total.get(name)})
    return FrozenMap(total)


def _aggregate(
    spec: PodSpec,
    init_needs: Iterable[tuple[Container, ResourceList]],
    needs: Iterable[ResourceList],
) -> dict[str, Quantity]:
    total: dict[str, Quantity] = {}
    for need in needs:
        add_resources(total, need)
    if not spec.init_containers:
        return total
    sidecars: dict[str, Quantity] = {}
    init_peak: dict[str, Quantity] = {}
    for container, need in init_needs:
        if container.restart_policy == "Always":
            add_resources(total, need)
            add_resources(sidecars, need)
            max_resources(init_peak, sidecars)
        else:
            now = dict(need)
            add_resources(now, sidecars)
            max_resources(init_peak, now)
    max_resources(total, init_peak)
    return total


def _pod_level(resources: ResourceList) -> dict[str, Quantity]:
    """Those resources which a pod as a whole may ask for."""
    return {
        name: quantity
        for name, quantity in resources.items()
        if name in _QOS_RESOURCES or name.startswith("hugepages-")
    }


def pod_qos(spec: PodSpec) -> PodQOSClass:
    """The quality of service class: who is evicted first when a node runs out of memory."""
    if spec.resources is not None:
        parts = [spec.resources]
    else:
        parts = [item.resources for item in (*spec.containers, *spec.init_containers)]
    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}
    guaranteed = True
    for part in parts:
        add_resources(requests, _positive(part.requests))
        add_resources(limits, part_limits := _positive(part.limits))
        guaranteed = guaranteed and len(part_limits) == len(_QOS_RESOURCES)
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"


def _positive(resources: ResourceList) -> dict[str, Quantity]:
    return {name: resources[name] for name in _QOS_RESOURCES if resources.get(name, _ZERO) > _ZERO}


_ZERO = Quantity("0")
