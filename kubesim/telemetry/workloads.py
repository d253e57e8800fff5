"""Workloads: what each of them is made of, needs, and was seen to do. One row a workload, pure.

A pod counts for the topmost owner that is known: the SpinApp of its Deployment, the Deployment of its
ReplicaSet, its StatefulSet; a pod without one is its own workload. Requests are those of all Services
that select its pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kubesim.api.corev1 import Container, Pod, Service
from kubesim.api.metav1 import KubeObject, controller_of
from kubesim.api.podutil import is_pod_ready
from kubesim.telemetry.observer import Observer, ServiceTotals
from kubesim.telemetry.quantiles import quantile
from kubesim.telemetry.startup import TOTAL

WORKLOAD_COLUMNS = (
    "namespace", "kind", "name", "runtimeClass", "wasm", "portable", "pools", "pods", "ready",
    "containers", "claims", "devices", "exec", "image_bytes", "memory_requested",
    "startup_p50_ns", "pull_p50_ns", "start_p50_ns", "requests", "errors", "latency_p50_ns",
    "latency_p99_ns", "instantiate_p50_ns", "execute_p50_ns", "memory_p50_bytes",
)  # fmt: skip

PORTABLE_ANNOTATION = "kubesim.dev/portable"
"""``"false"`` on a pod says that its program cannot be compiled to WebAssembly."""

_NATIVE = ("cpu", "memory", "ephemeral-storage")


def workload_rows(  # noqa: PLR0913 - everything that a row is made of
    pods: Iterable[Pod],
    owners: Iterable[KubeObject],
    services: Iterable[Service],
    observer: Observer,
    *,
    image_bytes: Mapping[str, int],
    pools: Mapping[str, str],
    memory: Callable[[Pod], int] = lambda _pod: 0,
) -> list[dict[str, Any]]:
    """All workloads, in the order in which their first pods were created.

    Args:
        pods: The pods that there are.
        owners: What may own pods, and what may own that.
        services: The Services.
        observer: What was seen.
        image_bytes: The size of each image.
        pools: The pool of each node.
        memory: What a pod takes of its node's memory now, its shim included; 0 for none.
    """
    by_uid = {owner.uid: owner for owner in owners}
    groups: dict[tuple[str, str, str], list[Pod]] = {}
    for pod in pods:
        top = _top_owner(pod, by_uid)
        groups.setdefault((pod.namespace, top.kind, top.name), []).append(pod)
    services = tuple(services)
    return [
        {
            "namespace": namespace,
            "kind": kind,
            "name": name,
            **_made_of(members, image_bytes, pools),
            **_started(members, observer),
            **_served(members, services, observer),
            "memory_p50_bytes": _median(taken for pod in members if (taken := memory(pod))),
        }
        for (namespace, kind, name), members in groups.items()
    ]


def _top_owner(obj: KubeObject, by_uid: Mapping[str, KubeObject]) -> KubeObject:
    """The owner that no other one owns; the object itself when it has none."""
    reference = controller_of(obj)
    owner = None if reference is None else by_uid.get(reference.uid)
    return obj if owner is None else _top_owner(owner, by_uid)


def _made_of(
    pods: list[Pod], image_bytes: Mapping[str, int], pools: Mapping[str, str]
) -> dict[str, Any]:
    """What the pods of a workload declare; they are alike, so the latest one speaks for all."""
    pod = pods[-1]
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    resources = [c.resources.requests.merge(c.resources.limits) for c in containers]
    devices = {name for amounts in resources for name in amounts if name not in _NATIVE}
    memory = sum(
        c.resources.requests["memory"].value()
        for c in pod.spec.containers
        if "memory" in c.resources.requests
    )
    on = {pools.get(p.spec.node_name or "", "") for p in pods}
    return {
        "runtimeClass": pod.spec.runtime_class_name or "",
        "portable": pod.metadata.annotations.get(PORTABLE_ANNOTATION) != "false",
        "pools": sorted(on - {""}),
        "pods": len(pods),
        "ready": sum(is_pod_ready(p) for p in pods),
        "containers": len(pod.spec.containers),
        "claims": sum(v.persistent_volume_claim is not None for v in pod.spec.volumes),
        "devices": sorted(devices),
        "exec": any(_uses_exec(container) for container in containers),
        "image_bytes": sum(image_bytes.get(c.image or "", 0) for c in containers),
        "memory_requested": memory,
    }


def _uses_exec(container: Container) -> bool:
    """Whether something is executed inside the running container: a probe or a hook."""
    probes = (container.liveness_probe, container.readiness_probe, container.startup_probe)
    hooks = container.lifecycle
    handlers = (hooks.post_start, hooks.pre_stop) if hooks is not None else ()
    return any(p is not None and p.exec is not None for p in (*probes, *handlers))


def _started(pods: list[Pod], observer: Observer) -> dict[str, Any]:
    """How long the phases of its pods' starts took."""
    startups = [seen.startup for pod in pods if (seen := observer.pods.get(pod.uid)) is not None]

    def median(phase: str) -> int:
        return quantile(sorted(s[phase] for s in startups if phase in s), 50)

    return {
        "wasm": any("module" in startup for startup in startups),
        "startup_p50_ns": median(TOTAL),
        "pull_p50_ns": median("pull"),
        "start_p50_ns": median("start"),
    }


def _served(pods: list[Pod], services: tuple[Service, ...], observer: Observer) -> dict[str, Any]:
    """The requests that came to it by its Services."""
    nothing = ServiceTotals()
    totals = [
        observer.services.get((service.namespace, service.name), nothing)
        for service in services
        if service.spec.selector
        and any(
            service.namespace == pod.namespace
            and service.spec.selector.items() <= pod.metadata.labels.items()
            for pod in pods
        )
    ]
    latencies = sorted(ns for total in totals for ns in total.latencies_ns)
    return {
        "requests": sum(total.requests for total in totals),
        "errors": sum(total.errors for total in totals),
        "latency_p50_ns": quantile(latencies, 50),
        "latency_p99_ns": quantile(latencies, 99),
        "instantiate_p50_ns": _median(ns for total in totals for ns in total.instantiate_ns),
        "execute_p50_ns": _median(ns for total in totals for ns in total.execute_ns),
    }


def _median(values: Iterable[int]) -> int:
    return quantile(sorted(values), 50)
