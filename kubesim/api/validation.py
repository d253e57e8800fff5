"""The rules for objects: what an API server refuses, and with which words.

``validate_object`` judges an object on its own, after defaulting. Errors are values; whoever asks
turns them into a 422, or into a message about line 12 of a file. The rules for changes are in
``updatevalidation``, those for the specs of pods in ``podvalidation``, those for workloads beside
``templatevalidation``.

A namespace is not demanded: it comes from the request, or from the command line.

Mirrors: pkg/apis/{core,apps,batch,policy,node,scheduling}/validation, apimachinery/pkg/api/validation.
Departs: the rules about what is simulated, and the most common ones besides; taints are reported
under ``spec.taints`` (upstream says ``metadata.taints``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesim.api import formats
from kubesim.api.appsv1 import (
    DaemonSet,
    Deployment,
    DeploymentSpec,
    ReplicaSet,
    StatefulSet,
)
from kubesim.api.appsvalidation import budget_errors, daemon_set_errors, stateful_set_errors
from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.autoscalingvalidation import horizontal_pod_autoscaler_errors
from kubesim.api.batchv1 import CronJob, Job
from kubesim.api.batchvalidation import cron_job_errors, job_errors
from kubesim.api.corev1 import (
    ConfigMap,
    Namespace,
    Node,
    Pod,
    PodTemplateSpec,
    ResourceRequirements,
    Secret,
    Service,
    ServicePort,
)
from kubesim.api.fielderrors import (
    FieldError,
    Key,
    KeyPath,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject, LabelSelector, ObjectMeta, OwnerReference
from kubesim.api.nodev1 import RuntimeClass
from kubesim.api.podvalidation import (
    label_errors,
    pod_spec_errors,
    quantity_errors,
    resource_errors,
    toleration_errors,
)
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.api.schedulingv1 import PriorityClass
from kubesim.api.scheme import SCHEME, Scheme
from kubesim.api.templatevalidation import (
    always_running_errors,
    as_number,
    int_or_percent_errors,
    mismatch_errors,
    not_negative,
    pod_template_errors,
    selector_errors,
)

__all__ = ["object_meta_errors", "validate_object"]

Errors = list[FieldError]

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_PRIORITIES = {
    "system-node-critical": 2_000_001_000,
    "system-cluster-critical": 2_000_000_000,
}
TRAFFIC_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_ANNOTATIONS_MAX_BYTES = 256 * 1024
_DATA_MAX_BYTES = 1024 * 1024
_METADATA: KeyPath = ("metadata",)
_SPEC: KeyPath = ("spec",)
_TEMPLATE: KeyPath = ("spec", "template")


def validate_object(obj: KubeObject, scheme: Scheme = SCHEME) -> Errors:
    """What is wrong with an object; an empty list when it may be stored.

    Args:
        obj: The object, with its defaults filled in.
        scheme: Knows which kinds live in a namespace.
    """
    resource = scheme.find(obj.api_version, obj.kind)
    namespaced = resource is None or resource.namespaced
    name_format = _NAME_FORMATS.get(type(obj), formats.dns1123_subdomain)
    errors = object_meta_errors(obj.metadata, name_format, namespaced=namespaced)
    check = _CHECKS.get(type(obj))
    return errors if check is None else errors + check(obj)


def object_meta_errors(
    metadata: ObjectMeta, name_format: Callable[[str], tuple[str, ...]], *, namespaced: bool
) -> Errors:
    """What is wrong with an object's metadata."""
    errors: Errors = []
    if metadata.generate_name:
        # What will be appended begins with a letter or a digit, so a dash at the end is fine.
        prefix = metadata.generate_name
        masked = f"{prefix[:-1]}a" if len(prefix) > 1 and prefix.endswith("-") else prefix
        path = (*_METADATA, "generateName")
        errors += [invalid(path, prefix, text) for text in name_format(masked)]
    path = (*_METADATA, "name")
    if metadata.name:
        errors += [invalid(path, metadata.name, text) for text in name_format(metadata.name)]
    elif not metadata.generate_name:
        errors.append(required(path, "name or generateName is required"))
    errors += _namespace_errors(metadata.namespace, namespaced=namespaced)
    errors += label_errors(metadata.labels, (*_METADATA, "labels"))
    errors += _annotation_errors(metadata.annotations)
    errors += _owner_errors(metadata.owner_references)
    for index, finalizer in enumerate(metadata.finalizers):
        here = (*_METADATA, "finalizers", index)
        errors += [invalid(here, finalizer, text) for text in formats.qualified_name(finalizer)]
    return errors


def _namespace_errors(namespace: str | None, *, namespaced: bool) -> Errors:
    path = (*_METADATA, "namespace")
    if not namespace:
        return []
    if not namespaced:
        return [forbidden(path, "not allowed on this type")]
    return [invalid(path, namespace, text) for text in formats.dns1123_label(namespace)]


def _annotation_errors(annotations: FrozenMap[str, str]) -> Errors:
    path = (*_METADATA, "annotations")
    errors = [
        invalid(path, key, text)
        for key in annotations
        for text in formats.qualified_name(key.lower())
    ]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _ANNOTATIONS_MAX_BYTES:
        errors.append(too_long(path, _ANNOTATIONS_MAX_BYTES))
    return errors


