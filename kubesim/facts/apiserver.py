"""What the API server did."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.journal import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectWritten(Fact):
    """An object was created, updated or deleted; ``verb`` as in an audit log."""

    verb: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecorded(Fact):
    """A component recorded a Kubernetes Event about an object."""

    kind: str
    namespace: str
    name: str
    type: str
    reason: str
    message: str
    component: str
