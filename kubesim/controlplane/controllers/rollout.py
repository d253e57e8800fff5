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
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
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
    _, unavailable = fenceposts(deployment)
    minimum = wanted(deployment) - unavailable
    existing = sum(replicas(rs) for rs in active) + replicas(new)
    missing = replicas(new) - available(new)
    may_go = existing - minimum - missing
    if may_go <= 0:
        return []
    sizes = {rs.name: replicas(rs) for rs in active}
    for rs in active:  # pods that are not available help nobody
        unhealthy = min(may_go, sizes[rs.name] - available(rs))
        if unhealthy > 0:
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
    """Empty ReplicaSets beyond the history limit, oldest revision first."""
    limit = deployment.spec.revision_history_limit
    if limit is None:
        return []
    empty = [
        rs
        for rs in old
        if not replicas(rs) and not rs.status.replicas and not rs.metadata.deletion_timestamp
    ]
    return sorted(empty, key=revision)[: max(0, len(old) - limit)]


def revision(replica_set: ReplicaSet) -> int:
    """Its revision number; 0 when it has none."""
    text = replica_set.metadata.annotations.get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def max_revision(owned: list[ReplicaSet]) -> int:
    """The highest revision so far."""
    return max((revision(rs) for rs in owned), default=0)


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
    total = sum(rs.status.replicas or 0 for rs in owned)
    ready = sum(rs.status.ready_replicas or 0 for rs in owned)
    usable = sum(available(rs) for rs in owned)
    updated = (new.status.replicas or 0) if new else 0
    old_status = deployment.status
    conditions = old_status.conditions
    _, unavailable = fenceposts(deployment)
    enough = usable >= wanted(deployment) - unavailable
    conditions = _with(
        conditions,
        DeploymentCondition(
            type="Available",
            status="True" if enough else "False",
            reason="MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            message=f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        ),
        wall_ns,
    )
    done = updated == wanted(deployment) == usable == total
    if new is not None:
        verb = "has successfully progressed" if done else "is progressing"
        conditions = _with(
            conditions,
            DeploymentCondition(
                type="Progressing",
                status="True",
                reason="NewReplicaSetAvailable" if done else "ReplicaSetUpdated",
                message=f'ReplicaSet "{new.name}" {verb}.',
            ),
            wall_ns,
        )
    return old_status.replace(
        observed_generation=deployment.metadata.generation,
        replicas=total,
        updated_replicas=updated,
        ready_replicas=ready,
        available_replicas=usable,
        unavailable_replicas=max(0, total - usable),
        conditions=conditions,
    )


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
