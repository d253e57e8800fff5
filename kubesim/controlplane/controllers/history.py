"""The history of a workload's template: ControllerRevisions, numbered, the newest last.

A template that was there before gets the next number again instead of a second revision: that is what
a rollback looks like.

Mirrors: pkg/controller/history/controller_history.go, pkg/controller/statefulset/stateful_set_control.go
(getStatefulSetRevisions, truncateHistory).
Departs: the hash in a revision's name is FNV-1a over our own writing of the template; a name is never
taken by somebody else's revision.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from kubesim.api.appsv1 import ControllerRevision
from kubesim.api.corev1 import PodTemplateSpec
from kubesim.api.metav1 import KubeObject, ObjectMeta, new_controller_ref
from kubesim.controlplane.client import AlreadyExists, Client, NotFound
from kubesim.sim import SimProcess

HASH_LABEL = "controller.kubernetes.io/hash"
_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def revision_of(
    owner: KubeObject, template: PodTemplateSpec, *, number: int
) -> ControllerRevision:
    """The revision of a template, under a number that it may not keep."""
    data = template.model_dump(mode="json", by_alias=True, exclude_unset=True)
    hashed = _hash(data)
    return ControllerRevision.model_validate(
        {
            "metadata": ObjectMeta(
                name=f"{owner.name}-{hashed}",
                namespace=owner.namespace,
                labels=template.metadata.labels.set(HASH_LABEL, hashed),
                owner_references=(new_controller_ref(owner),),
            ),
            "data": {"spec": {"template": {"$patch": "replace", **data}}},
            "revision": number,
        }
    )


def template_of(revision: ControllerRevision) -> PodTemplateSpec:
    """The template that a revision keeps."""
    data = json.loads(json.dumps(revision.model_dump(mode="json", by_alias=True)["data"]))
    template: dict[str, Any] = data["spec"]["template"]
    template.pop("$patch", None)
    return PodTemplateSpec.model_validate(template)


def in_order(revisions: Collection[ControllerRevision]) -> list[ControllerRevision]:
    """The oldest first."""
    return sorted(
        revisions, key=lambda r: (r.revision, r.metadata.creation_timestamp or 0, r.name)
    )


def update_revision(
    client: Client,
    owner: KubeObject,
    template: PodTemplateSpec,
    revisions: Sequence[ControllerRevision],
) -> SimProcess[ControllerRevision]:
    """The revision of the owner's template; made, or given the newest number, if need be.

    Args:
        client: The controller's connection.
        owner: The workload.
        template: Its template.
        revisions: Its history, in order.
    """
    newest = revisions[-1].revision if revisions else 0
    proposed = revision_of(owner, template, number=newest + 1)
    equal = [revision for revision in revisions if revision.name == proposed.name]
    if not equal:
        try:
            return (yield from client.create(proposed))
        except AlreadyExists:
            return (yield from client.get(ControllerRevision, proposed.key))
    found = equal[-1]
    if found.revision == newest:
        return found

    def renumbered(current: ControllerRevision) -> ControllerRevision:
        return current.replace(revision=max(current.revision, newest + 1))

    return (yield from client.patch(ControllerRevision, found.key, renumbered))


def truncate(
    client: Client,
    revisions: Sequence[ControllerRevision],
    *,
    live: Collection[str],
    limit: int | None,
) -> SimProcess[None]:
    """Delete the oldest revisions that nothing uses, beyond the limit."""
    if limit is None or limit < 0:
        return
    dead = [revision for revision in revisions if revision.name not in live]
    for revision in dead[: max(0, len(dead) - limit)]:
        try:
            yield from client.delete(ControllerRevision, revision.key)
        except NotFound:
            continue


def _hash(data: object) -> str:
    value = 0x811C9DC5  # FNV-1a, 32 bits
    for byte in json.dumps(data, sort_keys=True, separators=(",", ":")).encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return "".join(_SAFE_ALPHABET[ord(digit) % len(_SAFE_ALPHABET)] for digit in str(value))
