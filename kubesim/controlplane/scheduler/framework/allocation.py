"""What a node has, has given away, and would have given away with one more pod.

Mirrors: pkg/scheduler/framework/plugins/noderesources/resource_allocation.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.resources import is_scalar_resource_name


def node_amounts(
    node: NodeInfo, names: Sequence[str], requests: Sequence[int], *, non_zero: bool
) -> tuple[list[int], list[int], list[int]]:
    """Requested with the pod, requested without it, allocatable; all three 0 where not counted.

    A scalar resource counts only when the pod asks for it.

    Args:
        node: The node.
        names: The resources.
        requests: What the pod asks for of each.
        non_zero: Whether pods without a request for cpu or memory count as small ones.
    """
    requested = [0] * len(names)
    allocated = [0] * len(names)
    allocatable = [0] * len(names)
    for i, (name, request) in enumerate(zip(names, requests, strict=True)):
        if request == 0 and is_scalar_resource_name(name):
            continue
        capacity, used = _of_resource(node, name, non_zero=non_zero)
        if capacity:
            allocatable[i] = capacity
            allocated[i] = used
            requested[i] = used + request
    return requested, allocated, allocatable


def _of_resource(node: NodeInfo, name: str, *, non_zero: bool) -> tuple[int, int]:
    if name == "cpu":
        used = node.non_zero_milli_cpu if non_zero else node.requested.milli_cpu
        return node.allocatable.milli_cpu, used
    if name == "memory":
        used = node.non_zero_memory if non_zero else node.requested.memory
        return node.allocatable.memory, used
    if name == "ephemeral-storage":
        return node.allocatable.ephemeral_storage, node.requested.ephemeral_storage
    return node.allocatable.scalars.get(name, 0), node.requested.scalars.get(name, 0)
