"""Pods waiting to be scheduled: ready, backing off, or waiting for something to change.

A pod that is new enters the *active* queue. One that could not be placed waits among the
*unschedulable* until an event happens that one of the plugins which refused it considers worth a
try; then it returns to the active queue, or to the *backoff* queue while its penalty lasts. An
idle scheduler does not wait for penalties to end: it takes from the backoff queue when the active
one is empty. Events that happen while a pod is being tried are kept, and judged when the try has
failed.

Nothing in here waits or wakes up by itself: ``next_flush_ns`` says when something is due.

Mirrors: pkg/scheduler/backend/queue (scheduling_queue.go, active_queue.go, unschedulable_pods.go).
Departs: pods that compare equal are taken in the order in which they came; upstream's order is
that of its heap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.scheduler.backoff import BackoffQueue, PodHeap, QueuedPodInfo
from kubesim.controlplane.scheduler.config import scheduler_name
from kubesim.controlplane.scheduler.framework.events import (
    UNSCHEDULABLE_TIMEOUT,
    ClusterEvent,
    QueueingHint,
    pod_changes,
)
from kubesim.controlplane.scheduler.framework.hints import RegisteredHint, queueing_hints
from kubesim.controlplane.scheduler.framework.podinfo import PodInfos
from kubesim.controlplane.scheduler.framework.runtime import Framework
from kubesim.controlplane.scheduler.nominator import PodNominator
from kubesim.sim.time import MINUTE, SECOND, next_grid_point

MAX_IN_UNSCHEDULABLE_PODS_NS = 5 * MINUTE
UNSCHEDULABLE_FLUSH_PERIOD_NS = 30 * SECOND

PreCheck = Callable[[Pod], bool]


class Strategy(Enum):
    """What an event means for one waiting pod."""

    SKIP = 0
    AFTER_BACKOFF = 1
    IMMEDIATELY = 2


@dataclass(frozen=True, slots=True)
class _Happened:
    """An event that may concern a pod that is being tried at the time."""

    event: ClusterEvent
    old: KubeObject | None
    new: KubeObject | None


class SchedulingQueue:
    """The three queues.

    Args:
        clock: What time it is, in nanoseconds since the epoch.
        pod_infos: The maker of ``PodInfo``.
        frameworks: The profiles by scheduler name.
        nominator: Who waits for which node.
        backoff: The backoff queue.
        ready: Called when there may be something to pop.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        pod_infos: PodInfos,
        frameworks: Mapping[str, Framework],
        nominator: PodNominator,
        backoff: BackoffQueue,
        ready: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._pod_infos = pod_infos
        self._frameworks = frameworks
        self._nominator = nominator
        self._ready = ready
        self._began_ns = clock()
        self._hints: dict[str, tuple[RegisteredHint, ...]] = {
            name: queueing_hints(framework.plugins.all) for name, framework in frameworks.items()
        }
        any_framework = next(iter(frameworks.values()))
        self._sort_key = any_framework.plugins.queue_sort.sort_key
        self._active = PodHeap(lambda item: self._sort_key(item.info, item.timestamp_ns))
        self._backoff = backoff
        self._unschedulable: dict[str, QueuedPodInfo] = {}
        self._in_flight: dict[str, int] = {}
        self._events: deque[_Happened] = deque()
        self._events_dropped = 0

    def __len__(self) -> int:
        return len(self._active) + len(self._backoff) + len(self._unschedulable)

    @property
    def unschedulable_pods(self) -> Sequence[QueuedPodInfo]:
        """The pods that wait for something to change, gated ones among them."""
        return tuple(self._unschedulable.values())

    def add(self, pod: Pod) -> None:
        """A new pod without a node."""
        now_ns = self._clock()
        item = QueuedPodInfo(self._pod_infos.of(pod), now_ns)
        if self._to_active(item):
            self._nominator.add(item.info)
            self._ready()

    def update(self, old: Pod, new: Pod) -> None:
        """A new version of a pod without a node."""
        changes = pod_changes(new, old)
        if new.uid in self._in_flight:
            for event in changes:
                self._events.append(_Happened(event, old, new))
            return
        item = self._active.get(new.uid) or self._backoff.get(new.uid)
        if item is not None:
            self._renew(item, old, new)
            return
        item = self._unschedulable.get(new.uid)
        if item is None:
            self.add(new)
            return
        self._renew(item, old, new)
        for event in changes:
            if self._requeue(item, self._judge(item, event, old, new)):
                self._ready()
                return

    def delete(self, pod: Pod) -> None:
        """The pod is gone, or has a node."""
        self._nominator.remove(pod.uid)
        self._active.remove(pod.uid)
        self._backoff.remove(pod.uid)
        self._unschedulable.pop(pod.uid, None)

    def pop(self) -> QueuedPodInfo | None:
        """The next pod to try, if there is one; ``done`` or ``add_unschedulable`` must follow."""
        item = self._active.pop() or self._backoff.pop()
        return self._in_hand(item) if item is not None else None

    def is_waiting_outside(self, uid: str) -> bool:
        """Whether a pod waits for something to change."""
        return uid in self._unschedulable

    def pop_specific(self, pod: Pod) -> QueuedPodInfo:
        """Take this pod, wherever it is; one that is nowhere yet is taken as new."""
        item = self._active.get(pod.uid) or self._backoff.get(pod.uid)
        item = item or self._unschedulable.get(pod.uid)
        if item is None:
            item = QueuedPodInfo(self._pod_infos.of(pod), self._clock())
        self._active.remove(pod.uid)
        self._backoff.remove(pod.uid)
        self._unschedulable.pop(pod.uid, None)
        return self._in_hand(item)

    def done(self, uid: str) -> None:
        """The pod is not being tried any more: forget the events kept for it."""
        self._in_flight.pop(uid, None)
        oldest = min(self._in_flight.values(), default=self._events_dropped + len(self._events))
        while self._events_dropped < oldest:
            self._events.popleft()
            self._events_dropped += 1

    def add_unschedulable(self, item: QueuedPodInfo) -> None:
        """A try has failed; ``item`` carries the plugins that refused."""
        item.count_failure()
        item.timestamp_ns = self._clock()
        self._requeue(item, self._judge_kept_events(item))
        self.done(item.info.uid)
        if not self._unschedulable.get(item.info.uid):
            self._ready()

    def activate(self, uid: str) -> None:
        """Try a pod again now, whatever it waits for."""
        item = self._unschedulable.get(uid) or self._backoff.get(uid)
        if item is not None and self._to_active(item):
            self._ready()

    def move_all(
        self,
        event: ClusterEvent,
        old: KubeObject | None,
        new: KubeObject | None,
        pre_check: PreCheck | None = None,
    ) -> None:
        """Something happened: let those pods try again for which it may make a difference."""
        if not self._of_interest(event):
            return
        waiting = self._unschedulable.values()
        self._move(
            [item for item in waiting if pre_check is None or pre_check(item.info.pod)],
            _Happened(event, old, new),
        )

    def flush(self) -> None:
        """Do what is due by now."""
        now_ns = self._clock()
        for item in self._backoff.pop_completed(now_ns):
            self._active.push(item)
            self._ready()
        leftover = [
            item
            for item in self._unschedulable.values()
            if not item.gating_plugin and now_ns - item.timestamp_ns > MAX_IN_UNSCHEDULABLE_PODS_NS
        ]
        if leftover and (now_ns - self._began_ns) % UNSCHEDULABLE_FLUSH_PERIOD_NS == 0:
            self._move(leftover, _Happened(UNSCHEDULABLE_TIMEOUT, None, None))

    def next_flush_ns(self) -> int | None:
        """When ``flush`` will have something to do; ``None`` when nothing waits."""
        due = [self._backoff.next_completion_ns()]
        # Pods come here in the order of their timestamps, so the first one is the oldest.
        waiting = (item for item in self._unschedulable.values() if not item.gating_plugin)
        oldest = next(waiting, None)
        if oldest is not None:
            expires_ns = max(oldest.timestamp_ns + MAX_IN_UNSCHEDULABLE_PODS_NS, self._clock())
            due.append(
                next_grid_point(
                    expires_ns, period_ns=UNSCHEDULABLE_FLUSH_PERIOD_NS, offset_ns=self._began_ns
                )
            )
        return min((at_ns for at_ns in due if at_ns is not None), default=None)

    def _in_hand(self, item: QueuedPodInfo) -> QueuedPodInfo:
        """The pod is being tried: keep the events that happen meanwhile."""
        item.attempts += 1
        self._in_flight[item.info.uid] = self._events_dropped + len(self._events)
        return item

    def _move(self, items: Sequence[QueuedPodInfo], happened: _Happened) -> None:
        moved = False
        for item in items:
            if item.gating_plugin and not self._lifts_gate(item, happened.event):
                continue
            strategy = self._judge(item, happened.event, happened.old, happened.new)
            if strategy is not Strategy.SKIP:
                moved |= self._requeue(item, strategy)
        if self._in_flight:
            self._events.append(happened)
        if moved:
            self._ready()

    def _requeue(self, item: QueuedPodInfo, strategy: Strategy) -> bool:
        """Put a pod where the strategy says; whether that is a queue it can be popped from."""
        if strategy is Strategy.SKIP:
            self._unschedulable[item.info.uid] = item
            return False
        if strategy is Strategy.AFTER_BACKOFF and self._backoff.is_backing_off(
            item, self._clock()
        ):
            if self._gated(item):
                return False
            self._unschedulable.pop(item.info.uid, None)
            self._backoff.push(item)
            return True
        return self._to_active(item)

    def _to_active(self, item: QueuedPodInfo) -> bool:
        from_backoff = self._backoff.remove(item.info.uid)
        if not from_backoff and self._gated(item):
            return False
        self._unschedulable.pop(item.info.uid, None)
        self._active.push(item)
        return True

    def _gated(self, item: QueuedPodInfo) -> bool:
        """Whether a plugin keeps the pod out; then it waits among the unschedulable."""
        framework = self._frameworks[scheduler_name(item.info.pod)]
        status = framework.run_pre_enqueue_plugins(item.info)
        item.gating_plugin = status.plugin if status is not None else ""
        if status is None:
            return False
        item.unschedulable_plugins[status.plugin] = None
        self._unschedulable[item.info.uid] = item
        return True

    def _renew(self, item: QueuedPodInfo, old: Pod, new: Pod) -> None:
        item.info = self._pod_infos.of(new)
        self._nominator.update(item.info, old.status.nominated_node_name)

    def _of_interest(self, event: ClusterEvent) -> bool:
        return event.wildcard or any(
            hint.event.covers(event) for hints in self._hints.values() for hint in hints
        )

    def _lifts_gate(self, item: QueuedPodInfo, event: ClusterEvent) -> bool:
        return any(
            hint.event.covers(event)
            for hint in self._hints[scheduler_name(item.info.pod)]
            if hint.plugin == item.gating_plugin
        )

    def _judge_kept_events(self, item: QueuedPodInfo) -> Strategy:
        if not item.rejectors:
            return Strategy.AFTER_BACKOFF
        first = self._in_flight.get(item.info.uid)
        if first is None:
            return Strategy.AFTER_BACKOFF
        best = Strategy.SKIP
        for happened in list(self._events)[first - self._events_dropped :]:
            strategy = self._judge(item, happened.event, happened.old, happened.new)
            if strategy is Strategy.IMMEDIATELY:
                return strategy
            if strategy is Strategy.AFTER_BACKOFF:
                best = strategy
                if not item.pending_plugins:
                    return best
        return best

    def _judge(
        self,
        item: QueuedPodInfo,
        event: ClusterEvent,
        old: KubeObject | None,
        new: KubeObject | None,
    ) -> Strategy:
        """What an event means for a pod, by the hints of the plugins that refused it."""
        if not item.rejectors or event.wildcard:
            return Strategy.AFTER_BACKOFF
        pod = item.info.pod
        best = Strategy.SKIP
        for hint in self._hints[scheduler_name(pod)]:
            if hint.plugin not in item.rejectors or not hint.event.covers(event):
                continue
            if hint.hint is not None and hint.hint(pod, old, new) is QueueingHint.SKIP:
                continue
            if hint.plugin in item.pending_plugins:
                return Strategy.IMMEDIATELY
            if not item.pending_plugins:
                return Strategy.AFTER_BACKOFF
            best = Strategy.AFTER_BACKOFF
        return best


def nomination_changed(old: Pod, new: Pod) -> bool:
    """Whether a pod gave up the node for which it waited; equal to a pod leaving that node."""
    nominated = old.status.nominated_node_name
    return bool(nominated) and nominated != new.status.nominated_node_name


def at_most_priority(pod: Pod) -> PreCheck:
    """Only pods that are not more important than this one."""
    priority = pod.spec.priority or 0
    return lambda other: (other.spec.priority or 0) <= priority
