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
        attempts: How many times it was sent, hedges included.
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
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed(Fact):
    """A client got no response; ``pod`` is empty when no endpoint was found.

    Attributes:
        reason: Why the last attempt failed; ``timeout`` when the client gave up.
        attempts: How many times it was sent, hedges included.
    """

    traffic: str
    serial: int
    namespace: str
    service: str
    pod: str
    reason: str
    latency_ns: int
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded(Fact):
    """An attempt that did not decide its request: another one did, or is to.

    Attributes:
        attempt: Its number, from 1.
        outcome: Why it failed, ``status 503`` for such an answer, or ``abandoned`` for one that was
            not waited for because another answer came first.
    """

    traffic: str
    serial: int
    attempt: int
    namespace: str
    service: str
    pod: str
    outcome: str
    latency_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsInFlight(Fact):
    """What the run's end left undecided of one source: with it, every request is accounted for.

    Attributes:
        requests: Requests without an end.
        attempts: Attempts that their client still waits for.
    """

    traffic: str
    namespace: str
    service: str
    requests: int
    attempts: int
