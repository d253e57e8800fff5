"""Karpenter: a node for the pods at hand, the cheapest that there is, and a cheaper one later.

Mirrors: kubernetes-sigs/karpenter.
"""

from kubesim.controlplane.autoscaler.karpenter.karpenter import Karpenter
from kubesim.controlplane.autoscaler.karpenter.options import Options

__all__ = ["Karpenter", "Options"]
