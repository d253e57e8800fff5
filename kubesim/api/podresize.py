"""In-place resize of a pod: what may be asked for, and what counts while it is under way.

A resize is wanted (the spec), then allocated by the kubelet (``status.containerStatuses[].
allocatedResources``), then in force in the cgroups (``…resources``). Until all three agree, whoever
reserves room on the node counts the largest of them; a resize that is infeasible counts for nothing.

Mirrors: pkg/apis/core/validation/validation.go (ValidatePodResize), staging/src/k8s.io/
component-helpers/resource/helpers.go (determineContainerReqs, IsPodResizeInfeasible).
Departs: resources of the pod as a whole cannot be resized.
"""

from __future__ import annotations

from typing import Any

from kubesim.api.corev1.container import Container
from kubesim.api.corev1.containerstatus import ContainerStatus
from kubesim.api.corev1.pod import Pod, PodSpec
from kubesim.api.corev1.resources import ResourceRequirements
from kubesim.api.fielderrors import FieldError, KeyPath, forbidden, invalid
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.podutil import ResourceList, get_pod_condition, max_resources, pod_qos

__all__ = [
    "IN_PROGRESS", "PENDING", "RESIZABLE", "allocated_spec", "is_resizable", "reserved_spec",
    "resize_errors", "with_resources_of",
]  # fmt: skip

Errors = list[FieldError]

PENDING = "PodResizePending"
IN_PROGRESS = "PodResizeInProgress"
INFEASIBLE = "Infeasible"
RESIZABLE = ("cpu", "memory")
_SPEC: KeyPath = ("spec",)
_ONLY = "only cpu and memory resources are mutable"
_FIELDS = (("containers", "containers"), ("init_containers", "initContainers"))


def is_resizable(container: Container, spec: PodSpec) -> bool:
    """Whether a container of the spec can be resized: sidecars can, other init containers cannot."""
    return container not in spec.init_containers or container.restart_policy == "Always"


def with_resources_of(pod: Pod, other: Pod) -> Pod:
    """The pod whose containers have the resources of the other's; itself when they do already."""
    changes: dict[str, Any] = {}
    for name, _ in _FIELDS:
        before: tuple[Container, ...] = getattr(pod.spec, name)
        known = {item.name: item.resources for item in getattr(other.spec, name)}
        after = tuple(
            item
            if known.get(item.name, item.resources) == item.resources
            else item.replace(resources=known[item.name])
            for item in before
        )
        if any(new is not old for new, old in zip(after, before, strict=True)):
            changes[name] = after
    return pod.replace(spec=pod.spec.replace(**changes)) if changes else pod


def reserved_spec(pod: Pod) -> PodSpec:
    """The pod's spec with the requests that count on its node; the very spec when nothing differs."""
    spec, status = pod.spec, pod.status
    changes: dict[str, Any] = {}
    for name, statuses in (
        ("containers", status.container_statuses),
        ("init_containers", status.init_container_statuses),
    ):
        if not statuses:
            continue
        before: tuple[Container, ...] = getattr(spec, name)
        if _all_agree(before, statuses):
            continue
        known = {item.name: item for item in statuses}
        after = tuple(_reserved(item, known.get(item.name), pod) for item in before)
        if after != before:
            changes[name] = after
    return spec.replace(**changes) if changes else spec


def allocated_spec(pod: Pod) -> PodSpec:
    """The pod's spec with the requests that its kubelet has allocated, as far as it says so."""
    allocated = {
        status.name: status.allocated_resources
        for status in (*pod.status.container_statuses, *pod.status.init_container_statuses)
        if status.allocated_resources
    }

    def given(container: Container) -> Container:
        requests = allocated.get(container.name, container.resources.requests)
        if requests == container.resources.requests:
            return container
        return container.replace(resources=container.resources.replace(requests=requests))

    return pod.spec.replace(
        containers=tuple(given(item) for item in pod.spec.containers),
        init_containers=tuple(given(item) for item in pod.spec.init_containers),
    )


