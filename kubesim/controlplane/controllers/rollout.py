"""The arithmetic of a rollout. Pure functions of a Deployment and its ReplicaSets.

Mirrors: pkg/controller/deployment/util/deployment_util.go, rolling.go, sync.go (scale).
Departs: a revision history may be of any length.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from kubesim.api.appsv1 import Deployment, ReplicaSet
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
    """Which old ReplicaSets become smaller now, step by step, and how small: unhealthy pods first.

    One that loses unhealthy pods and then healthy ones is there twice.
    """
    alive = sorted(active(old), key=_age)
    minimum = wanted(deployment) - max_unavailable(deployment)
    existing = sum(replicas(rs) for rs in alive) + replicas(new)
    may_go = existing - minimum - (replicas(new) - available(new))
    if not alive or may_go <= 0:
        return []
    if any(available(rs) > replicas(rs) for rs in alive):
        return []  # a status is behind its spec: what it calls available is about to go
    sizes = {rs.name: replicas(rs) for rs in alive}
    steps: list[tuple[ReplicaSet, int]] = []
    for rs in alive:  # pods that are not available help nobody
        unhealthy = min(may_go, sizes[rs.name] - available(rs))
        if unhealthy > 0:
            sizes[rs.name] -= unhealthy
            may_go -= unhealthy
            steps.append((rs, sizes[rs.name]))
    spare = sum(available(rs) for rs in [*alive, new]) - minimum
    for rs in alive:
        step = min(spare, sizes[rs.name])
        if step > 0:
            sizes[rs.name] -= step
            spare -= step
            steps.append((rs, sizes[rs.name]))
    return steps


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


def active(sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """Those that are told to have pods."""
    return [rs for rs in sets if replicas(rs)]


def active_or_latest(new: ReplicaSet | None, old: list[ReplicaSet]) -> ReplicaSet | None:
    """The only active ReplicaSet, or the newest when none is; ``None`` when several are."""
    alive = active([*old, *([new] if new else [])])
    if alive:
        return alive[0] if len(alive) == 1 else None
    return new or max(old, key=_age, default=None)


def is_saturated(deployment: Deployment, new: ReplicaSet | None) -> bool:
    """Whether the new ReplicaSet has all pods, all of them available."""
    if new is None:
        return False
    total = wanted(deployment)
    noted = new.metadata.annotations.get(DESIRED)
    return replicas(new) == total == available(new) and noted == str(total)


def is_scaling(deployment: Deployment, sets: Iterable[ReplicaSet]) -> bool:
    """Whether the Deployment was given another size since its active ReplicaSets got theirs."""
    noted = [rs.metadata.annotations.get(DESIRED, "") for rs in active(sets)]
    return any(text.isdigit() and int(text) != wanted(deployment) for text in noted)


def proportional(deployment: Deployment, sets: list[ReplicaSet]) -> list[tuple[ReplicaSet, int]]:
    """The sizes of active ReplicaSets when a Deployment is scaled in the middle of a rollout.

    Each keeps its share; what rounding leaves goes to the largest.
    """
    total = wanted(deployment)
    allowed = total + fenceposts(deployment)[0] if total else 0
    add = allowed - sum(replicas(rs) for rs in sets)
    by_age = sorted(sets, key=_age, reverse=add > 0)
    ordered = sorted(by_age, key=lambda rs: -replicas(rs))
    sizes, added = [], 0
    for rs in ordered:
        share = _share(deployment, rs, add=add, added=added)
        sizes.append(replicas(rs) + share)
        added += share
    if sizes and add:
        sizes[0] = max(0, sizes[0] + add - added)
    return list(zip(ordered, sizes, strict=True))


def _share(deployment: Deployment, rs: ReplicaSet, *, add: int, added: int) -> int:
    """How many of the pods to add (or, negative, to remove) are this ReplicaSet's."""
    size, total = replicas(rs), wanted(deployment)
    if size == 0 or add in (0, added):
        return 0
    if total == 0:
        fraction = -size
    else:
        noted = rs.metadata.annotations.get(MAXIMUM, "0")
        before = (int(noted) if noted.isdigit() else 0) or deployment.status.replicas or 0
        if not before:
            return 0
        # Rounded to the nearest, a half upwards.
        scaled = size * (total + fenceposts(deployment)[0])
        fraction = (2 * scaled + before) // (2 * before) - size
    left = add - added
    return min(fraction, left) if add > 0 else max(fraction, left)


def _age(replica_set: ReplicaSet) -> tuple[int, str]:
    return (replica_set.metadata.creation_timestamp or 0, replica_set.name)
