"""The pods and workloads of a simulation, for expectations and for the Run's tables."""

from __future__ import annotations

from typing import Any

from kubesim.api.appsv1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import Pod, Service
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.spinv1alpha1 import SpinApp
from kubesim.cluster import Simulation
from kubesim.telemetry import Observer, Table
from kubesim.telemetry.build import pod_row
from kubesim.telemetry.workloads import WORKLOAD_COLUMNS, workload_rows

OWNERS = (SpinApp, Deployment, ReplicaSet, StatefulSet, DaemonSet)


def pod_rows(simulation: Simulation, observer: Observer) -> list[dict[str, Any]]:
    """One row a pod that is in the store, in its order."""
    rows = []
    for pod in simulation.store.values(Pod):
        node = simulation.nodes.get(pod.spec.node_name or "")
        throttling = (0, 0) if node is None else node.pod_throttling(pod.uid)
        rows.append(pod_row(pod, observer.pods.get(pod.uid), throttling))
    return rows


def workloads_table(simulation: Simulation, observer: Observer) -> Table:
    """One row a workload."""
    store = simulation.store

    def memory(pod: Pod) -> int:
        node = simulation.nodes.get(pod.spec.node_name or "")
        runtime_class = store.get(RuntimeClass, pod.spec.runtime_class_name or "")
        handler = "" if runtime_class is None else runtime_class.handler
        return 0 if node is None else node.pod_memory_bytes(pod.uid, handler)

    rows = workload_rows(
        store.values(Pod),
        [owner for kind in OWNERS for owner in store.values(kind)],
        store.values(Service),
        observer,
        image_bytes={image.name: image.size_bytes for image in simulation.config.images},
        pools={name: node.pool for name, node in simulation.nodes.items()},
        memory=memory,
    )
    return Table("workloads", WORKLOAD_COLUMNS, rows)
