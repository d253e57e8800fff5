"""What would be if: the cluster as the scheduler sees it, changed and changed back."""

from kubesim.controlplane.autoscaler.simulator.daemonpods import daemon_pods
from kubesim.controlplane.autoscaler.simulator.drainability import Drainability, drainability
from kubesim.controlplane.autoscaler.simulator.snapshot import ClusterSnapshot
from kubesim.controlplane.autoscaler.simulator.utilization import utilization

__all__ = ["ClusterSnapshot", "Drainability", "daemon_pods", "drainability", "utilization"]
