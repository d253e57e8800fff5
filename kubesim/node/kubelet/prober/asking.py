"""One question to a container, by HTTP, TCP, gRPC or a command.

The answer of an HTTP probe comes from whoever listens in the pod: a Wasm module is really called,
a model of a program answers as its health says. A timeout gives the question up; whoever works on
it goes on working.

Mirrors: pkg/probe/http, tcp, grpc, exec; pkg/kubelet/prober/prober.go (runProbe, three tries when
the question itself could not be put); messages as there.
Departs: HTTPS is as HTTP (the kubelet does not verify certificates either); a redirect is a success
and is not followed; the node asks over its own bridge, which takes no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kubesim.api.corev1 import (
    Container,
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    Probe,
    TCPSocketAction,
)
from kubesim.node.cri import messages as cri
from kubesim.node.cri.services import RuntimeService
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND
from kubesim.wire.http import ConnectionRefused, HttpRequest, Outlook, Served

MAX_PROBE_RETRIES = 3
USER_AGENT = "kube-probe/1.36"
GRPC_HEALTH_CHECK = "/grpc.health.v1.Health/Check"


class PodConnections(Protocol):
    """What a node reaches of the pods on it."""

    def local_request(
        self, ip: str, port: int, request: HttpRequest
    ) -> SimProcess[Served | ConnectionRefused]:
        """Ask a pod from its own node."""
        ...

    def listening(self, ip: str, port: int) -> bool:
        """Whether a connection to that port is accepted."""
        ...

    def outlook(self, ip: str, port: int, request: HttpRequest) -> Outlook | None:
        """Until when the same question gets the same answer, if whoever listens knows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a question is for."""

    container: Container
    container_id: str
    pod_ip: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How it went.

    Attributes:
        ok: Whether it was a success.
        output: What is said about it otherwise.
        errored: Whether the question could not be put: then there is no result at all.
    """

    ok: bool
    output: str = ""
    errored: bool = False


