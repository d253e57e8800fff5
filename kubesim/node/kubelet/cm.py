"""The cgroup of a pod, and who is killed first when the node has no memory left. Pure functions.

Mirrors: pkg/kubelet/cm/helpers_linux.go (ResourceConfigForPod), pod_container_manager_linux.go,
pkg/kubelet/qos/policy.go (GetContainerOOMScoreAdjust).
Departs: the kubelet names the cgroup, and the runtime makes it with the sandbox; cgroupfs names, not
systemd slices.
"""

from __future__ import annotations

from kubesim.api.corev1 import Container, Pod
from kubesim.api.corev1.enums import PodQOSClass
from kubesim.api.podutil import pod_limits, pod_qos, pod_requests
from kubesim.node.cri.messages import LinuxContainerResources, LinuxPodSandboxConfig
from kubesim.node.kubelet.container import (
    MIN_SHARES,
    QUOTA_PERIOD_US,
    cpu_quota_us,
    cpu_shares,
)

GUARANTEED_OOM_SCORE_ADJ = -997
BEST_EFFORT_OOM_SCORE_ADJ = 1000
SYSTEM_CRITICAL_PRIORITY = 2_000_000_000
SYSTEM_NODE_CRITICAL = SYSTEM_CRITICAL_PRIORITY + 1_000


def pod_cgroup(pod: Pod, qos: PodQOSClass) -> str:
    """Where the pod's cgroup is: guaranteed pods are directly below ``kubepods``."""
    above = "" if qos == "Guaranteed" else f"/{qos.lower()}"
    return f"/kubepods{above}/pod{pod.uid}"


def resource_config_for_pod(
    pod: Pod, qos: PodQOSClass, period_us: int = QUOTA_PERIOD_US
) -> LinuxContainerResources:
    """The pod's own limits: those of its containers together, where all of them have one."""
    if qos == "BestEffort":
        return LinuxContainerResources(cpu_shares=MIN_SHARES)
    limits, requests = pod_limits(pod.spec), pod_requests(pod.spec)
    request_cpu = requests["cpu"].milli_value() if "cpu" in requests else 0
    quota = memory = 0
    if "cpu" in limits and _declared(pod, "cpu"):
        quota = cpu_quota_us(limits["cpu"].milli_value(), period_us)
    if "memory" in limits and _declared(pod, "memory"):
        memory = limits["memory"].value()
    return LinuxContainerResources(
        cpu_period=period_us or QUOTA_PERIOD_US,
        cpu_quota=quota,
        cpu_shares=cpu_shares(request_cpu),
        memory_limit_in_bytes=memory,
    )


def linux_pod_sandbox_config(pod: Pod, period_us: int = QUOTA_PERIOD_US) -> LinuxPodSandboxConfig:
    """The pod's cgroup and its limits, as RunPodSandbox is given them."""
    qos = pod_qos(pod.spec)
    overhead = None
    if pod.spec.overhead:
        memory = pod.spec.overhead.get("memory")
        cpu = pod.spec.overhead.get("cpu")
        overhead = LinuxContainerResources(
            cpu_shares=cpu_shares(cpu.milli_value() if cpu else 0),
            memory_limit_in_bytes=memory.value() if memory else 0,
        )
    return LinuxPodSandboxConfig(
        cgroup_parent=pod_cgroup(pod, qos),
        resources=resource_config_for_pod(pod, qos, period_us),
        overhead=overhead,
    )


def oom_score_adj(pod: Pod, container: Container, *, memory_capacity_bytes: int) -> int:
    """The higher, the sooner the kernel kills it: best effort before burstable before guaranteed.

    A burstable container's score falls with the part of the machine's memory that it requests, so
    that one that uses more than it requests comes before one that does not. A sidecar is not killed
    before the containers that it serves.
    """
    if (pod.spec.priority or 0) >= SYSTEM_NODE_CRITICAL:
        return GUARANTEED_OOM_SCORE_ADJ
    qos = pod_qos(pod.spec)
    if qos == "Guaranteed":
        return GUARANTEED_OOM_SCORE_ADJ
    if qos == "BestEffort":
        return BEST_EFFORT_OOM_SCORE_ADJ
    capacity = max(1, memory_capacity_bytes)
    requested = _requested_memory(container)
    if container.restart_policy == "Always" and container in pod.spec.init_containers:
        least = min((_requested_memory(item) for item in pod.spec.containers), default=0)
        requested = max(requested, least)
    adjust = 1000 - 1000 * requested // capacity
    if adjust == BEST_EFFORT_OOM_SCORE_ADJ:
        return BEST_EFFORT_OOM_SCORE_ADJ - 1
    return max(adjust, 1000 + GUARANTEED_OOM_SCORE_ADJ)


def _requested_memory(container: Container) -> int:
    """Its request; the API server has set it to the limit where only that was given."""
    requests = container.resources.requests
    return requests["memory"].value() if "memory" in requests else 0


def _declared(pod: Pod, resource: str) -> bool:
    """Whether the pod as a whole, or each of its containers, has such a limit."""
    if pod.spec.resources is not None and pod.spec.resources.limits.get(resource):
        return True
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    return all(item.resources.limits.get(resource) for item in containers)