def _owner_errors(owners: tuple[OwnerReference, ...]) -> Errors:
    path = (*_METADATA, "ownerReferences")
    errors: Errors = []
    for index, owner in enumerate(owners):
        here = (*path, index)
        for field, value in (
            ("apiVersion", owner.api_version),
            ("kind", owner.kind),
            ("name", owner.name),
            ("uid", owner.uid),
        ):
            if not value:
                errors.append(invalid((*here, field), value, "must not be empty"))
    controllers = [f"{owner.kind}/{owner.name}" for owner in owners if owner.controller]
    if len(controllers) > 1:
        text = (
            "Only one reference can have Controller set to true. Found "
            f'"true" in references for {controllers[0]} and {controllers[1]}'
        )
        errors.append(invalid(path, controllers, text))
    return errors


def _pod_errors(pod: Pod) -> Errors:
    errors = [error.under(_SPEC) for error in pod_spec_errors(pod.spec)]
    if pod.spec.ephemeral_containers:
        errors.append(forbidden((*_SPEC, "ephemeralContainers"), "cannot be set on create"))
    return errors


def _template_errors(template: PodTemplateSpec, selector: LabelSelector) -> Errors:
    """The rules for the template of something that keeps a number of pods running."""
    return [
        *mismatch_errors(template, selector, _TEMPLATE),
        *pod_template_errors(template, _TEMPLATE),
        *always_running_errors(template, _TEMPLATE, kind="ReplicaSet"),
    ]


def _replica_set_errors(replica_set: ReplicaSet) -> Errors:
    spec = replica_set.spec
    return [
        *not_negative(spec, replicas="replicas", min_ready_seconds="minReadySeconds"),
        *selector_errors(spec.selector, (*_SPEC, "selector"), empty_for="deployment"),
        *_template_errors(spec.template, spec.selector),
    ]


def _deployment_errors(deployment: Deployment) -> Errors:
    spec = deployment.spec
    errors = [
        *not_negative(
            spec,
            replicas="replicas",
            min_ready_seconds="minReadySeconds",
            revision_history_limit="revisionHistoryLimit",
            progress_deadline_seconds="progressDeadlineSeconds",
        ),
        *selector_errors(spec.selector, (*_SPEC, "selector"), empty_for="deployment"),
        *_template_errors(spec.template, spec.selector),
        *_strategy_errors(spec, (*_SPEC, "strategy")),
    ]
    deadline = spec.progress_deadline_seconds
    if deadline is not None and deadline <= (spec.min_ready_seconds or 0):
        path = (*_SPEC, "progressDeadlineSeconds")
        errors.append(invalid(path, deadline, "must be greater than minReadySeconds"))
    return errors


def _strategy_errors(spec: DeploymentSpec, path: KeyPath) -> Errors:
    strategy, path = spec.strategy, (*path, "rollingUpdate")
    rolling = strategy.rolling_update
    if strategy.type == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden(path, text)] if rolling is not None else []
    if rolling is None:
        return []
    surge, unavailable = rolling.max_surge, rolling.max_unavailable
    errors = int_or_percent_errors(unavailable, (*path, "maxUnavailable"))
    errors += int_or_percent_errors(surge, (*path, "maxSurge"))
    if errors or unavailable is None or surge is None:
        return errors
    if as_number(unavailable) == 0 and as_number(surge) == 0:
        text = "may not be 0 when `maxSurge` is 0"
        errors.append(invalid((*path, "maxUnavailable"), unavailable, text))
    if isinstance(unavailable, str) and as_number(unavailable) > 100:
        text = "must not be greater than 100%"
        errors.append(invalid((*path, "maxUnavailable"), unavailable, text))
    return errors


def _service_errors(service: Service) -> Errors:
    spec, path = service.spec, (*_SPEC, "ports")
    headless = spec.cluster_ip == "None"
    errors: Errors = []
    if spec.type == "ExternalName":
        if not spec.external_name:
            errors.append(required((*_SPEC, "externalName")))
    elif not spec.ports and not headless:
        errors.append(required(path))
    if headless and spec.type in ("NodePort", "LoadBalancer"):
        text = f"may not be set to 'None' for {spec.type} services"
        errors.append(invalid((*_SPEC, "clusterIPs", 0), "None", text))
    names: set[str] = set()
    numbers: set[tuple[str | None, int]] = set()
    for index, port in enumerate(spec.ports):
        here = (*path, index)
        errors += _service_port_errors(port, here, names, needs_name=len(spec.ports) > 1)
        if (port.protocol, port.port) in numbers:
            errors.append(duplicate(here, {"port": port.port, "protocol": port.protocol}))
        numbers.add((port.protocol, port.port))
        if spec.type == "ClusterIP" and port.node_port:
            text = "may not be used when `type` is 'ClusterIP'"
            errors.append(forbidden((*here, "nodePort"), text))
    wanted = spec.traffic_distribution
    if wanted is not None and wanted not in TRAFFIC_DISTRIBUTIONS:
        here = (*_SPEC, "trafficDistribution")
        errors.append(not_supported(here, wanted, TRAFFIC_DISTRIBUTIONS))
    return errors + label_errors(spec.selector, (*_SPEC, "selector"))


