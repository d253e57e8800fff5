"""How full a node is, by what its pods ask for.

Mirrors: kubernetes/autoscaler cluster-autoscaler/simulator/utilization/info.go.
Departs: GPUs do not count; DaemonSet pods do, as by default.
"""

from __future__ import annotations

from fractions import Fraction

from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo


def utilization(node: NodeInfo) -> Fraction:
    """The larger of the shares of cpu and of memory that are asked for."""
    pods = [info for info in node.pods if info.pod.metadata.deletion_timestamp is None]
    shares = [
        _share(sum(p.signature.requests.milli_cpu for p in pods), node.allocatable.milli_cpu),
        _share(sum(p.signature.requests.memory for p in pods), node.allocatable.memory),
    ]
    return max(shares)


def _share(requested: int, allocatable: int) -> Fraction:
    return Fraction(requested, allocatable) if allocatable else Fraction(0)
