"""What became of messages in queues."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.journal import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageProcessed(Fact):
    """A consumer is done with a message.

    Attributes:
        waited_ns: From its publishing until it was handed out last.
        took_ns: From then until it was done.
        deliveries: How often it was handed out.
    """

    queue: str
    serial: int
    pod: str
    waited_ns: int
    took_ns: int
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLost(Fact):
    """A consumer was gone before it had finished a message, and nobody else has it."""

    queue: str
    serial: int
    pod: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesLeft(Fact):
    """What a queue has when the run ends: with it, every message is accounted for."""

    queue: str
    published: int
    refused: int
    ready: int
    unacknowledged: int
