"""What a Deployment says of itself: counts, availability, progress. Pure functions.

Mirrors: pkg/controller/deployment/sync.go (calculateStatus), progress.go,
util/deployment_util.go (conditions, DeploymentProgressing, DeploymentTimedOut).
"""

from __future__ import annotations

from collections.abc import Sequence

from kubesim.api.appsv1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from kubesim.api.metav1 import ConditionStatus
from kubesim.controlplane.controllers.rollout import (
    available,
    max_unavailable,
    replicas,
    wanted,
)
from kubesim.sim.time import SECOND

NO_DEADLINE = 2**31 - 1
PROGRESSING, AVAILABLE, FAILURE = "Progressing", "Available", "ReplicaFailure"
TIMED_OUT = "ProgressDeadlineExceeded"
NEW_AVAILABLE = "NewReplicaSetAvailable"
UPDATED = "ReplicaSetUpdated"
CREATED = "NewReplicaSetCreated"
FOUND = "FoundNewReplicaSet"
CREATE_FAILED = "ReplicaSetCreateError"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"

Sets = Sequence[ReplicaSet]


def with_condition(
    status: DeploymentStatus,
    type_: str,
    value: ConditionStatus,
    reason: str,
    message: str,
    *,
    wall_ns: int,
) -> DeploymentStatus:
    """The status with a condition; one that says the same already stays as it is.

    A changed condition moves to the end, and keeps the time of its last transition while its status
    is the same.
    """
    old = condition(status, type_)
    if old is not None and (old.status, old.reason) == (value, reason):
        return status
    now_ns = wall_ns // SECOND * SECOND
    same = old is not None and old.status == value
    made = DeploymentCondition(
        type=type_,
        status=value,
        reason=reason,
        message=message,
        last_update_time=now_ns,
        last_transition_time=old.last_transition_time if same and old else now_ns,
    )
    return status.replace(conditions=(*without_condition(status, type_).conditions, made))


def without_condition(status: DeploymentStatus, type_: str) -> DeploymentStatus:
    """The status without a condition."""
    return status.replace(conditions=tuple(c for c in status.conditions if c.type != type_))


def condition(status: DeploymentStatus, type_: str) -> DeploymentCondition | None:
    """Its condition of a type."""
    return next((c for c in status.conditions if c.type == type_), None)


def has_deadline(deployment: Deployment) -> bool:
    """Whether its progress is watched."""
    return deployment.spec.progress_deadline_seconds not in (None, NO_DEADLINE)


def calculated(
    deployment: Deployment, sets: Sets, new: ReplicaSet | None, *, wall_ns: int
) -> DeploymentStatus:
    """The counts and the Available condition."""
    usable = sum(available(rs) for rs in sets)
    enough = usable >= wanted(deployment) - max_unavailable(deployment)
    status = deployment.status.replace(
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas or 0 for rs in sets),
        updated_replicas=(new.status.replicas or 0) if new else 0,
        ready_replicas=sum(rs.status.ready_replicas or 0 for rs in sets),
        available_replicas=usable,
        unavailable_replicas=max(0, sum(replicas(rs) for rs in sets) - usable),
        terminating_replicas=_terminating(sets),
    )
    return with_condition(
        status,
        AVAILABLE,
        "True" if enough else "False",
        "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        wall_ns=wall_ns,
    )


def _terminating(sets: Sets) -> int | None:
    """How many pods are on their way out; unknown when a ReplicaSet does not say."""
    total = 0
    for rs in sets:
        if rs.status.terminating_replicas is not None:
            total += rs.status.terminating_replicas
        elif rs.status.observed_generation:
            return None
    return total


def of_rollout(
    deployment: Deployment, sets: Sets, new: ReplicaSet | None, *, wall_ns: int
) -> DeploymentStatus:
    """The status during a rollout: the counts, the progress, the failures of ReplicaSets."""
    status = calculated(deployment, sets, new, wall_ns=wall_ns)
    if not has_deadline(deployment):
        status = without_condition(status, PROGRESSING)
    else:
        status = _with_progress(deployment, status, new, wall_ns=wall_ns)
    return _with_failure(status, sets, new)


