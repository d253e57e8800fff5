"""Requests that were lost, and why: what had become of the pod that they were sent to.

A client knows only that nobody answered, that it was refused, or that its connection broke. The
journal knows more: when the pod's node went down, when its containers ended, when somebody asked for
its deletion. A lost request is put down to the first of these that explains it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubesim import facts
from kubesim.sim import Fact
from kubesim.telemetry.requests import ABANDONED, TIMEOUT

LOSS_COLUMNS = ("traffic", "cause", "reason", "requests", "retried", "first_ns", "last_ns", "pods")

NODE_DOWN = "its node was down"
ENDED_MEANWHILE = "its pod ended meanwhile"
ENDED_BEFORE = "its pod had ended, rules lagged"
NOT_LISTENING = "its pod did not listen"
NO_ENDPOINT = "there was no endpoint"
TOO_SLOW = "its pod was too slow"
OTHER = "its pod said no"

REFUSED = "connection refused"


@dataclass(slots=True)
class _Loss:
    """What was lost of one source for one cause."""

    requests: int = 0
    retried: int = 0
    first_ns: int = 0
    last_ns: int = 0
    pods: dict[str, None] = field(default_factory=dict)


class Losses:
    """Puts down what is lost; call it with every fact."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], _Loss] = {}
        self._node_of: dict[str, str] = {}
        self._down: set[str] = set()
        self._ended_ns: dict[str, int] = {}
        self._readers: dict[type[Fact], Callable[[int, Any], None]] = {
            facts.PodBound: self._pod_bound,
            facts.NodeBooted: lambda _, fact: self._down.discard(fact.node),
            facts.NodeFailed: lambda _, fact: self._down.add(fact.node),
            facts.ContainerStarted: self._container_started,
            facts.ContainerExited: self._container_exited,
            facts.RequestFailed: self._request_failed,
            facts.AttemptEnded: self._attempt_ended,
        }

    def __call__(self, at_ns: int, fact: Fact) -> None:
        """Take one fact."""
        reader = self._readers.get(type(fact))
        if reader is not None:
            reader(at_ns, fact)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each source, cause and reason, most requests first.

        ``requests`` were lost for good; ``retried`` are attempts that another one made up for.
        """
        rows = [
            {
                "traffic": traffic,
                "cause": cause,
                "reason": reason,
                "requests": loss.requests,
                "retried": loss.retried,
                "first_ns": loss.first_ns,
                "last_ns": loss.last_ns,
                "pods": list(loss.pods),
            }
            for (traffic, cause, reason), loss in self._found.items()
        ]
        return sorted(rows, key=lambda row: (row["traffic"], -row["requests"], -row["retried"]))

    def _pod_bound(self, _at_ns: int, fact: facts.PodBound) -> None:
        self._node_of[f"{fact.namespace}/{fact.name}"] = fact.node

    def _container_started(self, _at_ns: int, fact: facts.ContainerStarted) -> None:
        self._down.discard(fact.node)
        self._ended_ns.pop(f"{fact.namespace}/{fact.name}", None)

    def _container_exited(self, at_ns: int, fact: facts.ContainerExited) -> None:
        self._ended_ns[f"{fact.namespace}/{fact.name}"] = at_ns

    def _request_failed(self, at_ns: int, fact: facts.RequestFailed) -> None:
        loss = self._loss(at_ns, fact, fact.reason)
        loss.requests += 1

    def _attempt_ended(self, at_ns: int, fact: facts.AttemptEnded) -> None:
        if fact.outcome != ABANDONED:
            loss = self._loss(at_ns, fact, fact.outcome)
            loss.retried += 1

    def _loss(
        self, at_ns: int, fact: facts.RequestFailed | facts.AttemptEnded, reason: str
    ) -> _Loss:
        cause = self._cause(fact.namespace, fact.pod, reason, at_ns - fact.latency_ns)
        loss = self._found.setdefault((fact.traffic, cause, reason), _Loss(first_ns=at_ns))
        loss.last_ns = at_ns
        if fact.pod:
            loss.pods[fact.pod] = None
        return loss

    def _cause(self, namespace: str, pod: str, reason: str, sent_ns: int) -> str:
        """Why a request that was sent then was lost."""
        if not pod:
            return NO_ENDPOINT
        key = f"{namespace}/{pod}"
        if self._node_of.get(key) in self._down:
            return NODE_DOWN
        ended_ns = self._ended_ns.get(key)
        if ended_ns is not None:
            return ENDED_BEFORE if ended_ns < sent_ns else ENDED_MEANWHILE
        if reason == REFUSED:
            return NOT_LISTENING
        return TOO_SLOW if reason == TIMEOUT else OTHER
