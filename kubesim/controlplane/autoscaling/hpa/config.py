"""The controller's settings, each a flag of kube-controller-manager.

Mirrors: pkg/controller/podautoscaler/config/v1alpha1/defaults.go, pkg/features/kube_features.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kubesim.controlplane.autoscaling.hpa.behaviors import (
    SCALE_UP_LIMIT_FACTOR,
    SCALE_UP_LIMIT_MINIMUM,
)
from kubesim.controlplane.autoscaling.hpa.pods import ReadinessRules
from kubesim.sim.time import SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class HPAFeatures:
    """Feature gates, as they are in Kubernetes 1.36."""

    scale_to_zero: bool = False  # HPAScaleToZero, alpha
    configurable_tolerance: bool = True  # HPAConfigurableTolerance, beta
    pod_level_resources: bool = True  # PodLevelResources, beta


@dataclass(frozen=True, slots=True, kw_only=True)
class HPAConfig:
    """How the controller works.

    Attributes:
        sync_period_ns: ``--horizontal-pod-autoscaler-sync-period``.
        concurrent_syncs: ``--concurrent-horizontal-pod-autoscaler-syncs``.
        downscale_stabilization_ns: ``--horizontal-pod-autoscaler-downscale-stabilization``.
        tolerance: ``--horizontal-pod-autoscaler-tolerance``.
        cpu_initialization_period_ns: ``--horizontal-pod-autoscaler-cpu-initialization-period``.
        initial_readiness_delay_ns: ``--horizontal-pod-autoscaler-initial-readiness-delay``.
        scale_up_limit_factor: Without behaviour; a constant upstream.
        scale_up_limit_minimum: Without behaviour; a constant upstream.
        features: Feature gates.
    """

    sync_period_ns: int = 15 * SECOND
    concurrent_syncs: int = 5
    downscale_stabilization_ns: int = 300 * SECOND
    tolerance: float = 0.1
    cpu_initialization_period_ns: int = 300 * SECOND
    initial_readiness_delay_ns: int = 30 * SECOND
    scale_up_limit_factor: float = SCALE_UP_LIMIT_FACTOR
    scale_up_limit_minimum: float = SCALE_UP_LIMIT_MINIMUM
    features: HPAFeatures = field(default_factory=HPAFeatures)

    @property
    def readiness(self) -> ReadinessRules:
        """When a pod's cpu sample is believed."""
        return ReadinessRules(
            cpu_initialization_period_ns=self.cpu_initialization_period_ns,
            initial_readiness_delay_ns=self.initial_readiness_delay_ns,
        )