def _service_port_errors(
    port: ServicePort, path: KeyPath, names: set[str], *, needs_name: bool
) -> Errors:
    errors: Errors = []
    if port.name:
        complaints = formats.dns1123_label(port.name)
        errors += [invalid((*path, "name"), port.name, text) for text in complaints]
        if port.name in names:
            errors.append(duplicate((*path, "name"), port.name))
        names.add(port.name)
    elif needs_name:
        errors.append(required((*path, "name")))
    errors += [
        invalid((*path, "port"), port.port, text) for text in formats.port_number(port.port)
    ]
    target, here = port.target_port, (*path, "targetPort")
    if isinstance(target, int):
        errors += [invalid(here, target, text) for text in formats.port_number(target)]
    elif target is not None:
        errors += [invalid(here, target, text) for text in formats.port_name(target)]
    return errors


def _node_errors(node: Node) -> Errors:
    errors: Errors = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(node.spec.taints):
        here = (*_SPEC, "taints", index)
        complaints = formats.qualified_name(taint.key)
        errors += [invalid((*here, "key"), taint.key, text) for text in complaints]
        if taint.value and (complaints := formats.label_value(taint.value)):
            errors.append(invalid((*here, "value"), taint.value, ";".join(complaints)))
        if (taint.key, taint.effect) in seen:
            error = duplicate(here, {"key": taint.key, "effect": taint.effect})
            text = f"{error.message}: taints must be unique by key and effect pair"
            errors.append(FieldError(here, error.reason, text))
        seen.add((taint.key, taint.effect))
    for field, amounts in (
        ("capacity", node.status.capacity),
        ("allocatable", node.status.allocatable),
    ):
        for name, quantity in amounts.items():
            errors += quantity_errors(name, quantity, ("status", field, name))
    return errors


def _runtime_class_errors(runtime_class: RuntimeClass) -> Errors:
    handler = runtime_class.handler
    errors: Errors = []
    if not handler:
        errors.append(required(("handler",)))
    else:
        errors += [invalid(("handler",), handler, text) for text in formats.dns1123_label(handler)]
    if runtime_class.overhead is not None:
        fixed = ResourceRequirements.zero().replace(limits=runtime_class.overhead.pod_fixed)
        errors += resource_errors(fixed, ("overhead",))
    scheduling = runtime_class.scheduling
    if scheduling is not None:
        errors += label_errors(scheduling.node_selector, ("scheduling", "nodeSelector"))
        errors += toleration_errors(scheduling.tolerations, ("scheduling", "tolerations"))
    return errors


def _priority_class_errors(priority_class: PriorityClass) -> Errors:
    name, value = priority_class.name, priority_class.value or 0
    if name.startswith("system-"):
        if SYSTEM_PRIORITIES.get(name) == value:
            return []
        text = (
            "priority class names with 'system-' prefix are reserved for system use only. "
            f"error: {name} is not a known system priority class"
        )
        return [forbidden((*_METADATA, "name"), text)]
    if value > HIGHEST_USER_PRIORITY:
        limit = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        return [forbidden(("value",), limit)]
    return []


def _config_map_errors(config_map: ConfigMap) -> Errors:
    errors = _data_key_errors(config_map.data, "data")
    errors += _data_key_errors(config_map.binary_data, "binaryData")
    errors += [
        invalid(("data", Key(key)), key, "duplicate of key present in binaryData")
        for key in config_map.data
        if key in config_map.binary_data
    ]
    return errors


def _secret_errors(secret: Secret) -> Errors:
    return _data_key_errors(secret.data, "data")


def _data_key_errors(data: FrozenMap[str, str], field: str) -> Errors:
    errors = [
        invalid((field, Key(key)), key, text)
        for key in data
        for text in formats.config_map_key(key)
    ]
    if sum(len(value.encode()) for value in data.values()) > _DATA_MAX_BYTES:
        errors.append(too_long((field,), _DATA_MAX_BYTES))
    return errors


_NAME_FORMATS: dict[type[KubeObject], Callable[[str], tuple[str, ...]]] = {
    Namespace: formats.dns1123_label,
    Service: formats.dns1035_label,
    StatefulSet: formats.dns1123_label,
}
_CHECKS: dict[type[KubeObject], Callable[[Any], Errors]] = {
    ConfigMap: _config_map_errors,
    CronJob: cron_job_errors,
    DaemonSet: daemon_set_errors,
    Deployment: _deployment_errors,
    HorizontalPodAutoscaler: horizontal_pod_autoscaler_errors,
    Job: job_errors,
    Node: _node_errors,
    Pod: _pod_errors,
    PodDisruptionBudget: budget_errors,
    PriorityClass: _priority_class_errors,
    ReplicaSet: _replica_set_errors,
    RuntimeClass: _runtime_class_errors,
    Secret: _secret_errors,
    Service: _service_errors,
    StatefulSet: stateful_set_errors,
}
