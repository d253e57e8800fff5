"""May a pod that was bound here run here? Pure functions.

The scheduler believed that there was room; a kubelet looks again, because two pods may have been bound
at the same time, or somebody wrote ``nodeName`` by hand.

Mirrors: pkg/kubelet/lifecycle/predicate.go (generalFilter, InsufficientResourceError,
PredicateFailureError); reasons and messages as there. A resize: pkg/kubelet/allocation.
Departs: taints and host ports are not looked at again; critical pods preempt nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubesim.api.corev1 import Pod
from kubesim.api.podutil import pod_requests
from kubesim.api.quantity import Quantity
from kubesim.node.kubelet.status import Ending

REJECTED = "Pod was rejected: "
MISMATCH = Ending(reason="NodeAffinity", message=f"{REJECTED}Predicate NodeAffinity failed")


def fits(pod: Pod, others: Iterable[Pod], allocatable: Mapping[str, Quantity]) -> Ending | None:
    """Why there is no room for a pod; ``None`` when there is.

    Args:
        pod: The pod.
        others: Those that are on the node and not over.
        allocatable: What pods may have of it.
    """
    lack = _lack(pod, others, allocatable)
    if lack is None:
        return None
    name, message = lack
    return Ending(reason=f"OutOf{name}", message=f"{REJECTED}{message}")


def resize_fits(
    pod: Pod, others: Iterable[Pod], allocatable: Mapping[str, Quantity]
) -> tuple[str, str] | None:
    """Why a pod cannot have the resources of its spec: reason and message; ``None`` when it can.

    Args:
        pod: The pod with the resources that it is to have.
        others: The others that are on the node and not over, with what they have.
        allocatable: What pods may have of it.
    """
    for name in ("cpu", "memory"):
        wanted = pod_requests(pod.spec).get(name)
        capacity = _amount(name, allocatable[name]) if name in allocatable else 0
        if wanted is not None and _amount(name, wanted) > capacity:
            told = f"{name}, requested: {_amount(name, wanted)}, capacity: {capacity}"
            return "Infeasible", f"Node didn't have enough capacity: {told}"
    lack = _lack(pod, others, allocatable)
    return None if lack is None else ("Deferred", lack[1])


def _lack(
    pod: Pod, others: Iterable[Pod], allocatable: Mapping[str, Quantity]
) -> tuple[str, str] | None:
    """The resource of which there is not enough, and how it stands; ``None`` when there is room."""
    running = list(others)
    used = {"pods": len(running)}
    wanted = {"pods": 1}
    for name, quantity in pod_requests(pod.spec).items():
        wanted[name] = _amount(name, quantity)
    for other in running:
        for name, quantity in pod_requests(other.spec).items():
            used[name] = used.get(name, 0) + _amount(name, quantity)
    for name, amount in wanted.items():
        capacity = _amount(name, allocatable[name]) if name in allocatable else 0
        there = used.get(name, 0)
        if amount and there + amount > capacity:
            told = f"{name}, requested: {amount}, used: {there}, capacity: {capacity}"
            return name, f"Node didn't have enough resource: {told}"
    return None


def _amount(name: str, quantity: Quantity) -> int:
    return quantity.milli_value() if name == "cpu" else quantity.value()
