"""The rules for pod specs: what an API server refuses, and with which words.

All functions are pure: a part of a pod comes in with its path, errors come out.
``pod_spec_errors`` is remembered by the spec's value, because thousands of pods have few different
specs.

Mirrors: pkg/apis/core/validation/validation.go.
Departs: volumes, security contexts, probes' handlers, DNS settings and other fields that are not
simulated are not checked beyond their types.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from kubesim.api import formats
from kubesim.api.corev1 import (
    Affinity,
    Container,
    ContainerPort,
    EnvVar,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodSchedulingGate,
    PodSpec,
    PreferredSchedulingTerm,
    ResourceRequirements,
    Toleration,
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
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity

__all__ = [
    "label_errors",
    "pod_spec_errors",
    "quantity_errors",
    "resource_errors",
    "toleration_errors",
]

_NOT_NEGATIVE = "must be greater than or equal to 0"
_STANDARD = ("cpu", "memory", "ephemeral-storage")
_INT32_MAX = 2**31 - 1

Errors = list[FieldError]


@lru_cache(maxsize=2**14)
def pod_spec_errors(spec: PodSpec) -> tuple[FieldError, ...]:
    """What is wrong with a pod's spec, after defaulting; paths begin below ``spec``."""
    return (
        *_container_list_errors(spec),
        *_init_container_errors(spec),
        *_resize_policy_errors(spec),
        *label_errors(spec.node_selector, ("nodeSelector",)),
        *_affinity_errors(spec.affinity, ("affinity",)),
        *_gate_errors(spec.scheduling_gates, ("schedulingGates",)),
        *_name_errors(spec),
        *toleration_errors(spec.tolerations, ("tolerations",)),
        *resource_errors(ResourceRequirements.zero().replace(limits=spec.overhead), ("overhead",)),
        *_number_errors(spec),
    )


def _name_errors(spec: PodSpec) -> Errors:
    checks = (
        ("nodeName", spec.node_name, formats.dns1123_subdomain),
        ("serviceAccountName", spec.service_account_name, formats.dns1123_subdomain),
        ("priorityClassName", spec.priority_class_name, formats.dns1123_subdomain),
        ("runtimeClassName", spec.runtime_class_name, formats.dns1123_subdomain),
        ("hostname", spec.hostname, formats.dns1123_label),
        ("subdomain", spec.subdomain, formats.dns1123_label),
    )
    return [
        invalid((field,), value, text)
        for field, value, complaints in checks
        if value
        for text in complaints(value)
    ]


def _number_errors(spec: PodSpec) -> Errors:
    deadline, grace = spec.active_deadline_seconds, spec.termination_grace_period_seconds
    errors: Errors = []
    if deadline is not None and not 1 <= deadline <= _INT32_MAX:
        text = formats.range_complaint(1, _INT32_MAX)
        errors.append(invalid(("activeDeadlineSeconds",), deadline, text))
    if grace is not None and grace < 0:
        errors.append(invalid(("terminationGracePeriodSeconds",), grace, _NOT_NEGATIVE))
    return errors


def _container_list_errors(spec: PodSpec) -> Errors:
    path: KeyPath = ("containers",)
    if not spec.containers:
        return [required(path)]
    errors: Errors = []
    names: set[str] = set()
    for index, container in enumerate(spec.containers):
        here = (*path, index)
        errors += _container_errors(container, here)
        if container.name in names:
            errors.append(duplicate((*here, "name"), container.name))
        names.add(container.name)
    return errors + _host_port_errors(spec.containers, path)


def _init_container_errors(spec: PodSpec) -> Errors:
    errors: Errors = []
    names = {container.name for container in spec.containers}
    for index, container in enumerate(spec.init_containers):
        here: KeyPath = ("initContainers", index)
        errors += _container_errors(container, here)
        if container.name in names:
            errors.append(duplicate((*here, "name"), container.name))
        names.add(container.name)
        if container.restart_policy == "Always":
            continue
        for field, value in (
            ("lifecycle", container.lifecycle),
            ("livenessProbe", container.liveness_probe),
            ("readinessProbe", container.readiness_probe),
            ("startupProbe", container.startup_probe),
        ):
            if value is not None:
                text = "may not be set for init containers without restartPolicy=Always"
                errors.append(forbidden((*here, field), text))
    return errors


def _resize_policy_errors(spec: PodSpec) -> Errors:
    """What is wrong with what is to happen to containers that are resized."""
    errors: Errors = []
    for field, containers in (
        ("initContainers", spec.init_containers),
        ("containers", spec.containers),
    ):
        for index, container in enumerate(containers):
            path = (field, index, "resizePolicy")
            seen: set[str] = set()
            for policy in container.resize_policy:
                name, restart = policy.resource_name, policy.restart_policy
                if name in seen:
                    errors.append(duplicate(path, name))
                seen.add(name)
                if name not in ("cpu", "memory"):
                    errors.append(not_supported(path, name, ("cpu", "memory")))
                if restart not in ("NotRequired", "RestartContainer"):
                    supported = ("NotRequired", "RestartContainer")
                    errors.append(not_supported(path, restart, supported))
                elif spec.restart_policy == "Never" and restart != "NotRequired":
                    text = "must be 'NotRequired' when `restartPolicy` is 'Never'"
                    errors.append(invalid(path, restart, text))
    return errors


