"""What became of requests."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.journal import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointProgrammed(Fact):
    """A kube-proxy has rules that lead to a pod for the first time."""

    proxy: str
    namespace: str
    service: str
    pod_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCompleted(Fact):
    """A client has its response.

    Attributes:
        latency_ns: From the first byte sent to the last received.
        network_ns: The part spent on the wire.
        queue_ns: The part spent waiting inside the pod.
        instantiate_ns: The part spent creating a Wasm instance for this request alone.
        execute_ns: The part spent in the handler.
        body_sha256: Hexadecimal digest of the body.
    """

    traffic: str
    serial: int
    namespace: str
    service: str
    pod: str
    status: int
    latency_ns: int
    network_ns: int
    queue_ns: int
    instantiate_ns: int
    execute_ns: int
    body_bytes: int
    body_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed(Fact):
    """A client got no response; ``pod`` is empty when no endpoint was found."""

    traffic: str
    serial: int
    namespace: str
    service: str
    pod: str
    reason: str
    latency_ns: int
