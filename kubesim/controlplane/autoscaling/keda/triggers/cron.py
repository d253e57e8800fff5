"""``cron``: a wish for replicas that recurs, in a time zone.

Mirrors: kedacore/keda@8b4f083 pkg/scalers/cron_scaler.go.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.api.cron import CronError, Schedule, parse_schedule
from kubesim.api.kedav1alpha1 import ScaleTrigger
from kubesim.api.quantity import Quantity
from kubesim.controlplane.autoscaling.keda.scaler import (
    FOREVER_NS,
    Context,
    Reading,
    Scaler,
    ScalerError,
    make_scaler,
    normalized,
    number,
    required,
)
from kubesim.controlplane.autoscaling.keda.sources import Sources
from kubesim.sim.time import SECOND

TYPES = ("cron",)


@dataclass(frozen=True, slots=True, kw_only=True)
class CronWindow:
    """A wish for replicas that recurs.

    Attributes:
        start: When it begins.
        end: When it ends.
        replicas: How many are wished.
    """

    start: Schedule
    end: Schedule
    replicas: int

    def read(self, sources: Sources) -> Reading:
        """The wish within the window, nothing outside."""
        is_open = self.is_open(sources.now())
        return Reading(self.replicas * 1000 if is_open else 0, is_open)

    def steady_until_ns(self, sources: Sources) -> int:
        """Until the next beginning or end."""
        found = (s.next(sources.now() // SECOND) for s in (self.start, self.end))
        return min((at_s * SECOND for at_s in found if at_s is not None), default=FOREVER_NS)

    def is_open(self, wall_ns: int) -> bool:
        """Whether the window's end comes before its next beginning."""
        begins, ends = (s.next(wall_ns // SECOND) for s in (self.start, self.end))
        return ends is not None and (begins is None or ends <= begins)


def parse(trigger: ScaleTrigger, context: Context) -> tuple[Scaler, ...]:
    """The scaler of such a trigger."""
    zone, start, end = (required(trigger, name) for name in ("timezone", "start", "end"))
    if start == end:
        raise ScalerError(
            "error parsing cron metadata: start and end can not have exactly same time input"
        )
    replicas = number(trigger, "desiredReplicas").value()
    if not replicas:
        raise ScalerError("error parsing cron metadata: no desiredReplicas specified")
    try:
        window = CronWindow(
            start=parse_schedule(start, zone), end=parse_schedule(end, zone), replicas=replicas
        )
    except CronError as error:
        raise ScalerError(f"error parsing cron metadata: {error}") from error
    metric = normalized(f"cron-{zone}-{_as_name(start)}-{_as_name(end)}")
    return (make_scaler(trigger, context, metric=metric, target=Quantity("1"), query=window),)


def _as_name(schedule: str) -> str:
    for text, name in ((" ", ""), ("*", "x"), ("/", "Sl"), ("?", "Qm"), (",", "Cm")):
        schedule = schedule.replace(text, name)
    return schedule
