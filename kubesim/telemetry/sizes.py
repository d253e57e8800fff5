"""What a VerticalPodAutoscaler recommends, and what it made of its workload: one row a container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kubesim.api.corev1 import Container, Pod
from kubesim.api.quantity import Quantity
from kubesim.api.vpav1 import VerticalPodAutoscaler, update_mode

SIZE_COLUMNS = (
    "namespace", "name", "mode", "target", "container", "pods", "asked_cpu_m", "asked_memory",
    "has_cpu_m", "has_memory", "target_cpu_m", "target_memory", "lower_cpu_m", "lower_memory",
    "upper_cpu_m", "upper_memory",
)  # fmt: skip


def size_rows(
    vpa: VerticalPodAutoscaler, template: Iterable[Container], pods: Iterable[Pod]
) -> list[dict[str, Any]]:
    """The rows of one autoscaler; ``None`` where nothing is asked for or recommended.

    Args:
        vpa: The autoscaler.
        template: The containers that its target makes pods of.
        pods: Its target's pods.
    """
    asked = {container.name: container.resources.requests for container in template}
    living, rows = list(pods), list[dict[str, Any]]()
    recommendation = vpa.status.recommendation
    for item in recommendation.container_recommendations if recommendation is not None else ():
        name = item.container_name or ""
        requests = [
            container.resources.requests
            for pod in living
            for container in pod.spec.containers
            if container.name == name
        ]
        reference = vpa.spec.target_ref
        row: dict[str, Any] = {
            "namespace": vpa.namespace,
            "name": vpa.name,
            "mode": update_mode(vpa),
            "target": f"{reference.kind}/{reference.name}",
            "container": name,
            "pods": len(requests),
        }
        for what, amounts in (
            ("asked", asked.get(name, {})),
            ("has", _mean(requests)),
            ("target", item.target),
            ("lower", item.lower_bound),
            ("upper", item.upper_bound),
        ):
            row[f"{what}_cpu_m"] = amounts["cpu"].milli_value() if "cpu" in amounts else None
            row[f"{what}_memory"] = amounts["memory"].value() if "memory" in amounts else None
        rows.append(row)
    return rows


def _mean(requests: list[Any]) -> Mapping[str, Quantity]:
    """What the pods ask for on average."""
    found: dict[str, Quantity] = {}
    for name in ("cpu", "memory"):
        amounts = [each[name].nanos for each in requests if name in each]
        if amounts:
            found[name] = Quantity.of_nanos(sum(amounts) // len(amounts))
    return found
