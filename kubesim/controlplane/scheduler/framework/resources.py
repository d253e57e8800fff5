"""Resources as the scheduler counts them: whole numbers, computed once.

Cpu is in thousandths, everything else in whole units, rounded up after all containers were added
exactly. Scoring pretends that a container without a request for cpu or memory asks for a little;
filtering does not.

Mirrors: pkg/scheduler/framework/types.go (Resource), pkg/scheduler/util (pod_resources.go,
utils.go), staging/src/k8s.io/component-helpers/resource/helpers.go (PodRequests).
Departs: device claims are not counted; what a pod's status reports of a resize is, in ``PodInfos``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubesim.api.corev1 import PodSpec
from kubesim.api.podutil import add_resources, max_resources
from kubesim.api.quantity import Quantity

CPU = "cpu"
MEMORY = "memory"
EPHEMERAL_STORAGE = "ephemeral-storage"
PODS = "pods"

DEFAULT_CPU_REQUEST = Quantity("100m")
DEFAULT_MEMORY_REQUEST = Quantity("200Mi")
_NON_MISSING: Mapping[str, Quantity] = {CPU: DEFAULT_CPU_REQUEST, MEMORY: DEFAULT_MEMORY_REQUEST}


class Resource:
    """Amounts of everything the scheduler counts.

    Attributes:
        milli_cpu: Thousandths of a core.
        memory: Bytes.
        ephemeral_storage: Bytes.
        allowed_pod_number: How many pods; of a node only.
        scalars: Extended resources, huge pages, attachable volumes.
    """

    __slots__ = ("allowed_pod_number", "ephemeral_storage", "memory", "milli_cpu", "scalars")

    def __init__(self, amounts: Mapping[str, Quantity] | None = None) -> None:
        self.milli_cpu = 0
        self.memory = 0
        self.ephemeral_storage = 0
        self.allowed_pod_number = 0
        self.scalars: dict[str, int] = {}
        for name, quantity in (amounts or {}).items():
            self._set(name, quantity)

    def _set(self, name: str, quantity: Quantity) -> None:
        match name:
            case "cpu":
                self.milli_cpu = quantity.milli_value()
            case "memory":
                self.memory = quantity.value()
            case "ephemeral-storage":
                self.ephemeral_storage = quantity.value()
            case "pods":
                self.allowed_pod_number = quantity.value()
            case _ if is_scalar_resource_name(name):
                self.scalars[name] = quantity.value()

    def add(self, other: Resource, sign: int) -> None:
        """Add ``other`` (or take it away, with ``sign`` -1) in place."""
        self.milli_cpu += sign * other.milli_cpu
        self.memory += sign * other.memory
        self.ephemeral_storage += sign * other.ephemeral_storage
        for name, amount in other.scalars.items():
            self.scalars[name] = self.scalars.get(name, 0) + sign * amount

    def clone(self) -> Resource:
        """A copy that can be changed."""
        copy = Resource()
        copy.milli_cpu = self.milli_cpu
        copy.memory = self.memory
        copy.ephemeral_storage = self.ephemeral_storage
        copy.allowed_pod_number = self.allowed_pod_number
        copy.scalars = dict(self.scalars)
        return copy

    @property
    def nothing(self) -> bool:
        """Whether nothing is asked for (a scalar that is asked for with 0 is asked for)."""
        return not (self.milli_cpu or self.memory or self.ephemeral_storage or self.scalars)


def is_scalar_resource_name(name: str) -> bool:
    """Whether the scheduler counts this resource among the scalars."""
    return (
        is_extended_resource_name(name)
        or name.startswith(("hugepages-", "attachable-volumes-"))
        or "kubernetes.io/" in name
    )


def is_extended_resource_name(name: str) -> bool:
    """Whether the name is one that a device plugin may advertise."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def pod_requests(
    spec: PodSpec, non_missing: Mapping[str, Quantity] | None = None
) -> dict[str, Quantity]:
    """What a pod requests at its peak, overhead included.

    Args:
        spec: The pod's spec.
        non_missing: What a container asks for when it does not say.
    """
    total: dict[str, Quantity] = {}
    for container in spec.containers:
        add_resources(total, _with_defaults(container.resources.requests, non_missing))
    sidecars: dict[str, Quantity] = {}
    init_peak: dict[str, Quantity] = {}
    for container in spec.init_containers:
        need = _with_defaults(container.resources.requests, non_missing)
        if container.restart_policy == "Always":
            add_resources(total, need)
            add_resources(sidecars, need)
            max_resources(init_peak, sidecars)
        else:
            now = dict(need)
            add_resources(now, sidecars)
            max_resources(init_peak, now)
    max_resources(total, init_peak)
    total.update(_pod_level_requests(spec))
    add_resources(total, spec.overhead)
    return total


def non_zero_requests(spec: PodSpec, requests: Mapping[str, Quantity]) -> tuple[int, int]:
    """Cpu in thousandths and memory in bytes that a placed pod counts with in scores.

    Args:
        spec: The pod's spec.
        requests: Its ``pod_requests``.
    """
    missing = _NON_MISSING
    if _pod_level_requests(spec):
        missing = {name: value for name, value in _NON_MISSING.items() if name not in requests}
    counted = pod_requests(spec, missing) if missing else requests
    return _amount(counted, CPU), _amount(counted, MEMORY)


def score_requests(spec: PodSpec) -> dict[str, int]:
    """What a pod to be placed counts with in scores, by resource."""
    counted = pod_requests(spec, _NON_MISSING)
    return {name: _amount(counted, name) for name in counted}


def amounts(requests: Mapping[str, Quantity]) -> dict[str, int]:
    """Cpu in thousandths, the rest in whole units."""
    return {name: _amount(requests, name) for name in requests}


def _amount(requests: Mapping[str, Quantity], name: str) -> int:
    quantity = requests.get(name)
    if quantity is None:
        return 0
    return quantity.milli_value() if name == CPU else quantity.value()


def _with_defaults(
    requests: Mapping[str, Quantity], non_missing: Mapping[str, Quantity] | None
) -> Mapping[str, Quantity]:
    if not non_missing:
        return requests
    return {**non_missing, **requests}


def _pod_level_requests(spec: PodSpec) -> dict[str, Quantity]:
    if spec.resources is None:
        return {}
    return {
        name: quantity
        for name, quantity in spec.resources.requests.items()
        if name in (CPU, MEMORY) or name.startswith("hugepages-")
    }


def sum_of(resources: Iterable[Resource]) -> Resource:
    """All of them together."""
    total = Resource()
    for resource in resources:
        total.add(resource, 1)
    return total
