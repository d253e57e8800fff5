"""Follows a live run: from facts to what a screen, an expectation or a report asks for.

Subscribed to the journal, it keeps running totals, so that a question in the middle of a run costs
no walk through everything that happened.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubesim import facts
from kubesim.sim import Fact
from kubesim.telemetry.startup import TOTAL


@dataclass(slots=True)
class ServiceTotals:
    """What became of the requests to one Service."""

    requests: int = 0
    errors: int = 0
    latencies_ns: list[int] = field(default_factory=list)
    instantiate_ns: list[int] = field(default_factory=list)
    execute_ns: list[int] = field(default_factory=list)
    queue_ns: list[int] = field(default_factory=list)
    bodies: dict[tuple[str, int], str] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def bodies_sha256(self) -> str:
        """SHA-256 over the digests of all bodies, in the order in which the requests were sent."""
        together = "".join(self.bodies[key] for key in sorted(self.bodies))
        return hashlib.sha256(together.encode()).hexdigest()


@dataclass(slots=True)
class PodTotals:
    """What is known of one pod beyond its object."""

    namespace: str
    name: str
    startup: dict[str, int] = field(default_factory=dict)
    log: list[tuple[int, str, str, str]] = field(default_factory=list)
    created_ns: int = 0
    ready_ns: int | None = None
    deleted_ns: int | None = None


class Observer:
    """Running totals of a run; call it with every fact."""

    def __init__(self) -> None:
        self.pods: dict[str, PodTotals] = {}
        self.services: defaultdict[tuple[str, str], ServiceTotals] = defaultdict(ServiceTotals)
        self.events: list[tuple[int, facts.EventRecorded]] = []
        self.refused: list[tuple[int, facts.ObjectRefused]] = []
        self.facts_seen = 0
        self._readers: dict[type[Fact], Callable[[int, Any], None]] = {
            facts.ObjectWritten: self._object_written,
            facts.StartupPhaseEnded: self._phase_ended,
            facts.LogWritten: self._log_written,
            facts.RequestCompleted: self._request_completed,
            facts.RequestFailed: self._request_failed,
            facts.EndpointProgrammed: self._endpoint_programmed,
            facts.EventRecorded: lambda at_ns, fact: self.events.append((at_ns, fact)),
            facts.ObjectRefused: lambda at_ns, fact: self.refused.append((at_ns, fact)),
        }

    def __call__(self, at_ns: int, fact: Fact) -> None:
        """Take one fact."""
        self.facts_seen += 1
        reader = self._readers.get(type(fact))
        if reader is not None:
            reader(at_ns, fact)

    def _pod(self, uid: str, namespace: str, name: str) -> PodTotals:
        known = self.pods.get(uid)
        if known is None:
            known = self.pods[uid] = PodTotals(namespace, name)
        return known

    def _object_written(self, at_ns: int, fact: facts.ObjectWritten) -> None:
        if fact.kind != "Pod":
            return
        pod = self._pod(fact.uid, fact.namespace, fact.name)
        if fact.verb == "create":
            pod.created_ns = at_ns
        elif fact.verb == "delete":
            pod.deleted_ns = at_ns

    def _phase_ended(self, at_ns: int, fact: facts.StartupPhaseEnded) -> None:
        pod = self._pod(fact.uid, fact.namespace, fact.name)
        took_ns = at_ns - fact.began_ns
        assert took_ns >= 0, (at_ns, fact)
        pod.startup[fact.phase] = pod.startup.get(fact.phase, 0) + took_ns
        if fact.phase == "status":
            pod.ready_ns = at_ns
            pod.startup[TOTAL] = at_ns - pod.created_ns

    def _endpoint_programmed(self, at_ns: int, fact: facts.EndpointProgrammed) -> None:
        pod = self.pods.get(fact.pod_uid)
        if pod is not None and pod.ready_ns is not None and "endpoints" not in pod.startup:
            pod.startup["endpoints"] = at_ns - pod.ready_ns

    def _log_written(self, at_ns: int, fact: facts.LogWritten) -> None:
        pod = self._pod(fact.uid, fact.namespace, fact.name)
        pod.log.append((at_ns, fact.container, fact.stream, fact.line))

    def _request_completed(self, _at_ns: int, fact: facts.RequestCompleted) -> None:
        totals = self.services[fact.namespace, fact.service]
        totals.requests += 1
        totals.errors += fact.status >= 500
        totals.latencies_ns.append(fact.latency_ns)
        totals.queue_ns.append(fact.queue_ns)
        totals.execute_ns.append(fact.execute_ns)
        if fact.instantiate_ns:
            totals.instantiate_ns.append(fact.instantiate_ns)
        totals.bodies[fact.traffic, fact.serial] = fact.body_sha256

    def _request_failed(self, _at_ns: int, fact: facts.RequestFailed) -> None:
        totals = self.services[fact.namespace, fact.service]
        totals.requests += 1
        totals.errors += 1
        totals.failures[fact.reason] = totals.failures.get(fact.reason, 0) + 1