def _all_agree(containers: tuple[Container, ...], statuses: tuple[ContainerStatus, ...]) -> bool:
    """Whether all statuses have what the spec has, or say nothing of it."""
    if len(containers) != len(statuses):
        return False
    for container, status in zip(containers, statuses, strict=True):
        wanted, actual = container.resources.requests, status.resources
        allocated = status.allocated_resources
        if container.name != status.name:
            return False
        if actual is not None and actual.requests is not wanted and actual.requests != wanted:
            return False
        if allocated and allocated is not wanted and allocated != wanted:
            return False
    return True


def _reserved(container: Container, status: ContainerStatus | None, pod: Pod) -> Container:
    if status is None or not is_resizable(container, pod.spec):
        return container
    pending = get_pod_condition(pod.status, PENDING)
    infeasible = pending is not None and pending.reason == INFEASIBLE
    counted = {} if infeasible else dict(container.resources.requests)
    max_resources(counted, status.allocated_resources)
    if status.resources is not None:
        max_resources(counted, status.resources.requests)
    if counted == container.resources.requests or not counted:
        return container
    requests = FrozenMap(counted)
    return container.replace(resources=container.resources.replace(requests=requests))


def resize_errors(new: Pod, old: Pod) -> Errors:
    """What is wrong with resizing ``old`` to ``new``, besides ``new`` itself."""
    errors: Errors = []
    if pod_qos(new.spec) != (old.status.qos_class or pod_qos(old.spec)):
        text = "Pod QOS Class may not change as a result of resizing"
        errors.append(invalid(_SPEC, old.status.qos_class or "", text))
    running = [status for status in old.status.container_statuses if status.state.running]
    if running and running[0].resources is None:
        errors.append(forbidden(_SPEC, "Pod running on node without support for resize"))
    for name, wire in _FIELDS:
        before, after = getattr(old.spec, name), getattr(new.spec, name)
        if [item.name for item in before] != [item.name for item in after]:
            text = f"{wire} may not be renamed or reordered on resize"
            return [*errors, forbidden((*_SPEC, wire), text)]
        for index, (was, item) in enumerate(zip(before, after, strict=True)):
            path = (*_SPEC, wire, index, "resources")
            if not is_resizable(item, new.spec) and item.resources != was.resources:
                text = "resources for non-sidecar init containers are immutable"
                errors.append(forbidden(path, text))
            errors += _removals(item.resources, was.resources, path)
    if _with_old_amounts(new, old) != old.spec:
        errors.append(forbidden(_SPEC, _ONLY))
    return errors


def _removals(new: ResourceRequirements, old: ResourceRequirements, path: KeyPath) -> Errors:
    errors: Errors = []
    for field in ("requests", "limits"):
        before, after = getattr(old, field), getattr(new, field)
        if any(name in before and name not in after for name in RESIZABLE):
            errors.append(forbidden((*path, field), f"resource {field} cannot be removed"))
    return errors


def _with_old_amounts(new: Pod, old: Pod) -> PodSpec:
    """The new spec with the old cpu and memory of all containers."""

    def amounts(after: ResourceList, before: ResourceList) -> ResourceList:
        kept = {name: q for name, q in after.items() if name not in RESIZABLE}
        return FrozenMap({**{n: q for n, q in before.items() if n in RESIZABLE}, **kept})

    changes: dict[str, Any] = {}
    for name, _ in _FIELDS:
        changes[name] = tuple(
            item.replace(
                resources=item.resources.replace(
                    requests=amounts(item.resources.requests, was.resources.requests),
                    limits=amounts(item.resources.limits, was.resources.limits),
                )
            )
            for item, was in zip(getattr(new.spec, name), getattr(old.spec, name), strict=True)
        )
    return new.spec.replace(**changes)
