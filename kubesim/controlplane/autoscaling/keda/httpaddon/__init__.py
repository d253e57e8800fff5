"""KEDA's HTTP add-on: requests go through an interceptor, which counts them and holds them.

``routes`` says which request is whose, ``counting`` counts and tells KEDA, ``interceptor`` holds and
forwards, ``operator`` makes the ScaledObject of an HTTPScaledObject.

Mirrors: kedacore/http-add-on@59b2f6a (v0.14).
Departs: the interceptor is a component that is always there, not a Deployment of three to fifty pods: it
uses no CPU and no memory of any node, and what it adds is the way to it.
"""

from kubesim.controlplane.autoscaling.keda.httpaddon.config import HttpAddOnConfig
from kubesim.controlplane.autoscaling.keda.httpaddon.counting import RequestCounts
from kubesim.controlplane.autoscaling.keda.httpaddon.interceptor import Interceptor, Upstream
from kubesim.controlplane.autoscaling.keda.httpaddon.operator import (
    HTTPScaledObjectController,
    InterceptorRouteController,
)
from kubesim.controlplane.autoscaling.keda.httpaddon.routes import RoutingTable
from kubesim.controlplane.autoscaling.keda.httpaddon.webhook import HTTP_ADD_ON_WEBHOOKS

__all__ = [
    "HTTP_ADD_ON_WEBHOOKS",
    "HTTPScaledObjectController",
    "HttpAddOnConfig",
    "Interceptor",
    "InterceptorRouteController",
    "RequestCounts",
    "RoutingTable",
    "Upstream",
]
