"""The rules that all workloads share: selectors, templates of pods, numbers that may be percentages.

Mirrors: pkg/apis/apps/validation, apimachinery/pkg/apis/meta/v1/validation.
"""

from __future__ import annotations

from kubesim.api import formats
from kubesim.api.corev1 import PodTemplateSpec
from kubesim.api.fielderrors import (
    FieldError,
    KeyPath,
    forbidden,
    invalid,
    not_supported,
    required,
)
from kubesim.api.intstr import scaled_value
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import LabelSelector
from kubesim.api.model import KubeModel
from kubesim.api.podvalidation import label_errors, pod_spec_errors

Errors = list[FieldError]

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"
SPEC: KeyPath = ("spec",)


def selector_errors(selector: LabelSelector, path: KeyPath, *, empty_for: str = "") -> Errors:
    """What is wrong with a selector.

    Args:
        selector: The selector.
        path: Where it is.
        empty_for: The kind for which it may not be empty, if it may not.
    """
    errors = label_errors(selector.match_labels, (*path, "matchLabels"))
    for index, item in enumerate(selector.match_expressions):
        here = (*path, "matchExpressions", index)
        if item.operator in ("In", "NotIn") and not item.values:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            errors.append(required((*here, "values"), text))
        if item.operator in ("Exists", "DoesNotExist") and item.values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden((*here, "values"), text))
        complaints = formats.qualified_name(item.key)
        errors += [invalid((*here, "key"), item.key, text) for text in complaints]
        errors += [
            invalid((*here, "values", position), value, text)
            for position, value in enumerate(item.values)
            for text in formats.label_value(value)
        ]
    if empty_for and not selector.match_labels and not selector.match_expressions:
        errors.append(invalid(path, {}, f"empty selector is invalid for {empty_for}"))
    return errors


def pod_template_errors(template: PodTemplateSpec, path: KeyPath) -> Errors:
    """What is wrong with a template, whoever makes pods of it."""
    return [
        *label_errors(template.metadata.labels, (*path, "metadata", "labels")),
        *(error.under((*path, "spec")) for error in pod_spec_errors(template.spec)),
    ]


def mismatch_errors(
    template: PodTemplateSpec, selector: LabelSelector | None, path: KeyPath
) -> Errors:
    """Pods of a template that the selector does not find."""
    labels = template.metadata.labels
    empty = selector is None or not (selector.match_labels or selector.match_expressions)
    if empty or label_selector_matches(selector, labels):
        return []
    text = "`selector` does not match template `labels`"
    return [invalid((*path, "metadata", "labels"), labels, text)]


def always_running_errors(template: PodTemplateSpec, path: KeyPath, *, kind: str) -> Errors:
    """The rules for the template of something whose pods never end."""
    spec = template.spec
    errors: Errors = []
    if spec.restart_policy not in (None, "Always"):
        here = (*path, "spec", "restartPolicy")
        errors.append(not_supported(here, spec.restart_policy, ("Always",)))
    if spec.active_deadline_seconds is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden((*path, "spec", "activeDeadlineSeconds"), text))
    return errors


def not_negative(spec: KubeModel, path: KeyPath = SPEC, **fields: str) -> Errors:
    """Fields, by their names here and on the wire, that are less than 0."""
    return [
        invalid((*path, wire), getattr(spec, name), NOT_NEGATIVE)
        for name, wire in fields.items()
        if (getattr(spec, name) or 0) < 0
    ]


def int_or_percent_errors(value: int | str | None, path: KeyPath) -> Errors:
    """A number, or a percentage, that is none."""
    if isinstance(value, str):
        return [invalid(path, value, text) for text in formats.percent(value)]
    return [invalid(path, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def at_most_all_errors(value: int | str | None, path: KeyPath) -> Errors:
    """A percentage above 100."""
    if not isinstance(value, str) or formats.percent(value) or as_number(value) <= 100:
        return []
    return [invalid(path, value, "must not be greater than 100%")]


def as_number(value: int | str) -> int:
    """A number as it is, a percentage of 100."""
    return scaled_value(value, 100, round_up=True)


def immutable_errors(new: KubeModel, old: KubeModel, path: KeyPath, **fields: str) -> Errors:
    """Fields, by their names here and on the wire, that are not what they were."""
    return [
        invalid((*path, wire), shown(getattr(new, name)), IMMUTABLE)
        for name, wire in fields.items()
        if getattr(new, name) != getattr(old, name)
    ]


def shown(value: object) -> object:
    """A value of a field as an error shows it."""
    if isinstance(value, KubeModel):
        return value.model_dump(by_alias=True, exclude_unset=True)
    return value
