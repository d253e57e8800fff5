"""How many replicas a metric asks for.

The rule is one line: the current number times the ratio of what is to what should be, rounded up.
The rest is care: for pods that have no sample (they count as busy when the answer would be fewer,
as idle when it would be more), for pods that are not ready (idle when the answer would be more), for
ratios so near 1 that nothing should happen, and for answers that turn round when the care is taken.

Mirrors: pkg/controller/podautoscaler/replica_calculator.go, metrics/utilization.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kubesim.api.autoscalingv2 import CrossVersionObjectReference
from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import LabelSelector
from kubesim.api.podutil import is_pod_ready
from kubesim.api.selectortext import go_selector
from kubesim.controlplane.autoscaling.hpa import golang
from kubesim.controlplane.autoscaling.hpa.pods import (
    PodGroups,
    ReadinessRules,
    calculate_requests,
    group_pods,
)
from kubesim.controlplane.metrics.client import (
    MetricsClient,
    MetricsError,
    PodMetric,
    PodMetricsInfo,
)

PodLister = Callable[[str, LabelSelector], Sequence[Pod]]
"""The pods of a namespace that a selector picks."""

NO_PODS = "no pods returned by selector while calculating replica count"
NO_SAMPLES = "did not receive metrics for targeted pods (pods might be unready)"


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far from 1 a ratio must be to matter, as fractions."""

    scale_down: float
    scale_up: float

    def within(self, ratio: float) -> bool:
        """Whether nothing should happen at this ratio; both ends belong to the interval."""
        return (1.0 - self.scale_down) <= ratio <= (1.0 + self.scale_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """On whose behalf a metric is asked for.

    Attributes:
        namespace: Where it lives.
        selector: Its pods.
        tolerances: How far off is far enough.
        now_ns: The wall clock.
    """

    namespace: str
    selector: LabelSelector
    tolerances: Tolerances
    now_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaCount:
    """An answer.

    Attributes:
        replicas: How many there should be.
        usage: The value found: per pod, or of the whole for a ``Value`` target; thousandths.
        utilization: The same in percent of what was requested, for a ``Utilization`` target.
    """

    replicas: int
    usage: int
    utilization: int | None = None


class ReplicaCalculator:
    """Asks for metrics and answers with replica counts. Every call raises ``MetricsError``.

    Args:
        metrics: The metrics APIs.
        pods: The pod lister.
        rules: When a pod's sample counts.
        pod_level_resources: The feature gate ``PodLevelResources``.
    """

    def __init__(
        self,
        *,
        metrics: MetricsClient,
        pods: PodLister,
        rules: ReadinessRules,
        pod_level_resources: bool = True,
    ) -> None:
        self._metrics = metrics
        self._pods = pods
        self._rules = rules
        self._pod_level_resources = pod_level_resources

    def resource_replicas(
        self,
        current: int,
        workload: Workload,
        *,
        target_percent: int,
        resource: str,
        container: str = "",
    ) -> ReplicaCount:
        """For a target in percent of what the pods requested."""
        metrics = self._resource_metrics(resource, workload, container)
        pods = self._listed(workload)
        groups = self._grouped(workload, pods, metrics, resource)
        requests = calculate_requests(
            pods,
            container=container,
            resource=resource,
            pod_level_resources=self._pod_level_resources,
        )
        ratio, utilization, average = _utilization(metrics, requests, target_percent)

        def answer(replicas: int) -> ReplicaCount:
            return ReplicaCount(replicas=replicas, usage=average, utilization=utilization)

        scale_up_with_unready = bool(groups.unready) and ratio > 1.0
        if not scale_up_with_unready and not groups.missing:
            if workload.tolerances.within(ratio):
                return answer(current)
            return answer(golang.ceil_to_int32(ratio * groups.ready))
        if ratio < 1.0:
            # Missing pods may be as busy as can be: nobody should lose a replica for want of data.
            percent = max(100, target_percent)
            for name in groups.missing:
                value = golang.truncated(golang.wrap_int64(requests[name] * percent), 100)
                metrics[name] = PodMetric(value=value)
        elif ratio > 1.0:
            _count_as_idle(metrics, groups.missing)
        if scale_up_with_unready:
            _count_as_idle(metrics, groups.unready)
        new_ratio, _, _ = _utilization(metrics, requests, target_percent)
        return answer(_second_look(current, ratio, new_ratio, len(metrics), workload.tolerances))

    def raw_resource_replicas(
        self,
        current: int,
        workload: Workload,
        *,
        target: int,
        resource: str,
        container: str = "",
    ) -> ReplicaCount:
        """For a target as an amount per pod."""
        metrics = self._resource_metrics(resource, workload, container)
        return self._plain(current, workload, metrics, target, resource)

    def metric_replicas(
        self,
        current: int,
        workload: Workload,
        *,
        target: int,
        metric: str,
        metric_selector: LabelSelector | None,
    ) -> ReplicaCount:
        """For a custom metric of the pods."""
        try:
            metrics, _ = self._metrics.get_raw_metric(
                metric, workload.namespace, workload.selector, metric_selector
            )
        except MetricsError as error:
            raise MetricsError(f"unable to get metric {metric}: {error}") from error
        return self._plain(current, workload, metrics, target, "")

    def object_replicas(
        self,
        current: int,
        workload: Workload,
        *,
        target: int,
        metric: str,
        reference: CrossVersionObjectReference,
        metric_selector: LabelSelector | None,
    ) -> ReplicaCount:
        """For the value of one object."""
        usage = self._object_metric(metric, workload.namespace, reference, metric_selector)
        ratio = golang.divide(float(usage), float(target))
        replicas = self._ratio_replicas(current, ratio, workload)
        return ReplicaCount(replicas=replicas, usage=usage)

    def object_per_pod_replicas(
        self,
        status_replicas: int,
        workload: Workload,
        *,
        target: int,
        metric: str,
        reference: CrossVersionObjectReference,
        metric_selector: LabelSelector | None,
    ) -> ReplicaCount:
        """For the value of one object, shared out among the replicas."""
        usage = self._object_metric(metric, workload.namespace, reference, metric_selector)
        replicas = status_replicas
        ratio = golang.divide(float(usage), float(target) * float(replicas))
        if not workload.tolerances.within(ratio):
            replicas = golang.ceil_to_int32(golang.divide(float(usage), float(target)))
        share = golang.ceil_to_int64(golang.divide(float(usage), float(status_replicas)))
        return ReplicaCount(replicas=replicas, usage=share)

    def external_replicas(
        self,
        current: int,
        workload: Workload,
        *,
        target: int,
        metric: str,
        metric_selector: LabelSelector | None,
    ) -> ReplicaCount:
        """For the sum of an external metric's series."""
        usage = 0
        for value in self._external_metric(metric, workload.namespace, metric_selector):
            if value > 0 and usage > golang.MAX_INT64 - value:
                usage = golang.MAX_INT64
                break
            usage = golang.wrap_int64(usage + value)
        ratio = golang.divide(float(usage), float(target))
        replicas = self._ratio_replicas(current, ratio, workload)
        return ReplicaCount(replicas=replicas, usage=usage)

    def external_per_pod_replicas(
        self,
        status_replicas: int,
        workload: Workload,
        *,
        target: int,
        metric: str,
        metric_selector: LabelSelector | None,
    ) -> ReplicaCount:
        """For the sum of an external metric's series, shared out among the replicas."""
        usage = 0
        for value in self._external_metric(metric, workload.namespace, metric_selector):
            usage = golang.wrap_int64(usage + value)
            if usage < 0:
                usage = golang.MAX_INT64
                break
        replicas = status_replicas
        ratio = golang.divide(float(usage), float(target) * float(replicas))
        if not workload.tolerances.within(ratio):
            wanted = golang.divide(float(usage), float(target))
            too_many = wanted > golang.MAX_INT32
            replicas = golang.MAX_INT32 if too_many else golang.ceil_to_int32(wanted)
        if float(usage) >= float(golang.MAX_INT64):
            share = golang.MAX_INT64
        else:
            share = golang.ceil_to_int64(golang.divide(float(usage), float(status_replicas)))
        return ReplicaCount(replicas=replicas, usage=share)

    def _resource_metrics(
        self, resource: str, workload: Workload, container: str
    ) -> PodMetricsInfo:
        try:
            metrics, _ = self._metrics.get_resource_metric(
                resource, workload.namespace, workload.selector, container
            )
        except MetricsError as error:
            text = f"unable to get metrics for resource {resource}: {error}"
            raise MetricsError(text) from error
        return dict(metrics)

    def _object_metric(
        self,
        metric: str,
        namespace: str,
        reference: CrossVersionObjectReference,
        metric_selector: LabelSelector | None,
    ) -> int:
        try:
            usage, _ = self._metrics.get_object_metric(
                metric, namespace, reference, metric_selector
            )
        except MetricsError as error:
            where = f"{reference.kind} {namespace}/{reference.name}"
            raise MetricsError(f"unable to get metric {metric}: {error} on {where}") from error
        return usage

    def _external_metric(
        self, metric: str, namespace: str, metric_selector: LabelSelector | None
    ) -> list[int]:
        try:
            values, _ = self._metrics.get_external_metric(metric, namespace, metric_selector)
        except MetricsError as error:
            what = f"{namespace}/{metric}/{go_selector(metric_selector)}"
            raise MetricsError(f"unable to get external metric {what}: {error}") from error
        return values

    def _listed(self, workload: Workload) -> Sequence[Pod]:
        pods = self._pods(workload.namespace, workload.selector)
        if not pods:
            raise MetricsError(NO_PODS)
        return pods

    def _grouped(
        self,
        workload: Workload,
        pods: Sequence[Pod],
        metrics: PodMetricsInfo,
        resource: str,
    ) -> PodGroups:
        """The pods' groups; the samples that do not count are gone from ``metrics``."""
        groups = group_pods(
            pods, metrics, resource=resource, rules=self._rules, now_ns=workload.now_ns
        )
        for name in (*groups.ignored, *groups.unready):
            metrics.pop(name, None)
        if not metrics:
            raise MetricsError(NO_SAMPLES)
        return groups

    def _plain(
        self,
        current: int,
        workload: Workload,
        metrics: PodMetricsInfo,
        target: int,
        resource: str,
    ) -> ReplicaCount:
        """The calculation for averages that are not percentages."""
        metrics = dict(metrics)
        groups = self._grouped(workload, self._listed(workload), metrics, resource)
        ratio, usage = _usage(metrics, target)
        scale_up_with_unready = bool(groups.unready) and ratio > 1.0
        if not scale_up_with_unready and not groups.missing:
            if workload.tolerances.within(ratio):
                return ReplicaCount(replicas=current, usage=usage)
            replicas = golang.ceil_to_int32(ratio * groups.ready)
            return ReplicaCount(replicas=replicas, usage=usage)
        if ratio < 1.0:
            metrics.update((name, PodMetric(value=target)) for name in groups.missing)
        elif ratio > 1.0:
            _count_as_idle(metrics, groups.missing)
        if scale_up_with_unready:
            _count_as_idle(metrics, groups.unready)
        new_ratio, _ = _usage(metrics, target)
        replicas = _second_look(current, ratio, new_ratio, len(metrics), workload.tolerances)
        return ReplicaCount(replicas=replicas, usage=usage)

    def _ratio_replicas(self, current: int, ratio: float, workload: Workload) -> int:
        """The ready pods times the ratio; from zero, the ratio itself, without a tolerance."""
        if current == 0:
            return golang.ceil_to_int32(ratio)
        if workload.tolerances.within(ratio):
            return current
        try:
            pods = self._listed(workload)
        except MetricsError as error:
            raise MetricsError(f"unable to calculate ready pods: {error}") from error
        ready = sum(pod.status.phase == "Running" and is_pod_ready(pod) for pod in pods)
        wanted = ratio * ready
        return golang.MAX_INT32 if wanted > golang.MAX_INT32 else golang.ceil_to_int32(wanted)


def _count_as_idle(metrics: PodMetricsInfo, names: Sequence[str]) -> None:
    metrics.update((name, PodMetric(value=0)) for name in names)


def _utilization(
    metrics: Mapping[str, PodMetric], requests: Mapping[str, int], target_percent: int
) -> tuple[float, int, int]:
    """Ratio to the target, whole percent of the requests, and average amount; known pods only."""
    known = [name for name in metrics if name in requests]
    total = golang.wrap_int64(sum(metrics[name].value for name in known))
    requested = golang.wrap_int64(sum(requests[name] for name in known))
    if requested == 0:
        raise MetricsError("no metrics returned matched known pods")
    percent = golang.truncated(golang.wrap_int64(total * 100), requested)
    percent = golang.wrap_int32(percent)
    ratio = golang.divide(float(percent), float(target_percent))
    return ratio, percent, golang.truncated(total, len(known))


def _usage(metrics: Mapping[str, PodMetric], target: int) -> tuple[float, int]:
    """Ratio to the target, and average amount; pods that nobody knows count, too."""
    total = golang.wrap_int64(sum(metric.value for metric in metrics.values()))
    average = golang.truncated(total, len(metrics))
    return golang.divide(float(average), float(target)), average


def _second_look(
    current: int, ratio: float, new_ratio: float, samples: int, tolerances: Tolerances
) -> int:
    """The answer after samples were filled in: never one that goes the other way."""
    turned = (ratio < 1.0 < new_ratio) or (new_ratio < 1.0 < ratio)
    if tolerances.within(new_ratio) or turned:
        return current
    replicas = golang.ceil_to_int32(new_ratio * samples)
    against = (new_ratio < 1.0 and replicas > current) or (new_ratio > 1.0 and replicas < current)
    return current if against else replicas
