"""Judging the scheduler by recorded decisions, attempt by attempt.

Before each attempt the recorded state of the cluster is rebuilt exactly: which pods are where, at
which node the search begins, who waits for which node. So one wrong decision cannot hide or cause
another. Which of a case's steps had been taken by then follows from the queue: a pod can only be
tried when something made it worth a try.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubesim.api.appsv1 import StatefulSet
from kubesim.api.corev1 import Namespace, Node, Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import KubeObject, ObjectMeta
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.controlplane.scheduler.backoff import BackoffQueue, QueuedPodInfo
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.eventhandlers import EventHandlers
from kubesim.controlplane.scheduler.explain import described
from kubesim.controlplane.scheduler.framework.listers import ObjectLister
from kubesim.controlplane.scheduler.queue import SchedulingQueue
from kubesim.controlplane.scheduler.recorded import (
    BETWEEN_STARTS_NS,
    START_TIME_NS,
    Case,
    Step,
    admitted,
    patched,
    pod_of_stateful_set,
)
from kubesim.controlplane.scheduler.schedule_one import Attempt
from kubesim.sim.time import SECOND

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

FIELDS = (
    "pod",
    "startIndex",
    "feasible",
    "rejected",
    "absentNodesStatus",
    "preFilterMsg",
    "rawScores",
    "skippedScorePlugins",
    "scores",
    "argmax",
    "selected",
    "preemption",
)
"""What is compared."""


def replay(case: Case) -> list[dict[str, Any]]:
    """Every recorded attempt, decided again, in the format of the recording."""
    return [described(attempt) for attempt in Replay(case).attempts()]


def differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    """The fields in which an attempt differs from the recorded one."""
    return [name for name in FIELDS if (expected.get(name) or None) != (actual.get(name) or None)]


def outcome(attempts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the attempts come to: where each pod was last sent, and the order of the decisions."""
    final: dict[str, dict[str, Any]] = {}
    bind_order: list[tuple[str, str]] = []
    for attempt in attempts:
        pod, node = attempt["pod"], attempt["selected"]
        if node:
            final[pod] = {"state": "bound", "node": node}
            bind_order.append((pod, node))
        else:
            final[pod] = {"state": "pending", "message": attempt.get("message")}
    return {"final": final, "bindOrder": bind_order}


