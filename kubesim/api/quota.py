"""What an object uses of a ResourceQuota, and whether a quota is about it at all. Pure functions.

The API server asks before it lets an object in, the controller asks about all objects that are there;
both must come to the same sum.

Mirrors: pkg/quota/v1 (evaluator/core), staging/src/k8s.io/apiserver/pkg/quota/v1.
Departs: usage of device claims and of volume attributes classes is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubesim.api.corev1 import (
    PersistentVolumeClaim,
    Pod,
    ResourceQuota,
    ScopedResourceSelectorRequirement,
    Service,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.podresize import reserved_spec
from kubesim.api.podutil import ResourceList, pod_limits, pod_qos, pod_requests
from kubesim.api.quantity import Quantity
from kubesim.api.scheme import SCHEME, Resource

__all__ = [
    "exceeded",
    "is_counted",
    "matches",
    "missing_constraints",
    "restricted",
    "shown",
    "total_usage",
    "usage",
]

ONE = Quantity("1")
ZERO = Quantity("0")
NATIVE = ("cpu", "memory", "ephemeral-storage")
REQUIRED = frozenset(
    {"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
)
_POD_RESOURCES = frozenset(
    {
        *NATIVE,
        *(f"requests.{name}" for name in NATIVE),
        *(f"limits.{name}" for name in NATIVE),
        "pods",
        "count/pods",
    }
)
_PLAIN_COUNTS = frozenset(
    {
        "ConfigMap",
        "PersistentVolumeClaim",
        "ReplicationController",
        "ResourceQuota",
        "Secret",
        "Service",
    }
)


def usage(obj: KubeObject, *, wall_ns: int) -> ResourceList:
    """What one object uses."""
    resource = SCHEME.of(obj)
    used: dict[str, Quantity] = {_count_name(resource): ONE}
    if resource.kind in _PLAIN_COUNTS:
        used[resource.plural] = ONE
    if isinstance(obj, Pod):
        if is_counted(obj, wall_ns=wall_ns):
            used.update(_pod_usage(obj))
    elif isinstance(obj, Service):
        used.update(_service_usage(obj))
    elif isinstance(obj, PersistentVolumeClaim):
        used.update(_claim_usage(obj))
    return FrozenMap(used)


def is_counted(pod: Pod, *, wall_ns: int) -> bool:
    """Whether a pod still uses anything: not when it is over, or should have gone long ago."""
    if pod.status.phase in ("Succeeded", "Failed"):
        return False
    metadata = pod.metadata
    if metadata.deletion_timestamp is None or metadata.deletion_grace_period_seconds is None:
        return True
    return wall_ns <= metadata.deletion_timestamp + metadata.deletion_grace_period_seconds * 10**9


def restricted(kind: type[KubeObject], names: Iterable[str]) -> list[str]:
    """Those of a quota's resources which objects of a kind use."""
    fields = kind.model_fields
    resource = SCHEME.find(fields["api_version"].default, fields["kind"].default)
    assert resource is not None, kind
    return [name for name in names if _is_about(resource, name)]


def _is_about(resource: Resource, name: str) -> bool:
    if name == _count_name(resource):
        return True
    match resource.kind:
        case "Pod":
            return name in _POD_RESOURCES or _is_extended(name)
        case "Service":
            return name in ("services", "services.nodeports", "services.loadbalancers")
        case "PersistentVolumeClaim":
            plain = name in ("persistentvolumeclaims", "requests.storage")
            return plain or ".storageclass.storage.k8s.io/" in name
    return resource.kind in _PLAIN_COUNTS and name == resource.plural


def _is_extended(name: str) -> bool:
    if name.startswith(("hugepages-", "requests.hugepages-")):
        return True
    return name.startswith("requests.") and "/" in name and ".storageclass." not in name


def matches(quota: ResourceQuota, obj: KubeObject, names: Iterable[str]) -> bool:
    """Whether a quota with those resources is about an object: by its kind, and by all its scopes."""
    if not restricted(type(obj), names):
        return False
    return all(_in_scope(scope, obj) for scope in _scopes(quota))


def _scopes(quota: ResourceQuota) -> list[ScopedResourceSelectorRequirement]:
    selector = quota.spec.scope_selector
    plain = [
        ScopedResourceSelectorRequirement(scope_name=name, operator="Exists")
        for name in quota.spec.scopes
    ]
    return [*plain, *(selector.match_expressions if selector else ())]


def _in_scope(scope: ScopedResourceSelectorRequirement, obj: KubeObject) -> bool:
    if not isinstance(obj, Pod):
        return False
    if scope.scope_name == "PriorityClass":
        return _has_priority_class(scope, obj.spec.priority_class_name or "")
    is_so = {
        "Terminating": _ends_by_itself,
        "NotTerminating": lambda pod: not _ends_by_itself(pod),
        "BestEffort": lambda pod: pod_qos(pod.spec) == "BestEffort",
        "NotBestEffort": lambda pod: pod_qos(pod.spec) != "BestEffort",
        "CrossNamespacePodAffinity": _looks_into_other_namespaces,
    }.get(scope.scope_name)
    return is_so is not None and is_so(obj)


