"""One pool's kubelet and containerd configuration. Pure functions.

What an operator wrote (KubeletConfiguration, ``config.toml``, a cloud's reserved amounts) becomes the
configuration of the pool's nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from kubesim.api.duration import parse_duration
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.calibration.reserved import load_reserved
from kubesim.cluster.shims import default_entry
from kubesim.node.containerd.config import CriConfig, RuntimeEntry
from kubesim.node.kubelet.configuration import (
    DEFAULT_EVICTION_HARD,
    KubeletConfiguration,
    Threshold,
)
from kubesim.scenario.format import NodePool, RuntimeTable
from kubesim.sim.time import MINUTE

DEFAULT_MAX_PODS = 110  # KubeletConfiguration's maxPods


def kubelet_configuration(
    pool: NodePool, capacity: Mapping[str, Quantity], *, machine_pods: int | None
) -> KubeletConfiguration:
    """What the pool says of the kubelet.

    Args:
        pool: The pool.
        capacity: The machine's resources, of which a cloud reserves a part.
        machine_pods: ``maxPods`` as the machine type's provider configures it.
    """
    given = pool.kubelet
    max_pods = _max_pods(pool, machine_pods)
    reserved = FrozenMap(given.kube_reserved or {})
    eviction = _thresholds(given.eviction_hard) if given.eviction_hard is not None else None
    if pool.reserved is not None:
        formula = load_reserved()[pool.reserved]
        if given.kube_reserved is None:
            memory = formula.memory.reserved_bytes(capacity["memory"].value(), max_pods=max_pods)
            millis = formula.cpu.millis(capacity["cpu"].milli_value())
            reserved = FrozenMap({"cpu": Quantity(f"{millis}m"), "memory": Quantity(str(memory))})
        if eviction is None:
            eviction = _thresholds(formula.eviction_hard)
    if eviction is None:
        eviction = DEFAULT_EVICTION_HARD
    elif given.merge_default_eviction_settings:
        eviction = DEFAULT_EVICTION_HARD.merge(eviction)
    parallel = given.max_parallel_image_pulls or 0
    serialize = given.serialize_image_pulls
    return KubeletConfiguration(
        # maxParallelImagePulls of more than one means that pulls are not serialized.
        serialize_image_pulls=parallel < 2 if serialize is None else serialize,
        max_parallel_image_pulls=parallel,
        registry_pull_qps=given.registry_pull_qps,
        registry_burst=given.registry_burst,
        kube_api_qps=given.kube_api_qps,
        kube_api_burst=given.kube_api_burst,
        max_pods=max_pods,
        pods_per_core=given.pods_per_core,
        pod_pids_limit=given.pod_pids_limit,
        cpu_cfs_quota=given.cpu_cfs_quota,
        cpu_cfs_quota_period_ns=given.cpu_cfs_quota_period,
        kube_reserved=reserved,
        system_reserved=FrozenMap(given.system_reserved),
        eviction_hard=eviction,
        eviction_soft=_thresholds(given.eviction_soft),
        eviction_soft_grace_period_ns=FrozenMap(given.eviction_soft_grace_period),
        eviction_max_pod_grace_period_s=given.eviction_max_pod_grace_period,
        eviction_minimum_reclaim=FrozenMap(
            {
                signal: Threshold.parse(text, zero=True)
                for signal, text in given.eviction_minimum_reclaim.items()
            }
        ),
        # As everywhere in KubeletConfiguration, nothing means the default.
        eviction_pressure_transition_period_ns=given.eviction_pressure_transition_period
        or 5 * MINUTE,
        image_gc_high_threshold_percent=given.image_gc_high_threshold_percent,
        image_gc_low_threshold_percent=given.image_gc_low_threshold_percent,
        image_minimum_gc_age_ns=given.image_minimum_gc_age,
        image_maximum_gc_age_ns=given.image_maximum_gc_age,
        node_status_update_frequency_ns=given.node_status_update_frequency,
        node_status_max_images=given.node_status_max_images,
        node_lease_duration_seconds=given.node_lease_duration_seconds,
        enforce_node_allocatable=given.enforce_node_allocatable,
        kernel_memcg_notification=given.kernel_memcg_notification,
        volume_stats_agg_period_ns=given.volume_stats_agg_period or MINUTE,
        crash_loop_max_ns=given.crash_loop_back_off.max_container_restart_period,
    )


def _thresholds(texts: dict[str, str]) -> FrozenMap[str, Threshold]:
    return FrozenMap({signal: Threshold.parse(text) for signal, text in texts.items()})


def cri_config(pool: NodePool) -> CriConfig:
    """What the pool says of containerd."""
    given = pool.containerd
    runtimes = {
        handler: RuntimeEntry(
            shim=shim_of(table),
            pod_annotations=table.pod_annotations,
            snapshotter=table.snapshotter,
        )
        for handler, table in given.runtimes.items()
    }
    for handler in pool.runtimes:
        runtimes.setdefault(handler, default_entry(handler))
    return CriConfig(
        max_concurrent_downloads=given.max_concurrent_downloads,
        discard_unpacked_layers=given.discard_unpacked_layers,
        snapshotter=given.snapshotter,
        sandbox_image=given.sandbox_image,
        image_pull_progress_timeout_ns=parse_duration(given.image_pull_progress_timeout),
        default_runtime_name=given.default_runtime_name,
        runtimes=FrozenMap(runtimes),
    )


def shim_of(table: RuntimeTable) -> str:
    """The shim's short name: ``io.containerd.spin.v2`` and ``.../containerd-shim-spin-v2`` are spin."""
    path = table.runtime_path or table.runtime_type
    if "/" in path:
        name = PurePosixPath(path).name.removeprefix("containerd-shim-").rpartition("-")[0]
    else:
        name = path.removeprefix("io.containerd.").rpartition(".")[0]
    binary = PurePosixPath(str(table.options.get("BinaryName", ""))).name
    return "crun" if name == "runc" and binary == "crun" else name


def _max_pods(pool: NodePool, machine_pods: int | None) -> int:
    """``maxPods``; else what the machine's provider configures, or the capacity says."""
    if pool.kubelet.max_pods is not None:
        return pool.kubelet.max_pods
    if machine_pods is not None:
        return machine_pods
    assert pool.capacity is not None
    return pool.capacity.pods or DEFAULT_MAX_PODS
