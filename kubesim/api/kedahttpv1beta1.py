"""KEDA's HTTP add-on: which requests the interceptor takes, where they go, what is counted of them.

Mirrors: kedacore/http-add-on@59b2f6a operator/apis/http/v1beta1/interceptorroute_types.go.
"""

from typing import Literal

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import Condition, KubeObject
from kubesim.api.model import Int32, KubeModel, Unsimulated

DEFAULT_TARGET = 100


class PathMatch(KubeModel):
    """A path's beginning; the longest one that fits counts."""

    value: str


class HeaderMatch(KubeModel):
    """A header that a request has, with that value if one is given."""

    name: str
    value: str | None = None


class RoutingRule(KubeModel):
    """Any of the hosts, any of the paths, all of the headers."""

    hosts: tuple[str, ...] = ()
    paths: tuple[PathMatch, ...] = ()
    headers: tuple[HeaderMatch, ...] = ()


class ConcurrencyTargetSpec(KubeModel):
    """Requests under way that a replica should have."""

    target_value: Int32


class RequestRateTargetSpec(KubeModel):
    """Requests a second that a replica should have, over a window in steps."""

    granularity: str = "1s"
    target_value: Int32
    window: str = "1m"


class RouteScalingMetricSpec(KubeModel):
    """What is counted: one or both."""

    concurrency: ConcurrencyTargetSpec | None = None
    request_rate: RequestRateTargetSpec | None = None


class TargetRef(KubeModel):
    """The Service that gets the requests; its port by number or by name."""

    service: str
    port: Int32 | None = None
    port_name: str | None = None


class ServiceRef(KubeModel):
    """A Service; its port by number or by name."""

    name: str
    port: Int32 | None = None
    port_name: str | None = None


class ConfigMapKeyRef(KubeModel):
    """A key of a ConfigMap."""

    name: str
    key: str | None = None


class StaticResponse(KubeModel):
    """An answer that nobody has to be asked for."""

    status_code: Int32 | None = None
    body: str | None = None
    body_from_config_map: Unsimulated[ConfigMapKeyRef | None] = None
    headers: FrozenMap[str, str] = FrozenMap()


class ColdStartFallback(KubeModel):
    """Who answers when the target does not come in time."""

    service: ServiceRef | None = None


class ColdStartPlaceholder(KubeModel):
    """What is answered at once while the target is not there."""

    response: StaticResponse | None = None


class ColdStartSpec(KubeModel):
    """What happens while the target is not there."""

    fallback: ColdStartFallback | None = None
    placeholder: ColdStartPlaceholder | None = None


class InterceptorRouteTimeouts(KubeModel):
    """Instead of the interceptor's own; ``0s`` for none."""

    readiness: str | None = None
    request: str | None = None
    response_header: str | None = None


class StaticRoute(KubeModel):
    """Requests that are not counted, and have an answer of their own."""

    rules: tuple[RoutingRule, ...]
    response: StaticResponse
    response_mode: Literal["Always", "WhenUnavailable"] = "WhenUnavailable"


class InterceptorRouteSpec(KubeModel):
    """Which requests go where, and what is counted of them."""

    target: TargetRef
    cold_start: ColdStartSpec | None = None
    timeouts: InterceptorRouteTimeouts = InterceptorRouteTimeouts.zero()
    rules: tuple[RoutingRule, ...] = ()
    scaling_metric: RouteScalingMetricSpec
    static_routes: tuple[StaticRoute, ...] = ()


class InterceptorRouteStatus(KubeModel):
    """What the operator saw."""

    conditions: tuple[Condition, ...] = ()


class InterceptorRoute(KubeObject):
    """Leads requests through the interceptor, which counts them and holds them if it must."""

    api_version: Literal["http.keda.sh/v1beta1"] = "http.keda.sh/v1beta1"
    kind: Literal["InterceptorRoute"] = "InterceptorRoute"
    spec: InterceptorRouteSpec
    status: InterceptorRouteStatus = InterceptorRouteStatus.zero()
