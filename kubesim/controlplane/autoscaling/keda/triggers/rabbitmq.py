"""``rabbitmq``: the length of a queue, its rates, or how long it takes to empty it.

Mirrors: kedacore/keda@8b4f083 pkg/scalers/rabbitmq_scaler.go.
Departs: a queue is known by its name alone, whatever the host and the virtual host; a trigger's
credentials are not looked at. Rates are those of the last five seconds, as the management plugin's
statistics interval has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote_plus

from kubesim.api.kedav1alpha1 import ScaleTrigger
from kubesim.api.quantity import Quantity
from kubesim.controlplane.autoscaling.keda.scaler import (
    FOREVER_NS,
    Context,
    Reading,
    Scaler,
    ScalerError,
    flag,
    make_scaler,
    normalized,
    number,
    only_knows,
    required,
)
from kubesim.controlplane.autoscaling.keda.sources import QueueMeter, SourceError, Sources
from kubesim.sim.time import SECOND

TYPES = ("rabbitmq",)
LENGTH = "QueueLength"
HTTP_ONLY = (
    "MessageRate",
    "DeliverGetRate",
    "PublishedToDeliveredRatio",
    "ExpectedQueueConsumptionTime",
)
DEFAULT_LENGTH = Quantity("20")  # defaultRabbitMQQueueLength
STATISTICS_INTERVAL_NS = 5 * SECOND  # collect_statistics_interval
_KNOWN = ("queueName", "mode", "queueLength", "value", "activationValue", "host", "hostFromEnv",
          "protocol", "vhostName", "excludeUnacknowledged", "timeout", "unsafeSsl", "useRegex",
          "pageSize", "operation")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueQuery:
    """A question about a queue.

    Attributes:
        queue: Its name.
        mode: What is asked.
        activation: Above this it is active.
        only_ready: Whether messages that are with a consumer are left out.
    """

    queue: str
    mode: str
    activation: float
    only_ready: bool

    def read(self, sources: Sources) -> Reading:
        """The answer, now."""
        queue = sources.queues.find("rabbitmq", self.queue) if sources.queues else None
        if queue is None:
            raise SourceError(
                f"error requesting RabbitMQ API status: 404 Not Found, queue {self.queue}"
            )
        if not queue.is_up:
            raise SourceError("error requesting RabbitMQ API: connect: connection refused")
        value, active = self._value(queue)
        return Reading(int(value * 1000), active)

    def steady_until_ns(self, sources: Sources) -> int:
        """A length stays; rates do when there are none any more."""
        queue = sources.queues.find("rabbitmq", self.queue) if sources.queues else None
        if queue is None or self.mode == LENGTH:
            return FOREVER_NS
        window_ns = STATISTICS_INTERVAL_NS
        moves = queue.publish_rate(window_ns) or queue.deliver_rate(window_ns)
        return 0 if moves else FOREVER_NS

    def _value(self, queue: QueueMeter) -> tuple[float, bool]:
        messages = queue.ready + (0 if self.only_ready else queue.unacknowledged)
        published = queue.publish_rate(STATISTICS_INTERVAL_NS)
        delivered = queue.deliver_rate(STATISTICS_INTERVAL_NS)
        least, stuck = self.activation, delivered == 0
        if self.mode == LENGTH:
            return messages, messages > least
        if self.mode == "MessageRate":
            return published, published > least or messages > least
        if self.mode == "DeliverGetRate":
            return delivered, delivered > least
        if self.mode == "PublishedToDeliveredRatio":
            ratio = 0.0
            if published > 0:
                ratio = least if stuck else published / delivered
            return ratio, ratio > least or (published > 0 and stuck)
        eta = 0.0
        if messages:
            eta = least if stuck else (published - delivered + messages) / delivered
        return eta, eta > least or (stuck and messages > 0)


def parse(trigger: ScaleTrigger, context: Context) -> tuple[Scaler, ...]:
    """The scaler of such a trigger."""
    only_knows(trigger, *_KNOWN)
    queue = required(trigger, "queueName")
    if flag(trigger, "useRegex"):
        raise ScalerError("rabbitmq metadata: useRegex is not simulated")
    http = _speaks_http(trigger)
    mode, target = _mode(trigger)
    only_ready = flag(trigger, "excludeUnacknowledged")
    if mode in HTTP_ONLY and not http:
        raise ScalerError(f"protocol amqp not supported; must be HTTP to use trigger mode {mode}")
    if only_ready and not http:
        raise ScalerError("configure excludeUnacknowledged=true only with HTTP protocol")
    query = QueueQuery(
        queue=queue,
        mode=mode,
        activation=number(trigger, "activationValue", default="0").nanos / 1e9,
        # What AMQP's passive declaration counts are the ready ones.
        only_ready=only_ready or not http,
    )
    metric = normalized(f"rabbitmq-{quote_plus(queue)}")
    return (make_scaler(trigger, context, metric=metric, target=target, query=query),)


def _speaks_http(trigger: ScaleTrigger) -> bool:
    """Whether the management interface is asked; where the host is a secret, that is assumed."""
    protocol = trigger.metadata.get("protocol", "auto")
    if protocol not in ("auto", "http", "amqp"):
        raise ScalerError(
            f"the protocol has to be either `amqp`, `http`, or `auto` but is `{protocol}`"
        )
    host = trigger.metadata.get("host", "")
    if not host and trigger.authentication_ref is None:
        required(trigger, "hostFromEnv")
    if protocol != "auto":
        return protocol == "http"
    scheme = host.partition("://")[0]
    if host and scheme not in ("amqp", "amqps", "http", "https"):
        raise ScalerError(f"unknown host URL scheme: `{scheme}`")
    return scheme not in ("amqp", "amqps")


def _mode(trigger: ScaleTrigger) -> tuple[str, Quantity]:
    metadata = trigger.metadata
    mode, length = metadata.get("mode", ""), metadata.get("queueLength", "")
    if length:
        if mode or metadata.get("value"):
            raise ScalerError("queueLength is deprecated; use mode and value")
        return LENGTH, number(trigger, "queueLength")
    if not mode and not metadata.get("value"):
        return LENGTH, DEFAULT_LENGTH
    if not mode:
        raise ScalerError("mode must be specified")
    if mode not in (LENGTH, *HTTP_ONLY):
        known = ", ".join((LENGTH, *HTTP_ONLY))
        raise ScalerError(f"trigger mode {mode} must be one of {known}")
    return mode, number(trigger, "value")
