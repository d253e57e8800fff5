"""Events: what components say happened to an object.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import Literal

from kubesim.api.corev1.references import ObjectReference
from kubesim.api.metav1 import KubeObject, MicroTime, ObjectMeta, Time
from kubesim.api.model import Int32, KubeModel


class EventSource(KubeModel):
    """The component that reports."""

    component: str | None = None
    host: str | None = None


class EventSeries(KubeModel):
    """How often an event has repeated."""

    count: Int32 | None = None
    last_observed_time: MicroTime | None = None


class Event(KubeObject):
    """Something that happened to an object."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Event"] = "Event"
    metadata: ObjectMeta
    involved_object: ObjectReference
    reason: str | None = None
    message: str | None = None
    source: EventSource = EventSource.zero()
    first_timestamp: Time | None = None
    last_timestamp: Time | None = None
    count: Int32 | None = None
    type: str | None = None
    event_time: MicroTime | None = None
    series: EventSeries | None = None
    action: str | None = None
    related: ObjectReference | None = None
    reporting_component: str | None = None
    reporting_instance: str | None = None
