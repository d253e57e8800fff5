"""KEDA's HTTP add-on: a workload that is scaled by the requests to it, from and to nothing.

Mirrors: kedacore/http-add-on@59b2f6a operator/apis/http/v1alpha1/httpscaledobject_types.go.
"""

from typing import Literal

from kubesim.api.kedahttpv1beta1 import DEFAULT_TARGET, HeaderMatch
from kubesim.api.metav1 import Condition, KubeObject
from kubesim.api.model import Int32, KubeModel


class HTTPScaleTargetRef(KubeModel):
    """The workload that is scaled, and the Service that leads to it; its port by number or name."""

    name: str = ""
    api_version: str | None = None
    kind: str | None = None
    service: str
    port: Int32 | None = None
    port_name: str | None = None


class ColdStartTimeoutFailoverRef(KubeModel):
    """The Service that answers when the workload does not come in time."""

    service: str
    port: Int32 | None = None
    port_name: str | None = None
    timeout_seconds: Int32 = 30


class ReplicaStruct(KubeModel):
    """How few and how many replicas."""

    min: Int32 | None = None
    max: Int32 | None = None


class ConcurrencyMetricSpec(KubeModel):
    """Requests under way that a replica should have."""

    target_value: Int32 = DEFAULT_TARGET


class RateMetricSpec(KubeModel):
    """Requests a second that a replica should have, over a window in steps."""

    target_value: Int32 = DEFAULT_TARGET
    window: str = "1m"
    granularity: str = "1s"


class HTTPScalingMetricSpec(KubeModel):
    """What is counted: one of the two; requests under way, if nothing is said."""

    concurrency: ConcurrencyMetricSpec | None = None
    request_rate: RateMetricSpec | None = None


class HTTPTimeouts(KubeModel):
    """Instead of the interceptor's own."""

    condition_wait: str | None = None
    response_header: str | None = None


class HTTPScaledObjectSpec(KubeModel):
    """Which requests, whose workload, and by what it is scaled."""

    hosts: tuple[str, ...] = ()
    path_prefixes: tuple[str, ...] = ()
    headers: tuple[HeaderMatch, ...] = ()
    scale_target_ref: HTTPScaleTargetRef
    cold_start_timeout_failover_ref: ColdStartTimeoutFailoverRef | None = None
    replicas: ReplicaStruct | None = None
    target_pending_requests: Int32 | None = None
    scaledown_period: Int32 | None = None
    initial_cooldown_period: Int32 | None = None
    scaling_metric: HTTPScalingMetricSpec | None = None
    timeouts: HTTPTimeouts | None = None


class HTTPScaledObjectStatus(KubeModel):
    """What the operator did."""

    target_workload: str | None = None
    target_service: str | None = None
    conditions: tuple[Condition, ...] = ()


class HTTPScaledObject(KubeObject):
    """Scales a workload by its requests, and holds them while it is not there."""

    api_version: Literal["http.keda.sh/v1alpha1"] = "http.keda.sh/v1alpha1"
    kind: Literal["HTTPScaledObject"] = "HTTPScaledObject"
    spec: HTTPScaledObjectSpec
    status: HTTPScaledObjectStatus = HTTPScaledObjectStatus.zero()
