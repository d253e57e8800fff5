"""Message brokers: queues that producers fill and consumers empty."""

from kubesim.world.broker.broker import Broker, QueueConfig
from kubesim.world.broker.queue import Delivery, MessageQueue

__all__ = ["Broker", "Delivery", "MessageQueue", "QueueConfig"]
