"""PodResizeValidator: a pod is not resized to more than its node could ever give.

Mirrors: plugin/pkg/admission/podresize/admission.go (in the default set since 1.36).
Departs: all nodes run Linux.
"""

from __future__ import annotations

from kubesim.api.corev1 import Node, Pod
from kubesim.api.metav1 import KubeObject
from kubesim.api.podutil import pod_requests
from kubesim.controlplane.apiserver.admission.interface import forbidden
from kubesim.controlplane.apiserver.store import Store


class PodResizeValidator:
    """Looks at resizes of pods that have a node."""

    name = "PodResizeValidator"

    def admit(self, obj: KubeObject, store: Store) -> KubeObject:
        """The pod as it is.

        Raises:
            Forbidden: If it would request more than its node's allocatable.
        """
        if not isinstance(obj, Pod) or not obj.spec.node_name:
            return obj
        node = store.get(Node, obj.spec.node_name)
        if node is None:
            raise forbidden(obj, f'node "{obj.spec.node_name}" not found')
        problems: list[str] = []
        requests, allocatable = pod_requests(obj.spec), node.status.allocatable
        for name in ("cpu", "memory"):
            if name not in requests:
                continue
            amounts = [
                0 if quantity is None else _amount(name, quantity.nanos)
                for quantity in (requests[name], allocatable.get(name))
            ]
            if amounts[0] > amounts[1]:
                problems.append(f"{name}, requested: {amounts[0]}, allocatable: {amounts[1]}")
        if problems:
            told = "; ".join(problems)
            raise forbidden(obj, f"Node didn't have enough allocatable resources: {told}")
        return obj


def _amount(name: str, nanos: int) -> int:
    """Thousandths of a core, or bytes; rounded up."""
    return -(-nanos // (10**6 if name == "cpu" else 10**9))
