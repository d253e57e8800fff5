"""A case from end to end: objects in, steps taken, bindings out.

Plays the parts that stood around the scheduler when the cases were recorded: the user who creates
one object after the other and waits for the dust to settle, the fake kubelet that runs whatever it
is given at once, and the disruption controller's arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubesim.api.appsv1 import Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import Node, Pod, PodCondition
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import KubeObject
from kubesim.api.podutil import is_pod_ready
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.api.scheme import KUBERNETES
from kubesim.controlplane.client import Client, StatusError
from kubesim.controlplane.scheduler.recorded import (
    BETWEEN_STARTS_NS,
    START_TIME_NS,
    Case,
    Step,
    patched,
)
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MILLISECOND, seconds

WORKLOADS = (Deployment, ReplicaSet, StatefulSet)
SETTLE_NS = 100 * MILLISECOND  # the recordings went on as soon as a pod was bound or refused


class CaseRun:
    """One case on one simulated API server.

    Args:
        sim: The run.
        case: The case.
        client: The user's and the fake kubelet's connection to the API server.

    Attributes:
        bind_order: The pods (by key) and their nodes, as they were bound.
        deleted: The pods that are gone, in that order.
        rejected: The pods that admission refused, and its words.
        done: Whether all steps were taken.
    """

    def __init__(self, sim: Sim, *, case: Case, client: Client) -> None:
        self.bind_order: list[tuple[str, str]] = []
        self.deleted: list[str] = []
        self.rejected: dict[str, str] = {}
        self.done = False
        self._sim = sim
        self._case = case
        self._client = client
        self._nodes: dict[str, str] = {}
        self._pods = client.informer(Pod)
        self._pods.add_handler(self._on_pod)
        self._budgets = client.informer(PodDisruptionBudget)
        sim.process(self._run())

    def final(self) -> dict[str, dict[str, Any]]:
        """What has become of every pod."""
        states = {key: _state(pod) for key, pod in ((p.key, p) for p in self._pods.values())}
        for key in self.deleted:
            states.setdefault(key, {"state": "deleted", "node": self._nodes.get(key)})
        return states

    def _run(self) -> SimProcess[None]:
        last = WORKLOADS if self._case.workloads_last else ()
        first = [o for o in self._case.objects if not isinstance(o, (Node, Pod, *last))]
        for obj in first:
            yield from self._create(obj)
        for kind in (Node, Pod):
            for obj in self._case.objects:
                if isinstance(obj, kind):
                    yield from self._create(obj)
                    if not self._case.batch:
                        yield self._sim.timeout(SETTLE_NS)
        for obj in self._case.objects:
            if isinstance(obj, last):
                yield from self._create(obj)
                yield self._sim.timeout(5 * SETTLE_NS)
        for step in self._case.steps:
            yield from self._take(step)
            yield self._sim.timeout(5 * SETTLE_NS)
        yield self._sim.timeout(5 * SETTLE_NS)
        self.done = True

    def _create(self, obj: KubeObject) -> SimProcess[None]:
        try:
            created = yield from self._client.create(obj)
            if "status" in obj.model_fields_set and not isinstance(obj, Pod):
                status = getattr(obj, "status")  # noqa: B009  # only some kinds have one
                yield from self._client.patch(
                    type(created), created.key, lambda old: old.replace(status=status), status=True
                )
        except StatusError as error:
            self.rejected[obj.name] = error.message

    def _take(self, step: Step) -> SimProcess[None]:
        kind, key = step.key
        model = next((item.model for item in KUBERNETES if item.kind == kind), None)
        if step.verb == "wait":
            yield self._sim.timeout(seconds(step.seconds))
        elif step.verb == "create" and step.obj is not None:
            yield from self._create(step.obj)
        elif step.verb == "patch" and model is not None and step.patch is not None:
            yield from self._client.patch(model, key, _patcher(step.patch))
        elif step.verb == "delete" and model is not None:
            yield from self._client.delete(model, key)

    def _on_pod(self, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            assert old is not None
            self.deleted.append(old.key)
        elif new.metadata.deletion_timestamp is not None:
            if new.spec.node_name:
                self._sim.process(self._finish(new))
        elif new.spec.node_name and new.key not in self._nodes:
            self._nodes[new.key] = new.spec.node_name
            self._sim.process(self._start(new, len(self.bind_order)))
            self.bind_order.append((new.key, new.spec.node_name))
        self._sim.process(self._update_budgets())

    def _start(self, pod: Pod, index: int) -> SimProcess[None]:
        ready = PodCondition(type="Ready", status="True")
        start_ns = START_TIME_NS + index * BETWEEN_STARTS_NS

        def run(current: Pod) -> Pod:
            conditions = (*current.status.conditions, ready)
            status = current.status.replace(
                phase="Running", start_time=start_ns, conditions=conditions
            )
            return current.replace(status=status)

        try:
            yield from self._client.patch(Pod, pod.key, run, status=True)
        except StatusError:
            return

    def _finish(self, pod: Pod) -> SimProcess[None]:
        try:
            yield from self._client.delete(Pod, pod.key, grace_period_seconds=0, uid=pod.uid)
        except StatusError:
            return

    def _update_budgets(self) -> SimProcess[None]:
        for budget in self._budgets.values():
            wanted = budget.spec.min_available
            healthy = sum(
                pod.namespace == budget.namespace
                and pod.metadata.deletion_timestamp is None
                and is_pod_ready(pod)
                and label_selector_matches(budget.spec.selector, pod.metadata.labels)
                for pod in self._pods.values()
            )
            allowed = max(healthy - wanted, 0) if isinstance(wanted, int) else 0
            if budget.status.disruptions_allowed == allowed:
                continue
            status = budget.status.replace(disruptions_allowed=allowed)
            yield from self._client.patch(
                PodDisruptionBudget,
                budget.key,
                lambda old, status=status: old.replace(status=status),  # type: ignore[misc]
                status=True,
            )


def _patcher(patch: Mapping[str, Any]) -> Any:
    def change(obj: KubeObject) -> KubeObject:
        return patched(obj, patch)

    return change


def _state(pod: Pod) -> dict[str, Any]:
    if pod.spec.node_name:
        return {"state": "bound", "node": pod.spec.node_name}
    condition = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
    described: dict[str, Any] = {
        "state": "gated" if pod.spec.scheduling_gates else "pending",
        "reason": condition.reason if condition is not None else None,
        "message": condition.message if condition is not None else None,
    }
    if pod.status.nominated_node_name:
        described["nominatedNodeName"] = pod.status.nominated_node_name
    return described
