"""From a simulation's state to the rows of a Run. Pure functions of the store and the observer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from kubesim.api.corev1 import Node, Pod, Service
from kubesim.api.podutil import get_node_condition, get_pod_condition, is_pod_ready
from kubesim.sim.time import HOUR
from kubesim.telemetry.observer import Observer, PodTotals, ServiceTotals
from kubesim.telemetry.quantiles import quantile
from kubesim.telemetry.startup import PHASES, TOTAL

POD_COLUMNS = (
    "namespace", "name", "uid", "node", "phase", "reason", "message", "runtimeClass", "ready",
    "restarts", "log", "startup", "nr_throttled", "throttled_ns",
)  # fmt: skip
SERVICE_COLUMNS = (
    "namespace", "name", "requests", "errors", "latency_p50_ns", "latency_p95_ns",
    "latency_p99_ns", "instantiate_p50_ns", "instantiate_p99_ns", "execute_p50_ns",
    "execute_p99_ns", "queue_p50_ns", "queue_p99_ns", "bodies_sha256", "failures",
    "latency_p90_ns", "rps", "retries", "timeouts", "slo_violations",
)  # fmt: skip
NODE_COLUMNS = (
    "name", "pool", "ready", "unschedulable", "pods", "cpu_allocatable_m", "cpu_requested_m",
    "memory_allocatable", "memory_peak", "cost_nano_usd", "pods_allocatable",
    "memory_requested", "memory_shim", "memory_zygote", "memory_pause", "memory_app",
)  # fmt: skip


class NodeFacts(Protocol):
    """What is known of a node beyond its object."""

    @property
    def pool(self) -> str:
        """Its pool."""
        ...

    @property
    def price_per_hour_nano_usd(self) -> int:
        """Its price."""
        ...

    @property
    def since_ns(self) -> int:
        """Since when it is on the bill."""
        ...

    @property
    def memory_peak_bytes(self) -> int:
        """The most memory that was in use."""
        ...

    @property
    def memory_peak_by_component(self) -> dict[str, int]:
        """Who had it then: shim, zygote, pause, app."""
        ...


def pod_row(
    pod: Pod, totals: PodTotals | None, throttling: tuple[int, int] = (0, 0)
) -> dict[str, Any]:
    """One pod as a row.

    Args:
        pod: The pod.
        totals: What was seen of it, its containers that have ended included.
        throttling: How often its running containers had used up their quota, and how long they slept.
    """
    reason, message = pod_reason(pod)
    nr_throttled, throttled_ns = throttling
    if totals is not None:
        nr_throttled, throttled_ns = (
            nr_throttled + totals.nr_throttled,
            throttled_ns + totals.throttled_ns,
        )
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
        "node": pod.spec.node_name or "",
        "phase": pod.status.phase or "",
        "reason": reason,
        "message": message,
        "runtimeClass": pod.spec.runtime_class_name or "",
        "ready": is_pod_ready(pod),
        "restarts": sum(status.restart_count for status in pod.status.container_statuses),
        "log": [line for _, _, _, line in totals.log] if totals else [],
        "startup": ordered_startup(totals) if totals else {},
        "nr_throttled": nr_throttled,
        "throttled_ns": throttled_ns,
    }


def ordered_startup(totals: PodTotals) -> dict[str, int]:
    """A pod's phases in the order in which a pod lives them, the total last."""
    return {phase: totals.startup[phase] for phase in (*PHASES, TOTAL) if phase in totals.startup}


