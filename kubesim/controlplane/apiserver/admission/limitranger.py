"""LimitRanger: what a container does not ask for is filled in, and what it asks for is bounded.

Mirrors: plugin/pkg/admission/limitranger/admission.go.
Departs: several bounds are told in the order of the resources' names.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from kubesim.api.corev1 import (
    Container,
    LimitRange,
    LimitRangeItem,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    ResourceRequirements,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.podutil import ResourceList, pod_limits, pod_requests
from kubesim.api.quantity import Quantity
from kubesim.controlplane.apiserver.admission.interface import forbidden
from kubesim.controlplane.apiserver.store import Store

ANNOTATION = "kubernetes.io/limit-ranger"
ZERO = Quantity("0")
NONE: ResourceList = FrozenMap()


class LimitRanger:
    """Defaults and bounds of a namespace's LimitRanges."""

    name = "LimitRanger"

    def admit(self, obj: KubeObject, store: Store) -> KubeObject:
        """The pod with what it did not ask for filled in; other kinds as they are.

        Raises:
            Forbidden: If it asks for too little or too much.
        """
        if not isinstance(obj, Pod | PersistentVolumeClaim):
            return obj
        ranges = [r for r in store.values(LimitRange) if r.namespace == obj.namespace]
        if isinstance(obj, Pod):
            for limit_range in ranges:
                obj = with_defaults(obj, limit_range)
        for limit_range in ranges:
            problems = [p for item in limit_range.spec.limits for p in _problems(item, obj)]
            if problems:
                told = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
                raise forbidden(obj, told)
        return obj


def with_defaults(pod: Pod, limit_range: LimitRange) -> Pod:
    """The pod whose containers ask for what the range says they ask for by default."""
    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}
    for item in limit_range.spec.limits:
        if item.type == "Container":
            requests.update(item.default_request)
            limits.update(item.default)
    if not requests and not limits:
        return pod
    spec, notes = _filled(pod.spec, FrozenMap(requests), FrozenMap(limits))
    if not notes:
        return pod
    text = f"LimitRanger plugin set: {'; '.join(notes)}"
    annotations = pod.metadata.annotations.set(ANNOTATION, text)
    return pod.replace(spec=spec, metadata=pod.metadata.replace(annotations=annotations))


@lru_cache(maxsize=2**12)
def _filled(
    spec: PodSpec, requests: ResourceList, limits: ResourceList
) -> tuple[PodSpec, tuple[str, ...]]:
    """The spec with the defaults; equal pods share one."""
    notes: list[str] = []
    containers = tuple(
        _container(c, requests, limits, "container", notes) for c in spec.containers
    )
    init = tuple(
        _container(c, requests, limits, "init container", notes) for c in spec.init_containers
    )
    return spec.replace(containers=containers, init_containers=init), tuple(notes)


def _container(
    container: Container,
    requests: ResourceList,
    limits: ResourceList,
    what: str,
    notes: list[str],
) -> Container:
    resources = container.resources
    more_requests = {k: v for k, v in requests.items() if k not in resources.requests}
    more_limits = {k: v for k, v in limits.items() if k not in resources.limits}
    for more, word in ((more_requests, "request"), (more_limits, "limit")):
        if more:
            notes.append(f"{', '.join(sorted(more))} {word} for {what} {container.name}")
    if not more_requests and not more_limits:
        return container
    filled: ResourceRequirements = resources.replace(
        requests=resources.requests.merge(more_requests),
        limits=resources.limits.merge(more_limits),
    )
    return container.replace(resources=filled)


def _problems(item: LimitRangeItem, obj: Pod | PersistentVolumeClaim) -> Iterator[str]:
    if isinstance(obj, PersistentVolumeClaim):
        if item.type == "PersistentVolumeClaim":
            yield from _claim_problems(item, obj.spec.resources.requests)
        return
    if item.type == "Container":
        for container in (*obj.spec.containers, *obj.spec.init_containers):
            yield from _bounds(item, container.resources.requests, container.resources.limits)
    elif item.type == "Pod":
        yield from _bounds(item, pod_requests(obj.spec), pod_limits(obj.spec))


def _bounds(item: LimitRangeItem, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    for name, least in sorted(item.min.items()):
        yield from _below(item.type, name, least, requests, limits)
    for name, most in sorted(item.max.items()):
        limit, request = limits.get(name), requests.get(name)
        usage = f"maximum {name} usage per {item.type} is {most}"
        if limit is None:
            yield f"{usage}.  No limit is specified"
        elif limit > most:
            yield f"{usage}, but limit is {limit}"
        elif request is not None and request > most:
            yield f"{usage}, but request is {request}"
    for name, ratio in sorted(item.max_limit_request_ratio.items()):
        yield from _ratio(item.type, name, ratio, requests, limits)


def _below(
    type_: str, name: str, least: Quantity, requests: ResourceList, limits: ResourceList
) -> Iterator[str]:
    request, limit = requests.get(name), limits.get(name)
    usage = f"minimum {name} usage per {type_} is {least}"
    if request is None:
        yield f"{usage}.  No request is specified"
    elif request < least:
        yield f"{usage}, but request is {request}"
    elif limit is not None and limit < least:
        yield f"{usage}, but limit is {limit}"


def _ratio(
    type_: str, name: str, most: Quantity, requests: ResourceList, limits: ResourceList
) -> Iterator[str]:
    request, limit = requests.get(name, ZERO), limits.get(name, ZERO)
    usage = f"{name} max limit to request ratio per {type_} is {most}"
    if not request:
        yield f"{usage}, but no request is specified or request is 0"
    elif not limit:
        yield f"{usage}, but no limit is specified or limit is 0"
    elif limit.nanos * 10**9 > most.nanos * request.nanos:
        yield f"{usage}, but provided ratio is {limit.nanos / request.nanos:f}"


def _claim_problems(item: LimitRangeItem, requests: ResourceList) -> Iterator[str]:
    for name, least in sorted(item.min.items()):
        yield from _below(item.type, name, least, requests, NONE)
    for name, most in sorted(item.max.items()):
        request = requests.get(name)
        usage = f"maximum {name} usage per {item.type} is {most}"
        if request is None:
            yield f"{usage}.  No request is specified"
        elif request > most:
            yield f"{usage}, but request is {request}"
