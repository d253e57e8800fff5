"""Small nodes and pods, for tests and benchmarks.

Mirrors: pkg/scheduler/testing/wrappers.go.
"""

from __future__ import annotations

from typing import Any

from kubesim.api.corev1 import Node, Pod


def node(
    name: str, *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **more: Any
) -> Node:
    """A ready node; ``labels``, ``taints``, ``unschedulable`` and ``extra`` resources may follow."""
    amounts = {"cpu": cpu, "memory": memory, "pods": pods, **more.pop("extra", {})}
    labels = {"kubernetes.io/hostname": name, **more.pop("labels", {})}
    return Node.model_validate(
        {
            "metadata": {"name": name, "labels": labels},
            "spec": more,
            "status": {"allocatable": amounts, "capacity": amounts},
        }
    )


def pod(name: str, *, cpu: str | None = "100m", memory: str | None = None, **spec: Any) -> Pod:
    """A pod with one container; further arguments are fields of its spec, by their wire names."""
    asked = {"cpu": cpu, "memory": memory}
    requests = {key: value for key, value in asked.items() if value is not None}
    labels = spec.pop("labels", {})
    container = {"name": "c", "image": "app:1", "resources": {"requests": requests}}
    return Pod.model_validate(
        {
            "metadata": {"name": name, "namespace": "default", "uid": name, "labels": labels},
            "spec": {"containers": [container], "schedulerName": "default-scheduler", **spec},
        }
    )
