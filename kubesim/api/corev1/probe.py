"""Probes and lifecycle hooks: what the kubelet asks of a running container.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from kubesim.api.corev1.enums import URIScheme
from kubesim.api.intstr import IntOrString
from kubesim.api.model import Int32, Int64, KubeModel


class ExecAction(KubeModel):
    """Run a command in the container."""

    command: tuple[str, ...] = ()


class HTTPHeader(KubeModel):
    """A header to send."""

    name: str
    value: str


class HTTPGetAction(KubeModel):
    """Send an HTTP GET; 200 to 399 is success."""

    path: str | None = None
    port: IntOrString
    host: str | None = None
    scheme: URIScheme | None = None
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(KubeModel):
    """Open a TCP connection."""

    port: IntOrString
    host: str | None = None


class GRPCAction(KubeModel):
    """Ask the gRPC health service."""

    port: Int32
    service: str | None = None


class SleepAction(KubeModel):
    """Wait."""

    seconds: Int64


class Probe(KubeModel):
    """A repeated question to a container: is it alive, ready, started?"""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    initial_delay_seconds: Int32 | None = None
    timeout_seconds: Int32 | None = None
    period_seconds: Int32 | None = None
    success_threshold: Int32 | None = None
    failure_threshold: Int32 | None = None
    termination_grace_period_seconds: Int64 | None = None


class LifecycleHandler(KubeModel):
    """What to do at a moment of a container's life."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(KubeModel):
    """What to do after a container's start and before its stop."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = None