class Replay:
    """A cluster that follows a recording.

    Args:
        case: The recording.
        fast: Whether attempts may take the fast path, which keeps fewer details.
    """

    def __init__(self, case: Case, *, fast: bool = False) -> None:
        self._case = case
        self._now_ns = START_TIME_NS
        self._objects = ObjectLister(case.objects)
        for name in NAMESPACES:
            if self._objects.get(Namespace, name) is None:
                labels = {"kubernetes.io/metadata.name": name}
                metadata = ObjectMeta.model_validate({"name": name, "labels": labels})
                self._objects.put(Namespace(metadata=metadata))
        self.engine = Engine(
            config=case.config, lister=self._objects, clock=lambda: self._now_ns, fast=fast
        )
        self._queue = _queue_of(self.engine)
        self._handlers = EventHandlers(self.engine, queue=self._queue, changed=lambda: None)
        self._steps = list(case.steps)
        self._pods: dict[str, Pod] = {}
        self._placed: dict[str, Pod] = {}
        bind_order = case.expected.get("bindOrder", ())
        self._starts = {key: i for i, (key, _node) in enumerate(bind_order)}
        for obj in case.objects:
            if isinstance(obj, Node):
                self._handlers.on_node(None, obj)
            elif isinstance(obj, Pod):
                self._pods[obj.key] = admitted(obj, case.expected)

    def attempts(self) -> Iterator[Attempt]:
        """Decide all attempts, one by one."""
        if self._case.batch:
            for pod in self._pods.values():
                self._appear(pod)
        for recorded in self._case.expected["attempts"]:
            yield self._attempt(recorded)

    def _attempt(self, recorded: Mapping[str, Any]) -> Attempt:
        self._now_ns += 60 * SECOND
        self._move_pods(recorded)
        self._update_budgets()
        self._follow_node_order(recorded)
        item = self._take(recorded["pod"])
        engine = self.engine
        engine.algorithm.next_start_node_index = recorded["startIndex"]
        self._nominate(recorded, item)
        attempt = engine.schedule(item.info)
        if attempt.selected:
            self._queue.done(item.info.uid)
        else:
            item.clear_rejectors()
            item.unschedulable_plugins = dict(attempt.diagnosis.unschedulable_plugins)
            self._queue.add_unschedulable(item)
        return attempt

    def _move_pods(self, recorded: Mapping[str, Any]) -> None:
        for key in recorded.get("podsRemoved") or ():
            self._take_steps_until_gone(key)
            gone = self._placed.pop(key, None)
            if gone is not None:
                self._handlers.on_pod(gone, None)
        for key, where in recorded["podsAdded"].items():
            name = where.rstrip("!")
            pod = self._known(key)
            start_ns = START_TIME_NS + self._starts.get(key, 0) * BETWEEN_STARTS_NS
            status = pod.status.replace(start_time=start_ns, phase="Running")
            metadata = pod.metadata
            if where.endswith("!"):
                metadata = metadata.replace(deletion_timestamp=self._now_ns)
            bound = pod.replace(
                metadata=metadata, status=status, spec=pod.spec.replace(node_name=name)
            )
            self._queue.delete(pod)
            self._handlers.on_pod(self._placed.get(key), bound)
            self._placed[key] = bound

    def _take_steps_until_gone(self, key: str) -> None:
        """If a step deletes the pod, that step has been taken."""
        if any(step.verb == "delete" and step.key == ("Pod", key) for step in self._steps):
            while self._steps:
                step = self._take_step()
                if step.verb == "delete" and step.key == ("Pod", key):
                    return

    def _follow_node_order(self, recorded: Mapping[str, Any]) -> None:
        wanted = self._case.expected["nodeOrders"][recorded["nodeOrder"]]
        while self._steps and [node.name for node in self.engine.cache.node_infos] != wanted:
            self._take_step()

    def _take(self, key: str) -> QueuedPodInfo:
        """The pod's entry in the queue, after the steps that brought it there."""
        pod = self._known(key)
        while self._queue.is_waiting_outside(pod.uid) and self._steps:
            self._take_step()
            pod = self._known(key)
        return self._queue.pop_specific(pod)

    def _known(self, key: str) -> Pod:
        pod = self._pods.get(key)
        while pod is None and self._steps and self._makes(self._steps, key):
            self._take_step()
            pod = self._pods.get(key)
        if pod is None:
            namespace, _slash, name = key.partition("/")
            owner, _dash, ordinal = name.rpartition("-")
            stateful_set = self._objects.get(StatefulSet, f"{namespace}/{owner}")
            assert stateful_set is not None, key
            pod = pod_of_stateful_set(stateful_set, int(ordinal))
            pod = self._pods[key] = admitted(pod, self._case.expected)
        return pod

    @staticmethod
    def _makes(steps: Iterable[Step], key: str) -> bool:
        return any(step.verb == "create" and step.key == ("Pod", key) for step in steps)

    def _take_step(self) -> Step:
        step = self._steps.pop(0)
        self._now_ns += 60 * SECOND
        kind, key = step.key
        if step.verb == "create" and step.obj is not None:
            self._create(step.obj)
        elif step.verb == "patch" and step.patch is not None:
            self._patch(kind, key, step.patch)
        elif step.verb == "delete" and kind == "Node":
            node = self.engine.cache.get(key)
            self._handlers.on_node(node.node if node else None, None)
        elif step.verb == "delete" and kind == "Pod":
            pod = self._placed.pop(key, None) or self._pods[key]
            self._handlers.on_pod(pod, None)
        return step

    def _create(self, obj: KubeObject) -> None:
        if isinstance(obj, Node):
            self._handlers.on_node(None, obj)
        elif isinstance(obj, Pod):
            self._pods[obj.key] = admitted(obj, self._case.expected)
        else:
            self._objects.put(obj)

    def _patch(self, kind: str, key: str, patch: Mapping[str, Any]) -> None:
        if kind == "Node":
            info = self.engine.cache.get(key)
            assert info is not None, key
            node = patched(info.node, patch)
            assert isinstance(node, Node)
            self._handlers.on_node(info.node, node)
        elif kind == "Pod":
            old = self._placed.get(key) or self._pods[key]
            new = patched(old, patch)
            assert isinstance(new, Pod)
            if key in self._placed:
                self._placed[key] = new
            self._pods[key] = new
            self._handlers.on_pod(old, new)

    def _appear(self, pod: Pod) -> None:
        self._handlers.on_pod(None, pod)

    def _nominate(self, recorded: Mapping[str, Any], item: QueuedPodInfo) -> None:
        """The recorded nominations; the pod's own is in its status."""
        nominator = self.engine.nominator
        for uid in [uid for name in nominator.nodes for uid in nominator.uids_for_node(name)]:
            nominator.remove(uid)
        for node_name, keys in (recorded.get("nominatedPods") or {}).items():
            for key in keys:
                nominator.add(self.engine.pod_infos.of(self._known(key)), node_name)
        own = recorded.get("nominatedNodeName") or None
        pod = item.info.pod
        status = pod.status.replace(nominated_node_name=own)
        item.info = self.engine.pod_infos.of(pod.replace(status=status))

    def _update_budgets(self) -> None:
        """What the disruption controller would say of the pods that run."""
        running = [pod for pod in self._placed.values() if not pod.metadata.deletion_timestamp]
        for budget in self._objects.values(PodDisruptionBudget):
            matching = sum(
                pod.namespace == budget.namespace
                and label_selector_matches(budget.spec.selector, pod.metadata.labels)
                for pod in running
            )
            wanted = budget.spec.min_available
            # Percentages and maxUnavailable need a controller that says how many pods there
            # should be; these pods have none, so nothing may be disrupted.
            allowed = max(matching - wanted, 0) if isinstance(wanted, int) else 0
            status = budget.status.replace(disruptions_allowed=allowed)
            self._objects.put(budget.replace(status=status))


def _queue_of(engine: Engine) -> SchedulingQueue:
    first = next(iter(engine.frameworks.values()))
    return SchedulingQueue(
        clock=engine.clock,
        pod_infos=engine.pod_infos,
        frameworks=engine.frameworks,
        nominator=engine.nominator,
        backoff=BackoffQueue(
            initial_ns=SECOND, max_ns=10 * SECOND, sort_key=first.plugins.queue_sort.sort_key
        ),
        ready=lambda: None,
    )