def _with_progress(
    deployment: Deployment, status: DeploymentStatus, new: ReplicaSet | None, *, wall_ns: int
) -> DeploymentStatus:
    before = condition(deployment.status, PROGRESSING)
    finished = before is not None and before.reason == NEW_AVAILABLE
    if finished and status.replicas == status.updated_replicas:
        return status
    whose = f'ReplicaSet "{new.name}"' if new else f'Deployment "{deployment.name}"'
    if is_complete(deployment, status):
        message = f"{whose} has successfully progressed."
        return with_condition(status, PROGRESSING, "True", NEW_AVAILABLE, message, wall_ns=wall_ns)
    if _moved(deployment.status, status):
        # Said anew even in the same words: the deadline counts from the last progress.
        since = before.last_transition_time if before and before.status == "True" else None
        made = with_condition(
            without_condition(status, PROGRESSING), PROGRESSING, "True", UPDATED,
            f"{whose} is progressing.", wall_ns=wall_ns,
        )  # fmt: skip
        last = made.conditions[-1]
        last = last if since is None else last.replace(last_transition_time=since)
        return made.replace(conditions=(*made.conditions[:-1], last))
    if timed_out(deployment, status, wall_ns=wall_ns):
        message = f"{whose} has timed out progressing."
        return with_condition(status, PROGRESSING, "False", TIMED_OUT, message, wall_ns=wall_ns)
    return status


def timed_out(deployment: Deployment, status: DeploymentStatus, *, wall_ns: int) -> bool:
    """Whether there was no progress for as long as the deadline says."""
    said = condition(status, PROGRESSING)
    if said is None or said.reason == NEW_AVAILABLE:
        return False
    due_ns = (said.last_update_time or 0) + _deadline_ns(deployment)
    return said.reason == TIMED_OUT or due_ns < wall_ns


def check_progress_in_ns(
    deployment: Deployment, status: DeploymentStatus, *, wall_ns: int
) -> int | None:
    """When to look at the progress again, 0 for at once; ``None`` when that is not called for."""
    said = condition(deployment.status, PROGRESSING)
    if not has_deadline(deployment) or said is None:
        return None
    if is_complete(deployment, status) or said.reason == TIMED_OUT:
        return None
    left_ns = (said.last_update_time or 0) + _deadline_ns(deployment) - wall_ns
    # One second more, because the wait may end some milliseconds early.
    return 0 if left_ns < SECOND else left_ns + SECOND


def _deadline_ns(deployment: Deployment) -> int:
    return (deployment.spec.progress_deadline_seconds or 0) * SECOND


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether a status says that the rollout is over."""
    total = wanted(deployment)
    counts = (status.updated_replicas or 0, status.replicas or 0, status.available_replicas or 0)
    seen = (status.observed_generation or 0) >= (deployment.metadata.generation or 0)
    return seen and counts == (total, total, total)


def _moved(before: DeploymentStatus, now: DeploymentStatus) -> bool:
    def old_ones(status: DeploymentStatus) -> int:
        return (status.replicas or 0) - (status.updated_replicas or 0)

    return (
        (now.updated_replicas or 0) > (before.updated_replicas or 0)
        or old_ones(now) < old_ones(before)
        or (now.ready_replicas or 0) > (before.ready_replicas or 0)
        or (now.available_replicas or 0) > (before.available_replicas or 0)
    )


def _with_failure(
    status: DeploymentStatus, sets: Sets, new: ReplicaSet | None
) -> DeploymentStatus:
    """The failure of a ReplicaSet, the new one's before others', as a condition of the Deployment."""
    for rs in sorted(sets, key=lambda rs: rs is not new):
        for failed in rs.status.conditions:
            if failed.type == FAILURE:
                old = condition(status, FAILURE)
                if old and (old.status, old.reason) == (failed.status, failed.reason):
                    return status
                made = DeploymentCondition(
                    type=FAILURE,
                    status=failed.status,
                    reason=failed.reason,
                    message=failed.message,
                    last_update_time=failed.last_transition_time,
                    last_transition_time=failed.last_transition_time,
                )
                kept = without_condition(status, FAILURE).conditions
                return status.replace(conditions=(*kept, made))
    return without_condition(status, FAILURE)
