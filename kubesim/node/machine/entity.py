"""What the scheduler keeps about a cgroup and about a thread.

Mirrors: Linux include/linux/sched.h (struct sched_entity) and kernel/sched/sched.h (struct cfs_rq).
"""

from __future__ import annotations

from kubesim.node.machine.bandwidth import Bandwidth
from kubesim.sim import Event


class Thread:
    """Work that one core can do.

    Attributes:
        finish: What each thread of the leaf has received when this one is done.
        alive: Whether somebody waits for it.
    """

    __slots__ = ("alive", "done", "finish")

    def __init__(self, done: Event) -> None:
        self.done = done
        self.finish = 0
        self.alive = True


class Entity:
    """One cgroup. Rates are in units of ``shares.ONE``, amounts in nanoseconds times that.

    Attributes:
        entities: The cgroups below.
        path: Itself and everything above it.
        limited: Those of them that have a quota.
        active: The cgroups below that want CPU and do not sleep.
        weight: Its shares.
        bandwidth: Its quota.
        wanted: What it and everything below could use.
        demand: The same as those above see it: nothing while it sleeps.
        rate: What it gets.
        threads: Of a leaf: the living ones.
        background: Of a leaf: its steady load.
        heap: Of a leaf: its threads by when they are done.
        received: Of a leaf: what each of its threads has received.
        each: Of a leaf: the rate of each thread.
        actual: Of a leaf: the rate of all of them and the steady load.
        used: Of a leaf: the CPU time used up to ``updated_ns``.
        gone: CPU time of cgroups below that are no more.
        due_ns: Of a leaf: when its next thread is done.
        generation: Of a leaf: how often that has changed.
    """

    __slots__ = ("active", "actual", "background", "bandwidth", "demand", "due_ns", "each",
                 "entities", "generation", "gone", "heap", "limited", "parent", "path", "rate",
                 "received", "threads", "updated_ns", "used", "wanted", "weight")  # fmt: skip

    def __init__(self, parent: Entity | None, *, now_ns: int) -> None:
        self.parent = parent
        self.entities: dict[Entity, None] = {}
        self.path: tuple[Entity, ...] = (self, *(parent.path if parent else ()))
        self.limited: tuple[Entity, ...] = parent.limited if parent else ()
        self.active: dict[Entity, None] = {}
        self.weight = 0
        self.bandwidth: Bandwidth | None = None
        self.wanted = 0
        self.demand = 0
        self.rate = 0
        self.threads = 0
        self.background = 0
        self.heap: list[tuple[int, int, Thread]] = []
        self.received = 0
        self.each = 0
        self.actual = 0
        self.used = 0
        self.gone = 0
        self.updated_ns = now_ns
        self.due_ns: int | None = None
        self.generation = 1
        if parent is not None:
            assert not parent.threads, "work runs in leaves only"
            parent.entities[self] = None

    def limit(self, bandwidth: Bandwidth | None) -> None:
        """Another quota, or none; threads that are there count for it, and so do periods so far."""
        if bandwidth is not None:
            bandwidth.threads = self.count_threads()
            if self.bandwidth is not None:
                bandwidth.go_on_from(self.bandwidth)
        self.bandwidth = bandwidth
        self.find_limits()

    def idle(self) -> None:
        """Of a leaf: nothing in it wants CPU any more."""
        self.rate = self.actual = self.each = self.received = 0
        self.heap.clear()
        self.due_ns = None
        self.generation += 1

    def effective_demand(self) -> int:
        """What it wants of those above: nothing while it sleeps."""
        quota = self.bandwidth
        if quota is None:
            return self.wanted
        if quota.throttled:
            return 0
        if quota.threads or self.wanted <= quota.rate:
            quota.wanted = 0
            return self.wanted
        # Only steady load: held to the quota evenly, so that nothing has to happen each period.
        quota.wanted = self.wanted
        return quota.rate

    def count_threads(self) -> int:
        """Its threads and those below."""
        return self.threads + sum(below.count_threads() for below in self.entities)

    def find_limits(self) -> None:
        """Which cgroups on the way up have a quota has changed."""
        self.limited = tuple(above for above in self.path if above.bandwidth is not None)
        for below in self.entities:
            below.find_limits()
