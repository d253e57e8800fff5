"""``kubernetes-workload``: as many pods as there are others.

Mirrors: kedacore/keda@8b4f083 pkg/scalers/kubernetes_workload_scaler.go.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.api.kedav1alpha1 import ScaleTrigger
from kubesim.api.metav1 import LabelSelector
from kubesim.api.selectortext import SelectorError, parse_selector
from kubesim.controlplane.autoscaling.keda.scaler import (
    FOREVER_NS,
    Context,
    Reading,
    Scaler,
    ScalerError,
    flag,
    make_scaler,
    normalized,
    number,
    required,
)
from kubesim.controlplane.autoscaling.keda.sources import SourceError, Sources

TYPES = ("kubernetes-workload",)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodsQuery:
    """How many pods there are that have not ended.

    Attributes:
        namespace: Where.
        selector: Which.
        activation: Above this it is active.
        by_node: Nodes are counted instead, each once.
    """

    namespace: str
    selector: LabelSelector
    activation: float
    by_node: bool

    def read(self, sources: Sources) -> Reading:
        """The answer, now."""
        if sources.pods is None:
            raise SourceError("error inspecting kubernetes workload: no pods are known")
        pods = [
            pod
            for pod in sources.pods(self.namespace, self.selector)
            if pod.status.phase not in ("Succeeded", "Failed")
        ]
        count = len(pods)
        if self.by_node:
            count = len({pod.spec.node_name for pod in pods if pod.spec.node_name})
        return Reading(count * 1000, count > self.activation)

    def steady_until_ns(self, sources: Sources) -> int:  # noqa: ARG002  # the protocol's
        """It stays as it is."""
        return FOREVER_NS


def parse(trigger: ScaleTrigger, context: Context) -> tuple[Scaler, ...]:
    """The scaler of such a trigger."""
    try:
        selector = parse_selector(required(trigger, "podSelector"))
    except SelectorError as error:
        raise ScalerError(f"error parsing pod selector: {error}") from error
    target = number(trigger, "value", default="0")
    if target.nanos <= 0 and not context.as_source:
        raise ScalerError("value must be a float greater than 0")
    query = PodsQuery(
        namespace=context.namespace,
        selector=selector,
        activation=number(trigger, "activationValue", default="0").nanos / 1e9,
        by_node=flag(trigger, "groupByNode"),
    )
    metric = normalized(f"workload-{context.namespace}")
    return (make_scaler(trigger, context, metric=metric, target=target, query=query),)
