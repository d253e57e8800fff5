"""The rules for StatefulSets, DaemonSets and PodDisruptionBudgets.

Mirrors: pkg/apis/apps/validation, pkg/apis/policy/validation.
Departs: of claim templates only that they ask for something; statuses are not judged.
"""

from __future__ import annotations

from kubesim.api import formats
from kubesim.api.appsv1 import (
    DaemonSet,
    DaemonSetUpdateStrategy,
    RollingUpdateDaemonSet,
    StatefulSet,
    StatefulSetSpec,
)
from kubesim.api.corev1 import PersistentVolumeClaim, PodTemplateSpec
from kubesim.api.fielderrors import Key, KeyPath, forbidden, invalid, not_supported, required
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.api.templatevalidation import (
    SPEC,
    Errors,
    always_running_errors,
    as_number,
    at_most_all_errors,
    immutable_errors,
    int_or_percent_errors,
    mismatch_errors,
    not_negative,
    pod_template_errors,
    selector_errors,
    shown,
)

_TEMPLATE: KeyPath = (*SPEC, "template")
_STRATEGY: KeyPath = (*SPEC, "updateStrategy")
_STATEFUL_SET_MAY_CHANGE = (
    "replicas", "ordinals", "template", "update_strategy", "revision_history_limit",
    "persistent_volume_claim_retention_policy", "min_ready_seconds",
)  # fmt: skip


def stateful_set_errors(stateful_set: StatefulSet) -> Errors:
    """What is wrong with a StatefulSet."""
    spec = stateful_set.spec
    errors: Errors = []
    if spec.pod_management_policy not in ("OrderedReady", "Parallel"):
        here = (*SPEC, "podManagementPolicy")
        text = "must be 'OrderedReady' or 'Parallel'"
        errors.append(invalid(here, spec.pod_management_policy, text))
    errors += _stateful_strategy_errors(spec)
    retention = spec.persistent_volume_claim_retention_policy
    if retention is not None:
        for wire, value in (
            ("whenDeleted", retention.when_deleted),
            ("whenScaled", retention.when_scaled),
        ):
            if value not in ("Retain", "Delete", None):
                here = (*SPEC, "persistentVolumeClaimRetentionPolicy", wire)
                errors.append(not_supported(here, value, ("Retain", "Delete")))
    for index, claim in enumerate(spec.volume_claim_templates):
        errors += _claim_errors(claim, (*SPEC, "volumeClaimTemplates", index, "spec"))
    errors += not_negative(spec, replicas="replicas", min_ready_seconds="minReadySeconds")
    if spec.ordinals is not None:
        errors += not_negative(spec.ordinals, (*SPEC, "ordinals"), start="start")
    if spec.service_name:
        here = (*SPEC, "serviceName")
        complaints = formats.dns1123_label(spec.service_name)
        errors += [invalid(here, spec.service_name, text) for text in complaints]
    errors += selector_errors(spec.selector, (*SPEC, "selector"), empty_for="statefulset")
    errors += mismatch_errors(spec.template, spec.selector, _TEMPLATE)
    errors += pod_template_errors(_without_identity(spec.template), _TEMPLATE)
    return errors + always_running_errors(spec.template, _TEMPLATE, kind="StatefulSet")