def _container_errors(container: Container, path: KeyPath) -> Errors:
    errors: Errors = []
    if not container.name:
        errors.append(required((*path, "name")))
    else:
        errors += [
            invalid((*path, "name"), container.name, text)
            for text in formats.dns1123_label(container.name)
        ]
    if not container.image:
        errors.append(required((*path, "image")))
    elif container.image != container.image.strip():
        text = "must not have leading or trailing whitespace"
        errors.append(invalid((*path, "image"), container.image, text))
    errors += _port_errors(container.ports, (*path, "ports"))
    errors += _env_errors(container.env, (*path, "env"))
    return errors + resource_errors(container.resources, (*path, "resources"))


def _port_errors(ports: tuple[ContainerPort, ...], path: KeyPath) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        here = (*path, index)
        if port.name:
            complaints = formats.port_name(port.name)
            errors += [invalid((*here, "name"), port.name, text) for text in complaints]
            if not complaints and port.name in names:
                errors.append(duplicate((*here, "name"), port.name))
            names.add(port.name)
        if not port.container_port:
            errors.append(required((*here, "containerPort")))
        for field, number in (
            ("containerPort", port.container_port),
            ("hostPort", port.host_port),
        ):
            if number:
                errors += [
                    invalid((*here, field), number, text) for text in formats.port_number(number)
                ]
    return errors


def _host_port_errors(containers: tuple[Container, ...], path: KeyPath) -> Errors:
    errors: Errors = []
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(container.ports):
            if not port.host_port:
                continue
            claim = f"{port.protocol or 'TCP'}/{port.host_ip or ''}/{port.host_port}"
            if claim in taken:
                errors.append(duplicate((*path, index, "ports", position, "hostPort"), claim))
            taken.add(claim)
    return errors


def _env_errors(variables: tuple[EnvVar, ...], path: KeyPath) -> Errors:
    errors: Errors = []
    for index, variable in enumerate(variables):
        here = (*path, index)
        if not variable.name:
            errors.append(required((*here, "name")))
        else:
            errors += [
                invalid((*here, "name"), variable.name, text)
                for text in formats.env_var_name(variable.name)
            ]
        if variable.value and variable.value_from is not None:
            text = "may not be specified when `value` is not empty"
            errors.append(invalid((*here, "valueFrom"), "", text))
    return errors


def resource_errors(resources: ResourceRequirements, path: KeyPath) -> Errors:
    """What is wrong with requests and limits: names, amounts, and how they relate."""
    errors: Errors = []
    for field, amounts in (("limits", resources.limits), ("requests", resources.requests)):
        for name, quantity in amounts.items():
            here = (*path, field, Key(name))
            errors += _resource_name_errors(name, here)
            errors += quantity_errors(name, quantity, here)
    for name, request in resources.requests.items():
        limit = resources.limits.get(name)
        if limit is None:
            if not _may_overcommit(name):
                text = "Limit must be set for non overcommitable resources"
                errors.append(required((*path, "limits"), text))
        elif request != limit and not _may_overcommit(name):
            text = f"must be equal to {name} limit of {limit}"
            errors.append(invalid((*path, "requests"), str(request), text))
        elif request > limit:
            text = f"must be less than or equal to {name} limit of {limit}"
            errors.append(invalid((*path, "requests"), str(request), text))
    return errors


def quantity_errors(name: str, quantity: Quantity, path: KeyPath) -> Errors:
    """What is wrong with the amount of one resource."""
    if quantity.nanos < 0:
        return [invalid(path, str(quantity), _NOT_NEGATIVE)]
    if _is_counted(name) and quantity.nanos % 10**9:
        return [invalid(path, str(quantity), "must be an integer")]
    return []


def _resource_name_errors(name: str, path: KeyPath) -> Errors:
    if complaints := formats.qualified_name(name):
        return [invalid(path, name, text) for text in complaints]
    if "/" in name or name in _STANDARD or name.startswith("hugepages-"):
        return []
    return [
        invalid(path, name, "must be a standard resource type or fully qualified"),
        invalid(path, name, "must be a standard resource for containers"),
    ]


def _is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _is_counted(name: str) -> bool:
    """Whether only whole numbers of a resource make sense: pods, and devices."""
    return name == "pods" or not _is_native(name)


def _may_overcommit(name: str) -> bool:
    return _is_native(name) and not name.startswith("hugepages-")