def _ends_by_itself(pod: Pod) -> bool:
    return pod.spec.active_deadline_seconds is not None


def _has_priority_class(scope: ScopedResourceSelectorRequirement, name: str) -> bool:
    match scope.operator:
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
        case "In":
            return name in scope.values
        case _:
            return name not in scope.values


def _looks_into_other_namespaces(pod: Pod) -> bool:
    affinity = pod.spec.affinity
    if affinity is None:
        return False
    for part in (affinity.pod_affinity, affinity.pod_anti_affinity):
        if part is None:
            continue
        weighted = part.preferred_during_scheduling_ignored_during_execution
        terms = (
            *part.required_during_scheduling_ignored_during_execution,
            *(item.pod_affinity_term for item in weighted),
        )
        if any(term.namespaces or term.namespace_selector is not None for term in terms):
            return True
    return False


def missing_constraints(obj: KubeObject, names: Iterable[str]) -> str:
    """What a pod must say because a quota counts it, as the message has it; empty when all is there."""
    if not isinstance(obj, Pod) or obj.spec.resources is not None:
        return ""
    missing: dict[str, list[str]] = {}
    for container in (*obj.spec.containers, *obj.spec.init_containers):
        resources = container.resources
        said = _computed(resources.requests, resources.limits)
        for name in sorted(REQUIRED.intersection(names).difference(said)):
            missing.setdefault(name, []).append(container.name)
    listed = (f"{name} for: {','.join(sorted(who))}" for name, who in sorted(missing.items()))
    return f"must specify {'; '.join(listed)}" if missing else ""


def total_usage(
    quota: ResourceQuota, objects: Iterable[KubeObject], *, wall_ns: int
) -> ResourceList:
    """What all the objects use of a quota's hard limits; each limit has a number."""
    hard = quota.spec.hard
    used = dict.fromkeys(hard, ZERO)
    for obj in objects:
        if matches(quota, obj, hard):
            for name, quantity in usage(obj, wall_ns=wall_ns).items():
                if name in used:
                    used[name] += quantity
    return FrozenMap(used)


def exceeded(used: ResourceList, requested: ResourceList, hard: ResourceList) -> list[str]:
    """Those resources of which more would be used than there is."""
    return sorted(
        name
        for name, quantity in requested.items()
        if name in hard and quantity and used.get(name, ZERO) + quantity > hard[name]
    )


def shown(resources: Mapping[str, Quantity], names: Iterable[str]) -> str:
    """``pods=1,requests.cpu=500m``."""
    return ",".join(f"{name}={resources[name]}" for name in sorted(names) if name in resources)


def _count_name(resource: Resource) -> str:
    group = f".{resource.group}" if resource.group else ""
    return f"count/{resource.plural}{group}"


def _pod_usage(pod: Pod) -> dict[str, Quantity]:
    return _computed(pod_requests(reserved_spec(pod)), pod_limits(pod.spec))


def _computed(requests: ResourceList, limits: ResourceList) -> dict[str, Quantity]:
    used: dict[str, Quantity] = {"pods": ONE}
    for name, quantity in requests.items():
        if name in NATIVE or name.startswith("hugepages-"):
            used[name] = quantity
            used[f"requests.{name}"] = quantity
        elif "/" in name:
            used[f"requests.{name}"] = quantity
    for name, quantity in limits.items():
        if name in NATIVE:
            used[f"limits.{name}"] = quantity
    return used


def _service_usage(service: Service) -> dict[str, Quantity]:
    ports = Quantity(str(len(service.spec.ports)))
    used = {"services": ONE, "services.nodeports": ZERO, "services.loadbalancers": ZERO}
    if service.spec.type == "NodePort":
        used["services.nodeports"] = ports
    elif service.spec.type == "LoadBalancer":
        used["services.loadbalancers"] = ONE
        if service.spec.allocate_load_balancer_node_ports is not False:
            used["services.nodeports"] = ports
    return used


def _claim_usage(claim: PersistentVolumeClaim) -> dict[str, Quantity]:
    used = {"persistentvolumeclaims": ONE}
    storage = claim.spec.resources.requests.get("storage")
    if storage is not None:
        used["requests.storage"] = storage
    storage_class = claim.spec.storage_class_name
    if storage_class:
        suffix = f"{storage_class}.storageclass.storage.k8s.io"
        used[f"{suffix}/persistentvolumeclaims"] = ONE
        if storage is not None:
            used[f"{suffix}/requests.storage"] = storage
    return used
