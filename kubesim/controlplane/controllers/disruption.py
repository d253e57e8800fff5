"""The disruption controller: how many pods of each PodDisruptionBudget may go now.

Mirrors: pkg/controller/disruption/disruption.go.
Departs: an object of a kind that ``scales`` does not know has no scale subresource.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from typing_extensions import override

from kubesim.api.appsv1 import Deployment, ReplicaSet, StatefulSet
from kubesim.api.corev1 import Pod, PodCondition, ReplicationController
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.intstr import scaled_value
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import Condition, KubeObject, OwnerReference, controller_of
from kubesim.api.podutil import (
    get_pod_condition,
    is_pod_ready,
    is_pod_terminal,
    set_pod_condition,
)
from kubesim.api.policyv1 import PodDisruptionBudget, PodDisruptionBudgetStatus
from kubesim.api.scheme import SCHEME
from kubesim.api.spinv1alpha1 import SpinApp
from kubesim.controlplane.client import Client, Controller, Informer, NotFound, Recorder
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MINUTE, SECOND

WORKERS = 1
DELETION_TIMEOUT_NS = 2 * MINUTE  # DeletionTimeout
STALE_DISRUPTION_TIMEOUT_NS = 2 * MINUTE  # stalePodDisruptionTimeout
DISRUPTION_ALLOWED = "DisruptionAllowed"
DISRUPTION_TARGET = "DisruptionTarget"
SCALABLE: tuple[type[KubeObject], ...] = (
    ReplicationController,
    ReplicaSet,
    Deployment,
    StatefulSet,
    SpinApp,
)


class SyncFailure(Exception):  # noqa: N818  # what the condition's reason calls it
    """The budget's numbers cannot be known."""


class Expected(NamedTuple):
    """What a budget wants.

    Attributes:
        pods: How many pods there should be in all.
        healthy: How many of them have to be healthy.
        unmanaged: Whether some pods have no controller, where one is needed.
    """

    pods: int
    healthy: int
    unmanaged: bool = False


