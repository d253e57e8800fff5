"""The eviction manager: looks every ten seconds, and gives up one pod at a time.

A look sees how much memory and disk are left. Below a threshold the node gets the condition, and when
the threshold's grace period is over: for disk, dead containers and unused images go first; if that is
not enough, and for memory, the pod that ranks first goes. The next look follows when it is gone.

No look is made at which nothing can have changed: the machine says when a threshold is crossed, and
what follows from time alone (the end of a grace period, of the transition period) is computed.

Mirrors: pkg/kubelet/eviction/eviction_manager.go (synchronize, Admit, Start, waitForPodsCleanup);
messages as there.
Departs: while nothing can be reclaimed and no pod can be evicted, the looks that find that again are
left out with their events; what is in emptyDirs is as old as ``volumeStatsAggPeriod`` says, without
its jitter; ``kernelMemcgNotification`` works as with cgroup v1 (upstream ignores it with v2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubesim.api.corev1 import Pod, Taint
from kubesim.api.podutil import pod_qos
from kubesim.api.taints import tolerations_tolerate_taint
from kubesim.node.kubelet.cm import SYSTEM_CRITICAL_PRIORITY
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.node.kubelet.eviction.observing import (
    ALLOCATABLE_MEMORY,
    MEMORY,
    NODEFS,
    Meters,
    PodStats,
    meter_of,
    observe,
)
from kubesim.node.kubelet.eviction.ranking import (
    eviction_message,
    exceeded_local_storage,
    has_local_limits,
    rank,
)
from kubesim.node.kubelet.eviction.thresholds import (
    MEMORY_PRESSURE,
    EvictionThreshold,
    Pressure,
    first_to_reclaim,
    levels,
    look,
    next_change_ns,
    thresholds_of,
)
from kubesim.node.kubelet.status import Ending
from kubesim.sim import Event, Sim, SimProcess
from kubesim.sim.time import SECOND, next_grid_point

EVICTED = "Evicted"
TERMINATED_BY_KUBELET = "TerminationByKubelet"
MONITORING_PERIOD_NS = 10 * SECOND  # evictionMonitoringPeriod
HARD_GRACE_S = 1  # immediateEvictionGracePeriodSeconds
CLEANUP_TIMEOUT_NS = 30 * SECOND  # podCleanupTimeout
CLEANUP_POLL_NS = SECOND  # podCleanupPollFreq
KILL_PATIENCE_NS = 10 * SECOND  # minimum of killPodNow's timeout
MEMORY_TAINT = Taint(key="node.kubernetes.io/memory-pressure", effect="NoSchedule")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionHooks:
    """What the manager reaches of its kubelet.

    Attributes:
        active: The pods that are not over.
        stats: What a pod uses; ``None`` before it has a sandbox.
        evict: Ends a pod; the event happens when nothing of it runs.
        reclaim: Removes dead containers and unused images; whether some images are too young yet.
        said: Records an event on the node: its reason and its message.
        changed: The node has other conditions.
    """

    active: Callable[[], list[Pod]]
    stats: Callable[[Pod], PodStats | None]
    evict: Callable[[Pod, Ending], Event]
    reclaim: Callable[[], SimProcess[bool]]
    said: Callable[[str, str], None]
    changed: Callable[[], None]


class EvictionManager:
    """One kubelet's eviction manager.

    Args:
        sim: The run.
        config: Thresholds and periods.
        meters: The machine.
        offset_ns: When it looked once; from there it looks every ten seconds.
        hooks: The kubelet.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        config: KubeletConfiguration,
        meters: Meters,
        offset_ns: int,
        hooks: EvictionHooks,
    ) -> None:
        self._sim = sim
        self._config = config
        self._meters = meters
        self._hooks = hooks
        self._offset_ns = self._looked_ns = offset_ns
        self._transition_ns = config.eviction_pressure_transition_period_ns
        self._thresholds = thresholds_of(config)
        self._pressure = Pressure()
        self._planned_ns: int | None = None
        self._looking = self._missed = self._off = False
        for signal in (MEMORY, ALLOCATABLE_MEMORY, NODEFS):
            meter = meter_of(signal, meters)
            if meter is None:
                continue
            own = [t for t in self._thresholds if meter_of(t.signal, meters) is meter]
            notified = signal != NODEFS and config.kernel_memcg_notification
            meter.watch(
                levels(own, meter.capacity_bytes), self._notified if notified else self._crossed
            )
        seen = observe((t.signal for t in self._thresholds), meters)
        if any(t.is_met(seen[t.signal]) for t in self._thresholds if t.signal in seen):
            self._crossed()  # it is short of something from the beginning

    @property
    def conditions(self) -> tuple[str, ...]:
        """``MemoryPressure`` and the like, as far as they are true."""
        return self._pressure.conditions

    def stop(self) -> None:
        """The kubelet is gone."""
        self._off = True

    def pods_changed(self) -> None:
        """There are other pods: while the node is short of something, one may be evicted."""
        if self._pressure.acted_upon:
            self._crossed()

    def storage_changed(self, pod: Pod, *, volume: bool) -> None:
        """A pod has more on the disk: its limits are looked at."""
        if has_local_limits(pod):
            at_ns = self._sim.now
            if volume:
                period_ns = self._config.volume_stats_agg_period_ns
                at_ns = next_grid_point(at_ns, period_ns=period_ns, offset_ns=self._offset_ns)
            self._plan(self._grid_point(at_ns))

    def _crossed(self) -> None:
        self._plan(self._grid_point(self._sim.now))

    def _notified(self) -> None:
        """A memory threshold was crossed, and the kernel says so at once."""
        self._plan(self._sim.now)

    def _grid_point(self, at_ns: int) -> int:
        """The first look at or after an instant."""
        return next_grid_point(
            at_ns - 1, period_ns=MONITORING_PERIOD_NS, offset_ns=self._offset_ns
        )

    def _plan(self, at_ns: int) -> None:
        if self._off:
            return
        if self._looking:
            self._missed = True
        elif self._planned_ns is None or at_ns < self._planned_ns:
            self._planned_ns = at_ns
            self._sim.call_in(at_ns - self._sim.now, self._begin, at_ns)

    def _begin(self, at_ns: int) -> None:
        if self._planned_ns == at_ns and not self._off:
            self._planned_ns = None
            self._looking = True
            self._sim.process(self._monitor())

    def _monitor(self) -> SimProcess[None]:
        """Look, and look again as long as each look evicts somebody."""
        again = False
        while not self._off:
            gone, again = yield from self._synchronize()
            if not gone:
                break
            yield from self._cleaned_up(gone)
            self._offset_ns = self._sim.now
        self._looking = False
        now_ns = self._sim.now
        if self._missed or again:
            self._missed = False
            self._plan(self._grid_point(now_ns + 1))
        due_ns = next_change_ns(self._pressure, now_ns=now_ns, transition_ns=self._transition_ns)
        if due_ns is not None:
            self._plan(self._grid_point(due_ns))

    def _synchronize(self) -> SimProcess[tuple[list[Event], bool]]:
        """One look: the ends of the pods that it evicted, and whether the next may find more."""
        now_ns, before = self._sim.now, self._pressure
        seen = observe((t.signal for t in self._thresholds), self._meters)
        last_ns = max(self._looked_ns, self._grid_point(now_ns) - MONITORING_PERIOD_NS)
        self._looked_ns = now_ns
        self._pressure = look(
            before,
            self._thresholds,
            seen,
            now_ns=now_ns,
            last_look_ns=last_ns,
            transition_ns=self._transition_ns,
        )
        if self._pressure.conditions != before.conditions:
            self._hooks.changed()
        evicted = self._over_their_limits()
        if evicted:
            return evicted, False
        target = first_to_reclaim(self._pressure.acted_upon)
        if target is None:
            return [], False
        resource = target.resource
        self._hooks.said("EvictionThresholdMet", f"Attempting to reclaim {resource}")
        young = False
        if resource != "memory":
            young = yield from self._hooks.reclaim()
            if not self._still_short():
                return [], False
        return self._evict_one(target), young

    def _over_their_limits(self) -> list[Event]:
        evicted: list[Event] = []
        for pod in self._hooks.active():
            used = self._hooks.stats(pod) if has_local_limits(pod) else None
            message = None if used is None else exceeded_local_storage(pod, used)
            if message is not None and not is_critical(pod):
                ending = Ending(reason=EVICTED, message=message, grace_s=HARD_GRACE_S)
                evicted.append(self._hooks.evict(pod, ending))
        return evicted

    def _still_short(self) -> bool:
        seen = observe((t.signal for t in self._thresholds), self._meters)
        return any(
            t.signal in seen and t.is_met(seen[t.signal], with_reclaim=True)
            for t in self._thresholds
        )

    def _evict_one(self, target: EvictionThreshold) -> list[Event]:
        """Evict the pod that ranks first of those that may be evicted."""
        hooks, resource = self._hooks, target.resource
        seen = observe((t.signal for t in self._thresholds), self._meters)
        grace_s = HARD_GRACE_S if target.is_hard else self._config.eviction_max_pod_grace_period_s
        for pod in rank(hooks.active(), resource, hooks.stats):
            if is_critical(pod):
                continue
            message = eviction_message(
                pod, resource, hooks.stats(pod), self._pressure.acted_upon, seen
            )
            ending = Ending(
                reason=EVICTED, message=message, grace_s=grace_s, disruption=TERMINATED_BY_KUBELET
            )
            return [hooks.evict(pod, ending)]
        return []

    def _cleaned_up(self, gone: list[Event]) -> SimProcess[None]:
        """Wait until what was evicted is gone, as one sees that who looks once a second."""
        waited = self._sim.all_of(gone)
        patience_ns = KILL_PATIENCE_NS
        if self._config.eviction_max_pod_grace_period_s:
            patience_ns += self._config.eviction_max_pod_grace_period_s * SECOND * 3 // 2
        yield self._sim.any_of([waited, self._sim.timeout(patience_ns)])
        began_ns = self._sim.now
        if not waited.triggered:
            yield self._sim.any_of([waited, self._sim.timeout(CLEANUP_TIMEOUT_NS)])
        rest_ns = (self._sim.now - began_ns) % CLEANUP_POLL_NS
        yield self._sim.timeout(CLEANUP_POLL_NS - rest_ns)


def is_critical(pod: Pod) -> bool:
    """Whether a pod is never evicted by its kubelet."""
    return (pod.spec.priority or 0) >= SYSTEM_CRITICAL_PRIORITY


def refusal(pod: Pod, conditions: tuple[str, ...]) -> Ending | None:
    """Why a node with these conditions does not take a pod; ``None`` when it does."""
    if not conditions or is_critical(pod):
        return None
    if conditions == (MEMORY_PRESSURE,) and (
        pod_qos(pod.spec) != "BestEffort"
        or tolerations_tolerate_taint(pod.spec.tolerations, MEMORY_TAINT)
    ):
        return None
    return Ending(reason=EVICTED, message=f"The node had condition: [{' '.join(conditions)}]. ")
