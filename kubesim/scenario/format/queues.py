"""Queues at message brokers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kubesim.scenario.format.values import ScenarioModel


class QueueSpec(ScenarioModel):
    """A queue.

    Attributes:
        name: Its name: what programs consume, traffic fills, and triggers ask for.
        kind: ``rabbitmq``: a message is the queue's until it is acknowledged, and handed out again
            if its consumer goes before that; ``redis``: a list, from which a message is taken for
            good.
    """

    name: str = Field(min_length=1)
    kind: Literal["rabbitmq", "redis"] = "rabbitmq"
