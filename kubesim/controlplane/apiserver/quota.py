"""ResourceQuota: what a new object would use must still be there; then it is taken at once.

The quota's status is the account: a new object is charged to it in the same step in which it is let
in, so that objects that arrive together cannot all have the last place.

Mirrors: staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota (controller.go, CheckRequest).
Departs: an object is charged after its validation, so what is not valid costs nothing; what changes
when an object is updated (but for a resize) is charged by the quota controller only.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubesim.api.corev1 import ResourceQuota
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.quota import exceeded, matches, missing_constraints, restricted, shown, usage
from kubesim.controlplane.apiserver.admission.interface import forbidden


def charged(
    obj: KubeObject,
    quotas: Iterable[ResourceQuota],
    *,
    wall_ns: int,
    before: KubeObject | None = None,
) -> list[ResourceQuota]:
    """The quotas that are about an object, with the object counted.

    Args:
        obj: The object as it will be.
        quotas: All quotas.
        wall_ns: The time on the wall.
        before: What it takes the place of: then only what it uses more is charged.

    Raises:
        Forbidden: If one of them has no room for it, or cannot tell what it will use.
    """
    changed: list[ResourceQuota] = []
    used = usage(obj, wall_ns=wall_ns)
    if before is not None:
        had = usage(before, wall_ns=wall_ns)
        more = {name: q - had[name] if name in had else q for name, q in used.items()}
        used = FrozenMap({name: q for name, q in more.items() if q.nanos > 0})
    for quota in quotas:
        if quota.namespace != obj.namespace:
            continue
        hard, known = quota.status.hard, quota.status.used
        if not matches(quota, obj, hard):
            continue
        about = restricted(type(obj), hard)
        if missing := missing_constraints(obj, about):
            raise forbidden(obj, f"failed quota: {quota.name}: {missing}")
        if any(name not in known for name in about):
            names = ",".join(sorted(about))
            why = f"status unknown for quota: {quota.name}, resources: {names}"
            raise forbidden(obj, why)
        requested = {name: used[name] for name in about if name in used}
        if over := exceeded(known, used, hard):
            raise forbidden(
                obj,
                f"exceeded quota: {quota.name}, requested: {shown(requested, over)}, "
                f"used: {shown(known, over)}, limited: {shown(hard, over)}",
            )
        after = known.merge({name: known[name] + more for name, more in requested.items()})
        changed.append(quota.replace(status=quota.status.replace(used=after)))
    return changed
