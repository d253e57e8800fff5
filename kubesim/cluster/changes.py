"""What kubectl makes of an object when it changes one thing about it. Pure functions.

Mirrors: staging/src/k8s.io/kubectl/pkg/cmd/{rollout,set,label,annotate,taint}, pkg/polymorphichelpers
(objectpauser.go, objectresumer.go, objectrestarter.go, rollback.go).
Departs: a step back takes the template only, not the ReplicaSet's annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from kubesim.api.appsv1 import ControllerRevision, Deployment, ReplicaSet
from kubesim.api.batchv1 import CronJob
from kubesim.api.corev1 import Node, Pod, PodSpec, PodTemplateSpec, Taint
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.rfc3339 import format_time
from kubesim.controlplane.controllers.history import template_of

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH = "pod-template-hash"

K = TypeVar("K", bound=KubeObject)


class NotDone(Exception):  # noqa: N818  # kubectl says why, and asks for nothing
    """kubectl refuses; the message says why."""


def paused(deployment: Deployment) -> Deployment:
    """The Deployment, paused.

    Raises:
        NotDone: If it is already.
    """
    if deployment.spec.paused:
        raise NotDone(f'deployments.apps "{deployment.name}" is already paused')
    return deployment.replace(spec=deployment.spec.replace(paused=True))


def resumed(deployment: Deployment) -> Deployment:
    """The Deployment, going on.

    Raises:
        NotDone: If it is not paused.
    """
    if not deployment.spec.paused:
        raise NotDone(f'deployments.apps "{deployment.name}" is not paused')
    return deployment.replace(spec=deployment.spec.replace(paused=None))


def restarted(workload: K, *, wall_ns: int) -> K:
    """The workload with a template that is another one, because it says when.

    Raises:
        NotDone: If it is a Deployment that is paused.
    """
    if isinstance(workload, Deployment) and workload.spec.paused:
        raise NotDone(
            "can't restart paused deployment (run rollout resume first): "
            f'deployments.apps "{workload.name}"'
        )
    template = _template(workload)
    annotations = template.metadata.annotations.set(RESTARTED_AT, format_time(wall_ns))
    metadata = template.metadata.replace(annotations=annotations)
    return cast("K", _with_template(workload, template.replace(metadata=metadata)))


def undone(
    workload: K, history: Iterable[ReplicaSet | ControllerRevision], *, to_revision: int
) -> K:
    """The workload with the template that it had at another revision.

    Args:
        workload: A Deployment, a StatefulSet or a DaemonSet.
        history: Its ReplicaSets, or its ControllerRevisions.
        to_revision: Which; 0 for the one before the newest.

    Raises:
        NotDone: If there is none, or it is a Deployment that is paused.
    """
    if isinstance(workload, Deployment) and workload.spec.paused:
        raise NotDone(
            "you cannot rollback a paused deployment; resume it first with "
            f"'kubectl rollout resume deployment/{workload.name}' and try again"
        )
    kept = sorted(((_revision(one), one) for one in history), key=lambda item: item[0])
    if to_revision:
        found = next((one for number, one in kept if number == to_revision), None)
        if found is None:
            raise NotDone(f"unable to find specified revision {to_revision} in history")
    elif len(kept) < 2:
        raise NotDone(f'no last revision to roll back to: "{workload.name}"')
    else:
        found = kept[-2][1]
    template = _kept_template(found)
    if template == _template(workload):
        number = _revision(found)
        raise NotDone(f"skipped rollback (current template already matches revision {number})")
    return cast("K", _with_template(workload, template))


def _revision(one: ReplicaSet | ControllerRevision) -> int:
    if isinstance(one, ControllerRevision):
        return one.revision
    return int(one.metadata.annotations.get(REVISION, "0"))


def _kept_template(one: ReplicaSet | ControllerRevision) -> PodTemplateSpec:
    if isinstance(one, ControllerRevision):
        return template_of(one)
    template = one.spec.template
    labels = template.metadata.labels
    kept = FrozenMap({key: value for key, value in labels.items() if key != TEMPLATE_HASH})
    return template.replace(metadata=template.metadata.replace(labels=kept))


def with_images(obj: K, images: Mapping[str, str]) -> K:
    """The object whose containers of those names, or ``"*"``, have other images.

    Raises:
        NotDone: If there is no container of a name.
    """
    spec = obj.spec if isinstance(obj, Pod) else _template(obj).spec
    names = {c.name for c in (*spec.containers, *spec.init_containers)}
    for name in images:
        if name != "*" and name not in names:
            raise NotDone(f'unable to find container named "{name}"')
    changed = _imaged(spec, images)
    if isinstance(obj, Pod):
        return obj.replace(spec=changed)
    return cast("K", _with_template(obj, _template(obj).replace(spec=changed)))


def _imaged(spec: PodSpec, images: Mapping[str, str]) -> PodSpec:
    changes: dict[str, Any] = {
        field: tuple(
            c.replace(image=images.get(c.name, images.get("*", c.image)))
            for c in getattr(spec, field)
        )
        for field in ("containers", "init_containers")
    }
    return spec.replace(**changes)


def labelled(obj: K, values: Mapping[str, str | None], *, annotations: bool = False) -> K:
    """The object with those labels, or annotations; ``None`` takes one away."""
    field = "annotations" if annotations else "labels"
    merged = {**getattr(obj.metadata, field), **values}
    kept = FrozenMap({key: value for key, value in merged.items() if value is not None})
    return obj.replace(metadata=obj.metadata.replace(**{field: kept}))


def uncordoned(node: Node) -> Node:
    """The node as one that takes pods again."""
    return node.replace(spec=node.spec.replace(unschedulable=None))


def tainted(node: Node, taint: Taint, *, wall_ns: int) -> Node:
    """The node with a taint; one of that key and effect is replaced."""
    added = taint.replace(time_added=wall_ns) if taint.effect == "NoExecute" else taint
    others = (t for t in node.spec.taints if (t.key, t.effect) != (taint.key, taint.effect))
    return node.replace(spec=node.spec.replace(taints=(*others, added)))


def untainted(node: Node, key: str, effect: str | None) -> Node:
    """The node without the taints of that key, and effect if one is said.

    Raises:
        NotDone: If it has none.
    """
    kept = tuple(
        t for t in node.spec.taints if t.key != key or (effect is not None and t.effect != effect)
    )
    if kept == node.spec.taints:
        said = key if effect is None else f"{key}:{effect}"
        raise NotDone(f'taint "{said}" not found')
    return node.replace(spec=node.spec.replace(taints=kept))


def _template(obj: Any) -> PodTemplateSpec:
    spec = obj.spec.job_template.spec if isinstance(obj, CronJob) else obj.spec
    template: PodTemplateSpec = spec.template
    return template


def _with_template(obj: Any, template: PodTemplateSpec) -> Any:
    if isinstance(obj, CronJob):
        job = obj.spec.job_template
        job = job.replace(spec=job.spec.replace(template=template))
        return obj.replace(spec=obj.spec.replace(job_template=job))
    return obj.replace(spec=obj.spec.replace(template=template))
