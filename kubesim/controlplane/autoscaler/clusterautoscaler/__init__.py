"""The Cluster Autoscaler: node groups grow for pods that fit nowhere, and shrink when nobody needs them.

Mirrors: kubernetes/autoscaler cluster-autoscaler.
"""

from kubesim.controlplane.autoscaler.clusterautoscaler.autoscaler import ClusterAutoscaler
from kubesim.controlplane.autoscaler.clusterautoscaler.options import (
    EXPANDERS,
    REFUSED_FLAGS,
    Options,
)

__all__ = ["EXPANDERS", "REFUSED_FLAGS", "ClusterAutoscaler", "Options"]