def _stateful_strategy_errors(spec: StatefulSetSpec) -> Errors:
    strategy, rolling = spec.update_strategy, spec.update_strategy.rolling_update
    here = (*_STRATEGY, "rollingUpdate")
    if strategy.type == "OnDelete":
        text = "only allowed for updateStrategy 'RollingUpdate'"
        return [] if rolling is None else [invalid(here, shown(rolling), text)]
    if strategy.type != "RollingUpdate":
        return [invalid(_STRATEGY, shown(strategy), "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    errors = not_negative(rolling, here, partition="partition")
    unavailable, here = rolling.max_unavailable, (*here, "maxUnavailable")
    if unavailable is not None:
        wrong = int_or_percent_errors(unavailable, here)
        errors += wrong
        if not wrong and as_number(unavailable) == 0:
            errors.append(invalid(here, unavailable, "cannot be 0"))
        errors += at_most_all_errors(unavailable, here)
    return errors


def _claim_errors(claim: PersistentVolumeClaim, path: KeyPath) -> Errors:
    errors: Errors = []
    if not claim.spec.access_modes:
        text = "at least 1 access mode is required"
        errors.append(required((*path, "accessModes"), text))
    if "storage" not in claim.spec.resources.requests:
        errors.append(required((*path, "resources", Key("storage"))))
    return errors


def _without_identity(template: PodTemplateSpec) -> PodTemplateSpec:
    """The template without what each pod gets of its own."""
    return template.replace(spec=template.spec.replace(hostname=None, subdomain=None))


def stateful_set_update_errors(new: StatefulSet, old: StatefulSet) -> Errors:
    """What may not change about a StatefulSet."""
    kept = {name: getattr(old.spec, name) for name in _STATEFUL_SET_MAY_CHANGE}
    if new.spec.replace(**kept) == old.spec:
        return []
    text = (
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
        "'minReadySeconds' are forbidden"
    )
    return [forbidden(SPEC, text)]


def daemon_set_errors(daemon_set: DaemonSet) -> Errors:
    """What is wrong with a DaemonSet."""
    spec = daemon_set.spec
    return [
        *selector_errors(spec.selector, (*SPEC, "selector"), empty_for="daemonset"),
        *mismatch_errors(spec.template, spec.selector, _TEMPLATE),
        *pod_template_errors(spec.template, _TEMPLATE),
        *always_running_errors(spec.template, _TEMPLATE, kind="DaemonSet"),
        *not_negative(spec, min_ready_seconds="minReadySeconds"),
        *_daemon_strategy_errors(spec.update_strategy),
        *not_negative(spec, revision_history_limit="revisionHistoryLimit"),
    ]


def _daemon_strategy_errors(strategy: DaemonSetUpdateStrategy) -> Errors:
    if strategy.type == "OnDelete":
        return []
    if strategy.type != "RollingUpdate":
        return [not_supported(_STRATEGY, strategy.type, ("RollingUpdate", "OnDelete"))]
    here = (*_STRATEGY, "rollingUpdate")
    if strategy.rolling_update is None:
        return [required(here)]
    return _daemon_rolling_errors(strategy.rolling_update, here)


def _daemon_rolling_errors(rolling: RollingUpdateDaemonSet, path: KeyPath) -> Errors:
    unavailable, surge = rolling.max_unavailable, rolling.max_surge
    of_unavailable, of_surge = (*path, "maxUnavailable"), (*path, "maxSurge")
    errors = int_or_percent_errors(unavailable, of_unavailable)
    errors += int_or_percent_errors(surge, of_surge)
    errors += at_most_all_errors(unavailable, of_unavailable)
    errors += at_most_all_errors(surge, of_surge)
    has_unavailable, has_surge = _is_some(unavailable), _is_some(surge)
    if has_unavailable and has_surge:
        errors.append(invalid(of_surge, surge, "may not be set when maxUnavailable is non-zero"))
    elif not has_unavailable and not has_surge:
        errors.append(required(of_unavailable, "cannot be 0 when maxSurge is 0"))
    return errors


def _is_some(value: int | str | None) -> bool:
    if value is None or (isinstance(value, str) and formats.percent(value)):
        return False
    return as_number(value) != 0


def daemon_set_update_errors(new: DaemonSet, old: DaemonSet) -> Errors:
    """What may not change about a DaemonSet."""
    return immutable_errors(new.spec, old.spec, SPEC, selector="selector")


def budget_errors(budget: PodDisruptionBudget) -> Errors:
    """What is wrong with a PodDisruptionBudget."""
    spec = budget.spec
    errors: Errors = []
    if spec.min_available is not None and spec.max_unavailable is not None:
        text = "minAvailable and maxUnavailable cannot be both set"
        errors.append(invalid(SPEC, shown(spec), text))
    for wire, value in (
        ("minAvailable", spec.min_available),
        ("maxUnavailable", spec.max_unavailable),
    ):
        errors += int_or_percent_errors(value, (*SPEC, wire))
        errors += at_most_all_errors(value, (*SPEC, wire))
    if spec.selector is not None:
        errors += selector_errors(spec.selector, (*SPEC, "selector"))
    policy, policies = spec.unhealthy_pod_eviction_policy, ("AlwaysAllow", "IfHealthyBudget")
    if policy is not None and policy not in policies:
        errors.append(not_supported((*SPEC, "unhealthyPodEvictionPolicy"), policy, policies))
    return errors
