"""Cases of the whole controller: state before, one reconciliation, result.

Mirrors: pkg/controller/podautoscaler/horizontal_test.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubesim.api.autoscalingdefaults import scale_down_rules, scale_up_rules
from kubesim.api.autoscalingv1 import Scale, ScaleSpec, ScaleStatus
from kubesim.api.autoscalingv2 import (
    ContainerResourceMetricSource,
    ContainerResourceMetricStatus,
    CrossVersionObjectReference,
    ExternalMetricSource,
    ExternalMetricStatus,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerCondition,
    HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus,
    MetricIdentifier,
    MetricSpec,
    MetricStatus,
    MetricValueStatus,
    ObjectMetricSource,
    ObjectMetricStatus,
    PodsMetricSource,
    PodsMetricStatus,
    ResourceMetricSource,
    ResourceMetricStatus,
)
from kubesim.api.metav1 import LabelSelector, ObjectMeta
from kubesim.api.quantity import Quantity
from kubesim.api.selectortext import parse_selector
from kubesim.conformance.hpa import building
from kubesim.conformance.hpa.behaviors import shown_rules
from kubesim.conformance.hpa.building import Case
from kubesim.controlplane.autoscaling.hpa.config import HPAConfig, HPAFeatures
from kubesim.controlplane.autoscaling.hpa.metricstatus import status_quantity
from kubesim.controlplane.autoscaling.hpa.reconcile import Reconciler
from kubesim.controlplane.autoscaling.hpa.work import History, Reconciliation
from kubesim.controlplane.client import Conflict, StatusError
from kubesim.controlplane.metrics import MetricsError, PodMetricsInfo
from kubesim.sim import SimProcess
from kubesim.sim.time import SECOND

NAME = "test-hpa"
KEY = f"{building.NAMESPACE}/{NAME}"
CPU = "cpu"


def status_quantity_case(case: Case) -> dict[str, Any]:
    """How an amount is written in a status."""
    quantity = status_quantity(case["resource"], case["raw_m"])
    return {
        "value_m": quantity.milli_value(),
        "format": quantity.format,
        "text": quantity.canonical(),
    }


def controller_case(case: Case, settings: Case) -> dict[str, Any]:
    """One reconciliation."""
    backend = _Backend(case)
    reconciler = Reconciler(
        config=_config(case, settings),
        backend=backend,
        metrics=_Metrics(case["metrics"]),
        pods=building.lister(building.pod_of(pod, CPU) for pod in case["pods"]),
        now=lambda: building.NOW_NS,
    )
    reconciler.register(KEY)
    for other in case.get("other_hpas") or ():
        selector = parse_selector(other["selector"])
        reconciler.selectors[f"{other['namespace']}/{other['name']}"] = selector
    log = case["recommendations_before"]
    if log is not None:
        reconciler.histories[KEY] = History(building.recommendations_of(log))
    hpa = _autoscaler(case)
    difference = _defaulting(case, hpa)
    if difference is not None:
        return difference
    result = _finished(reconciler.reconcile(hpa))
    return _answer(case, hpa, backend, result) | {
        "observed": _observed(case, backend, hpa, result, reconciler.histories[KEY])
    }


def _finished(process: SimProcess[Reconciliation]) -> Reconciliation:
    """Run a reconciliation whose calls take no time."""
    try:
        waited = next(process)
    except StopIteration as stop:
        result: Reconciliation = stop.value
        return result
    raise AssertionError(f"a case takes no time, but it waited for {waited}")


class _Backend:
    """A workload and an autoscaler in no time, with the case's faults."""

    def __init__(self, case: Case) -> None:
        given, self._faults = case["scale"], case.get("faults") or {}
        self._scale = Scale(
            metadata=ObjectMeta(name=case["target"]["name"], namespace=building.NAMESPACE),
            spec=ScaleSpec(replicas=given["spec_replicas"]),
            status=ScaleStatus(replicas=given["status_replicas"], selector=given["selector"]),
        )
        self.attempts = 0
        self.written: int | None = None
        self.status: HorizontalPodAutoscalerStatus | None = None
        self.events: list[tuple[str, str, str]] = []

    def get_scale(
        self, _namespace: str, _reference: CrossVersionObjectReference
    ) -> SimProcess[Scale]:
        yield from ()
        if self._faults.get("scale_get") == "error":
            raise StatusError("something went wrong")
        return self._scale

    def update_scale(
        self, _namespace: str, _reference: CrossVersionObjectReference, scale: Scale
    ) -> SimProcess[Scale]:
        yield from ()
        self.attempts += 1
        fault = self._faults.get("scale_update")
        if fault == "error":
            raise StatusError("something went wrong")
        if fault == "conflict_once" and self.attempts == 1:
            raise Conflict("the object has been modified")
        self.written = scale.spec.replicas
        return scale

    def update_status(self, hpa: HorizontalPodAutoscaler) -> SimProcess[None]:
        yield from ()
        self.status = hpa.status

    def before_metrics(self, _requests: int) -> SimProcess[None]:
        yield from ()

    def pause(self, _delay_ns: int) -> SimProcess[None]:
        yield from ()

    def record(self, _hpa: HorizontalPodAutoscaler, kind: str, reason: str, message: str) -> None:
        self.events.append((kind, reason, message))


