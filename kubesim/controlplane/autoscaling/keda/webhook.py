"""KEDA's admission webhooks for ScaledObjects and ScaledJobs.

Mirrors: kedacore/keda@8b4f083 apis/keda/v1alpha1/scaledobject_webhook.go, scaledjob_webhook.go, and
what the custom resources' own schemas refuse.
Departs: a trigger that is not simulated is refused; limits of a LimitRange count for no request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kubesim.api.appsv1 import Deployment, StatefulSet
from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.fielderrors import FieldError, invalid
from kubesim.api.kedav1alpha1 import (
    RESOURCE_TRIGGERS,
    ScaledJob,
    ScaledObject,
    scaled_job_errors,
    scaled_object_errors,
)
from kubesim.api.metav1 import KubeObject, controller_of
from kubesim.controlplane.autoscaling.keda.fallback import (
    BY_FORMULA,
    modifiers_of,
    modifiers_target,
)
from kubesim.controlplane.autoscaling.keda.formula import FormulaError, compiled
from kubesim.controlplane.autoscaling.keda.hpaobject import hpa_name, target_kind, target_of
from kubesim.controlplane.autoscaling.keda.scalers import check_trigger

LONGEST_NAME = 63
HPA_OWNERSHIP = "validations.keda.sh/hpa-ownership"
TRANSFER_OWNERSHIP = "scaledobject.keda.sh/transfer-hpa-ownership"


@dataclass(frozen=True, slots=True)
class ScaledObjectWebhook:
    """Validates ScaledObjects."""

    name: str = "vscaledobject.kb.io"
    kind: type[KubeObject] = ScaledObject

    def default(self, obj: Any, reader: Any) -> ScaledObject:  # noqa: ARG002  # the protocol's
        """Nothing is filled in."""
        scaled: ScaledObject = obj
        return scaled

    def validate(self, obj: Any, reader: Any) -> list[FieldError]:
        """Everything that is wrong with it."""
        scaled: ScaledObject = obj
        errors = scaled_object_errors(scaled)
        errors += _owner_errors(scaled, reader) + _request_errors(scaled, reader)
        if len(scaled.name) > LONGEST_NAME:
            text = f"must be no more than {LONGEST_NAME} characters"
            errors.append(invalid(("metadata", "name"), scaled.name, text))
        return (
            errors + _trigger_errors(scaled) + _fallback_errors(scaled) + _formula_errors(scaled)
        )


@dataclass(frozen=True, slots=True)
class ScaledJobWebhook:
    """Validates ScaledJobs."""

    name: str = "vscaledjob.kb.io"
    kind: type[KubeObject] = ScaledJob

    def default(self, obj: Any, reader: Any) -> ScaledJob:  # noqa: ARG002  # the protocol's
        """Nothing is filled in."""
        scaled: ScaledJob = obj
        return scaled

    def validate(self, obj: Any, reader: Any) -> list[FieldError]:  # noqa: ARG002
        """Everything that is wrong with it."""
        scaled: ScaledJob = obj
        errors = scaled_job_errors(scaled) + _trigger_errors(scaled)
        for index, trigger in enumerate(scaled.spec.triggers):
            if trigger.metric_type is not None:
                path = ("spec", "triggers", index, "metricType")
                text = "Cannot set metricType in ScaledJob triggers"
                errors.append(invalid(path, trigger.metric_type, text))
        return errors


def _owner_errors(scaled: ScaledObject, reader: Any) -> list[FieldError]:
    """Somebody else scales the workload already."""
    target, namespace = target_of(scaled), scaled.namespace
    path = ("spec", "scaleTargetRef", "name")
    what = (
        f"the workload '{target.name}' of type '{target_kind(scaled)}' is already managed by the"
    )
    errors: list[FieldError] = []
    if scaled.metadata.annotations.get(HPA_OWNERSHIP) != "false":
        transfer = scaled.metadata.annotations.get(TRANSFER_OWNERSHIP) == "true"
        for hpa in reader.values(HorizontalPodAutoscaler):
            owner = controller_of(hpa)
            mine = owner is not None and owner.kind == "ScaledObject" and owner.name == scaled.name
            same = hpa.namespace == namespace and hpa.spec.scale_target_ref == target
            if same and not mine and not (transfer and hpa.name == hpa_name(scaled)):
                errors.append(invalid(path, target.name, f"{what} hpa '{hpa.name}'"))
    for other in reader.values(ScaledObject):
        if other.namespace != namespace or other.name == scaled.name:
            continue
        if target_of(other) == target:
            errors.append(invalid(path, target.name, f"{what} ScaledObject '{other.name}'"))
        if hpa_name(other) == hpa_name(scaled):
            text = (
                f"the HPA '{hpa_name(scaled)}' is already managed by the ScaledObject "
                f"'{other.name}'"
            )
            errors.append(invalid(("metadata", "name"), scaled.name, text))
    return errors


def _request_errors(scaled: ScaledObject, reader: Any) -> list[FieldError]:
    """A resource is looked at of which a container of the workload requests nothing."""
    target = target_of(scaled)
    kinds: dict[str, Any] = {"Deployment": Deployment, "StatefulSet": StatefulSet}
    kind = kinds.get(target.kind)
    workload = None if kind is None else reader.get(kind, f"{scaled.namespace}/{target.name}")
    if workload is None:
        return []
    errors: list[FieldError] = []
    for index, trigger in enumerate(scaled.spec.triggers):
        if trigger.type not in RESOURCE_TRIGGERS:
            continue
        only = trigger.metadata.get("containerName", "")
        for container in workload.spec.template.spec.containers:
            resources = container.resources
            if only in ("", container.name) and not (
                trigger.type in resources.requests or trigger.type in resources.limits
            ):
                text = (
                    f"the scaledobject has a {trigger.type} trigger but the container "
                    f"{container.name} doesn't have the {trigger.type} request defined"
                )
                errors.append(invalid(("spec", "triggers", index, "type"), trigger.type, text))
    return errors


def _trigger_errors(scaled: ScaledObject | ScaledJob) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for index, trigger in enumerate(scaled.spec.triggers):
        if problem := check_trigger(trigger, scaled):
            errors.append(invalid(("spec", "triggers", index, "type"), trigger.type, problem))
        if trigger.name in names:
            text = f"triggerName '{trigger.name}' is defined multiple times in the ScaledObject"
            errors.append(invalid(("spec", "triggers", index, "name"), trigger.name, text))
        if trigger.name:
            names.add(trigger.name)
        if trigger.use_cached_metrics and trigger.type in (*RESOURCE_TRIGGERS, "cron"):
            path = ("spec", "triggers", index, "useCachedMetrics")
            text = f'property "useCachedMetrics" is not supported for {trigger.type} scaler'
            errors.append(invalid(path, True, text))
    return errors


def _fallback_errors(scaled: ScaledObject) -> list[FieldError]:
    fallback, path = scaled.spec.fallback, ("spec", "fallback")
    if fallback is None:
        return []
    if fallback.failure_threshold < 0 or fallback.replicas < 0:
        text = (
            f"FailureThreshold={fallback.failure_threshold} & Replicas={fallback.replicas} must "
            "both be greater than or equal to 0"
        )
        return [invalid(path, fallback.replicas, text)]
    modifiers = modifiers_of(scaled)
    if modifiers is None and all(t.type in RESOURCE_TRIGGERS for t in scaled.spec.triggers):
        text = (
            "at least one trigger (that is not cpu or memory) has to have the `AverageValue` type "
            "for the fallback to be enabled"
        )
        return [invalid(path, fallback.replicas, text)]
    if fallback.behavior == BY_FORMULA and (modifiers is None or not modifiers.formula):
        text = "scalingModifiers fallback behavior requires scalingModifiers.formula to be defined"
        return [invalid((*path, "behavior"), fallback.behavior, text)]
    return []


def _formula_errors(scaled: ScaledObject) -> list[FieldError]:
    modifiers = modifiers_of(scaled)
    if modifiers is None:
        return []
    path = ("spec", "advanced", "scalingModifiers")
    if not modifiers.formula:
        return [invalid(path, "", "error ScalingModifiers.Formula is mandatory")]
    if not modifiers.target:
        return [invalid((*path, "target"), "", "formula is given but target is empty")]
    if modifiers_target(modifiers) is None:
        text = "error converting target for scalingModifiers (string->float) to valid target"
        return [invalid((*path, "target"), modifiers.target, text)]
    names = tuple(
        t.name for t in scaled.spec.triggers if t.name and t.type not in RESOURCE_TRIGGERS
    )
    try:
        compiled(modifiers.formula, names).value(dict.fromkeys(names, -1.0))
    except FormulaError as error:
        text = f"error validating formula in ScalingModifiers: {error}"
        return [invalid((*path, "formula"), modifiers.formula, text)]
    return []


KEDA_WEBHOOKS = (ScaledObjectWebhook(), ScaledJobWebhook())