def pod_reason(pod: Pod) -> tuple[str, str]:
    """Why a pod is as it is: what ``kubectl get`` and ``describe`` would show."""
    status = pod.status
    if status.reason:
        return status.reason, status.message or ""
    if pod.metadata.deletion_timestamp is not None:
        return "Terminating", ""
    scheduled = get_pod_condition(status, "PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return scheduled.reason or "", scheduled.message or ""
    for container in status.container_statuses:
        state = container.state
        if state.waiting is not None and state.waiting.reason:
            return state.waiting.reason, state.waiting.message or ""
        if state.terminated is not None and state.terminated.reason:
            return state.terminated.reason, state.terminated.message or ""
    return "", ""


def service_row(
    service: Service, totals: ServiceTotals, *, slo_violations: int = 0
) -> dict[str, Any]:
    """One Service as a row."""
    latencies = sorted(totals.latencies_ns)
    row: dict[str, Any] = {
        "namespace": service.namespace,
        "name": service.name,
        "requests": totals.requests,
        "errors": totals.errors,
        "latency_p50_ns": quantile(latencies, 50),
        "latency_p95_ns": quantile(latencies, 95),
        "latency_p99_ns": quantile(latencies, 99),
    }
    for name in ("instantiate", "execute", "queue"):
        values = sorted(getattr(totals, f"{name}_ns"))
        row[f"{name}_p50_ns"] = quantile(values, 50)
        row[f"{name}_p99_ns"] = quantile(values, 99)
    row["bodies_sha256"] = totals.bodies.sha256
    row["failures"] = dict(sorted(totals.failures.items()))
    row["latency_p90_ns"] = quantile(latencies, 90)
    row["rps"] = totals.rps
    row["retries"] = totals.retries
    row["timeouts"] = totals.timeouts
    row["slo_violations"] = slo_violations
    return row


def node_row(
    node: Node, pods: Iterable[Pod], known: NodeFacts | None, now_ns: int
) -> dict[str, Any]:
    """One node as a row."""
    ready = get_node_condition(node.status, "Ready")
    on_node = [p for p in pods if p.spec.node_name == node.name and _counts(p)]
    allocatable = node.status.allocatable
    requested = sum(
        container.resources.requests["cpu"].milli_value()
        for pod in on_node
        for container in pod.spec.containers
        if "cpu" in container.resources.requests
    )
    return {
        "name": node.name,
        "pool": known.pool if known else "",
        "ready": ready is not None and ready.status == "True",
        "unschedulable": bool(node.spec.unschedulable),
        "pods": len(on_node),
        "cpu_allocatable_m": allocatable["cpu"].milli_value() if "cpu" in allocatable else 0,
        "cpu_requested_m": requested,
        "memory_allocatable": allocatable["memory"].value() if "memory" in allocatable else 0,
        "memory_peak": known.memory_peak_bytes if known else 0,
        "cost_nano_usd": _cost(known, now_ns) if known else 0,
        "pods_allocatable": allocatable["pods"].value() if "pods" in allocatable else 0,
        "memory_requested": sum(
            container.resources.requests["memory"].value()
            for pod in on_node
            for container in pod.spec.containers
            if "memory" in container.resources.requests
        ),
        **{
            f"memory_{name}": known.memory_peak_by_component.get(name, 0) if known else 0
            for name in ("shim", "zygote", "pause", "app")
        },
    }


def _cost(known: NodeFacts, now_ns: int) -> int:
    return known.price_per_hour_nano_usd * max(now_ns - known.since_ns, 0) // HOUR


def _counts(pod: Pod) -> bool:
    return pod.status.phase not in ("Succeeded", "Failed")


def startup_rows(observer: Observer) -> list[dict[str, Any]]:
    """One row for each pod and phase."""
    return [
        {"namespace": pod.namespace, "pod": pod.name, "phase": phase, "took_ns": took_ns}
        for pod in observer.pods.values()
        for phase, took_ns in ordered_startup(pod).items()
    ]


def log_rows(observer: Observer) -> list[dict[str, Any]]:
    """One row for each log line."""
    return [
        {
            "at_ns": at_ns,
            "namespace": pod.namespace,
            "pod": pod.name,
            "container": container,
            "stream": stream,
            "line": line,
        }
        for pod in observer.pods.values()
        for at_ns, container, stream, line in pod.log
    ]
