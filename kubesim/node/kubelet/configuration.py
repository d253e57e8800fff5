"""A kubelet's configuration, as far as it is simulated, and what follows from it for a node.

The names and the defaults are KubeletConfiguration's. ``allocatable`` is what the scheduler may hand
out: the machine's capacity less what is reserved for the system and for Kubernetes, and less what a
hard eviction threshold keeps free anyway.

Mirrors: pkg/kubelet/apis/config/v1beta1/defaults.go; pkg/kubelet/cm/node_container_manager_linux.go
(GetNodeAllocatableReservation); pkg/kubelet/eviction/helpers.go (ParseThresholdConfig).
Departs: hugepages and process ids are neither reserved nor handed out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.sim.time import MICROSECOND, SECOND

MINUTE = 60 * SECOND

SIGNALS = (
    "memory.available",
    "nodefs.available",
    "nodefs.inodesFree",
    "imagefs.available",
    "imagefs.inodesFree",
    "containerfs.available",
    "containerfs.inodesFree",
    "pid.available",
    "allocatableMemory.available",
)
_RESOURCE_OF_SIGNAL = {"memory.available": "memory", "nodefs.available": "ephemeral-storage"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold of a signal: an amount, or a share of the capacity.

    Attributes:
        amount: Bytes (or processes, inodes); 0 when it is a share.
        hundredths_of_percent: The share.
    """

    amount: int = 0
    hundredths_of_percent: int = 0

    def of(self, capacity: int) -> int:
        """How much that is of a capacity."""
        return self.amount or capacity * self.hundredths_of_percent // 10_000

    @property
    def is_set(self) -> bool:
        """Whether it can be met: upstream leaves 0 % and 100 % out."""
        return self.amount > 0 or 0 < self.hundredths_of_percent < 10_000

    @classmethod
    def parse(cls, text: str, *, zero: bool = False) -> Threshold:
        """``100Mi`` or ``10%``.

        Args:
            text: What was written.
            zero: Whether it may be nothing.

        Raises:
            ValueError: If it is neither.
        """
        if not text.endswith("%"):
            amount = Quantity(text).value()
            if amount < 0 or (not amount and not zero):
                raise ValueError("a threshold must be positive")
            return cls(amount=amount)
        share = round(float(text.removesuffix("%")) * 100)
        if not 0 <= share <= 10_000:
            raise ValueError("a percentage is between 0% and 100%")
        return cls(hundredths_of_percent=share)


DEFAULT_EVICTION_HARD = FrozenMap(
    {
        "memory.available": Threshold.parse("100Mi"),
        "nodefs.available": Threshold.parse("10%"),
        "nodefs.inodesFree": Threshold.parse("5%"),
        "imagefs.available": Threshold.parse("15%"),
        "imagefs.inodesFree": Threshold.parse("5%"),
    }
)
_NONE: FrozenMap[str, Quantity] = FrozenMap()
_NO_THRESHOLDS: FrozenMap[str, Threshold] = FrozenMap()


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletConfiguration:
    """The fields of KubeletConfiguration that make a difference here; defaults are upstream's.

    Attributes:
        max_parallel_image_pulls: 0 means any number.
        registry_pull_qps: 0 means no limit.
        pod_pids_limit: -1 means none but the node's.
        image_maximum_gc_age_ns: 0 means images do not age.
    """

    serialize_image_pulls: bool = True
    max_parallel_image_pulls: int = 0
    registry_pull_qps: int = 5
    registry_burst: int = 10
    kube_api_qps: int = 50
    kube_api_burst: int = 100
    max_pods: int = 110
    pods_per_core: int = 0
    pod_pids_limit: int = -1
    cpu_cfs_quota: bool = True
    cpu_cfs_quota_period_ns: int = SECOND // 10
    kube_reserved: FrozenMap[str, Quantity] = _NONE
    system_reserved: FrozenMap[str, Quantity] = _NONE
    eviction_hard: FrozenMap[str, Threshold] = DEFAULT_EVICTION_HARD
    eviction_soft: FrozenMap[str, Threshold] = _NO_THRESHOLDS
    eviction_soft_grace_period_ns: FrozenMap[str, int] = field(default_factory=FrozenMap)
    eviction_max_pod_grace_period_s: int = 0
    eviction_minimum_reclaim: FrozenMap[str, Threshold] = _NO_THRESHOLDS
    eviction_pressure_transition_period_ns: int = 5 * MINUTE
    image_gc_high_threshold_percent: int = 85
    image_gc_low_threshold_percent: int = 80
    image_minimum_gc_age_ns: int = 2 * MINUTE
    image_maximum_gc_age_ns: int = 0
    node_status_update_frequency_ns: int = 10 * SECOND
    node_status_max_images: int = 50
    node_lease_duration_seconds: int = 40
    enforce_node_allocatable: tuple[str, ...] = ("pods",)
    kernel_memcg_notification: bool = False
    volume_stats_agg_period_ns: int = MINUTE
    crash_loop_max_ns: int = 300 * SECOND

    @property
    def cfs_period_us(self) -> int:
        """The period of CPU quotas in microseconds; 0 where limits make no quotas."""
        return self.cpu_cfs_quota_period_ns // MICROSECOND if self.cpu_cfs_quota else 0

    @property
    def lease_renew_period_ns(self) -> int:
        """A quarter of the lease's duration."""
        return self.node_lease_duration_seconds * SECOND // 4


def allocatable(
    capacity: Mapping[str, Quantity], config: KubeletConfiguration
) -> FrozenMap[str, Quantity]:
    """What pods may have of a machine.

    Args:
        capacity: The machine's resources.
        config: What is reserved of them.
    """
    left = dict(capacity)
    for name in ("cpu", "memory", "ephemeral-storage"):
        if name not in left:
            continue
        nanos = left[name].nanos
        for reserved in (config.kube_reserved, config.system_reserved):
            if name in reserved:
                nanos -= reserved[name].nanos
        for signal, resource in _RESOURCE_OF_SIGNAL.items():
            if resource == name and signal in config.eviction_hard:
                if not config.eviction_hard[signal].is_set:
                    continue
                nanos -= config.eviction_hard[signal].of(left[name].value()) * 10**9
        left[name] = _quantity(name, max(nanos, 0))
    return FrozenMap(left)


def kubepods_memory_bytes(capacity: Mapping[str, Quantity], config: KubeletConfiguration) -> int:
    """The memory limit of all pods together: the capacity less what is reserved; 0 for none.

    Mirrors: pkg/kubelet/cm (getNodeAllocatableAbsolute): an eviction threshold is not taken off, so
    that evictions come before the kernel kills.
    """
    if "pods" not in config.enforce_node_allocatable or "memory" not in capacity:
        return 0
    left = capacity["memory"].value()
    for reserved in (config.kube_reserved, config.system_reserved):
        if "memory" in reserved:
            left -= reserved["memory"].value()
    return max(left, 0)


def pod_capacity(config: KubeletConfiguration, cpu_millis: int) -> int:
    """``maxPods``, and no more than ``podsPerCore`` for each core when that is given."""
    if config.pods_per_core:
        return min(config.max_pods, config.pods_per_core * (cpu_millis // 1000))
    return config.max_pods


def _quantity(name: str, nanos: int) -> Quantity:
    return Quantity(f"{nanos // 10**6}m" if name == "cpu" else str(nanos // 10**9))