def label_errors(labels: FrozenMap[str, str], path: KeyPath) -> Errors:
    """What is wrong with labels, or with a selector that consists of them."""
    errors: Errors = []
    for key, value in labels.items():
        errors += [invalid(path, key, text) for text in formats.qualified_name(key)]
        errors += [invalid(path, value, text) for text in formats.label_value(value)]
    return errors


def toleration_errors(tolerations: tuple[Toleration, ...], path: KeyPath) -> Errors:
    """What is wrong with tolerations."""
    errors: Errors = []
    for index, toleration in enumerate(tolerations):
        errors += _toleration_errors(toleration, (*path, index))
    return errors


def _toleration_errors(toleration: Toleration, path: KeyPath) -> Errors:
    errors: Errors = []
    key, value, operator = toleration.key or "", toleration.value or "", toleration.operator
    if key:
        errors += [invalid((*path, "key"), key, text) for text in formats.qualified_name(key)]
    elif operator != "Exists":
        text = (
            "operator must be Exists when `key` is empty, "
            'which means "match all values and all keys"'
        )
        errors.append(invalid((*path, "operator"), operator or "", text))
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(invalid((*path, "effect"), toleration.effect or "", text))
    if operator in ("Lt", "Gt"):
        errors.append(not_supported((*path, "operator"), operator, ("Equal", "Exists")))
    elif operator == "Exists":
        if value:
            text = "value must be empty when `operator` is 'Exists'"
            errors.append(invalid((*path, "operator"), value, text))
    elif complaints := formats.label_value(value):
        errors.append(invalid((*path, "operator"), value, ";".join(complaints)))
    return errors


def _gate_errors(gates: tuple[PodSchedulingGate, ...], path: KeyPath) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        here = (*path, index)
        errors += [invalid(here, gate.name, text) for text in formats.qualified_name(gate.name)]
        if gate.name in seen:
            errors.append(duplicate(here, gate.name))
        seen.add(gate.name)
    return errors


def _affinity_errors(affinity: Affinity | None, path: KeyPath) -> Errors:
    if affinity is None or affinity.node_affinity is None:
        return []
    node_affinity, here = affinity.node_affinity, (*path, "nodeAffinity")
    hard = node_affinity.required_during_scheduling_ignored_during_execution
    soft = node_affinity.preferred_during_scheduling_ignored_during_execution
    errors: Errors = []
    if hard is not None:
        field = "requiredDuringSchedulingIgnoredDuringExecution"
        errors += _node_selector_errors(hard, (*here, field))
    return errors + _preference_errors(
        soft, (*here, "preferredDuringSchedulingIgnoredDuringExecution")
    )


def _node_selector_errors(selector: NodeSelector, path: KeyPath) -> Errors:
    path = (*path, "nodeSelectorTerms")
    if not selector.node_selector_terms:
        return [required(path, "must have at least one node selector term")]
    errors: Errors = []
    for index, term in enumerate(selector.node_selector_terms):
        errors += _term_errors(term, (*path, index), check_values=True)
    return errors


def _preference_errors(terms: Iterable[PreferredSchedulingTerm], path: KeyPath) -> Errors:
    errors: Errors = []
    for index, term in enumerate(terms):
        here = (*path, index)
        if not 1 <= term.weight <= 100:
            errors.append(invalid((*here, "weight"), term.weight, "must be in the range 1-100"))
        errors += _term_errors(term.preference, (*here, "preference"), check_values=False)
    return errors


def _term_errors(term: NodeSelectorTerm, path: KeyPath, *, check_values: bool) -> Errors:
    errors: Errors = []
    for index, item in enumerate(term.match_expressions):
        here = (*path, "matchExpressions", index)
        errors += _requirement_errors(item, here, check_values=check_values)
    for index, item in enumerate(term.match_fields):
        errors += _field_requirement_errors(item, (*path, "matchFields", index))
    return errors


def _requirement_errors(
    item: NodeSelectorRequirement, path: KeyPath, *, check_values: bool
) -> Errors:
    values_path = (*path, "values")
    errors: Errors = []
    if item.operator in ("In", "NotIn"):
        if not item.values:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            errors.append(required(values_path, text))
    elif item.operator in ("Exists", "DoesNotExist"):
        if item.values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden(values_path, text))
    elif len(item.values) != 1:
        text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        errors.append(required(values_path, text))
    errors += [
        invalid((*path, "key"), item.key, text) for text in formats.qualified_name(item.key)
    ]
    if check_values:
        errors += [
            invalid((*values_path, index), value, text)
            for index, value in enumerate(item.values)
            for text in formats.label_value(value)
        ]
    return errors


def _field_requirement_errors(item: NodeSelectorRequirement, path: KeyPath) -> Errors:
    errors: Errors = []
    if item.operator not in ("In", "NotIn"):
        errors.append(invalid((*path, "operator"), item.operator, "not a valid selector operator"))
    elif len(item.values) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(required((*path, "values"), text))
    if item.key != "metadata.name":
        errors.append(invalid((*path, "key"), item.key, "not a valid field selector key"))
    return errors
