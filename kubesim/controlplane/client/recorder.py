"""Kubernetes Events: what a component says about an object.

Mirrors: staging/src/k8s.io/client-go/tools/record.
Departs: an event is a fact in the journal, not an object in the store: it costs the simulated API
server nothing, is never aggregated and never expires (FIDELITY.md).
"""

from __future__ import annotations

from kubesim.api.metav1 import KubeObject
from kubesim.facts import EventRecorded
from kubesim.sim import Sim


class Recorder:
    """Records events in the name of one component."""

    def __init__(self, sim: Sim, *, component: str) -> None:
        self._sim = sim
        self._component = component

    def normal(self, obj: KubeObject, reason: str, message: str) -> None:
        """Record an event of type Normal."""
        self._record(obj, "Normal", reason, message)

    def warning(self, obj: KubeObject, reason: str, message: str) -> None:
        """Record an event of type Warning."""
        self._record(obj, "Warning", reason, message)

    def _record(self, obj: KubeObject, event_type: str, reason: str, message: str) -> None:
        self._sim.emit(
            EventRecorded(
                kind=type(obj).__name__,
                namespace=obj.namespace or "",
                name=obj.name,
                type=event_type,
                reason=reason,
                message=message,
                component=self._component,
            )
        )