class _Metrics:
    """The metrics client of a case: each of its metrics has the answer that the case reports."""

    def __init__(self, metrics: Sequence[Case]) -> None:
        self._metrics = metrics

    def get_resource_metric(
        self, resource: str, namespace: str, selector: LabelSelector, container: str
    ) -> tuple[PodMetricsInfo, int]:
        kind = "ContainerResource" if container else "Resource"
        fixed = self._fixed(kind, resource, container)
        return fixed.client().get_resource_metric(resource, namespace, selector, container)

    def get_raw_metric(
        self, metric: str, namespace: str, selector: LabelSelector, labels: LabelSelector | None
    ) -> tuple[PodMetricsInfo, int]:
        client = self._fixed("Pods", metric).client()
        return client.get_raw_metric(metric, namespace, selector, labels)

    def get_object_metric(
        self,
        metric: str,
        namespace: str,
        reference: CrossVersionObjectReference,
        labels: LabelSelector | None,
    ) -> tuple[int, int]:
        client = self._fixed("Object", metric).client()
        return client.get_object_metric(metric, namespace, reference, labels)

    def get_external_metric(
        self, metric: str, namespace: str, labels: LabelSelector | None
    ) -> tuple[list[int], int]:
        client = self._fixed("External", metric).client()
        return client.get_external_metric(metric, namespace, labels)

    def _fixed(self, kind: str, name: str, container: str = "") -> building.FixedMetrics:
        for metric in self._metrics:
            same = (metric["type"], metric.get("name"), metric.get("container") or "")
            if same == (kind, name, container):
                reported = metric.get("reported") or {}
                return building.FixedMetrics(
                    resource=name,
                    pods=reported.get("pods") or (),
                    value=reported.get("value_m") or 0,
                    values=reported.get("values_m") or (),
                    error=reported.get("api_error") or "",
                )
        raise MetricsError(f"the case has no {kind} metric {name}")


def _config(case: Case, settings: Case) -> HPAConfig:
    gates = case.get("feature_gates") or {}
    return HPAConfig(
        tolerance=float(settings["tolerance"]),
        downscale_stabilization_ns=int(settings["downscale_stabilization_s"] * SECOND),
        cpu_initialization_period_ns=int(settings["cpu_initialization_period_s"] * SECOND),
        initial_readiness_delay_ns=int(settings["delay_of_initial_readiness_status_s"] * SECOND),
        scale_up_limit_factor=float(settings["scale_up_limit_factor"]),
        scale_up_limit_minimum=float(settings["scale_up_limit_minimum"]),
        features=HPAFeatures(
            scale_to_zero=gates.get("HPAScaleToZero", False),
            configurable_tolerance=gates.get("HPAConfigurableTolerance", True),
        ),
    )


def _autoscaler(case: Case) -> HorizontalPodAutoscaler:
    target, before, given = case["target"], case["status_before"], case["behavior"]
    behavior = None
    if given is not None:
        specified = given["specified"]
        behavior = HorizontalPodAutoscalerBehavior(
            scale_up=scale_up_rules(building.rules_of(specified.get("scale_up"))),
            scale_down=scale_down_rules(building.rules_of(specified.get("scale_down"))),
        )
    last = before["last_scale_s"]
    return HorizontalPodAutoscaler(
        metadata=ObjectMeta(name=NAME, namespace=building.NAMESPACE),
        spec=HorizontalPodAutoscalerSpec(
            scale_target_ref=_reference(target),
            min_replicas=case["min_replicas"],
            max_replicas=case["max_replicas"],
            metrics=tuple(_metric(metric) for metric in case["metrics"]),
            behavior=behavior,
        ),
        status=HorizontalPodAutoscalerStatus(
            current_replicas=before["current_replicas"],
            desired_replicas=before["desired_replicas"],
            last_scale_time=None if last is None else building.at_ns(last),
            conditions=tuple(
                HorizontalPodAutoscalerCondition.model_validate(item)
                for item in before["conditions"]
            ),
            current_metrics=tuple(_metric_status(item) for item in before["current_metrics"]),
        ),
    )


def _defaulting(case: Case, hpa: HorizontalPodAutoscaler) -> dict[str, Any] | None:
    """What the API server's defaulting made otherwise than it should."""
    behavior = hpa.spec.behavior
    if behavior is None:
        return None
    effective = case["behavior"].get("effective") or {}
    for name, rules in (("scale_up", behavior.scale_up), ("scale_down", behavior.scale_down)):
        wanted = building.rules_of(effective.get(name))
        if wanted is not None and rules is not None and rules != wanted:
            return {f"behavior.effective.{name}": shown_rules(rules)}
    return None


def _reference(case: Case) -> CrossVersionObjectReference:
    return CrossVersionObjectReference(
        api_version=case["api_version"], kind=case["kind"], name=case["name"]
    )