class DisruptionController(Controller):
    """Keeps the status of PodDisruptionBudgets."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._recorder = Recorder(sim, component="controllermanager", client=client)
        self._budgets = client.informer(PodDisruptionBudget)
        self._budgets.add_handler(self._budget_changed)
        self._pods = client.informer(Pod)
        self._pods.add_handler(self._pod_changed)
        self._owners: dict[type[KubeObject], Informer[KubeObject]] = {
            kind: client.informer(kind) for kind in SCALABLE
        }

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Count the pods of a budget, and say how many may go."""
        budget = self._budgets.get(key)
        if budget is None:
            return
        pods = [pod for pod in self._pods.values() if _covers(budget, pod)]
        if not pods:
            self._recorder.normal(budget, "NoPods", "No matching pods found")
        wall_ns = self._sim.wall_ns
        try:
            expected = expected_pods(budget, pods, self._scales(pods))
        except SyncFailure as failure:
            message = f"Failed to calculate the number of expected pods: {failure}"
            self._recorder.warning(budget, "CalculateExpectedPodCountFailed", message)
            status = failed_status(budget.status, str(failure), wall_ns=wall_ns)
        else:
            if expected.unmanaged:
                self._warn_of_unmanaged(budget)
            status = status_of(budget, pods, expected, wall_ns=wall_ns)
            self._look_again(key, status)
        if status != budget.status:
            try:
                yield from self._client.update_status(budget.replace(status=status))
            except NotFound:
                return

    def _look_again(self, key: str, status: PodDisruptionBudgetStatus) -> None:
        """An eviction that was not followed by a deletion is given up after two minutes."""
        if status.disrupted_pods:
            due_ns = min(status.disrupted_pods.values()) + DELETION_TIMEOUT_NS
            self.queue.add_after(key, max(due_ns - self._sim.wall_ns, 0) + 1)

    def _warn_of_unmanaged(self, budget: PodDisruptionBudget) -> None:
        message = (
            f"Pods selected by this PodDisruptionBudget (selector: {budget.spec.selector}) were "
            "found to be unmanaged. As a result, the status of the PDB cannot be calculated "
            "correctly, which may result in undefined behavior. To account for these pods please "
            'set ".spec.minAvailable" field of the PDB to an integer value.'
        )
        self._recorder.warning(budget, "UnmanagedPods", message)

    def _scales(self, pods: list[Pod]) -> dict[str, int | str]:
        """How many pods the controller of each pod wants, or why nobody knows, by its UID."""
        scales: dict[str, int | str] = {}
        for pod in pods:
            reference = controller_of(pod)
            if reference is None or reference.uid in scales:
                continue
            scales[reference.uid] = self._scale(pod, reference)
        return scales

    def _scale(self, pod: Pod, reference: OwnerReference) -> int | str:
        kind = next((k for k in SCALABLE if k.__name__ == reference.kind), None)
        if kind is None:
            resource = SCHEME.find(reference.api_version, reference.kind)
            name = f"{resource.plural}.{resource.group}" if resource else reference.kind
            return f"{name} does not implement the scale subresource"
        owner = self._owners[kind].get(f"{pod.namespace}/{reference.name}")
        if owner is not None and owner.uid == reference.uid:
            above = controller_of(owner)
            if above is not None and above.kind == "Deployment":
                deployment = self._owners[Deployment].get(f"{pod.namespace}/{above.name}")
                owner = deployment if deployment and deployment.uid == above.uid else None
            if owner is not None:
                replicas = getattr(owner, "spec").replicas  # noqa: B009
                return 1 if replicas is None else int(replicas)
        return f'found no controllers for pod "{pod.name}"'

    def _budget_changed(
        self, old: PodDisruptionBudget | None, new: PodDisruptionBudget | None
    ) -> None:
        changed = new or old
        assert changed is not None
        self.queue.add(changed.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        covering = [budget for budget in self._budgets.values() if _covers(budget, pod)]
        if covering:
            if len(covering) > 1:
                self._warn_of_several(pod, covering[0].name)
            self.queue.add(covering[0].key)
        if new is not None:
            self._watch_stale(new)

    def _warn_of_several(self, pod: Pod, chosen: str) -> None:
        message = (
            f'Pod "{pod.namespace}"/"{pod.name}" matches multiple PodDisruptionBudgets.  '
            f'Chose "{chosen}" arbitrarily.'
        )
        self._recorder.warning(pod, "MultiplePodDisruptionBudgets", message)

    def _watch_stale(self, pod: Pod) -> None:
        wait_ns = stale_in_ns(pod, wall_ns=self._sim.wall_ns)
        if wait_ns is not None:
            self._sim.call_in(wait_ns, self._clear_if_stale, pod.key)

    def _clear_if_stale(self, key: str) -> None:
        pod = self._pods.get(key)
        if pod is not None and stale_in_ns(pod, wall_ns=self._sim.wall_ns) == 0:
            self._sim.process(self._clear(key))

    def _clear(self, key: str) -> SimProcess[None]:
        condition = PodCondition(
            type=DISRUPTION_TARGET, status="False", last_transition_time=self._sim.wall_ns
        )

        def cleared(pod: Pod) -> Pod:
            if stale_in_ns(pod, wall_ns=self._sim.wall_ns) != 0:
                return pod
            return pod.replace(status=set_pod_condition(pod.status, condition))

        try:
            yield from self._client.patch(Pod, key, cleared, status=True)
        except NotFound:
            return


def expected_pods(
    budget: PodDisruptionBudget, pods: list[Pod], scales: Mapping[str, int | str]
) -> Expected:
    """How many pods a budget expects, and how many of them healthy.

    Args:
        budget: The budget.
        pods: The pods that it covers.
        scales: How many pods each controller wants, by its UID, or why that is not known.

    Raises:
        SyncFailure: If a number is needed and not known.
    """
    spec = budget.spec
    if spec.max_unavailable is None and isinstance(spec.min_available, int):
        return Expected(len(pods), spec.min_available)
    if spec.max_unavailable is None and spec.min_available is None:
        return Expected(0, 0)
    controllers = [controller_of(pod) for pod in pods]
    total = 0
    for uid in dict.fromkeys(c.uid for c in controllers if c is not None):
        scale = scales[uid]
        if isinstance(scale, str):
            raise SyncFailure(scale)
        total += scale
    unmanaged = None in controllers
    if spec.max_unavailable is not None:
        may_miss = scaled_value(spec.max_unavailable, total, round_up=True)
        return Expected(total, max(0, total - may_miss), unmanaged)
    assert spec.min_available is not None
    return Expected(total, scaled_value(spec.min_available, total, round_up=True), unmanaged)


def status_of(
    budget: PodDisruptionBudget, pods: list[Pod], expected: Expected, *, wall_ns: int
) -> PodDisruptionBudgetStatus:
    """The status that follows from the pods."""
    before = budget.status
    disrupted = still_disrupted(before.disrupted_pods, pods, wall_ns=wall_ns)
    healthy = sum(
        pod.metadata.deletion_timestamp is None and pod.name not in disrupted and is_pod_ready(pod)
        for pod in pods
    )
    allowed = max(0, healthy - expected.healthy) if expected.pods > 0 else 0
    condition = Condition(
        type=DISRUPTION_ALLOWED,
        status="True" if allowed else "False",
        observed_generation=budget.metadata.generation,
        last_transition_time=wall_ns,
        reason="SufficientPods" if allowed else "InsufficientPods",
        message="",
    )
    return PodDisruptionBudgetStatus(
        current_healthy=healthy,
        desired_healthy=expected.healthy,
        expected_pods=expected.pods,
        disruptions_allowed=allowed,
        disrupted_pods=disrupted,
        observed_generation=budget.metadata.generation,
        conditions=_with(before.conditions, condition),
    )


def failed_status(
    status: PodDisruptionBudgetStatus, why: str, *, wall_ns: int
) -> PodDisruptionBudgetStatus:
    """The status of a budget whose numbers are not known: it allows nothing."""
    condition = Condition(
        type=DISRUPTION_ALLOWED,
        status="False",
        observed_generation=status.observed_generation,
        last_transition_time=wall_ns,
        reason="SyncFailed",
        message=why,
    )
    return status.replace(disruptions_allowed=0, conditions=_with(status.conditions, condition))


def still_disrupted(
    disrupted: Mapping[str, int], pods: list[Pod], *, wall_ns: int
) -> FrozenMap[str, int]:
    """Those evicted pods of which nobody has seen the deletion, for two minutes."""
    staying = {pod.name for pod in pods if pod.metadata.deletion_timestamp is None}
    return FrozenMap(
        {
            name: since_ns
            for name, since_ns in disrupted.items()
            if name in staying and since_ns + DELETION_TIMEOUT_NS >= wall_ns
        }
    )


def stale_in_ns(pod: Pod, *, wall_ns: int) -> int | None:
    """When a pod that was to be disrupted and stays is no longer thought to go."""
    condition = get_pod_condition(pod.status, DISRUPTION_TARGET)
    if condition is None or condition.status != "True" or is_pod_terminal(pod):
        return None
    if pod.metadata.deletion_timestamp is not None or condition.reason == "TerminationByKubelet":
        return None
    since_ns = (condition.last_transition_time or 0) // SECOND * SECOND
    return max(0, since_ns + STALE_DISRUPTION_TIMEOUT_NS - wall_ns)


def _with(conditions: tuple[Condition, ...], condition: Condition) -> tuple[Condition, ...]:
    before = next((c for c in conditions if c.type == condition.type), None)
    if before is not None and before.status == condition.status:
        condition = condition.replace(last_transition_time=before.last_transition_time)
    return (*(c for c in conditions if c.type != condition.type), condition)


def _covers(budget: PodDisruptionBudget, pod: Pod) -> bool:
    return budget.namespace == pod.namespace and label_selector_matches(
        budget.spec.selector, pod.metadata.labels
    )
