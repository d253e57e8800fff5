"""The reconcile loop: a queue of keys, some workers, one function.

A controller watches, enqueues keys, and for each key makes the world look as it should:
``reconcile(key)`` reads caches, decides, writes. It is level-based: it never hears what changed, and
running it twice changes nothing. An API error sends the key back with a growing delay.

Mirrors: the run loop that every controller under pkg/controller has; controller-runtime's Reconciler.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from kubesim.controlplane.apiserver.errors import StatusError
from kubesim.controlplane.client.workqueue import BASE_DELAY_NS, WorkQueue
from kubesim.sim import Sim, SimProcess


class Controller(ABC):
    """A reconcile loop.

    Args:
        sim: The run.
        workers: How many keys are worked on at the same time.
        retry_delay_ns: How long a key waits after its first failure; it doubles from there.
    """

    def __init__(self, sim: Sim, *, workers: int, retry_delay_ns: int = BASE_DELAY_NS) -> None:
        self._sim = sim
        self._idle = workers
        self.queue = WorkQueue(sim, self._dispatch, base_delay_ns=retry_delay_ns)

    @abstractmethod
    def reconcile(self, key: str) -> SimProcess[None]:
        """Make the world look as the object of that key says."""

    def _dispatch(self) -> None:
        while self._idle and len(self.queue):
            self._idle -= 1
            self._sim.process(self._work(self.queue.get()))

    def _work(self, key: str) -> SimProcess[None]:
        try:
            yield from self.reconcile(key)
        except StatusError:
            self.queue.add_rate_limited(key)
        else:
            self.queue.forget(key)
        self.queue.done(key)
        self._idle += 1
        self._dispatch()
