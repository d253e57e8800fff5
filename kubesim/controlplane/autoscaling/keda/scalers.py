"""Triggers as scalers: which metric, which target, and what its value is.

A ``prometheus`` trigger asks what a Prometheus that scrapes the cluster's proxies would say; of PromQL
it understands the rate of a Service's requests and the number of them under way or waiting::

    sum(rate(http_requests_total{service="shop"}[1m]))
    http_requests_in_flight{service="shop", namespace="default"}
    http_requests_queue_length{service="shop"}

Mirrors: kedacore/keda pkg/scalers (prometheus_scaler.go, cron_scaler.go, cpu_memory_scaler.go).
Departs: a value is read at the instant of the question, not from the last scrape; it can always be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kubesim.api.cron import CronError, Schedule, parse_schedule
from kubesim.api.duration import parse_duration
from kubesim.api.kedav1alpha1 import RESOURCE_TRIGGERS, ScaledObject, ScaleTrigger
from kubesim.api.quantity import Quantity, QuantityError
from kubesim.controlplane.metrics.adapter import RequestMeter, RequestMeters
from kubesim.sim.time import SECOND

_LABELS = r"\{(?P<labels>[^}]*)\}"
_RATE = re.compile(rf"rate\(http_requests_total{_LABELS}\[(?P<window>[0-9a-z]+)\]\)")
_GAUGE = re.compile(rf"http_requests_(?P<gauge>in_flight|queue_length){_LABELS}")
_SUM = re.compile(r"sum\((?P<inside>.*)\)")
_LABEL = re.compile(r'(?P<name>service|namespace)="(?P<value>[^"]+)"')
SUPPORTED = ("cpu", "memory", "cron", "prometheus")


class ScalerError(ValueError):
    """A trigger cannot be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to the request meters.

    Attributes:
        service: The Service, by namespace and name.
        window_ns: The window of a rate; 0 for a gauge.
        gauge: ``in_flight`` or ``queue_length``; empty for a rate.
    """

    service: str
    window_ns: int = 0
    gauge: str = ""

    def value(self, meters: RequestMeters, _wall_ns: int) -> float:
        """The answer, now."""
        meter: RequestMeter = meters.service(self.service)
        if self.gauge == "in_flight":
            return meter.in_flight()
        if self.gauge == "queue_length":
            return meter.queue_length()
        return meter.rps(window_ns=self.window_ns)


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

    def value(self, _meters: RequestMeters, wall_ns: int) -> float:
        """The wish within the window; one outside."""
        return self.replicas if self.is_open(wall_ns) else 1

    def is_open(self, wall_ns: int) -> bool:
        """Whether the window's end comes before its next beginning."""
        begins, ends = (s.next(wall_ns // SECOND) for s in (self.start, self.end))
        return ends is not None and (begins is None or ends <= begins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaler:
    """A trigger that is not a resource.

    Attributes:
        metric: The name of its external metric.
        trigger: Its trigger's type.
        target: What a replica should have (or all, for ``Value``).
        activation: Above this the workload is to have replicas.
        query: What is asked.
    """

    metric: str
    trigger: str
    target: Quantity
    activation: Quantity
    query: Query | CronWindow

    def value_milli(self, meters: RequestMeters, wall_ns: int) -> int:
        """Its value in thousandths."""
        return round(self.query.value(meters, wall_ns) * 1000)

    def is_active(self, meters: RequestMeters, wall_ns: int) -> bool:
        """Whether the value is more than the activation threshold, or the window open."""
        if isinstance(self.query, CronWindow):
            return self.query.is_open(wall_ns)
        return self.value_milli(meters, wall_ns) * 10**6 > self.activation.nanos


def scalers_of(scaled: ScaledObject) -> tuple[Scaler, ...]:
    """The scalers of an object's triggers, but for cpu and memory.

    Raises:
        ScalerError: If a trigger cannot be understood.
    """
    return tuple(
        _scaler(trigger, index, scaled.namespace)
        for index, trigger in enumerate(scaled.spec.triggers)
        if trigger.type not in RESOURCE_TRIGGERS
    )


def check_trigger(trigger: ScaleTrigger, namespace: str) -> str:
    """What is wrong with a trigger; empty if nothing is."""
    try:
        if trigger.type in RESOURCE_TRIGGERS:
            resource_target(trigger)
        else:
            _scaler(trigger, 0, namespace)
    except ScalerError as error:
        return str(error)
    return ""


def resource_target(trigger: ScaleTrigger) -> tuple[str, Quantity]:
    """Kind and value of the target of a cpu or memory trigger.

    Raises:
        ScalerError: If it has none.
    """
    kind = trigger.metric_type or trigger.metadata.get("type", "")
    if kind not in ("Utilization", "AverageValue"):
        raise ScalerError(
            f"error parsing {trigger.type} metadata: unsupported metric type, allowed values are "
            "'Utilization' or 'AverageValue'"
        )
    return kind, _number(trigger, "value")


def _scaler(trigger: ScaleTrigger, index: int, namespace: str) -> Scaler:
    if trigger.type == "cron":
        return _cron(trigger, index)
    if trigger.type != "prometheus":
        known = ", ".join(SUPPORTED)
        raise ScalerError(
            f'triggers of type "{trigger.type}" are not simulated; there are: {known}'
        )
    text = trigger.metadata.get("query", "")
    if not text:
        raise ScalerError("error parsing prometheus metadata: no query given")
    return Scaler(
        metric=f"s{index}-prometheus",
        trigger=trigger.type,
        target=_number(trigger, "threshold"),
        activation=_number(trigger, "activationThreshold", default="0"),
        query=parse_query(text, namespace),
    )


def _cron(trigger: ScaleTrigger, index: int) -> Scaler:
    values = {}
    for name in ("timezone", "start", "end", "desiredReplicas"):
        values[name] = trigger.metadata.get(name, "")
        if not values[name]:
            raise ScalerError(f"error parsing cron metadata: no {name} given")
    zone, start, end = values["timezone"], values["start"], values["end"]
    if start == end:
        raise ScalerError(
            "error parsing cron metadata: start and end can not have exactly same time input"
        )
    try:
        window = CronWindow(
            start=parse_schedule(start, zone),
            end=parse_schedule(end, zone),
            replicas=_number(trigger, "desiredReplicas").value(),
        )
    except CronError as error:
        raise ScalerError(f"error parsing cron metadata: {error}") from error
    name = f"cron-{zone}-{start}-{end}".replace(" ", "").replace("*", "x").replace("?", "Qm")
    return Scaler(
        metric=f"s{index}-{name.replace('/', '-')}",
        trigger=trigger.type,
        target=Quantity("1"),
        activation=Quantity("0"),
        query=window,
    )


def _number(trigger: ScaleTrigger, name: str, *, default: str = "") -> Quantity:
    text = trigger.metadata.get(name, default)
    if not text:
        raise ScalerError(f"error parsing {trigger.type} metadata: no {name} given")
    try:
        return Quantity(text)
    except QuantityError as error:
        raise ScalerError(f"error parsing {trigger.type} metadata: {name}: {error}") from error


def parse_query(text: str, namespace: str) -> Query:
    """Understand a little PromQL.

    Raises:
        ScalerError: If it is more than that.
    """
    inside = text.strip()
    if whole := _SUM.fullmatch(inside):
        inside = whole["inside"].strip()
    labels: Callable[[str], str] = lambda found: _service(found, namespace)  # noqa: E731
    if rate := _RATE.fullmatch(inside):
        try:
            window_ns = parse_duration(rate["window"])
        except ValueError as error:
            raise ScalerError(f"the query's window: {error}") from error
        return Query(service=labels(rate["labels"]), window_ns=window_ns)
    if gauge := _GAUGE.fullmatch(inside):
        return Query(service=labels(gauge["labels"]), gauge=gauge["gauge"])
    raise ScalerError(
        f'the query "{text}" is more PromQL than is simulated: '
        'sum(rate(http_requests_total{service="NAME"}[1m])), '
        'http_requests_in_flight{service="NAME"} or http_requests_queue_length{service="NAME"}'
    )


def _service(labels: str, namespace: str) -> str:
    found: dict[str, str] = {}
    for part in filter(None, (item.strip() for item in labels.split(","))):
        match = _LABEL.fullmatch(part)
        if match is None:
            raise ScalerError(f"the query asks for {part}; requests have service and namespace")
        found[match["name"]] = match["value"]
    if "service" not in found:
        raise ScalerError('the query names no service="NAME"')
    return f"{found.get('namespace', namespace)}/{found['service']}"
