"""All queues of a run, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kubesim.facts import MessagesLeft
from kubesim.sim import Sim
from kubesim.world.broker.queue import MessageQueue

QueueKind = Literal["rabbitmq", "redis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """One queue.

    Attributes:
        name: Its name at its broker.
        kind: What broker it is of: RabbitMQ with acknowledgements, or a Redis list.
    """

    name: str
    kind: QueueKind = "rabbitmq"


class Broker:
    """The queues.

    Args:
        sim: The run.
        queues: Which there are.
    """

    def __init__(self, sim: Sim, queues: Iterable[QueueConfig]) -> None:
        self._sim = sim
        self._kinds = {config.name: config.kind for config in queues}
        self.queues = {
            name: MessageQueue(sim, name=name, acknowledged=kind == "rabbitmq")
            for name, kind in self._kinds.items()
        }

    def queue(self, name: str) -> MessageQueue:
        """The queue of that name.

        Raises:
            KeyError: If there is none.
        """
        return self.queues[name]

    def find(self, kind: str, name: str) -> MessageQueue | None:
        """The queue of that name at a broker of that kind, if there is one."""
        return self.queues[name] if self._kinds.get(name) == kind else None

    def at_end(self) -> None:
        """The run is over: say what is left in each queue."""
        for queue in self.queues.values():
            self._sim.emit(
                MessagesLeft(
                    queue=queue.name,
                    published=queue.published,
                    refused=queue.refused,
                    ready=queue.ready,
                    unacknowledged=queue.published - queue.processed - queue.lost - queue.ready,
                )
            )
