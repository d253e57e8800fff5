"""``redis`` (also ``redis-cluster``, ``redis-sentinel``): the length of a list.

Mirrors: kedacore/keda@8b4f083 pkg/scalers/redis_scaler.go.
Departs: a list is known by its name alone, whatever the address and the database.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.api.kedav1alpha1 import ScaleTrigger
from kubesim.controlplane.autoscaling.keda.scaler import (
    FOREVER_NS,
    Context,
    Reading,
    Scaler,
    make_scaler,
    normalized,
    number,
    required,
)
from kubesim.controlplane.autoscaling.keda.sources import SourceError, Sources

TYPES = ("redis", "redis-cluster", "redis-sentinel")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """How long a list is.

    Attributes:
        list_name: Its name.
        activation: Above this it is active.
    """

    list_name: str
    activation: int

    def read(self, sources: Sources) -> Reading:
        """The answer, now; a list that nobody made is empty."""
        found = sources.queues.find("redis", self.list_name) if sources.queues else None
        if found is None:
            return Reading(0, False)
        if not found.is_up:
            raise SourceError("connection to redis failed: connect: connection refused")
        return Reading(found.ready * 1000, found.ready > self.activation)

    def steady_until_ns(self, sources: Sources) -> int:  # noqa: ARG002  # the protocol's
        """It stays as it is."""
        return FOREVER_NS


def parse(trigger: ScaleTrigger, context: Context) -> tuple[Scaler, ...]:
    """The scaler of such a trigger."""
    name = required(trigger, "listName")
    query = ListQuery(
        list_name=name,
        activation=number(trigger, "activationListLength", default="0").value(),
    )
    target = number(trigger, "listLength", default="5")
    metric = normalized(f"redis-{name}")
    return (make_scaler(trigger, context, metric=metric, target=target, query=query),)
