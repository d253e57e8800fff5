"""The arithmetic of a rollout. Pure functions of a Deployment and its ReplicaSets.

Mirrors: pkg/controller/deployment/util/deployment_util.go, rolling.go, sync.go, progress.go.
Departs: the progress deadline is not watched yet.
"""

from __future__ import annotations

import json

from kubesim.api.appsv1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from kubesim.api.intstr import scaled_value

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOT_COPIED = (LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED, MAXIMUM)
_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def wanted(deployment: Deployment) -> int:
    """How many pods there should be."""
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def replicas(replica_set: ReplicaSet) -> int:
    """How many pods a ReplicaSet is told to have."""
    return 1 if replica_set.spec.replicas is None else replica_set.spec.replicas


def available(replica_set: ReplicaSet) -> int:
    """How many of its pods are available."""
    return replica_set.status.available_replicas or 0


def fenceposts(deployment: Deployment) -> tuple[int, int]:
    """Surge (rounded up) and unavailable (rounded down); not both 0."""
    total = wanted(deployment)
    rolling = deployment.spec.strategy.rolling_update
    if rolling is None:
        return 0, 0
    surge = scaled_value(rolling.max_surge or 0, total, round_up=True)
    unavailable = scaled_value(rolling.max_unavailable or 0, total, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1  # otherwise nothing could ever move
    return surge, unavailable


def max_unavailable(deployment: Deployment) -> int:
    """How many pods may be missing: all of them at most, and none when there should be none."""
    return min(fenceposts(deployment)[1], wanted(deployment))


def find_new(deployment: Deployment, owned: list[ReplicaSet]) -> ReplicaSet | None:
    """The ReplicaSet of the current template; the oldest when there are several."""
    template = deployment.spec.template
    for replica_set in sorted(
        owned, key=lambda rs: (rs.metadata.creation_timestamp or 0, rs.name)
    ):
        metadata = replica_set.spec.template.metadata
        plain = metadata.replace(labels=metadata.labels.without(HASH_LABEL))
        if replica_set.spec.template.replace(metadata=plain) == template:
            return replica_set
    return None


def new_replicas(deployment: Deployment, new: ReplicaSet, every: list[ReplicaSet]) -> int:
    """How many pods the new ReplicaSet may have now."""
    total = wanted(deployment)
    if deployment.spec.strategy.type == "Recreate":
        return total
    current = 0 if new.spec.replicas is None else new.spec.replicas
    if current >= total:
        return total
    surge, _ = fenceposts(deployment)
    existing = sum(replicas(rs) for rs in every if rs is not new) + current
    room = total + surge - existing
    if room <= 0:
        return current
    return current + min(room, total - current)


def old_replicas(
    deployment: Deployment, new: ReplicaSet, old: list[ReplicaSet]
) -> list[tuple[ReplicaSet, int]]:
    """Which old ReplicaSets become smaller now, and how small: unhealthy pods first."""
    active = [rs for rs in sorted(old, key=_age) if replicas(rs)]
    if not active:
        return []
    minimum = wanted(deployment) - max_unavailable(deployment)
    existing = sum(replicas(rs) for rs in active) + replicas(new)
    missing = replicas(new) - available(new)
    may_go = existing - minimum - missing
    if may_go <= 0:
        return []
    if any(available(rs) > replicas(rs) for rs in active):
        return []  # a status is behind its spec: what it calls available is about to go
    sizes = {rs.name: replicas(rs) for rs in active}
    for rs in active:  # pods that are not available help nobody
        unhealthy = min(may_go, sizes[rs.name] - available(rs))
        sizes[rs.name] -= unhealthy
        may_go -= unhealthy
    spare = sum(available(rs) for rs in [*active, new]) - minimum
    for rs in active:
        step = min(spare, sizes[rs.name])
        if step > 0:
            sizes[rs.name] -= step
            spare -= step
    return [(rs, sizes[rs.name]) for rs in active if sizes[rs.name] != replicas(rs)]


def superfluous(deployment: Deployment, old: list[ReplicaSet]) -> list[ReplicaSet]:
    """The ReplicaSets beyond the history limit that may go: empty ones, oldest revision first."""
    limit = deployment.spec.revision_history_limit
    if limit is None:
        return []
    alive = sorted((rs for rs in old if rs.metadata.deletion_timestamp is None), key=revision)
    return [
        rs
        for rs in alive[: max(0, len(alive) - limit)]
        if not replicas(rs)
        and not rs.status.replicas
        and (rs.metadata.generation or 0) <= (rs.status.observed_generation or 0)
    ]


def revision(replica_set: ReplicaSet) -> int:
    """Its revision number; 0 when it has none."""
    text = replica_set.metadata.annotations.get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def max_revision(owned: list[ReplicaSet]) -> int:
    """The highest revision so far."""
    return max((revision(rs) for rs in owned), default=0)


def synced(deployment: Deployment, new: ReplicaSet, old: list[ReplicaSet]) -> ReplicaSet:
    """The ReplicaSet of the current template as it should be, whatever its size is.

    It has the Deployment's annotations and ``minReadySeconds``, and the highest revision: one that
    is rolled back to gets a new number and keeps the old one in its history.
    """
    copied = {k: v for k, v in deployment.metadata.annotations.items() if k not in NOT_COPIED}
    annotations = new.metadata.annotations.merge(copied)
    latest, before = max_revision(old) + 1, revision(new)
    if before < latest:
        history = annotations.get(REVISION_HISTORY)
        past = {REVISION_HISTORY: f"{history},{before}" if history else str(before)}
        annotations = annotations.merge({REVISION: str(latest), **(past if before else {})})
    return new.replace(
        metadata=new.metadata.replace(annotations=annotations),
        spec=new.spec.replace(min_ready_seconds=deployment.spec.min_ready_seconds),
    )


def is_complete(deployment: Deployment) -> bool:
    """Whether its own status says that the rollout is over."""
    status, total = deployment.status, wanted(deployment)
    counts = (status.updated_replicas or 0, status.replicas or 0, status.available_replicas or 0)
    seen = (status.observed_generation or 0) >= (deployment.metadata.generation or 0)
    return seen and counts == (total, total, total)


def size_annotations(deployment: Deployment) -> dict[str, str]:
    """What a ReplicaSet remembers of the size its Deployment had."""
    surge = 0 if deployment.spec.strategy.type == "Recreate" else fenceposts(deployment)[0]
    return {DESIRED: str(wanted(deployment)), MAXIMUM: str(wanted(deployment) + surge)}


def template_hash(deployment: Deployment) -> str:
    """Ten characters at most that stand for the template and the number of collisions."""
    template = deployment.spec.template.model_dump(mode="json", by_alias=True, exclude_unset=True)
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    if deployment.status.collision_count:
        text += str(deployment.status.collision_count)
    value = 0x811C9DC5  # FNV-1a, 32 bits
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return "".join(_SAFE_ALPHABET[ord(digit) % len(_SAFE_ALPHABET)] for digit in str(value))


def status(deployment: Deployment, owned: list[ReplicaSet], *, wall_ns: int) -> DeploymentStatus:
    """What the Deployment reports of itself."""
    new = find_new(deployment, owned)
    usable = sum(available(rs) for rs in owned)
    enough = usable >= wanted(deployment) - max_unavailable(deployment)
    current = deployment.status.replace(
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas or 0 for rs in owned),
        updated_replicas=(new.status.replicas or 0) if new else 0,
        ready_replicas=sum(rs.status.ready_replicas or 0 for rs in owned),
        available_replicas=usable,
        unavailable_replicas=max(0, sum(replicas(rs) for rs in owned) - usable),
    )
    conditions = _with(
        deployment.status.conditions,
        DeploymentCondition(
            type="Available",
            status="True" if enough else "False",
            reason="MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            message=f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        ),
        wall_ns,
    )
    progress = _progress(deployment, current, new)
    if progress is not None:
        conditions = _with(conditions, progress, wall_ns)
    conditions = tuple(c for c in conditions if c.type != "ReplicaFailure")
    return current.replace(conditions=conditions + _failures(owned, new))


def _progress(
    deployment: Deployment, current: DeploymentStatus, new: ReplicaSet | None
) -> DeploymentCondition | None:
    """How the rollout goes on; ``None`` when there is nothing new to say about it."""
    before = deployment.status
    said = next((c.reason for c in before.conditions if c.type == "Progressing"), None)
    if new is None or (
        said == "NewReplicaSetAvailable" and current.replicas == current.updated_replicas
    ):
        return None
    if is_complete(deployment.replace(status=current)):
        reason, message = "NewReplicaSetAvailable", f'"{new.name}" has successfully progressed.'
    elif _moved(before, current):
        reason, message = "ReplicaSetUpdated", f'"{new.name}" is progressing.'
    elif said is None:
        return DeploymentCondition(
            type="Progressing",
            status="True",
            reason="NewReplicaSetCreated",
            message=f'Created new replica set "{new.name}"',
        )
    else:
        return None
    return DeploymentCondition(
        type="Progressing", status="True", reason=reason, message=f"ReplicaSet {message}"
    )


def _moved(before: DeploymentStatus, now: DeploymentStatus) -> bool:
    def old_ones(status: DeploymentStatus) -> int:
        return (status.replicas or 0) - (status.updated_replicas or 0)

    return (
        (now.updated_replicas or 0) > (before.updated_replicas or 0)
        or old_ones(now) < old_ones(before)
        or (now.ready_replicas or 0) > (before.ready_replicas or 0)
        or (now.available_replicas or 0) > (before.available_replicas or 0)
    )


def _failures(owned: list[ReplicaSet], new: ReplicaSet | None) -> tuple[DeploymentCondition, ...]:
    """The failure of a ReplicaSet, the new one's before others', as a condition of the Deployment."""
    for replica_set in sorted(owned, key=lambda rs: rs is not new):
        for condition in replica_set.status.conditions:
            if condition.type == "ReplicaFailure":
                return (
                    DeploymentCondition(
                        type="ReplicaFailure",
                        status=condition.status,
                        reason=condition.reason,
                        message=condition.message,
                        last_update_time=condition.last_transition_time,
                        last_transition_time=condition.last_transition_time,
                    ),
                )
    return ()


def _with(
    conditions: tuple[DeploymentCondition, ...],
    wanted_condition: DeploymentCondition,
    wall_ns: int,
) -> tuple[DeploymentCondition, ...]:
    old = next((c for c in conditions if c.type == wanted_condition.type), None)
    if old is not None and (old.status, old.reason) == (
        wanted_condition.status,
        wanted_condition.reason,
    ):
        return conditions
    since = old.last_transition_time if old and old.status == wanted_condition.status else wall_ns
    made = wanted_condition.replace(last_update_time=wall_ns, last_transition_time=since)
    if old is None:
        return (*conditions, made)
    return tuple(made if c is old else c for c in conditions)


def _age(replica_set: ReplicaSet) -> tuple[int, str]:
    return (replica_set.metadata.creation_timestamp or 0, replica_set.name)
