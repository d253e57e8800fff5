"""The Eviction subresource: a deletion that asks the disruption budget first.

A pod that does no work (pending, over, going already) needs no permission. For any other, its one
budget must allow a disruption; the eviction takes it from the budget's status at once and names the
pod there, so that two evictions at the same time cannot both have the last one.

Mirrors: pkg/registry/core/pod/storage/eviction.go.
Departs: one atomic step, so there is no conflict to retry.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubesim.api.corev1 import Pod, PodCondition
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import Condition
from kubesim.api.podutil import is_pod_ready, set_pod_condition
from kubesim.api.policyv1 import PodDisruptionBudget, PodDisruptionBudgetStatus
from kubesim.controlplane.apiserver import errors

DISRUPTION_ALLOWED = "DisruptionAllowed"
SYNC_FAILED = "SyncFailed"
MAX_DISRUPTED_PODS = 2000
RETRY_AFTER_SECONDS = 10
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


def needs_no_budget(pod: Pod) -> bool:
    """Whether the pod may go without asking: it does no work, or is going already."""
    done = pod.status.phase in ("Succeeded", "Failed", "Pending")
    return done or pod.metadata.deletion_timestamp is not None


def budget_of(pod: Pod, budgets: Iterable[PodDisruptionBudget]) -> PodDisruptionBudget | None:
    """The one budget that covers the pod.

    Raises:
        StatusError: 500, if there are several.
    """
    covering = [
        budget
        for budget in budgets
        if budget.namespace == pod.namespace
        and label_selector_matches(budget.spec.selector, pod.metadata.labels)
    ]
    if len(covering) > 1:
        raise errors.SeveralBudgets(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource "
            "does not support."
        )
    return covering[0] if covering else None


def may_go_unhealthy(pod: Pod, budget: PodDisruptionBudget) -> bool:
    """Whether a pod that is not ready may go without using the budget."""
    if is_pod_ready(pod):
        return False
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    desired = budget.status.desired_healthy or 0
    return (budget.status.current_healthy or 0) >= desired > 0


def spent(budget: PodDisruptionBudget, pod_name: str, *, wall_ns: int) -> PodDisruptionBudget:
    """The budget with one disruption less, and the pod named as disrupted.

    Raises:
        TooManyRequests: If it allows none now.
        Forbidden: If its status makes no sense.
    """
    status = budget.status
    if (status.observed_generation or 0) < (budget.metadata.generation or 0):
        cause = f"The disruption budget {budget.name} is still being processed by the server."
        raise _too_many(cause, retry_after_seconds=RETRY_AFTER_SECONDS)
    allowed = status.disruptions_allowed or 0
    if allowed < 0:
        why = "pdb disruptions allowed is negative"
        raise errors.forbidden("poddisruptionbudget.policy", budget.name, why)
    if len(status.disrupted_pods) > MAX_DISRUPTED_PODS:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden("poddisruptionbudget.policy", budget.name, why)
    if allowed == 0:
        raise _too_many(_why_none(budget), retry_after_seconds=None)
    status = status.replace(disruptions_allowed=allowed - 1)
    if allowed == 1:
        status = with_allowed_condition(status, wall_ns=wall_ns)
    disrupted = status.disrupted_pods.set(pod_name, wall_ns)
    return budget.replace(status=status.replace(disrupted_pods=disrupted))


def with_allowed_condition(
    status: PodDisruptionBudgetStatus, *, wall_ns: int
) -> PodDisruptionBudgetStatus:
    """The status whose ``DisruptionAllowed`` condition says what its numbers say."""
    allowed = (status.disruptions_allowed or 0) > 0
    return with_condition(
        status,
        Condition(
            type=DISRUPTION_ALLOWED,
            status="True" if allowed else "False",
            observed_generation=status.observed_generation,
            last_transition_time=wall_ns,
            reason="SufficientPods" if allowed else "InsufficientPods",
            message="",
        ),
    )


def with_condition(
    status: PodDisruptionBudgetStatus, condition: Condition
) -> PodDisruptionBudgetStatus:
    """The status with a condition in the place of the one of its type."""
    before = next((c for c in status.conditions if c.type == condition.type), None)
    if before is not None and before.status == condition.status:
        condition = condition.replace(last_transition_time=before.last_transition_time)
    others = tuple(c for c in status.conditions if c.type != condition.type)
    return status.replace(conditions=(*others, condition))


def disrupted(pod: Pod, *, wall_ns: int) -> Pod:
    """The pod with the condition that says why it goes."""
    condition = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="EvictionByEvictionAPI",
        message="Eviction API: evicting",
        last_transition_time=wall_ns,
    )
    return pod.replace(status=set_pod_condition(pod.status, condition))


def _why_none(budget: PodDisruptionBudget) -> str:
    status = budget.status
    which = f"The disruption budget {budget.name}"
    condition = next((c for c in status.conditions if c.type == DISRUPTION_ALLOWED), None)
    said = condition if condition and condition.status == "False" and condition.message else None
    if said is not None and said.reason == SYNC_FAILED:
        return (
            f"{which} does not allow evicting pods currently because it failed sync: "
            f"{said.message}"
        )
    healthy, desired = status.current_healthy or 0, status.desired_healthy or 0
    if healthy <= desired:
        return f"{which} needs {desired} healthy pods and has {healthy} currently"
    if said is not None:
        return f"{which} does not allow evicting pods currently ({said.reason}): {said.message}"
    return f"{which} does not allow evicting pods currently"


def _too_many(cause: str, *, retry_after_seconds: int | None) -> errors.TooManyRequests:
    return errors.TooManyRequests(
        REFUSED,
        causes=(errors.StatusCause("DisruptionBudget", cause),),
        retry_after_seconds=retry_after_seconds,
    )
