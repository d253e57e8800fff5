"""Karpenter: a node for the pods at hand, the cheapest that there is, and a cheaper one later.

Mirrors: kubernetes-sigs/karpenter.
"""

from kubesim.controlplane.autoscaler.karpenter.karpenter import Karpenter

__all__ = ["Karpenter"]