class Asker:
    """Puts the questions of one kubelet.

    Args:
        sim: The run.
        runtime: The container runtime, for commands.
        connections: The node's way to its pods.
    """

    def __init__(self, sim: Sim, *, runtime: RuntimeService, connections: PodConnections) -> None:
        self._sim = sim
        self._runtime = runtime
        self._connections = connections

    def ask(self, probe: Probe, target: Target) -> SimProcess[Answer]:
        """Probe a container once."""
        timeout_s = probe.timeout_seconds or 1
        answer = Answer(ok=False, output="missing probe handler", errored=True)
        for _ in range(MAX_PROBE_RETRIES):
            if probe.exec is not None:
                answer = yield from self.execute(probe.exec, target, timeout_s)
            elif probe.http_get is not None:
                answer = yield from self.http(probe.http_get, target, timeout_s)
            elif probe.tcp_socket is not None:
                answer = self.tcp(probe.tcp_socket, target)
            elif probe.grpc is not None:
                answer = yield from self._grpc(probe.grpc, target, timeout_s)
            if not answer.errored:
                break
        return answer

    def outlook(self, probe: Probe, target: Target) -> Outlook | None:
        """Until when a probe would give the same result."""
        if probe.http_get is not None:
            asked = http_request(probe.http_get, target)
            if asked is None:
                return None
            ip, port, request = asked
            return self._connections.outlook(ip, port, request)
        if probe.exec is not None:
            return self._runtime.exec_outlook(target.container_id)
        if probe.grpc is not None:
            request = _health_check(probe.grpc, target)
            return self._connections.outlook(target.pod_ip, probe.grpc.port, request)
        assert probe.tcp_socket is not None
        port_number = port_of(probe.tcp_socket.port, target.container)
        ip = probe.tcp_socket.host or target.pod_ip
        listening = port_number is not None and self._connections.listening(ip, port_number)
        # A socket is closed by the end of its process, and that is seen in the container's state.
        return Outlook() if listening else None

    def http(self, action: HTTPGetAction, target: Target, timeout_s: int) -> SimProcess[Answer]:
        """Send a GET; 200 to 399 is success."""
        asked = http_request(action, target)
        if asked is None:
            message = f"couldn't find port: {action.port} in container {target.container.name}"
            return Answer(ok=False, output=message, errored=True)
        ip, port, request = asked
        url = f"{(action.scheme or 'HTTP').lower()}://{ip}:{port}{action.path or '/'}"
        answer = yield from self._within(timeout_s, ip, port, request)
        if answer is None:
            why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return Answer(ok=False, output=f'Get "{url}": {why}')
        if isinstance(answer, ConnectionRefused):
            why = f"dial tcp {ip}:{port}: connect: {answer.reason}"
            if not self._connections.listening(ip, port) or answer.reason == "connection refused":
                return Answer(ok=False, output=f'Get "{url}": {why}')
            return Answer(ok=False, output=f'Get "{url}": read tcp {ip}:{port}: {answer.reason}')
        status = answer.response.status
        if 200 <= status < 400:
            return Answer(ok=True)
        return Answer(ok=False, output=f"HTTP probe failed with statuscode: {status}")

    def tcp(self, action: TCPSocketAction, target: Target) -> Answer:
        """Open a connection."""
        port = port_of(action.port, target.container)
        if port is None:
            message = f"couldn't find port: {action.port} in container {target.container.name}"
            return Answer(ok=False, output=message, errored=True)
        ip = action.host or target.pod_ip
        if self._connections.listening(ip, port):
            return Answer(ok=True)
        return Answer(ok=False, output=f"dial tcp {ip}:{port}: connect: connection refused")

    def execute(self, action: ExecAction, target: Target, timeout_s: int) -> SimProcess[Answer]:
        """Run a command in the container; ``timeout_s`` 0 waits for ever."""
        try:
            done = yield from self._runtime.exec_sync(
                target.container_id, action.command, timeout_s * SECOND
            )
        except cri.CriError as error:
            if error.code == "DeadlineExceeded":
                command = " ".join(action.command)
                return Answer(
                    ok=False, output=f'command timed out: "{command}" timed out after {timeout_s}s'
                )
            return Answer(ok=False, output=str(error), errored=True)
        return Answer(ok=done.exit_code == 0, output=done.output)

    def _grpc(self, action: GRPCAction, target: Target, timeout_s: int) -> SimProcess[Answer]:
        where = f"{target.pod_ip}:{action.port}"
        if not self._connections.listening(target.pod_ip, action.port):
            yield self._sim.timeout(timeout_s * SECOND)  # it dials until the time is over
            why = f'timeout: failed to connect service "{where}" within {timeout_s}s'
            return Answer(ok=False, output=f"{why}: context deadline exceeded")
        request = _health_check(action, target)
        answer = yield from self._within(timeout_s, target.pod_ip, action.port, request)
        if answer is None:
            why = f"timeout: health rpc did not complete within {timeout_s}s"
            return Answer(ok=False, output=why)
        if isinstance(answer, ConnectionRefused):
            why = (
                f'rpc error: code = Unavailable desc = connection error: desc = "{answer.reason}"'
            )
            return Answer(ok=False, output=f"error: health rpc probe failed: {why}")
        response = answer.response
        if ("content-type", "application/grpc") not in response.headers:
            why = "rpc error: code = Unavailable desc = connection error: it does not speak HTTP/2"
            return Answer(ok=False, output=f"error: health rpc probe failed: {why}")
        if response.status == 200:
            return Answer(ok=True)
        return Answer(ok=False, output='service unhealthy (responded with "NOT_SERVING")')

    def _within(
        self, timeout_s: int, ip: str, port: int, request: HttpRequest
    ) -> SimProcess[Served | ConnectionRefused | None]:
        """The answer, or ``None`` when there was none in time."""
        asked = self._sim.process(self._connections.local_request(ip, port, request))
        yield self._sim.any_of([asked, self._sim.timeout(timeout_s * SECOND)])
        return asked.value if asked.triggered else None


def http_request(
    action: HTTPGetAction, target: Target, *, agent: str = USER_AGENT
) -> tuple[str, int, HttpRequest] | None:
    """Where a GET goes and what it says; ``None`` when its port has no number."""
    port = port_of(action.port, target.container)
    if port is None:
        return None
    ip = action.host or target.pod_ip
    path, _, query = (action.path or "/").partition("?")
    headers = tuple((header.name, header.value) for header in action.http_headers)
    named = {name.lower(): value for name, value in headers}
    if "user-agent" not in named:
        headers = (("User-Agent", agent), *headers)
    if "accept" not in named:
        headers = (*headers, ("Accept", "*/*"))
    request = HttpRequest(
        path=path if path.startswith("/") else f"/{path}",
        query=query,
        headers=headers,
        host=named.get("host", f"{ip}:{port}"),
    )
    return ip, port, request


def port_of(port: int | str, container: Container) -> int | None:
    """The number of a port, which may be given by its name in the container."""
    if isinstance(port, int):
        return port
    for candidate in container.ports:
        if candidate.name == port:
            return candidate.container_port
    return int(port) if port.isdecimal() else None


def _health_check(action: GRPCAction, target: Target) -> HttpRequest:
    return HttpRequest(
        method="POST",
        path=GRPC_HEALTH_CHECK,
        headers=(("content-type", "application/grpc"), ("user-agent", USER_AGENT)),
        body=(action.service or "").encode(),
        host=f"{target.pod_ip}:{action.port}",
    )
