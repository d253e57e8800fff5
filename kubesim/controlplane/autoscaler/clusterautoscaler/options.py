"""The Cluster Autoscaler's flags that are simulated, by their names, with their defaults.

Mirrors: kubernetes/autoscaler cluster-autoscaler/config/flags/flags.go, as of July 2026 (the commit
before 87d9c45).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from kubesim.controlplane.autoscaler.simulator.drainability import DrainRules
from kubesim.sim.time import HOUR, MINUTE, SECOND

EXPANDERS = ("random", "least-waste", "least-nodes", "most-pods", "price", "priority")
ANY_PRIORITY = (1 << 31) - 1
UNBOUNDED = 1 << 62

# Flags of the real one that change nothing that is simulated, or something that is not, and why
# they are refused rather than ignored.
_PLACE = "node groups are the scenario's nodePools with autoscaling"
_PROCESS = "the process, its logs and its metrics are not simulated"
_TIMELESS = "a look takes no time here, so nothing has to be cut short"
_INSIDE = "this part of the autoscaler is not simulated"
_NOT_OFF = "only its default is simulated"
REFUSED_FLAGS: dict[str, str] = {
    **dict.fromkeys(
        ("nodes", "node-group-auto-discovery", "cloud-provider", "cloud-config", "cluster-name",
         "regional", "aws-use-static-instance-list", "clusterapi-cloud-config-authoritative",
         "gce-concurrent-refreshes", "gce-mig-instances-min-refresh-wait-time",
         "bulk-mig-instances-listing-enabled"),
        _PLACE,
    ),
    **dict.fromkeys(
        ("address", "kubernetes", "kubeconfig", "kube-api-content-type", "profiling", "user-agent",
         "emit-per-nodegroup-metrics", "debugging-snapshot-enabled", "max-inactivity",
         "max-failing-time", "max-startup-time", "leader-elect", "v", "logtostderr",
         "stderrthreshold", "scheduler-verbosity", "record-duplicated-events",
         "node-removal-latency-tracking-enabled", "max-node-skip-eval-time-tracker-enabled"),
        _PROCESS,
    ),
    **dict.fromkeys(
        ("max-binpacking-time", "max-nodegroup-binpacking-duration", "max-bulk-soft-taint-time",
         "scale-down-simulation-timeout", "pending-pods-batching-timeout",
         "predicate-parallelism", "cluster-snapshot-parallelism", "node-info-cache-expire-time",
         "scale-down-non-empty-candidates-count", "scale-down-candidates-pool-ratio",
         "scale-down-candidates-pool-min-count", "salvo-scale-up-budget",
         "fastpath-binpacking-enabled", "enable-graceful-degradation"),
        _TIMELESS,
    ),
    **dict.fromkeys(
        ("grpc-expander-cert", "grpc-expander-url", "gpu-total", "scale-down-delay-type-local",
         "parallel-scale-up", "salvo-scale-up", "async-node-groups", "force-ds",
         "force-delete-failed-nodes", "node-deletion-batcher-interval",
         "dynamic-node-delete-delay-after-taint-enabled", "bypassed-scheduler-names",
         "enable-proactive-scaleup", "pod-injection-limit", "enable-provisioning-requests",
         "provisioning-request-initial-backoff-time", "provisioning-request-max-backoff-time",
         "provisioning-request-max-backoff-cache-size", "check-capacity-batch-processing",
         "check-capacity-provisioning-request-max-batch-size",
         "check-capacity-provisioning-request-batch-timebox", "check-capacity-processor-instance",
         "enable-csi-node-aware-scheduling", "node-deletion-candidate-ttl",
         "capacity-buffer-controller-enabled", "capacity-buffer-pod-injection-enabled",
         "capacity-buffer-pod-dry-run-enabled", "capacity-quotas-enabled",
         "scaleup-simulation-for-skipped-node-groups-enabled", "scale-from-unschedulable",
         "startup-taint-prefix"),
        _INSIDE,
    ),
    **dict.fromkeys(("estimator", "enable-dynamic-resource-allocation"), _NOT_OFF),
    "scheduler-config-file": "the autoscaler uses the plugins of the scenario's scheduler",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The flags; a name with underscores is the flag with dashes, spans are in nanoseconds."""

    namespace: str = "kube-system"
    kube_client_qps: float = 5.0
    kube_client_burst: int = 10
    scan_interval: int = 10 * SECOND
    frequent_loops_enabled: bool = True
    expander: tuple[str, ...] = ("least-waste",)
    new_pod_scale_up_delay: int = 0
    max_node_provision_time: int = 15 * MINUTE
    max_node_startup_time: int = 15 * MINUTE
    max_nodes_total: int = 0
    cores_total: tuple[int, int] = (0, UNBOUNDED)
    memory_total: tuple[int, int] = (0, UNBOUNDED)
    max_nodes_per_scaleup: int = 1000
    scale_up_from_zero: bool = True
    balance_similar_node_groups: bool = False
    balancing_ignore_label: tuple[str, ...] = ()
    balancing_label: tuple[str, ...] = ()
    memory_difference_ratio: Fraction = Fraction("0.015")
    max_free_difference_ratio: Fraction = Fraction("0.05")
    max_allocatable_difference_ratio: Fraction = Fraction("0.05")
    startup_taint: tuple[str, ...] = ()
    status_taint: tuple[str, ...] = ()
    ignore_taint: tuple[str, ...] = ()
    initial_node_group_backoff_duration: int = 5 * MINUTE
    max_node_group_backoff_duration: int = 30 * MINUTE
    node_group_backoff_reset_timeout: int = 3 * HOUR
    ok_total_unready_count: int = 3
    max_total_unready_percentage: int = 45
    expendable_pods_priority_cutoff: int = -10
    allowed_scheduler_names: tuple[str, ...] = ()
    scale_down_enabled: bool = True
    scale_down_unready_enabled: bool = True
    scale_down_unneeded_time: int = 10 * MINUTE
    scale_down_unready_time: int = 20 * MINUTE
    scale_down_utilization_threshold: Fraction = Fraction(1, 2)
    scale_down_gpu_utilization_threshold: Fraction = Fraction(1, 2)
    ignore_daemonsets_utilization: bool = False
    ignore_mirror_pods_utilization: bool = False
    scale_down_delay_after_add: int = 10 * MINUTE
    scale_down_delay_after_delete: int | None = None
    scale_down_delay_after_failure: int = 3 * MINUTE
    unremovable_node_recheck_timeout: int = 5 * MINUTE
    max_scale_down_parallelism: int = 10
    max_drain_parallelism: int = 1
    max_bulk_soft_taint_count: int = 10
    max_graceful_termination_sec: int = 600
    drain_priority_config: tuple[tuple[int, int], ...] = ()
    max_pod_eviction_time: int = 2 * MINUTE
    node_delete_delay_after_taint: int = 5 * SECOND
    node_deletion_delay_timeout: int = 2 * MINUTE
    cordon_node_before_terminating: bool = True
    daemonset_eviction_for_empty_nodes: bool = False
    daemonset_eviction_for_occupied_nodes: bool = True
    skip_nodes_with_system_pods: bool = True
    blocking_system_pod_distruption_timeout: int = HOUR
    skip_nodes_with_local_storage: bool = True
    skip_nodes_with_custom_controller_pods: bool = True
    min_replica_count: int = 0
    enforce_node_group_min_size: bool = False
    force_delete_unregistered_nodes: bool = False
    write_status_configmap: bool = True
    status_config_map_name: str = "cluster-autoscaler-status"

    @property
    def delay_after_delete(self) -> int:
        """``scale-down-delay-after-delete``; by default the scan interval."""
        delay_ns = self.scale_down_delay_after_delete
        return self.scan_interval if delay_ns is None else delay_ns

    @property
    def startup_taints(self) -> tuple[str, ...]:
        """Keys of taints that a node has while it starts; ``ignore-taint`` is their old name."""
        return (*self.startup_taint, *self.ignore_taint)

    @property
    def drain_groups(self) -> tuple[tuple[int, int], ...]:
        """Priorities in rising order, and the grace in seconds of the pods of each."""
        if self.drain_priority_config:
            return tuple(sorted(self.drain_priority_config))
        return ((ANY_PRIORITY, self.max_graceful_termination_sec),)

    @property
    def drain_rules(self) -> DrainRules:
        """Which pods keep their node."""
        return DrainRules(
            skip_nodes_with_system_pods=self.skip_nodes_with_system_pods,
            system_pod_timeout_ns=self.blocking_system_pod_distruption_timeout,
            skip_nodes_with_local_storage=self.skip_nodes_with_local_storage,
            skip_nodes_with_custom_controller_pods=self.skip_nodes_with_custom_controller_pods,
            min_replica_count=self.min_replica_count,
        )
