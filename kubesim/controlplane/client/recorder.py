"""Kubernetes Events: what a component says about an object.

A recorder that is given its component's client writes as the real one does: one Event after another,
each a request that takes a token of the client's bucket, similar ones combined, too many dropped. What
the component does next does not wait for it, but its own requests have fewer tokens.

Mirrors: staging/src/k8s.io/client-go/tools/record (event.go).
Departs: an Event is a fact in the journal, not an object in the store, and never expires. Recorders
without a client stand for the scheduler's and the kubelets', which have connections of their own for
Events: these cost nothing and are written at once.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.client.client import Client
from kubesim.controlplane.client.eventcorrelator import EventCorrelator, Subject
from kubesim.facts import EventRecorded
from kubesim.sim import Sim, SimProcess

QUEUE_LENGTH = 1000


class _Said(NamedTuple):
    subject: Subject
    type: str
    reason: str
    message: str


class Recorder:
    """Records events in the name of one component.

    Args:
        sim: The run.
        component: Who speaks.
        client: The connection that Events are written through; ``None`` for one without limits.
    """

    def __init__(self, sim: Sim, *, component: str, client: Client | None = None) -> None:
        self._sim = sim
        self._component = component
        self._client = client
        self._correlator = EventCorrelator()
        self._queue: deque[_Said] = deque()
        self._writing = False

    def normal(self, obj: KubeObject, reason: str, message: str) -> None:
        """Record an event of type Normal."""
        self._record(obj, "Normal", reason, message)

    def warning(self, obj: KubeObject, reason: str, message: str) -> None:
        """Record an event of type Warning."""
        self._record(obj, "Warning", reason, message)

    def _record(self, obj: KubeObject, event_type: str, reason: str, message: str) -> None:
        subject = Subject(type(obj).__name__, obj.namespace or "", obj.name, obj.uid)
        said = _Said(subject, event_type, reason, message)
        if self._client is None:
            self._write(said, message)
        elif len(self._queue) < QUEUE_LENGTH:
            self._queue.append(said)
            if not self._writing:
                self._writing = True
                self._sim.process(self._write_all(self._client))

    def _write_all(self, client: Client) -> SimProcess[None]:
        while self._queue:
            said = self._queue.popleft()
            message = self._correlator.correlate(*said, now_ns=self._sim.now)
            if message is not None:
                yield from client.post_event()
                self._write(said, message)
        self._writing = False

    def _write(self, said: _Said, message: str) -> None:
        self._sim.emit(
            EventRecorded(
                kind=said.subject.kind,
                namespace=said.subject.namespace,
                name=said.subject.name,
                type=said.type,
                reason=said.reason,
                message=message,
                component=self._component,
            )
        )
