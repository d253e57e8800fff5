"""The rules for changes: what may not be different once an object is stored.

``validate_update`` judges an object that takes the place of another one: names and ids stay, the
spec of a pod is fixed but for a few fields, a selector never changes.

Mirrors: the Validate...Update functions of pkg/apis/{core,apps,batch,node,scheduling}/validation.
Departs: a refused change of a pod's spec is not shown as a difference. Resizing: ``podresize``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesim.api.appsv1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from kubesim.api.appsvalidation import daemon_set_update_errors, stateful_set_update_errors
from kubesim.api.batchv1 import Job
from kubesim.api.batchvalidation import job_update_errors
from kubesim.api.corev1 import ConfigMap, Pod, PodSpec, Secret, Service
from kubesim.api.fielderrors import FieldError, KeyPath, forbidden, invalid
from kubesim.api.metav1 import KubeObject
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.schedulingv1 import PriorityClass
from kubesim.api.scheme import SCHEME, Scheme
from kubesim.api.validation import validate_object

__all__ = ["validate_update"]

Errors = list[FieldError]

_IMMUTABLE = "field is immutable"
_SPEC: KeyPath = ("spec",)


def validate_update(new: KubeObject, old: KubeObject, scheme: Scheme = SCHEME) -> Errors:
    """What is wrong with putting ``new`` in the place of ``old``, besides ``new`` itself."""
    errors = validate_object(new, scheme)
    for field, name in _FIXED_METADATA.items():
        value = getattr(new.metadata, name)
        if value != getattr(old.metadata, name):
            errors.append(invalid(("metadata", field), value, _IMMUTABLE))
    if old.metadata.deletion_timestamp is not None:
        added = sorted(set(new.metadata.finalizers) - set(old.metadata.finalizers))
        if added:
            names = ", ".join(f'"{name}"' for name in added)
            text = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{names}}}"
            )
            errors.append(forbidden(("metadata", "finalizers"), text))
    check = _UPDATE_CHECKS.get(type(new))
    return errors if check is None else errors + check(new, old)


_FIXED_METADATA = {
    "name": "name",
    "namespace": "namespace",
    "uid": "uid",
    "creationTimestamp": "creation_timestamp",
}
_UPDATABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def _pod_update_errors(new: Pod, old: Pod) -> Errors:
    if new.spec == old.spec:
        return []
    for field, before, after in (
        ("containers", old.spec.containers, new.spec.containers),
        ("initContainers", old.spec.init_containers, new.spec.init_containers),
    ):
        if len(before) != len(after):
            return [forbidden((*_SPEC, field), "pod updates may not add or remove containers")]
    errors: Errors = []
    known = {gate.name for gate in old.spec.scheduling_gates}
    for index, gate in enumerate(new.spec.scheduling_gates):
        if gate.name not in known:
            text = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            errors.append(forbidden((*_SPEC, "schedulingGates", index, "name"), text))
    kept = {item.replace(toleration_seconds=None) for item in new.spec.tolerations}
    if any(item.replace(toleration_seconds=None) not in kept for item in old.spec.tolerations):
        text = "existing toleration can not be modified except its tolerationSeconds"
        errors.append(forbidden((*_SPEC, "tolerations"), text))
    if _without_updatable(new, old) != old.spec:
        text = f"pod updates may not change fields other than {_UPDATABLE}"
        errors.append(forbidden(_SPEC, text))
    return errors


def _without_updatable(new: Pod, old: Pod) -> PodSpec:
    """The new spec with the old values in all fields that may change."""
    spec, before = new.spec, old.spec
    changes: dict[str, Any] = {
        name: tuple(
            item.replace(image=was.image)
            for item, was in zip(getattr(spec, name), getattr(before, name), strict=True)
        )
        for name in ("containers", "init_containers")
    }
    if before.scheduling_gates and set(before.node_selector.items()) <= set(
        spec.node_selector.items()
    ):
        changes["node_selector"] = before.node_selector
    return spec.replace(
        **changes,
        active_deadline_seconds=before.active_deadline_seconds,
        scheduling_gates=before.scheduling_gates,
        tolerations=before.tolerations,
    )


def _selector_update_errors(new: Any, old: Any) -> Errors:
    if new.spec.selector == old.spec.selector:
        return []
    return [invalid((*_SPEC, "selector"), str(new.spec.selector), _IMMUTABLE)]


def _service_update_errors(new: Service, old: Service) -> Errors:
    was, is_ = old.spec.cluster_ip, new.spec.cluster_ip
    if not was or was == is_ or "ExternalName" in (old.spec.type, new.spec.type):
        return []
    return [invalid((*_SPEC, "clusterIPs", 0), is_, "may not change once set")]


def _runtime_class_update_errors(new: RuntimeClass, old: RuntimeClass) -> Errors:
    if new.handler == old.handler:
        return []
    return [invalid(("handler",), new.handler, _IMMUTABLE)]


def _priority_class_update_errors(new: PriorityClass, old: PriorityClass) -> Errors:
    errors: Errors = []
    if new.value != old.value:
        errors.append(forbidden(("value",), "may not be changed in an update."))
    if new.preemption_policy != old.preemption_policy:
        errors.append(invalid(("preemptionPolicy",), new.preemption_policy, _IMMUTABLE))
    return errors


def _data_update_errors(new: Any, old: Any) -> Errors:
    if not old.immutable:
        return []
    text = "field is immutable when `immutable` is set"
    fields = {"immutable": "immutable", "data": "data", "binary_data": "binaryData"}
    return [
        forbidden((wire,), text)
        for name, wire in fields.items()
        if getattr(new, name, None) != getattr(old, name, None)
    ]


_UPDATE_CHECKS: dict[type[KubeObject], Callable[[Any, Any], Errors]] = {
    ConfigMap: _data_update_errors,
    DaemonSet: daemon_set_update_errors,
    Deployment: _selector_update_errors,
    Job: job_update_errors,
    Pod: _pod_update_errors,
    PriorityClass: _priority_class_update_errors,
    ReplicaSet: _selector_update_errors,
    RuntimeClass: _runtime_class_update_errors,
    Secret: _data_update_errors,
    Service: _service_update_errors,
    StatefulSet: stateful_set_update_errors,
}
