"""Follows a live run: from facts to what a screen, an expectation or a report asks for.

Subscribed to the journal, it keeps running totals, so that a question in the middle of a run costs
no walk through everything that happened.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubesim import facts
from kubesim.sim import Fact
from kubesim.sim.time import SECOND
from kubesim.telemetry.losses import Losses
from kubesim.telemetry.queues import QueueTotals
from kubesim.telemetry.requests import ABANDONED, TIMEOUT, Bodies, SourceTotals
from kubesim.telemetry.startup import TOTAL


def _column() -> array[int]:
    return array("q")


@dataclass(slots=True)
class ServiceTotals:
    """What became of the requests to one Service."""

    requests: int = 0
    errors: int = 0
    retries: int = 0
    timeouts: int = 0
    latencies_ns: array[int] = field(default_factory=_column)
    instantiate_ns: array[int] = field(default_factory=_column)
    execute_ns: array[int] = field(default_factory=_column)
    queue_ns: array[int] = field(default_factory=_column)
    bodies: Bodies = field(default_factory=Bodies)
    failures: dict[str, int] = field(default_factory=dict)
    began_ns: int | None = None
    ended_ns: int = 0

    @property
    def rps(self) -> float:
        """Requests a second, from the first one's sending to the last one's end."""
        span_ns = self.ended_ns - (self.began_ns or 0)
        return self.requests * SECOND / span_ns if span_ns else 0.0

    def ended(self, at_ns: int, latency_ns: int, attempts: int) -> None:
        """One request, however it ended."""
        self.requests += 1
        self.retries += attempts - 1
        self.ended_ns = at_ns
        sent_ns = at_ns - latency_ns
        if self.began_ns is None or sent_ns < self.began_ns:
            self.began_ns = sent_ns


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
    nr_throttled: int = 0
    throttled_ns: int = 0


class Observer:
    """Running totals of a run; call it with every fact."""

    def __init__(self) -> None:
        self.pods: dict[str, PodTotals] = {}
        self.services: defaultdict[tuple[str, str], ServiceTotals] = defaultdict(ServiceTotals)
        self.sources: dict[str, SourceTotals] = {}
        self.queues: defaultdict[str, QueueTotals] = defaultdict(QueueTotals)
        self.events: list[tuple[int, facts.EventRecorded]] = []
        self.refused: list[tuple[int, facts.ObjectRefused]] = []
        self.losses = Losses()
        self.facts_seen = 0
        self._readers: dict[type[Fact], Callable[[int, Any], None]] = {
            facts.ObjectWritten: self._object_written,
            facts.StartupPhaseEnded: self._phase_ended,
            facts.LogWritten: self._log_written,
            facts.ContainerThrottled: self._throttled,
            facts.RequestCompleted: self._request_completed,
            facts.RequestFailed: self._request_failed,
            facts.AttemptEnded: self._attempt_ended,
            facts.RequestsInFlight: self._in_flight,
            facts.EndpointProgrammed: self._endpoint_programmed,
            facts.MessageProcessed: self._message_processed,
            facts.MessageLost: self._message_lost,
            facts.MessagesLeft: self._messages_left,
            facts.EventRecorded: lambda at_ns, fact: self.events.append((at_ns, fact)),
            facts.ObjectRefused: lambda at_ns, fact: self.refused.append((at_ns, fact)),
        }

    def __call__(self, at_ns: int, fact: Fact) -> None:
        """Take one fact."""
        self.facts_seen += 1
        reader = self._readers.get(type(fact))
        if reader is not None:
            reader(at_ns, fact)
        self.losses(at_ns, fact)

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

    def _throttled(self, _at_ns: int, fact: facts.ContainerThrottled) -> None:
        pod = self._pod(fact.uid, fact.namespace, fact.name)
        pod.nr_throttled += fact.nr_throttled
        pod.throttled_ns += fact.throttled_ns

    def _source(self, name: str, namespace: str, service: str) -> SourceTotals:
        known = self.sources.get(name)
        if known is None:
            known = self.sources[name] = SourceTotals(namespace, service)
        return known

    def _request_completed(self, at_ns: int, fact: facts.RequestCompleted) -> None:
        totals = self.services[fact.namespace, fact.service]
        totals.ended(at_ns, fact.latency_ns, fact.attempts)
        totals.errors += fact.status >= 500
        totals.latencies_ns.append(fact.latency_ns)
        totals.queue_ns.append(fact.queue_ns)
        totals.execute_ns.append(fact.execute_ns)
        if fact.instantiate_ns:
            totals.instantiate_ns.append(fact.instantiate_ns)
        totals.bodies.add(fact.traffic, fact.serial, fact.body_sha256)
        source = self._source(fact.traffic, fact.namespace, fact.service)
        source.completed(at_ns, fact.latency_ns, status=fact.status, attempts=fact.attempts)

    def _request_failed(self, at_ns: int, fact: facts.RequestFailed) -> None:
        totals = self.services[fact.namespace, fact.service]
        totals.ended(at_ns, fact.latency_ns, fact.attempts)
        totals.errors += 1
        totals.timeouts += fact.reason == TIMEOUT
        totals.failures[fact.reason] = totals.failures.get(fact.reason, 0) + 1
        source = self._source(fact.traffic, fact.namespace, fact.service)
        source.failed(at_ns, fact.latency_ns, reason=fact.reason, attempts=fact.attempts)

    def _attempt_ended(self, _at_ns: int, fact: facts.AttemptEnded) -> None:
        totals = self.services[fact.namespace, fact.service]
        totals.timeouts += fact.outcome == TIMEOUT
        totals.retries -= fact.outcome == ABANDONED
        source = self._source(fact.traffic, fact.namespace, fact.service)
        source.attempt_ended(fact.outcome)

    def _in_flight(self, _at_ns: int, fact: facts.RequestsInFlight) -> None:
        source = self._source(fact.traffic, fact.namespace, fact.service)
        source.in_flight = fact.requests
        source.in_flight_attempts = fact.attempts

    def _message_processed(self, _at_ns: int, fact: facts.MessageProcessed) -> None:
        totals = self.queues[fact.queue]
        totals.waits_ns.append(fact.waited_ns)
        totals.took_ns.append(fact.took_ns)
        totals.redelivered += fact.deliveries > 1

    def _message_lost(self, _at_ns: int, fact: facts.MessageLost) -> None:
        self.queues[fact.queue].lost += 1

    def _messages_left(self, _at_ns: int, fact: facts.MessagesLeft) -> None:
        totals = self.queues[fact.queue]
        totals.published, totals.refused = fact.published, fact.refused
        totals.ready, totals.unacknowledged = fact.ready, fact.unacknowledged