def _metric(case: Case) -> MetricSpec:
    kind, name, target = (
        case["type"],
        case.get("name") or "",
        building.target_of(case.get("target")),
    )
    identifier = MetricIdentifier(name=name)
    match kind:
        case "Resource":
            return MetricSpec(type=kind, resource=ResourceMetricSource(name=name, target=target))
        case "ContainerResource":
            source = ContainerResourceMetricSource(
                name=name, container=case["container"], target=target
            )
            return MetricSpec(type=kind, container_resource=source)
        case "Pods":
            return MetricSpec(type=kind, pods=PodsMetricSource(metric=identifier, target=target))
        case "Object":
            described = _reference(case["object"])
            return MetricSpec(
                type=kind,
                object=ObjectMetricSource(
                    described_object=described, metric=identifier, target=target
                ),
            )
        case "External":
            return MetricSpec(
                type=kind, external=ExternalMetricSource(metric=identifier, target=target)
            )
        case _:
            return MetricSpec(type=kind)


def _metric_status(case: Case) -> MetricStatus:
    kind = case["type"]
    if not kind:
        return MetricStatus.zero()
    name, metric = case["name"], MetricIdentifier(name=case["name"])
    average, whole = case.get("average_value_m"), case.get("value_m")
    current = MetricValueStatus(
        average_utilization=case.get("average_utilization"),
        average_value=None if average is None else Quantity.of_millis(average),
        value=None if whole is None else Quantity.of_millis(whole),
    )
    match kind:
        case "Resource":
            status = ResourceMetricStatus(name=name, current=current)
            return MetricStatus(type=kind, resource=status)
        case "ContainerResource":
            container = case["container"]
            of_container = ContainerResourceMetricStatus(
                name=name, container=container, current=current
            )
            return MetricStatus(type=kind, container_resource=of_container)
        case "Pods":
            return MetricStatus(type=kind, pods=PodsMetricStatus(metric=metric, current=current))
        case "External":
            external = ExternalMetricStatus(metric=metric, current=current)
            return MetricStatus(type=kind, external=external)
        case _:
            described = _reference(case["object"])
            of_object = ObjectMetricStatus(
                metric=metric, current=current, described_object=described
            )
            return MetricStatus(type=kind, object=of_object)


def _answer(
    case: Case, hpa: HorizontalPodAutoscaler, backend: _Backend, result: Reconciliation
) -> dict[str, Any]:
    """What happened, under the keys that the case expects."""
    status = backend.status or hpa.status
    rescale = [event for event in backend.events if event[1] == "SuccessfulRescale"]
    answer: dict[str, Any] = {
        "desired_replicas": status.desired_replicas,
        "scale_write": backend.written,
        "status_write": backend.status is not None,
        "conditions": [
            {"type": item.type, "status": item.status, "reason": item.reason}
            for item in status.conditions
        ],
        "reconciliation": {"action": result.action, "error": result.error},
        "metric_computations": [
            {"type": item.type, "action": item.action, "error": item.error}
            for item in result.computations
        ],
        "cpu_utilization": _cpu_utilization(status),
        "rescale_event": (
            {"type": rescale[0][0], "reason": rescale[0][1], "message": rescale[0][2]}
            if rescale
            else None
        ),
    }
    return {key: answer.get(key) for key in case["expected"] if key != "min_reconciliations"}


def _cpu_utilization(status: HorizontalPodAutoscalerStatus) -> int | None:
    for item in status.current_metrics:
        source = item.resource or item.container_resource
        if source is not None and source.name == CPU:
            return source.current.average_utilization
    return None


def _observed(
    case: Case,
    backend: _Backend,
    hpa: HorizontalPodAutoscaler,
    result: Reconciliation,
    history: History,
) -> dict[str, Any]:
    """What the real code was seen to do, under the keys that the case has."""
    status = backend.status or hpa.status
    seen: dict[str, Any] = {
        "current_replicas": status.current_replicas,
        "current_metrics": [_shown_metric(item) for item in status.current_metrics],
        "recommendations_after": building.shown_recommendations(history.recommendations or ()),
        "scale_up_events_after": building.shown_events(history.scale_ups, outdated=False),
        "scale_down_events_after": building.shown_events(history.scale_downs, outdated=False),
        "event_reasons": [reason for _, reason, _ in backend.events],
        "desired_gauge": result.desired,
        "scale_write_attempts": backend.attempts,
    }
    return {key: seen.get(key) for key in case.get("observed") or {}}


def _shown_metric(item: MetricStatus) -> dict[str, Any]:
    if not item.type:
        return {"type": ""}
    shown: dict[str, Any] = {"type": item.type}
    source = item.resource or item.container_resource
    if source is not None:
        shown["name"] = source.name
        if item.container_resource is not None:
            shown["container"] = item.container_resource.container
        current = source.current
    else:
        of_metric = item.pods or item.object or item.external
        assert of_metric is not None, item
        shown["name"], current = of_metric.metric.name, of_metric.current
    if current.average_utilization is not None:
        shown["average_utilization"] = current.average_utilization
    for key, quantity in (("average_value_m", current.average_value), ("value_m", current.value)):
        if quantity is not None:
            shown |= {key: quantity.milli_value(), "quantity": quantity.canonical()}
    return shown
