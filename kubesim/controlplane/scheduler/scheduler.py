"""kube-scheduler: the process that places pods.

One pod at a time is taken from the queue and given a node in the scheduler's own memory; telling
the API server about it is a process of its own, so that the next pod need not wait for it. A pod
that fits nowhere is told why, and waits in the queue for something to change.

No idle ticking: what is due later (penalties that end, pods that have waited too long) is
computed, and the clock is only asked when something waits.

Mirrors: pkg/scheduler/scheduler.go, pkg/scheduler/schedule_one.go (schedulingCycle, bindingCycle,
handleSchedulingFailure).
Departs: the decision is made at the instant at which the cycle begins, and takes effect when the
time of the cycle has passed. The order in which parallel workers find nodes, and where a search for
victims begins, are drawn from the run's random streams (see ``luck``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from kubesim.api.corev1 import Node, Pod, PodCondition
from kubesim.api.duration import format_duration
from kubesim.api.metav1 import KubeObject
from kubesim.api.podutil import set_pod_condition
from kubesim.controlplane.client import Client, Recorder, StatusError
from kubesim.controlplane.scheduler.backoff import BackoffQueue, QueuedPodInfo
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration, scheduler_name
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.eventhandlers import LISTED_KINDS, OTHER_KINDS, EventHandlers
from kubesim.controlplane.scheduler.executor import Executor
from kubesim.controlplane.scheduler.framework.events import ASSIGNED_POD_DELETE
from kubesim.controlplane.scheduler.framework.runtime import Framework
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.framework.waiting import PodsToActivate, WaitingPod
from kubesim.controlplane.scheduler.queue import SchedulingQueue
from kubesim.controlplane.scheduler.registry import DEFAULT_REGISTRY, PluginFactory
from kubesim.controlplane.scheduler.schedule_one import Attempt
from kubesim.controlplane.scheduler.versions import LATEST
from kubesim.facts import PodAttempted, PodBound, StartupPhaseEnded
from kubesim.sim import Event, Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.sim.time import SECOND

COMPONENT = "kube-scheduler"
EVENT_NOTE_LENGTH_MAX = 1024

K = TypeVar("K", bound=KubeObject)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerTimings:
    """How long the scheduler's own work takes.

    Attributes:
        cycle: One scheduling cycle, from the queue to the decision.
    """

    cycle: Distribution


class InformerLister:
    """The scheduler's informers, as plugins see them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, kind: type[K], key: str) -> K | None:
        """The object of that key, as last heard of."""
        return self._client.informer(kind).get(key)

    def values(self, kind: type[K]) -> Iterable[K]:
        """All objects of a kind, in the order in which they became known."""
        return self._client.informer(kind).values()


