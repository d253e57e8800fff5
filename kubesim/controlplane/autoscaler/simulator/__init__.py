"""What would be if: the cluster as the scheduler sees it, changed and changed back."""

from kubesim.controlplane.autoscaler.simulator.controllers import controller_replicas
from kubesim.controlplane.autoscaler.simulator.daemonpods import daemon_pods
from kubesim.controlplane.autoscaler.simulator.drainability import (
    Drainability,
    Replicas,
    drainability,
)
from kubesim.controlplane.autoscaler.simulator.snapshot import ClusterSnapshot
from kubesim.controlplane.autoscaler.simulator.utilization import gpu_of, utilization

__all__ = [
    "ClusterSnapshot",
    "Drainability",
    "Replicas",
    "controller_replicas",
    "daemon_pods",
    "drainability",
    "gpu_of",
    "utilization",
]
