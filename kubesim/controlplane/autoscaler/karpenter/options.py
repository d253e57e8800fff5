"""Karpenter's settings that are simulated, with their defaults.

Mirrors: kubernetes-sigs/karpenter pkg/operator/options/options.go, as of 2266468.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.time import SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings; spans are in nanoseconds.

    Attributes:
        batch_idle_duration: How long no pod must have come before nodes are bought.
        batch_max_duration: How long pods are collected at most.
        spot_to_spot_consolidation: The feature gate of that name.
    """

    batch_idle_duration: int = SECOND
    batch_max_duration: int = 10 * SECOND
    spot_to_spot_consolidation: bool = False
