"""One shot: nodes and pods in, placements out, and no time passes.

The scheduler's own queue, cache and plugins decide pod after pod, in the order in which a real one
would take them. What stands around it happens at once: a binding is heard of at once, victims of a
preemption are gone at once, a penalty in the queue is over when nothing else is left to try. It
ends when every pod has a node or waits for something that no one in here will do.

Mirrors: pkg/scheduler/schedule_one.go (the cycle), pkg/controller/disruption (the arithmetic).
Departs: victims leave before the next pod is tried, not while it is. A disruption budget without a
status allows what ``minAvailable`` leaves; with percentages or ``maxUnavailable`` it allows nothing,
because nobody says how many pods there should be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from kubesim.api.corev1 import Namespace, Node, Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import KubeObject, ObjectMeta
from kubesim.api.podutil import pod_requests
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.scheduler.backoff import BackoffQueue, QueuedPodInfo
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration, scheduler_name
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.eventhandlers import EventHandlers
from kubesim.controlplane.scheduler.framework.interface import PostFilterResult
from kubesim.controlplane.scheduler.framework.listers import ObjectLister
from kubesim.controlplane.scheduler.framework.runtime import Framework
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.framework.waiting import WaitingPod
from kubesim.controlplane.scheduler.queue import SchedulingQueue
from kubesim.controlplane.scheduler.registry import DEFAULT_REGISTRY, PluginFactory
from kubesim.controlplane.scheduler.schedule_one import Attempt
from kubesim.sim.time import MILLISECOND, SECOND

START_TIME_NS = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
MAX_ATTEMPTS = 100  # of one pod; a plugin that changes its mind for ever must not hang us
ENDED = ("Succeeded", "Failed")
GATED_MESSAGE = "Scheduling is blocked due to non-empty scheduling gates"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"

Observe = Callable[[Attempt], None]
"""Is told of an attempt."""


def largest_first(objects: Iterable[KubeObject]) -> list[KubeObject]:
    """The objects with the pods last, those that ask for the largest share of a cluster first.

    All pods that wait when a scheduler starts have the same right to be first if their priorities
    are equal; in this order the most of them find a place.
    """
    everything = list(objects)
    pods = [obj for obj in everything if isinstance(obj, Pod)]
    requests = {id(pod): pod_requests(pod.spec) for pod in pods}
    total: dict[str, int] = {}
    for node in everything:
        if isinstance(node, Node):
            for name, amount in node.status.allocatable.items():
                total[name] = total.get(name, 0) + amount.nanos

    def share(pod: Pod) -> Fraction:
        shares = [
            Fraction(amount.nanos, total[name])
            for name, amount in requests[id(pod)].items()
            if total.get(name)
        ]
        return max(shares, default=Fraction(0))

    rest = [obj for obj in everything if not isinstance(obj, Pod)]
    return [*rest, *sorted(pods, key=share, reverse=True)]


@dataclass(slots=True)
class Outcome:
    """Where everything went.

    Attributes:
        final: By pod, its state and node, or why it has none.
        bind_order: The pods that were placed and their nodes, in order.
        deleted: The pods that had to make room, in order.
    """

    final: dict[str, dict[str, Any]] = field(default_factory=dict)
    bind_order: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


class OneShot:
    """Places pods.

    Args:
        objects: Nodes, pods and whatever plugins look at, after admission; pods have UIDs.
        config: The scheduler's configuration.
        registry: The plugins that profiles can name.
        observe: Called with every attempt. Attempts are then made with all details, which takes
            longer; what is decided is the same.
    """

    def __init__(
        self,
        objects: Iterable[KubeObject],
        *,
        config: KubeSchedulerConfiguration,
        registry: Mapping[str, PluginFactory] = DEFAULT_REGISTRY,
        observe: Observe | None = None,
    ) -> None:
        objects = list(objects)
        self._now_ns = START_TIME_NS
        self._observe = observe
        self._objects = ObjectLister(obj for obj in objects if not isinstance(obj, Node | Pod))
        self._budgets = Budgets(self._objects)
        self.engine = Engine(
            config=config,
            lister=self._objects,
            clock=lambda: self._now_ns,
            registry=registry,
            fast=observe is None,
        )
        self._queue = self._new_queue(config)
        self._handlers = EventHandlers(self.engine, queue=self._queue, changed=lambda: None)
        self._pods = {obj.uid: obj for obj in objects if isinstance(obj, Pod)}
        self._outcome = Outcome()
        self._last: dict[str, Attempt] = {}
        self._held: dict[str, tuple[QueuedPodInfo, Framework, Attempt]] = {}
        self._add(objects)

    def run(self) -> Outcome:
        """Try all pods until nothing changes any more."""
        self.settle()
        return self.outcome()

    def arrive(self, pod: Pod) -> None:
        """A pod appears, with a UID."""
        assert pod.uid not in self._pods, pod.uid
        self._pods[pod.uid] = pod
        self._handlers.on_pod(None, pod)

    def leave(self, uid: str) -> None:
        """A pod is gone; its place is free. One that had to make room is gone already."""
        pod = self._pods.pop(uid, None)
        if pod is not None and pod.key not in self._outcome.deleted:
            self._handlers.on_pod(pod, None)

    def sleep_until(self, at_ns: int) -> None:
        """Time passes; never backwards."""
        self._now_ns = max(self._now_ns, START_TIME_NS + at_ns)

    def settle(self, *, until_refused: bool = False) -> bool:
        """Try the pods that wait until nothing changes any more.

        Args:
            until_refused: Stop when the first pod finds no node; it can be gone on with later.

        Returns:
            Whether it came to the end.
        """
        gave_up = False
        while True:
            item = self._queue.pop()
            if item is not None:
                self._now_ns += MILLISECOND
                self._try(item)
                if until_refused and item.info.uid in self._last:
                    return False
            elif gave_up or not self._give_up_waiting():
                return True
            else:
                gave_up = True

    def outcome(self) -> Outcome:
        """Where everything is now."""
        outcome = self._outcome
        gone = set(outcome.deleted)
        for pod in self._pods.values():
            if pod.key not in gone:
                outcome.final[pod.key] = self._state(pod)
            else:
                outcome.final[pod.key] = {"state": "deleted", "node": pod.spec.node_name}
        return outcome

    def _new_queue(self, config: KubeSchedulerConfiguration) -> SchedulingQueue:
        first = next(iter(self.engine.frameworks.values()))
        return SchedulingQueue(
            clock=self.engine.clock,
            pod_infos=self.engine.pod_infos,
            frameworks=self.engine.frameworks,
            nominator=self.engine.nominator,
            backoff=BackoffQueue(
                initial_ns=config.pod_initial_backoff_seconds * SECOND,
                max_ns=config.pod_max_backoff_seconds * SECOND,
                sort_key=first.plugins.queue_sort.sort_key,
            ),
            ready=lambda: None,
        )

    def _add(self, objects: list[KubeObject]) -> None:
        for name in dict.fromkeys(pod.namespace for pod in self._pods.values()):
            if self._objects.get(Namespace, name) is None:
                metadata = ObjectMeta.model_validate(
                    {"name": name, "labels": {NAMESPACE_LABEL: name}}
                )
                self._objects.put(Namespace(metadata=metadata))
        for obj in objects:
            if isinstance(obj, Node):
                self._handlers.on_node(None, obj)
        pods = list(self._pods.values())
        # The pods that have a node were there first.
        for pod in sorted(pods, key=lambda pod: not pod.spec.node_name):
            if pod.spec.node_name or pod.metadata.deletion_timestamp is None:
                self._handlers.on_pod(None, pod)
        self._budgets.begin(pods)

    def _try(self, item: QueuedPodInfo) -> None:
        framework = self.engine.frameworks[scheduler_name(item.info.pod)]
        attempt = self.engine.schedule(item.info)
        if self._observe is not None:
            self._observe(attempt)
        if attempt.selected:
            refusal = self._reserve(framework, attempt)
            if refusal is None:
                if self.engine.waiting_pods.get(item.info.uid) is not None:
                    self._held[item.info.uid] = (item, framework, attempt)
                else:
                    self._bind(framework, attempt)
                self._release()
                return
            attempt = attempt.refused_after_all(refusal)
        self._fail(item, attempt)
        self._release()

    def _reserve(self, framework: Framework, attempt: Attempt) -> Status | None:
        """Assume the pod and ask the plugins; a refusal takes everything back."""
        state, info, node_name = attempt.state, attempt.info, attempt.selected
        self.engine.cache.assume_pod(info, node_name)
        self.engine.nominator.remove(info.uid)
        status = framework.run_reserve_plugins_reserve(state, info, node_name)
        if status is None:
            status, waits_ns = framework.run_permit_plugins(state, info, node_name)
            if status is not None and status.code is Code.WAIT:
                self.engine.waiting_pods.add(WaitingPod(info, node_name, waits_ns))
                return None
        if status is not None:
            self._take_back(framework, attempt)
        return status

    def _take_back(self, framework: Framework, attempt: Attempt) -> None:
        info = attempt.info
        framework.run_reserve_plugins_unreserve(attempt.state, info, attempt.selected)
        self.engine.cache.forget_pod(info.uid)

    def _release(self) -> None:
        """Bind the pods that were held back and are free now; those turned down wait again."""
        for uid, (item, framework, attempt) in list(self._held.items()):
            waiting = self.engine.waiting_pods.get(uid)
            assert waiting is not None, uid
            if not waiting.done:
                continue
            self.engine.waiting_pods.remove(uid)
            del self._held[uid]
            if waiting.verdict is None:
                self._bind(framework, attempt)
            else:
                self._take_back(framework, attempt)
                self._fail(item, attempt.refused_after_all(waiting.verdict))

    def _give_up_waiting(self) -> bool:
        """Nobody is left who could free those that are held back; whether there were any."""
        for waiting in self.engine.waiting_pods:
            for plugin in waiting.pending_plugins:
                waiting.expire(plugin, "for nobody who is left")
        held = bool(self._held)
        self._release()
        return held

    def _bind(self, framework: Framework, attempt: Attempt) -> None:
        info, node_name = attempt.info, attempt.selected
        old = info.pod
        new = old.replace(spec=old.spec.replace(node_name=node_name))
        self._pods[info.uid] = new
        self._queue.done(info.uid)
        self._handlers.on_pod(old, new)
        framework.run_post_bind_plugins(attempt.state, info, node_name)
        self._outcome.bind_order.append((new.key, node_name))

    def _fail(self, item: QueuedPodInfo, attempt: Attempt) -> None:
        uid = item.info.uid
        self._last[uid] = attempt
        if attempt.error is not None or item.attempts >= MAX_ATTEMPTS:
            self._queue.done(uid)
            return
        item.clear_rejectors()
        item.unschedulable_plugins = dict(attempt.diagnosis.unschedulable_plugins)
        item.pending_plugins = dict(attempt.diagnosis.pending_plugins)
        self._queue.add_unschedulable(item)
        if attempt.post_filter is not None:
            self._make_room(uid, attempt.post_filter)

    def _make_room(self, uid: str, result: PostFilterResult) -> None:
        node_name = result.nominated_node_name
        self._nominate(uid, node_name)
        if result.victims is None:
            return
        priority = self._pods[uid].spec.priority or 0
        for waiting in self.engine.nominator.nominated_pods_for_node(node_name):
            if waiting.priority < priority:
                self._nominate(waiting.uid, "")
        for victim in result.victims.pods:
            self._outcome.deleted.append(victim.pod.key)
            self._budgets.evicted(victim.pod)
            self._handlers.on_pod(victim.pod, None)

    def _nominate(self, uid: str, node_name: str) -> None:
        old = self._pods[uid]
        if (old.status.nominated_node_name or "") == node_name:
            return
        status = old.status.replace(nominated_node_name=node_name or None)
        self._pods[uid] = new = old.replace(status=status)
        self._handlers.on_pod(old, new)

    def _state(self, pod: Pod) -> dict[str, Any]:
        """What has become of a pod, in the words of its condition."""
        spec, status = pod.spec, pod.status
        if status.phase in ENDED:
            return {"state": str(status.phase).lower(), "node": spec.node_name}
        if spec.node_name:
            return {"state": "bound", "node": spec.node_name}
        if spec.scheduling_gates:
            return {"state": "gated", "reason": "SchedulingGated", "message": GATED_MESSAGE}
        attempt = self._last.get(pod.uid)
        described: dict[str, Any] = {
            "state": "pending",
            "reason": attempt.reason if attempt is not None else None,
            "message": attempt.message if attempt is not None else None,
        }
        if status.nominated_node_name:
            described["nominatedNodeName"] = status.nominated_node_name
        return described


class Budgets:
    """The disruption budgets, kept as their controller would keep them."""

    def __init__(self, objects: ObjectLister) -> None:
        self._objects = objects

    def begin(self, pods: Iterable[Pod]) -> None:
        """Fill in what budgets without a status allow."""
        running = [pod for pod in pods if pod.spec.node_name and pod.status.phase not in ENDED]
        for budget in self._objects.values(PodDisruptionBudget):
            if "disruptions_allowed" in budget.status.model_fields_set:
                continue
            wanted = budget.spec.min_available
            matching = sum(_protects(budget, pod) for pod in running)
            allowed = max(matching - wanted, 0) if isinstance(wanted, int) else 0
            self._allow(budget, allowed)

    def evicted(self, pod: Pod) -> None:
        """A pod had to go: those that protect it allow one less."""
        for budget in self._objects.values(PodDisruptionBudget):
            if _protects(budget, pod):
                self._allow(budget, max((budget.status.disruptions_allowed or 0) - 1, 0))

    def _allow(self, budget: PodDisruptionBudget, allowed: int) -> None:
        status = budget.status.replace(disruptions_allowed=allowed)
        self._objects.put(budget.replace(status=status))


def _protects(budget: PodDisruptionBudget, pod: Pod) -> bool:
    return pod.namespace == budget.namespace and label_selector_matches(
        budget.spec.selector, pod.metadata.labels
    )
