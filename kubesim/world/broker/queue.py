"""One queue: what waits in it, what was handed out, and how fast both happen.

Two kinds. In one with acknowledgements (RabbitMQ) a message that was handed out stays the queue's
until its consumer says that it is done; if the consumer goes before that, the message is the next to
be handed out again. In one without (a Redis list) a message that was taken is the consumer's alone,
and goes with it. Consumers are served in the order in which they asked.

Mirrors: RabbitMQ's classic queues with manual acknowledgements and a prefetch of 1; BRPOP.
Departs: publishing and handing out take no time; no priorities, no dead letters, no time to live.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

from kubesim.facts import MessageLost, MessageProcessed
from kubesim.sim import Event, Sim
from kubesim.sim.time import SECOND


@dataclass(slots=True, eq=False)
class Delivery:
    """A message in somebody's hands.

    Attributes:
        serial: Its number.
        published_ns: When it came.
        taken_ns: When it was handed out last.
        deliveries: How often it was handed out.
    """

    serial: int
    published_ns: int
    taken_ns: int = 0
    deliveries: int = 0


class MessageQueue:
    """A queue.

    Args:
        sim: The run.
        name: Its name.
        acknowledged: Whether a message is the queue's until it is acknowledged.
    """

    def __init__(self, sim: Sim, *, name: str, acknowledged: bool = True) -> None:
        self.name = name
        self._sim = sim
        self._acknowledged = acknowledged
        self._ready: deque[Delivery] = deque()
        self._taken: dict[Delivery, None] = {}
        self._waiting: deque[Event] = deque()
        self._published = array("q")
        self._handed_out = array("q")
        self.processed = 0
        self.refused = 0
        self.lost = 0
        self.is_up = True

    @property
    def published(self) -> int:
        """How many messages came."""
        return len(self._published)

    @property
    def ready(self) -> int:
        """How many wait for a consumer."""
        return len(self._ready)

    @property
    def unacknowledged(self) -> int:
        """How many are with a consumer and still the queue's."""
        return len(self._taken) if self._acknowledged else 0

    def publish_rate(self, window_ns: int) -> float:
        """Messages a second that came in the window before now."""
        return self._rate(self._published, window_ns)

    def deliver_rate(self, window_ns: int) -> float:
        """Messages a second that were handed out in the window before now."""
        return self._rate(self._handed_out, window_ns)

    def publish(self) -> None:
        """Put one more in; a broker that is down refuses it."""
        if not self.is_up:
            self.refused += 1
            return
        delivery = Delivery(self.published, self._sim.now)
        self._published.append(self._sim.now)
        self._ready.append(delivery)
        self._hand_out()

    def receive(self) -> Event:
        """Happens with a ``Delivery`` when it is one's turn."""
        turn = self._sim.event()
        self._waiting.append(turn)
        self._hand_out()
        return turn

    def give_up(self, turn: Event) -> None:
        """Do not wait for one's turn any longer; a message that came at this instant goes back."""
        if turn.triggered:
            assert isinstance(turn.value, Delivery)
            self.release(turn.value, consumer="")
        else:
            self._waiting.remove(turn)

    def acknowledge(self, delivery: Delivery, *, consumer: str) -> None:
        """A message is done."""
        del self._taken[delivery]
        self.processed += 1
        self._sim.emit(
            MessageProcessed(
                queue=self.name,
                serial=delivery.serial,
                pod=consumer,
                waited_ns=delivery.taken_ns - delivery.published_ns,
                took_ns=self._sim.now - delivery.taken_ns,
                deliveries=delivery.deliveries,
            )
        )

    def release(self, delivery: Delivery, *, consumer: str) -> None:
        """A consumer is gone and did not finish a message."""
        del self._taken[delivery]
        if self._acknowledged or not consumer:
            self._ready.appendleft(delivery)
            self._hand_out()
            return
        self.lost += 1
        self._sim.emit(MessageLost(queue=self.name, serial=delivery.serial, pod=consumer))

    def go_down(self) -> None:
        """The broker does not answer any more."""
        self.is_up = False

    def come_up(self) -> None:
        """The broker is back, with what it had."""
        self.is_up = True
        self._hand_out()

    def _hand_out(self) -> None:
        while self.is_up and self._ready and self._waiting:
            delivery = self._ready.popleft()
            delivery.taken_ns = self._sim.now
            delivery.deliveries += 1
            self._taken[delivery] = None
            self._handed_out.append(self._sim.now)
            self._waiting.popleft().succeed(delivery)

    def _rate(self, times: array[int], window_ns: int) -> float:
        assert window_ns > 0, window_ns
        end_ns = self._sim.now
        first = bisect_right(times, end_ns - window_ns) if end_ns > window_ns else 0
        return (len(times) - first) * SECOND / window_ns
