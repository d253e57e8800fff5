"""Cases of the replica calculator.

Mirrors: pkg/controller/podautoscaler/replica_calculator_test.go.
"""

from __future__ import annotations

from typing import Any

from kubesim.api.autoscalingv2 import CrossVersionObjectReference
from kubesim.conformance.hpa import building
from kubesim.conformance.hpa.building import Case
from kubesim.controlplane.autoscaling.hpa.pods import (
    ReadinessRules,
    calculate_requests,
    group_pods,
)
from kubesim.controlplane.autoscaling.hpa.replicacalculator import (
    ReplicaCalculator,
    ReplicaCount,
    Tolerances,
    Workload,
)
from kubesim.controlplane.metrics import MetricsError
from kubesim.sim.time import SECOND

METRIC = "qps"
DESCRIBED = CrossVersionObjectReference(
    kind="Deployment", api_version="apps/v1", name="some-deployment"
)


def replica_case(case: Case) -> dict[str, Any]:
    """One call of the calculator."""
    expected = case["expected"]
    try:
        count = _calculate(case)
    except MetricsError as error:
        return _error(str(error), expected)
    answer = {"replicas": count.replicas, "utilization": count.utilization, "value": count.usage}
    return {key: answer.get(key) for key in expected}


def _error(text: str, expected: Case) -> dict[str, Any]:
    """The error under the keys that the case uses."""
    if "error_contains" in expected:
        asserted = expected["error_contains"]
        found = {"error_contains": asserted if asserted in text else text}
        return found | ({"observed_error": text} if "observed_error" in expected else {})
    return {"error": text}


def _calculate(case: Case) -> ReplicaCount:
    metric = case["metric"]
    kind, target = metric["kind"], metric["target"]
    resource = metric.get("resource") or "cpu"
    reported = metric.get("reported_m")
    values = reported if isinstance(reported, list) else [0 if reported is None else reported]
    fixed = building.FixedMetrics(
        resource=resource,
        pods=building.samples(case),
        value=values[0] if values else 0,
        values=values,
    )
    calculator = ReplicaCalculator(
        metrics=fixed.client(),
        pods=building.lister(building.pod_of(pod, resource) for pod in case["pods"]),
        rules=_rules(case),
    )
    workload = Workload(
        namespace=building.NAMESPACE,
        selector=building.SELECTOR,
        tolerances=Tolerances(float(case["tolerance"]["down"]), float(case["tolerance"]["up"])),
        now_ns=building.NOW_NS,
    )
    current, container = case["current_replicas"], metric.get("container") or ""
    match kind, target["type"]:
        case "resource", "utilization":
            return calculator.resource_replicas(
                current,
                workload,
                target_percent=target["percent"],
                resource=resource,
                container=container,
            )
        case "resource", "average_value":
            return calculator.raw_resource_replicas(
                current, workload, target=target["milli"], resource=resource, container=container
            )
        case "pods", "average_value":
            return calculator.metric_replicas(
                current, workload, target=target["milli"], metric=METRIC, metric_selector=None
            )
        case _:
            return _of_whole(case, calculator, workload)


def _of_whole(case: Case, calculator: ReplicaCalculator, workload: Workload) -> ReplicaCount:
    """Metrics that are not of pods."""
    current, target = case["current_replicas"], case["metric"]["target"]
    match case["metric"]["kind"], target["type"]:
        case "object", "value":
            return calculator.object_replicas(
                current,
                workload,
                target=target["milli"],
                metric=METRIC,
                reference=DESCRIBED,
                metric_selector=None,
            )
        case "object", "average_value":
            return calculator.object_per_pod_replicas(
                current,
                workload,
                target=target["milli"],
                metric=METRIC,
                reference=DESCRIBED,
                metric_selector=None,
            )
        case "external", "value":
            return calculator.external_replicas(
                current, workload, target=target["milli"], metric=METRIC, metric_selector=None
            )
        case "external", "average_value":
            return calculator.external_per_pod_replicas(
                current, workload, target=target["milli"], metric=METRIC, metric_selector=None
            )
        case kind, target_type:
            raise ValueError(f"a {kind} metric has no {target_type} target")


def group_pods_case(case: Case) -> dict[str, Any]:
    """One sorting of pods."""
    resource = case["resource"]
    groups = group_pods(
        [building.pod_of(pod, resource) for pod in case["pods"]],
        {
            pod["name"]: building.pod_metric(pod["metric"])
            for pod in case["pods"]
            if pod.get("metric")
        },
        resource=resource,
        rules=_rules(case),
        now_ns=building.NOW_NS,
    )
    return {
        "ready": groups.ready,
        "unready": sorted(groups.unready),
        "missing": sorted(groups.missing),
        "ignored": sorted(groups.ignored),
    }


def pod_request_case(case: Case) -> dict[str, Any]:
    """The requests of some pods."""
    resource = case["resource"]
    try:
        requests = calculate_requests(
            [building.pod_of(pod, resource) for pod in case["pods"]],
            container=case.get("container") or "",
            resource=resource,
            pod_level_resources=case["pod_level_resources"],
        )
    except MetricsError as error:
        return {"error": str(error)}
    return {"requests_m": requests}


def _rules(case: Case) -> ReadinessRules:
    return ReadinessRules(
        cpu_initialization_period_ns=int(case["cpu_initialization_period_s"] * SECOND),
        initial_readiness_delay_ns=int(case["delay_of_initial_readiness_status_s"] * SECOND),
    )
