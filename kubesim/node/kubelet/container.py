"""From a container of a pod's spec to what CRI is asked for. Pure functions.

Mirrors: pkg/kubelet/kuberuntime/kuberuntime_container.go, kuberuntime_container_linux.go,
pkg/kubelet/cm/helpers_linux.go (MilliCPUToShares, MilliCPUToQuota), pkg/kubelet/images/
image_manager.go (shouldPullImage).
"""

from __future__ import annotations

from kubesim.api.corev1 import Container, Pod
from kubesim.node.cri.messages import ContainerConfig, LinuxContainerResources

QUOTA_PERIOD_US = 100_000
MIN_QUOTA_US = 1_000
MIN_SHARES = 2
MAX_SHARES = 262_144


def cpu_shares(milli_cpu: int) -> int:
    """CFS shares of a CPU request."""
    if milli_cpu == 0:
        return MIN_SHARES
    return min(max(milli_cpu * 1024 // 1000, MIN_SHARES), MAX_SHARES)


def cpu_quota_us(milli_cpu: int, period_us: int = QUOTA_PERIOD_US) -> int:
    """CFS quota of a CPU limit, in microseconds a period; 0 means no limit.

    Args:
        milli_cpu: The limit; 0 for none.
        period_us: ``cpuCFSQuotaPeriod``; 0 where ``cpuCFSQuota`` is off.
    """
    if milli_cpu == 0 or period_us == 0:
        return 0
    return max(milli_cpu * period_us // 1000, MIN_QUOTA_US)


def linux_resources(
    container: Container, *, oom_score_adj: int = 0, period_us: int = QUOTA_PERIOD_US
) -> LinuxContainerResources:
    """What the container's requests and limits become in its cgroup."""
    limits, requests = container.resources.limits, container.resources.requests
    limit_cpu = limits["cpu"].milli_value() if "cpu" in limits else 0
    request_cpu = requests["cpu"].milli_value() if "cpu" in requests else limit_cpu
    memory = limits["memory"].value() if "memory" in limits else 0
    return LinuxContainerResources(
        cpu_period=period_us or QUOTA_PERIOD_US,
        cpu_quota=cpu_quota_us(limit_cpu, period_us),
        cpu_shares=cpu_shares(request_cpu),
        memory_limit_in_bytes=memory,
        oom_score_adj=oom_score_adj,
    )


def container_config(
    container: Container,
    *,
    attempt: int,
    envs: tuple[tuple[str, str], ...],
    oom_score_adj: int = 0,
    period_us: int = QUOTA_PERIOD_US,
) -> ContainerConfig:
    """What CreateContainer is given."""
    assert container.image, container.name
    return ContainerConfig(
        name=container.name,
        attempt=attempt,
        image=container.image,
        command=container.command,
        args=container.args,
        envs=envs,
        linux=linux_resources(container, oom_score_adj=oom_score_adj, period_us=period_us),
        ports=tuple(port.container_port for port in container.ports),
    )


def should_pull(container: Container, *, present: bool) -> bool:
    """Whether the image is pulled before the container is created."""
    policy = container.image_pull_policy
    return policy == "Always" or (policy != "Never" and not present)


def is_restartable_init(container: Container) -> bool:
    """Whether an init container is a sidecar: it runs along with the pod."""
    return container.restart_policy == "Always"


def should_restart(pod: Pod, exit_code: int, container: Container | None = None) -> bool:
    """Whether a container that ended with ``exit_code`` is started again."""
    own = container.restart_policy if container is not None else None
    policy = own or pod.spec.restart_policy or "Always"
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)
