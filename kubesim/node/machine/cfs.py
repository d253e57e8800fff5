"""The CPU scheduler of one machine: cores divided among the threads of a tree of cgroups.

As long as there are no more runnable threads than cores, everybody has a core and a change costs next
to nothing. Else the cores are divided from the root down, at each level by ``cpu.shares`` among those
that want some, and within a cgroup equally among its threads; no thread has more than one core. The
division changes only when the set of the runnable threads does, and between two changes everything
is linear: one event for the next end of a thread, of a quota or of a period's sleep.

Mirrors: Linux kernel/sched/fair.c: group scheduling (cpu.shares) and CFS bandwidth (cpu.cfs_quota_us).
Departs: the fluid limit of CFS, in which everybody runs all the time at a part of a core, without
slices, wake-up latency, core affinity or the imbalance between cores' queues.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from kubesim.node.machine.bandwidth import Bandwidth
from kubesim.node.machine.entity import Entity, Thread
from kubesim.node.machine.resources import Resources
from kubesim.node.machine.shares import ONE, divide, within
from kubesim.sim import Interrupt, Sim, SimProcess

MIN_SHARES = 2  # the least that Linux accepts


class Cfs:
    """The cores of one machine.

    Args:
        sim: The run.
        cpu_millis: Cores in thousandths; at least one.

    Attributes:
        capacity: The cores, in units of ``shares.ONE``.
        changes: How often anybody has begun or ended to want CPU.
    """

    def __init__(self, sim: Sim, *, cpu_millis: int) -> None:
        self._sim = sim
        self.capacity = max(ONE, cpu_millis * ONE // 1000)
        self._serial = itertools.count()
        self._root: Entity | None = None
        self._busy: dict[Entity, None] = {}  # leaves that want CPU
        self._limited: dict[
            Entity, None
        ] = {}  # cgroups with a quota, and something that wants CPU
        self._contended = False
        self._stale = False  # the division must be made anew, at this very instant
        self._turns: list[tuple[int, int, Entity, int]] = []
        self._planned_ns: int | None = None
        self._waking = False
        self.disturbed: Callable[[], None] | None = None  # told of the next change, once
        self.changes = 0

    @property
    def threads(self) -> int:
        """How many threads want CPU now; background load is none."""
        return sum(leaf.threads for leaf in self._busy)

    def join(self, parent: Entity | None, resources: Resources) -> Entity:
        """A new cgroup."""
        entity = Entity(parent, now_ns=self._sim.now)
        if parent is None:
            assert self._root is None
            self._root = entity
        entity.weight = max(resources.cpu_shares, MIN_SHARES)
        self._limit(entity, resources)
        return entity

    def update(self, entity: Entity, before: Resources, after: Resources) -> None:
        """Other shares; another quota begins with a full period."""
        entity.weight = max(after.cpu_shares, MIN_SHARES)
        quota = (after.cpu_quota_us, after.cpu_period_us)
        if quota != (before.cpu_quota_us, before.cpu_period_us):
            self._settle_all()
            self._limit(entity, after)
            self._propagate(entity)
            self._plan_now()
        elif self._contended:
            self._plan_now()

    def leave(self, entity: Entity) -> None:
        """A cgroup is removed; what it used stays with its parent."""
        self.kill(entity)
        assert entity.parent is not None
        entity.parent.gone += self._usage(entity)
        del entity.parent.entities[entity]
        self._limited.pop(entity, None)

    def compute(self, leaf: Entity, cpu_ns: int) -> SimProcess[int]:
        """Run a thread for so much CPU time; returns how much longer it took."""
        assert not leaf.entities, "work runs in leaves only"
        if cpu_ns <= 0:
            return 0
        began_ns = self._sim.now
        thread = Thread(self._sim.event())
        self._settle(leaf)
        thread.finish = leaf.received + cpu_ns * ONE
        heapq.heappush(leaf.heap, (thread.finish, next(self._serial), thread))
        self._changed(leaf, threads=1)
        try:
            yield thread.done
        except Interrupt:
            self._cancel(leaf, thread)
            raise
        return max(0, self._sim.now - began_ns - cpu_ns)

    def kill(self, leaf: Entity) -> None:
        """All threads of a leaf end here and now."""
        self._settle(leaf)
        threads, leaf.heap = sorted(leaf.heap, key=lambda item: item[1]), []
        living = [thread for _, _, thread in threads if thread.alive]
        leaf.background = 0
        for thread in living:
            thread.alive = False
        self._changed(leaf, threads=-len(living))
        for thread in living:
            thread.done.succeed()

    def add_background(self, leaf: Entity, rate: int) -> None:
        """More (or less) of a steady load; ``ONE`` is a whole core."""
        assert not leaf.entities, "work runs in leaves only"
        self._settle(leaf)
        leaf.background += rate
        assert leaf.background >= 0, leaf.background
        self._changed(leaf, threads=0)

    def usage_ns(self, entity: Entity) -> int:
        """CPU time of a cgroup and everything below, up to now."""
        return (self._usage(entity) + ONE // 2) // ONE  # to the nearest

    def throttling(self, entity: Entity) -> tuple[int, int, int]:
        """nr_periods, nr_throttled and the time asleep."""
        quota = entity.bandwidth
        if quota is None:
            return 0, 0, 0
        quota.settle(self._sim.now, entity.rate)
        return quota.nr_periods, quota.nr_throttled, quota.throttled_until(self._sim.now)

    def _limit(self, entity: Entity, resources: Resources) -> None:
        entity.limit(
            None
            if not resources.cpu_quota_us
            else Bandwidth(
                quota_us=resources.cpu_quota_us,
                period_us=resources.cpu_period_us,
                now_ns=self._sim.now,
            )
        )
        if entity.bandwidth is None:
            self._limited.pop(entity, None)
        elif entity.wanted:
            self._limited[entity] = None

    def _usage(self, entity: Entity) -> int:
        own = entity.used + entity.actual * (self._sim.now - entity.updated_ns)
        return own + entity.gone + sum(self._usage(below) for below in entity.entities)

    def _cancel(self, leaf: Entity, thread: Thread) -> None:
        if thread.alive:
            thread.alive = False
            self._settle(leaf)
            self._changed(leaf, threads=-1)

    # What changed, and what follows from it

    def _changed(self, leaf: Entity, *, threads: int) -> None:
        """The leaf, settled, has more or fewer threads, or another background load."""
        if self.disturbed is not None:
            self.disturbed()
        self.changes += 1
        limited, demand_before, rate = leaf.limited, leaf.demand, leaf.rate
        for above in limited:
            assert above.bandwidth is not None
            above.bandwidth.settle(self._sim.now, above.rate)
            above.bandwidth.threads += threads
        leaf.threads += threads
        leaf.wanted = leaf.threads * ONE + leaf.background
        if leaf.wanted:
            self._busy[leaf] = None
        else:
            self._busy.pop(leaf, None)
            leaf.idle()
        self._propagate(leaf)
        assert self._root is not None
        asleep = any(above.bandwidth.throttled for above in limited if above.bandwidth)
        if self._stale or asleep:
            return  # it is divided at this instant anyway, or when the sleep is over
        if not self._contended and self._root.demand <= self.capacity and not _is_even(limited):
            for entity in leaf.path:
                entity.rate = entity.demand
            self._rerate(leaf)
            for above in limited:
                self._schedule_quota(above)
            self._plan()
        elif (
            self._contended
            and self._root.demand > self.capacity
            and rate < demand_before
            and rate <= leaf.demand
            and not limited
        ):
            self._rerate(leaf)  # more wishes of one that does not get what it wants already
            self._plan()
        else:
            self._plan_now()

    def _propagate(self, entity: Entity) -> None:
        """What a cgroup wants changed: so does what those above it want."""
        cursor: Entity | None = entity
        while cursor is not None:
            if cursor.bandwidth is not None:
                self._note_limited(cursor)
            demand = cursor.effective_demand()
            change = demand - cursor.demand
            if not change:
                return
            parent = cursor.parent
            if parent is not None:
                if not cursor.demand:
                    parent.active[cursor] = None
                elif not demand:
                    del parent.active[cursor]
                parent.wanted += change
            cursor.demand = demand
            cursor = parent

    def _note_limited(self, entity: Entity) -> None:
        assert entity.bandwidth is not None
        if entity.wanted or entity.bandwidth.throttled:
            self._limited[entity] = None
        else:
            self._limited.pop(entity, None)
            entity.rate = 0
            self._schedule_quota(entity)

    # Dividing the cores

    def _divide(self) -> None:
        """Settle everybody at the old rates, divide, and see when each is next due."""
        assert self._root is not None
        self._settle_all()
        self._stale = False
        self._contended = self._root.demand > self.capacity
        self._turns.clear()
        for leaf in self._busy:
            for entity in leaf.path:
                entity.rate = 0
        self._give(self._root, min(self.capacity, self._root.demand))
        for leaf in self._busy:
            leaf.due_ns = None
            self._rerate(leaf)
        for entity in self._limited:
            assert entity.bandwidth is not None
            entity.bandwidth.due_ns = None
            self._schedule_quota(entity)

    def _settle_all(self) -> None:
        for leaf in self._busy:
            self._settle(leaf)
        for entity in self._limited:
            assert entity.bandwidth is not None
            entity.bandwidth.settle(self._sim.now, entity.rate)

    def _give(self, entity: Entity, amount: int) -> None:
        entity.rate = amount
        below = list(entity.active)
        if len(below) == 1:
            self._give(below[0], min(amount, below[0].demand))
        elif amount >= entity.demand:
            for child in below:
                self._give(child, child.demand)
        elif below:
            parts = divide(amount, [(child.weight, child.demand) for child in below])
            for child, part in zip(below, parts, strict=True):
                self._give(child, part)

    def _rerate(self, leaf: Entity) -> None:
        """A leaf, settled, has a new amount or new threads: when is the next thread done?"""
        leaf.each, steady = within(leaf.rate, threads=leaf.threads, background=leaf.background)
        leaf.actual = leaf.each * leaf.threads + steady
        heap = leaf.heap
        while heap and not heap[0][2].alive:
            heapq.heappop(heap)
        due_ns = None
        if heap and leaf.each:
            missing = heap[0][0] - leaf.received - leaf.each // 2  # done to the nearest nanosecond
            due_ns = self._sim.now + max(0, -(-missing // leaf.each))
        if due_ns != leaf.due_ns:
            leaf.due_ns = due_ns
            leaf.generation += 1
            if due_ns is not None:
                turn = (due_ns, next(self._serial), leaf, leaf.generation)
                heapq.heappush(self._turns, turn)

    def _schedule_quota(self, entity: Entity) -> None:
        quota = entity.bandwidth
        assert quota is not None
        due_ns = quota.next_turn_ns(self._sim.now, entity.rate)
        if due_ns != quota.due_ns:
            quota.due_ns = due_ns
            quota.generation += 1
            if due_ns is not None:
                turn = (due_ns, next(self._serial), entity, -quota.generation)
                heapq.heappush(self._turns, turn)

    def _settle(self, leaf: Entity) -> None:
        elapsed_ns = self._sim.now - leaf.updated_ns
        if elapsed_ns:
            leaf.updated_ns = self._sim.now
            leaf.received += leaf.each * elapsed_ns
            leaf.used += leaf.actual * elapsed_ns

    # The next event

    def _plan_now(self) -> None:
        if self._stale:
            return
        self._stale = True
        if not self._waking:
            self._planned_ns = self._sim.now
            self._sim.call_in(0, self._wake, self._sim.now)

    def _plan(self) -> None:
        turns = self._turns
        while turns and not _is_current(turns[0]):
            heapq.heappop(turns)
        if turns and (self._planned_ns is None or turns[0][0] < self._planned_ns):
            self._planned_ns = turns[0][0]
            self._sim.call_in(turns[0][0] - self._sim.now, self._wake, turns[0][0])

    def _wake(self, planned_ns: int) -> None:
        if planned_ns != self._planned_ns:
            return  # an older plan
        self._planned_ns, self._waking = None, True
        turns, now_ns = self._turns, self._sim.now
        while turns and turns[0][0] <= now_ns:
            turn = heapq.heappop(turns)
            if not _is_current(turn):
                continue
            _, _, entity, generation = turn
            if generation < 0:
                self._turn_quota(entity)
            else:
                self._finish(entity)
        if self._stale:
            self._divide()
            self._planned_ns = None
        self._waking = False
        self._plan()

    def _finish(self, leaf: Entity) -> None:
        """At least one thread of a leaf has done its work."""
        leaf.due_ns = None
        self._settle(leaf)
        heap, ended, received = leaf.heap, [], leaf.received + leaf.each // 2
        while heap and heap[0][0] <= received:
            thread = heapq.heappop(heap)[2]
            if thread.alive:
                thread.alive = False
                ended.append(thread)
        self._changed(leaf, threads=-len(ended))
        for thread in ended:
            thread.done.succeed()

    def _turn_quota(self, entity: Entity) -> None:
        """A cgroup has used its quota, or its sleep is over."""
        quota = entity.bandwidth
        assert quota is not None
        quota.due_ns = None
        if quota.throttled:
            quota.refill(self._sim.now)
        else:
            quota.settle(self._sim.now, entity.rate)
            if not quota.is_empty():
                self._schedule_quota(entity)
                return
            quota.throttle(self._sim.now)
        self._propagate(entity)
        self._stale = True


def _is_even(limited: tuple[Entity, ...]) -> bool:
    """Whether one of the quotas holds back nothing but background load, or does not any more."""
    return any(above.bandwidth.wanted for above in limited if above.bandwidth)


def _is_current(turn: tuple[int, int, Entity, int]) -> bool:
    """Whether nothing has changed since a turn was planned; below zero it is of a quota."""
    _, _, entity, generation = turn
    if generation > 0:
        return generation == entity.generation
    return entity.bandwidth is not None and -generation == entity.bandwidth.generation
