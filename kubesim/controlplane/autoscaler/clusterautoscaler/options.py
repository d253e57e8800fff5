"""The Cluster Autoscaler's flags that are simulated, by their names, with their defaults.

Mirrors: kubernetes/autoscaler cluster-autoscaler/config/flags/flags.go, as of 55c37cd.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from kubesim.controlplane.autoscaler.simulator.drainability import DrainRules
from kubesim.sim.time import HOUR, MINUTE, SECOND

EXPANDERS = ("random", "least-waste", "most-pods", "price", "priority")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The flags; a name with underscores is the flag with dashes, spans are in nanoseconds."""

    scan_interval: int = 10 * SECOND
    expander: tuple[str, ...] = ("least-waste",)
    new_pod_scale_up_delay: int = 0
    max_node_provision_time: int = 15 * MINUTE
    max_nodes_total: int = 0
    max_nodes_per_scaleup: int = 1000
    balance_similar_node_groups: bool = False
    initial_node_group_backoff_duration: int = 5 * MINUTE
    max_node_group_backoff_duration: int = 30 * MINUTE
    node_group_backoff_reset_timeout: int = 3 * HOUR
    ok_total_unready_count: int = 3
    max_total_unready_percentage: int = 45
    expendable_pods_priority_cutoff: int = -10
    scale_down_enabled: bool = True
    scale_down_unneeded_time: int = 10 * MINUTE
    scale_down_unready_time: int = 20 * MINUTE
    scale_down_utilization_threshold: Fraction = Fraction(1, 2)
    scale_down_delay_after_add: int = 10 * MINUTE
    scale_down_delay_after_delete: int | None = None
    scale_down_delay_after_failure: int = 3 * MINUTE
    unremovable_node_recheck_timeout: int = 5 * MINUTE
    max_scale_down_parallelism: int = 10
    max_drain_parallelism: int = 1
    max_graceful_termination_sec: int = 600
    max_pod_eviction_time: int = 2 * MINUTE
    node_delete_delay_after_taint: int = 5 * SECOND
    skip_nodes_with_system_pods: bool = True
    skip_nodes_with_local_storage: bool = True
    enforce_node_group_min_size: bool = False

    @property
    def delay_after_delete(self) -> int:
        """``scale-down-delay-after-delete``; by default the scan interval."""
        delay_ns = self.scale_down_delay_after_delete
        return self.scan_interval if delay_ns is None else delay_ns

    @property
    def drain_rules(self) -> DrainRules:
        """Which pods keep their node."""
        return DrainRules(
            skip_nodes_with_system_pods=self.skip_nodes_with_system_pods,
            skip_nodes_with_local_storage=self.skip_nodes_with_local_storage,
        )
