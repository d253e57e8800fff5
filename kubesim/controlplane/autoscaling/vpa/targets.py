"""Whose pods an autoscaler is about: the workload it names, and the selector of that.

The workload has to be at the top: a ReplicaSet that a Deployment owns is not, for its pods belong to
the Deployment, and are found by way of their owners.

Mirrors: vertical-pod-autoscaler/pkg/target (fetcher.go), pkg/target/controller_fetcher,
pkg/utils/vpa/api.go (FindParentControllerForPod, GetControllingVPAForPod, Stronger).
Departs: owners that are custom resources are not climbed, nor are they targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kubesim.api.appsv1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from kubesim.api.batchv1 import CronJob, Job
from kubesim.api.corev1 import Pod, ReplicationController
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import KubeObject, LabelSelector, controller_of
from kubesim.api.vpav1 import VerticalPodAutoscaler

WELL_KNOWN: dict[str, type[KubeObject]] = {
    "DaemonSet": DaemonSet,
    "Deployment": Deployment,
    "ReplicaSet": ReplicaSet,
    "StatefulSet": StatefulSet,
    "ReplicationController": ReplicationController,
    "Job": Job,
    "CronJob": CronJob,
}
HIGHEST = 8  # owners above owners

Find = Callable[[type[KubeObject], str], Any]
"""Looks an object up by kind and key; ``None`` when there is none."""


class TargetError(Exception):
    """The target cannot be used; the text is what the autoscaler's condition says."""


class Controller(NamedTuple):
    """A workload of some namespace."""

    kind: str
    namespace: str
    name: str


class Controlled(NamedTuple):
    """An autoscaler and the pods that are its target's."""

    vpa: VerticalPodAutoscaler
    selector: LabelSelector


def selector_of(vpa: VerticalPodAutoscaler, find: Find) -> LabelSelector:
    """Which pods are the target's.

    Raises:
        TargetError: If there is no such workload, or it is not at the top.
    """
    reference, namespace = vpa.spec.target_ref, vpa.namespace or ""
    kind = WELL_KNOWN.get(reference.kind)
    if kind is None:
        named = f"{reference.api_version or ''} / {reference.kind} / {reference.name}"
        why = "last error the server could not find the requested resource"
        raise TargetError(f"Cannot read targetRef. Reason: unhandled targetRef {named}, {why}")
    found = find(kind, f"{namespace}/{reference.name}")
    if found is None:
        why = f"{reference.kind} {namespace}/{reference.name} does not exist"
        raise TargetError(f"Cannot read targetRef. Reason: {why}")
    own = Controller(reference.kind, namespace, reference.name)
    if topmost(own, find) != own:
        named = f"{reference.api_version or ''}.{reference.kind}/{reference.name}"
        raise TargetError(
            f"The target {named} has a parent controller but it should point to a topmost "
            "well-known or scalable controller"
        )
    return _selector(found)


def topmost(controller: Controller, find: Find) -> Controller:
    """The workload at the top of a chain of owners."""
    for _ in range(HIGHEST):
        kind = WELL_KNOWN.get(controller.kind)
        obj = None if kind is None else find(kind, f"{controller.namespace}/{controller.name}")
        owner = None if obj is None else controller_of(obj)
        if owner is None or owner.kind not in WELL_KNOWN:
            return controller
        controller = Controller(owner.kind, controller.namespace, owner.name)
    return controller


def controller_of_pod(pod: Pod, find: Find) -> Controller | None:
    """The workload at the top to which a pod belongs; ``None`` for one that belongs to nobody."""
    owner = controller_of(pod)
    if owner is None or owner.kind not in WELL_KNOWN:
        return None
    return topmost(Controller(owner.kind, pod.namespace or "", owner.name), find)


def controlling(
    pod: Pod, candidates: Iterable[Controlled], find: Find
) -> VerticalPodAutoscaler | None:
    """The autoscaler that a pod is under: of several the oldest, of equally old ones the first."""
    parent = controller_of_pod(pod, find)
    best: VerticalPodAutoscaler | None = None
    for vpa, selector in candidates if parent is not None else ():
        assert parent is not None
        named = Controller(vpa.spec.target_ref.kind, vpa.namespace or "", vpa.spec.target_ref.name)
        if named != parent or not label_selector_matches(selector, pod.metadata.labels):
            continue
        if best is None or _age(vpa) < _age(best):
            best = vpa
    return best


def _age(vpa: VerticalPodAutoscaler) -> tuple[int, str]:
    return vpa.metadata.creation_timestamp or 0, vpa.name


def _selector(obj: Any) -> LabelSelector:
    if isinstance(obj, CronJob):
        return LabelSelector(match_labels=obj.spec.job_template.spec.template.metadata.labels)
    selector = obj.spec.selector
    if isinstance(selector, LabelSelector):
        return selector
    return LabelSelector(match_labels=FrozenMap(selector or {}))
