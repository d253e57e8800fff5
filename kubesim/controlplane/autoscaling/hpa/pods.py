"""Which pods count, and how much they asked for.

A metric says something about a pod only when the pod has been able to work for a while. So pods
fall into four groups: ready ones, whose sample counts; unready ones, whose sample is left out;
missing ones, which have no sample; and ignored ones, which are on their way out.

Mirrors: pkg/controller/podautoscaler/replica_calculator.go (groupPods, calculateRequests).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubesim.api.corev1 import Pod
from kubesim.api.podutil import get_pod_condition, pod_requests
from kubesim.controlplane.metrics.client import MetricsError, PodMetric
from kubesim.sim.time import SECOND

POD_LEVEL_RESOURCES = ("cpu", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessRules:
    """When a pod's cpu sample is believed.

    Attributes:
        cpu_initialization_period_ns: ``--horizontal-pod-autoscaler-cpu-initialization-period``.
        initial_readiness_delay_ns: ``--horizontal-pod-autoscaler-initial-readiness-delay``.
    """

    cpu_initialization_period_ns: int
    initial_readiness_delay_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGroups:
    """The pods of a workload by what their samples are worth; names in the order of the pods."""

    ready: int
    unready: tuple[str, ...]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]


def group_pods(
    pods: Sequence[Pod],
    metrics: Mapping[str, PodMetric],
    *,
    resource: str,
    rules: ReadinessRules,
    now_ns: int,
) -> PodGroups:
    """Sort pods into the four groups; ``resource`` is empty for a metric that is none."""
    ready = 0
    unready: list[str] = []
    missing: list[str] = []
    ignored: list[str] = []
    for pod in pods:
        phase = pod.status.phase
        metric = metrics.get(pod.name)
        if pod.metadata.deletion_timestamp is not None or phase == "Failed":
            ignored.append(pod.name)
        elif phase == "Pending":
            unready.append(pod.name)
        elif metric is None:
            missing.append(pod.name)
        elif resource == "cpu" and _cpu_unready(pod, metric, rules, now_ns):
            unready.append(pod.name)
        else:
            ready += 1
    return PodGroups(
        ready=ready, unready=tuple(unready), missing=tuple(missing), ignored=tuple(ignored)
    )


def _cpu_unready(pod: Pod, metric: PodMetric, rules: ReadinessRules, now_ns: int) -> bool:
    """Whether a cpu sample says more about a pod's start than about its load."""
    condition = get_pod_condition(pod.status, "Ready")
    if condition is None or pod.status.start_time is None:
        return True
    start_ns = _as_read(pod.status.start_time)
    since_ns = _as_read(condition.last_transition_time or 0)
    not_ready = condition.status == "False"
    if start_ns + rules.cpu_initialization_period_ns > now_ns:
        return not_ready or _as_read(metric.timestamp_ns) < since_ns + metric.window_ns
    return not_ready and start_ns + rules.initial_readiness_delay_ns > since_ns


def _as_read(instant_ns: int) -> int:
    """An instant as a client gets it: the API carries times in whole seconds."""
    return instant_ns // SECOND * SECOND


def calculate_requests(
    pods: Sequence[Pod], *, container: str, resource: str, pod_level_resources: bool
) -> dict[str, int]:
    """What each pod asked for, in thousandths.

    Raises:
        MetricsError: If a container that counts asked for nothing, or is not there.
    """
    return {
        pod.name: _pod_level_request(pod, resource)
        if pod_level_resources and not container and _has_pod_level_requests(pod)
        else _containers_request(pod, container, resource)
        for pod in pods
    }


def _has_pod_level_requests(pod: Pod) -> bool:
    resources = pod.spec.resources
    return resources is not None and any(
        name in POD_LEVEL_RESOURCES or name.startswith("hugepages-") for name in resources.requests
    )


def _pod_level_request(pod: Pod, resource: str) -> int:
    request = pod_requests(pod.spec).get(resource)
    if request is None:
        raise MetricsError(f"missing pod-level request for {resource} in Pod {pod.name}")
    return request.milli_value()


def _containers_request(pod: Pod, container: str, resource: str) -> int:
    """The sum over the containers and the sidecars, or one of them alone."""
    sidecars = tuple(item for item in pod.spec.init_containers if item.restart_policy == "Always")
    total = 0
    for item in (*pod.spec.containers, *sidecars):
        if container in ("", item.name):
            request = item.resources.requests.get(resource)
            if request is None:
                raise MetricsError(
                    f"missing request for {resource} in container {item.name} of Pod {pod.name}"
                )
            total += request.milli_value()
        if container == item.name:
            return total
    if container:
        raise MetricsError(f"container {container} not found in Pod {pod.name}")
    return total