class Scheduler:
    """The scheduler of a simulated cluster.

    Args:
        sim: The run.
        client: Its connection to the API server.
        config: Its configuration.
        timings: How long its own work takes.
        version: Which kube-scheduler this is, such as ``1.36``.
        by_chance: Whether what is chance in reality is drawn; if not, nodes are found in order and
            the first of equals wins.
        registry: The plugins that profiles can name.
    """

    def __init__(  # noqa: PLR0913  # the parts of a component
        self,
        sim: Sim,
        *,
        client: Client,
        config: KubeSchedulerConfiguration,
        timings: SchedulerTimings,
        version: str = LATEST,
        by_chance: bool = True,
        registry: Mapping[str, PluginFactory] = DEFAULT_REGISTRY,
    ) -> None:
        self._sim = sim
        self._client = client
        self._timings = timings
        self._recorder = Recorder(sim, component=COMPONENT)
        self._rng = sim.rng(f"{COMPONENT}/cycle")
        self._idle: Event | None = None
        self._flush_at_ns: int | None = None
        self._pods = client.informer(Pod)
        self.engine = Engine(
            config=config,
            lister=InformerLister(client),
            clock=lambda: sim.wall_ns,
            binder=client,
            registry=registry,
            rng=sim.rng if by_chance else None,
            version=version,
        )
        self.queue = self._new_queue(config)
        self._executor = Executor(
            sim, client=client, engine=self.engine, queue=self.queue, recorder=self._recorder
        )
        handlers = EventHandlers(self.engine, queue=self.queue, changed=self._arm_flush)
        self._pods.add_handler(handlers.on_pod)
        client.informer(Node).add_handler(handlers.on_node)
        for kind, resource in OTHER_KINDS:
            client.informer(kind).add_handler(handlers.on_other(resource))
        for listed in LISTED_KINDS:
            client.informer(listed)  # so that it is filled before a plugin asks for the first time
        sim.process(self._run())

    def _new_queue(self, config: KubeSchedulerConfiguration) -> SchedulingQueue:
        frameworks = self.engine.frameworks
        first = next(iter(frameworks.values()))
        backoff = BackoffQueue(
            initial_ns=config.pod_initial_backoff_seconds * SECOND,
            max_ns=config.pod_max_backoff_seconds * SECOND,
            sort_key=first.plugins.queue_sort.sort_key,
        )
        return SchedulingQueue(
            clock=self.engine.clock,
            pod_infos=self.engine.pod_infos,
            frameworks=frameworks,
            nominator=self.engine.nominator,
            backoff=backoff,
            ready=self._wake,
        )

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.triggered:
            self._idle.succeed()

    def _arm_flush(self) -> None:
        """Make sure that the next thing that is due will be done."""
        due_ns = self.queue.next_flush_ns()
        if due_ns is None or (self._flush_at_ns is not None and self._flush_at_ns <= due_ns):
            return
        self._flush_at_ns = due_ns
        self._sim.call_in(max(due_ns - self._sim.wall_ns, 0), self._flush, due_ns)

    def _flush(self, due_ns: int) -> None:
        if self._flush_at_ns != due_ns:
            return
        self._flush_at_ns = None
        self.queue.flush()
        self._arm_flush()

    def _run(self) -> SimProcess[None]:
        while True:
            item = self.queue.pop()
            if item is None:
                self._idle = self._sim.event()
                yield self._idle
                self._idle = None
            else:
                yield from self._schedule_one(item)

    def _schedule_one(self, item: QueuedPodInfo) -> SimProcess[None]:
        pod = item.info.pod
        if pod.metadata.deletion_timestamp is not None:
            message = f"skip schedule deleting pod: {pod.namespace}/{pod.name}"
            self._recorder.warning(pod, "FailedScheduling", message)
            self.queue.done(pod.uid)
            return
        if self.engine.cache.is_assumed(pod.uid):
            self.queue.done(pod.uid)
            return
        began_ns = self._sim.now
        framework = self.engine.frameworks[scheduler_name(pod)]
        attempt = self.engine.schedule(item.info)
        if attempt.selected:
            stored_ns = pod.metadata.creation_timestamp or item.added_ns
            self._phase_ended(pod, "queue", stored_ns - self._sim.start_time_ns)
        yield self._sim.timeout(self._timings.cycle.draw(self._rng))
        if not attempt.selected:
            yield from self._handle_failure(item, attempt)
            return
        refusal = self._assume_and_reserve(framework, attempt)
        if refusal is not None:
            yield from self._handle_failure(item, attempt.refused_after_all(refusal))
            return
        self._phase_ended(pod, "schedule", began_ns)
        self._sim.process(self._binding_cycle(framework, item, attempt))

    def _assume_and_reserve(self, framework: Framework, attempt: Attempt) -> Status | None:
        info, node_name = attempt.info, attempt.selected
        if self.engine.cache.node_name_of(info.uid) is not None:
            return Status.error(
                f"pod {info.uid}({info.pod.key}) is in the cache, so can't be assumed"
            )
        self.engine.cache.assume_pod(info, node_name)
        self.engine.nominator.remove(info.uid)
        status = framework.run_reserve_plugins_reserve(attempt.state, info, node_name)
        if status is None:
            status, waits_ns = framework.run_permit_plugins(attempt.state, info, node_name)
            if status is not None and status.code is Code.WAIT:
                self._hold_back(attempt, waits_ns)
                status = None
        if status is not None:
            self._unreserve_and_forget(framework, attempt)
        else:
            self._activate(attempt)
        return status

    def _hold_back(self, attempt: Attempt, waits_ns: Mapping[str, int]) -> None:
        waiting = WaitingPod(attempt.info, attempt.selected, waits_ns)
        self.engine.waiting_pods.add(waiting)
        for plugin, wait_ns in waits_ns.items():
            self._sim.call_in(wait_ns, waiting.expire, plugin, format_duration(wait_ns))

    def _wait_on_permit(self, uid: str) -> SimProcess[Status | None]:
        """Wait until the plugins that hold a pod back let it go, or turn it down."""
        waiting = self.engine.waiting_pods.get(uid)
        if waiting is None:
            return None
        if not waiting.done:
            decided = self._sim.event()

            def wake() -> None:
                decided.succeed()

            waiting.decided = wake
            yield decided
        self.engine.waiting_pods.remove(uid)
        return waiting.verdict

    def _activate(self, attempt: Attempt) -> None:
        """Try those soon that a plugin named."""
        named = attempt.state.find(PodsToActivate)
        if named is not None:
            for uid in named.uids:
                self.queue.activate(uid)
            named.uids.clear()

    def _unreserve_and_forget(self, framework: Framework, attempt: Attempt) -> None:
        framework.run_reserve_plugins_unreserve(attempt.state, attempt.info, attempt.selected)
        self.engine.cache.forget_pod(attempt.info.uid)

    def _binding_cycle(
        self, framework: Framework, item: QueuedPodInfo, attempt: Attempt
    ) -> SimProcess[None]:
        info, node_name = attempt.info, attempt.selected
        began_ns = self._sim.now
        status = yield from self._wait_on_permit(info.uid)
        if status is not None:
            yield from self._handle_binding_failure(framework, item, attempt, status)
            return
        self.queue.done(info.uid)
        status = yield from framework.run_pre_bind_plugins(attempt.state, info, node_name)
        if status is None:
            status = yield from framework.run_bind_plugins(attempt.state, info, node_name)
        if status is not None:
            yield from self._handle_binding_failure(framework, item, attempt, status)
            return
        pod = info.pod
        message = f"Successfully assigned {pod.namespace}/{pod.name} to {node_name}"
        self._recorder.normal(pod, "Scheduled", message)
        self._phase_ended(pod, "bind", began_ns)
        self._sim.emit(
            PodBound(
                namespace=pod.namespace,
                name=pod.name,
                uid=pod.uid,
                node=node_name,
                attempts=item.attempts,
                feasible_nodes=len(attempt.feasible),
                evaluated_nodes=attempt.evaluated_nodes,
            )
        )
        framework.run_post_bind_plugins(attempt.state, info, node_name)
        self._activate(attempt)

    def _handle_binding_failure(
        self, framework: Framework, item: QueuedPodInfo, attempt: Attempt, status: Status
    ) -> SimProcess[None]:
        was_assumed = self.engine.cache.is_assumed(attempt.info.uid)
        self._unreserve_and_forget(framework, attempt)
        if was_assumed:
            spec = attempt.info.pod.spec.replace(node_name=attempt.selected)
            left = attempt.info.pod.replace(spec=spec)
            self.queue.move_all(ASSIGNED_POD_DELETE, left, None)
        yield from self._handle_failure(item, attempt.refused_after_all(status))

    def _handle_failure(self, item: QueuedPodInfo, attempt: Attempt) -> SimProcess[None]:
        """Back into the queue with the pod, and tell the world why."""
        item.clear_rejectors()
        if attempt.error is None:
            item.unschedulable_plugins = dict(attempt.diagnosis.unschedulable_plugins)
            item.pending_plugins = dict(attempt.diagnosis.pending_plugins)
        uid = item.info.uid
        current = self._pods.get(item.info.pod.key)
        if current is None or current.uid != uid or current.spec.node_name:
            self.queue.done(uid)
            return
        item.info = self.engine.pod_infos.of(current)
        nominated = _nomination(attempt)
        if attempt.post_filter is not None:
            self._executor.prepare(item.info, attempt.post_filter)
        self.queue.add_unschedulable(item)
        self.engine.nominator.add(item.info, nominated)
        self._arm_flush()
        message = attempt.message
        self._sim.emit(
            PodAttempted(
                namespace=current.namespace,
                name=current.name,
                uid=uid,
                attempt=item.attempts,
                message=message,
            )
        )
        self._recorder.warning(current, "FailedScheduling", truncated(message))
        condition = PodCondition(
            type="PodScheduled", status="False", reason=attempt.reason, message=message
        )
        yield from self._patch_status(current, condition, nominated)

    def _patch_status(
        self, pod: Pod, condition: PodCondition, nominated: str | None
    ) -> SimProcess[None]:
        condition = condition.replace(last_transition_time=self._sim.wall_ns)

        def change(current: Pod) -> Pod:
            status = set_pod_condition(current.status, condition)
            if nominated is not None and (status.nominated_node_name or "") != nominated:
                status = status.replace(nominated_node_name=nominated or None)
            return current if status is current.status else current.replace(status=status)

        if change(pod) is pod:
            return
        try:
            yield from self._client.patch(Pod, pod.key, change, status=True)
        except StatusError:
            return  # the pod is gone; so is the need to tell it anything

    def _phase_ended(self, pod: Pod, phase: str, began_ns: int) -> None:
        self._sim.emit(
            StartupPhaseEnded(
                namespace=pod.namespace,
                name=pod.name,
                uid=pod.uid,
                container="",
                phase=phase,
                began_ns=began_ns,
            )
        )


def _nomination(attempt: Attempt) -> str | None:
    """For which node the pod waits from now on: empty for none, ``None`` for no change."""
    if attempt.post_filter is not None:
        return attempt.post_filter.nominated_node_name
    looked_for_room = attempt.error is None and attempt.num_all_nodes > 0 and not attempt.selected
    return None if looked_for_room else ""


def truncated(message: str) -> str:
    """The message, as long as an event's note may be."""
    if len(message) <= EVENT_NOTE_LENGTH_MAX:
        return message
    suffix = " ..."
    return message[: EVENT_NOTE_LENGTH_MAX - len(suffix)] + suffix
