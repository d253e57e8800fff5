"""``prometheus``: what a Prometheus that scrapes the cluster's proxies would say.

Of PromQL it understands the rate of a Service's requests and the number of them under way or waiting::

    sum(rate(http_requests_total{service="shop"}[1m]))
    http_requests_in_flight{service="shop", namespace="default"}
    http_requests_queue_length{service="shop"}

Mirrors: kedacore/keda pkg/scalers/prometheus_scaler.go.
Departs: a value is read at the instant of the question, not from the last scrape; it can always be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubesim.api.duration import parse_duration
from kubesim.api.kedav1alpha1 import ScaleTrigger
from kubesim.api.quantity import Quantity
from kubesim.controlplane.autoscaling.keda.scaler import (
    FOREVER_NS,
    Context,
    Reading,
    Scaler,
    ScalerError,
    make_scaler,
    number,
)
from kubesim.controlplane.autoscaling.keda.sources import Sources

TYPES = ("prometheus",)

_LABELS = r"\{(?P<labels>[^}]*)\}"
_RATE = re.compile(rf"rate\(http_requests_total{_LABELS}\[(?P<window>[0-9a-z]+)\]\)")
_GAUGE = re.compile(rf"http_requests_(?P<gauge>in_flight|queue_length){_LABELS}")
_SUM = re.compile(r"sum\((?P<inside>.*)\)")
_LABEL = re.compile(r'(?P<name>service|namespace)="(?P<value>[^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestQuery:
    """A question to the request meters.

    Attributes:
        service: The Service, by namespace and name.
        window_ns: The window of a rate; 0 for a gauge.
        gauge: ``in_flight`` or ``queue_length``; empty for a rate.
        activation: Above this it is active.
    """

    service: str
    window_ns: int = 0
    gauge: str = ""
    activation: Quantity = Quantity("0")  # noqa: RUF009  # a quantity does not change

    def read(self, sources: Sources) -> Reading:
        """The answer, now."""
        milli = round(self._value(sources) * 1000)
        return Reading(milli, milli * 10**6 > self.activation.nanos)

    def steady_until_ns(self, sources: Sources) -> int:
        """A number of requests stays; a rate does when there is none any more."""
        return FOREVER_NS if self.gauge or not self._value(sources) else 0

    def _value(self, sources: Sources) -> float:
        meter = sources.requests.service(self.service)
        if self.gauge == "in_flight":
            return meter.in_flight()
        if self.gauge == "queue_length":
            return meter.queue_length()
        return meter.rps(window_ns=self.window_ns)


def parse(trigger: ScaleTrigger, context: Context) -> tuple[Scaler, ...]:
    """The scaler of such a trigger."""
    text = trigger.metadata.get("query", "")
    if not text:
        raise ScalerError("error parsing prometheus metadata: no query given")
    query = parse_query(
        text, context.namespace, number(trigger, "activationThreshold", default="0")
    )
    target = number(trigger, "threshold", default="1" if context.as_source else "")
    return (make_scaler(trigger, context, metric="prometheus", target=target, query=query),)


def parse_query(text: str, namespace: str, activation: Quantity) -> RequestQuery:
    """Understand a little PromQL.

    Raises:
        ScalerError: If it is more than that.
    """
    inside = text.strip()
    if whole := _SUM.fullmatch(inside):
        inside = whole["inside"].strip()
    if rate := _RATE.fullmatch(inside):
        try:
            window_ns = parse_duration(rate["window"])
        except ValueError as error:
            raise ScalerError(f"the query's window: {error}") from error
        service = _service(rate["labels"], namespace)
        return RequestQuery(service=service, window_ns=window_ns, activation=activation)
    if gauge := _GAUGE.fullmatch(inside):
        service = _service(gauge["labels"], namespace)
        return RequestQuery(service=service, gauge=gauge["gauge"], activation=activation)
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
