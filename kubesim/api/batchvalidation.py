"""The rules for Jobs and CronJobs.

Mirrors: pkg/apis/batch/validation, pkg/registry/batch/job (what may change while a Job is suspended).
Departs: statuses are not judged; a Job is also read from a file, before it has the labels and the
selector that are generated for it, so these are demanded only where the selector is made by hand.
"""

from __future__ import annotations

import re

from kubesim.api import formats
from kubesim.api.batchv1 import (
    CronJob,
    Job,
    JobSpec,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyRule,
    SuccessPolicyRule,
)
from kubesim.api.corev1 import PodTemplateSpec
from kubesim.api.cron import CronError, load_zone, parse_schedule
from kubesim.api.fielderrors import KeyPath, duplicate, invalid, not_supported, required, too_many
from kubesim.api.indexes import IndexesError, check_indexes
from kubesim.api.templatevalidation import (
    SPEC,
    Errors,
    immutable_errors,
    mismatch_errors,
    not_negative,
    pod_template_errors,
    selector_errors,
    shown,
)

ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
MOST_INDEXED = 100_000
MOST_RULES = 20
MANY_COMPLETIONS, MOST_WITH_MANY = 100_000, 10_000
CRON_JOB_NAME_LENGTH = 52
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")


def job_errors(job: Job) -> Errors:
    """What is wrong with a Job."""
    spec = job.spec
    errors = _spec_errors(spec, SPEC)
    if spec.selector is None:
        errors += [required((*SPEC, "selector"))] if spec.manual_selector else []
    else:
        errors += selector_errors(spec.selector, (*SPEC, "selector"))
        errors += mismatch_errors(spec.template, spec.selector, (*SPEC, "template"))
    if spec.completion_mode == "Indexed" and spec.completions:
        hostname = f"{job.name}-{spec.completions - 1}"
        if formats.dns1123_label(hostname):
            text = f"will not able to create pod with invalid DNS label: {hostname}"
            errors.append(invalid(("metadata", "name"), job.name, text))
    return errors


def _spec_errors(spec: JobSpec, path: KeyPath) -> Errors:
    errors = not_negative(
        spec,
        path,
        parallelism="parallelism",
        completions="completions",
        active_deadline_seconds="activeDeadlineSeconds",
        backoff_limit="backoffLimit",
        ttl_seconds_after_finished="ttlSecondsAfterFinished",
        backoff_limit_per_index="backoffLimitPerIndex",
        max_failed_indexes="maxFailedIndexes",
    )
    if spec.max_failed_indexes is not None and spec.backoff_limit_per_index is None:
        text = "when maxFailedIndexes is specified"
        errors.append(required((*path, "backoffLimitPerIndex"), text))
    errors += _mode_errors(spec, path)
    if spec.pod_failure_policy is not None:
        errors += _failure_policy_errors(spec, (*path, "podFailurePolicy", "rules"))
    if spec.success_policy is not None:
        errors += _success_policy_errors(spec, (*path, "successPolicy"))
    errors += _replacement_errors(spec, (*path, "podReplacementPolicy"))
    errors += pod_template_errors(spec.template, (*path, "template"))
    return errors + _restart_policy_errors(spec, (*path, "template", "spec", "restartPolicy"))


def _mode_errors(spec: JobSpec, path: KeyPath) -> Errors:
    mode = spec.completion_mode
    if mode not in (None, "NonIndexed", "Indexed"):
        return [not_supported((*path, "completionMode"), mode, ("NonIndexed", "Indexed"))]
    if mode == "Indexed":
        return _indexed_errors(spec, path)
    text = "requires indexed completion mode"
    return [
        invalid((*path, wire), value, text)
        for wire, value in (
            ("backoffLimitPerIndex", spec.backoff_limit_per_index),
            ("maxFailedIndexes", spec.max_failed_indexes),
        )
        if value is not None
    ]


def _indexed_errors(spec: JobSpec, path: KeyPath) -> Errors:
    completions, parallelism = spec.completions, spec.parallelism or 0
    most_failed = spec.max_failed_indexes
    of_parallelism, of_failed = (*path, "parallelism"), (*path, "maxFailedIndexes")
    errors: Errors = []
    if completions is None:
        errors.append(required((*path, "completions"), "when completion mode is Indexed"))
    if parallelism > MOST_INDEXED:
        text = f"must be less than or equal to {MOST_INDEXED} when completion mode is Indexed"
        errors.append(invalid(of_parallelism, parallelism, text))
    if most_failed is not None and completions is not None and most_failed > completions:
        text = "must be less than or equal to completions"
        errors.append(invalid(of_failed, most_failed, text))
    if most_failed is not None and most_failed > MOST_INDEXED:
        text = f"must be less than or equal to {MOST_INDEXED}"
        errors.append(invalid(of_failed, most_failed, text))
    if (completions or 0) <= MANY_COMPLETIONS or spec.backoff_limit_per_index is None:
        return errors
    if most_failed is None:
        text = f"must be specified when completions is above {MANY_COMPLETIONS}"
        errors.append(required(of_failed, text))
    text = (
        f"must be less than or equal to {MOST_WITH_MANY} when completions are above "
        f"{MANY_COMPLETIONS} and used with backoff limit per index"
    )
    if parallelism > MOST_WITH_MANY:
        errors.append(invalid(of_parallelism, parallelism, text))
    if (most_failed or 0) > MOST_WITH_MANY:
        errors.append(invalid(of_failed, most_failed, text))
    return errors


def _failure_policy_errors(spec: JobSpec, path: KeyPath) -> Errors:
    assert spec.pod_failure_policy is not None
    pod = spec.template.spec
    names = {container.name for container in (*pod.containers, *pod.init_containers)}
    rules = spec.pod_failure_policy.rules
    return [
        *([too_many(path, len(rules), MOST_RULES)] if len(rules) > MOST_RULES else []),
        *(
            error
            for index, rule in enumerate(rules)
            for error in _failure_rule_errors(spec, rule, (*path, index), names)
        ),
    ]


def _failure_rule_errors(
    spec: JobSpec, rule: PodFailurePolicyRule, path: KeyPath, names: set[str]
) -> Errors:
    here = (*path, "action")
    errors: Errors = []
    if not rule.action:
        errors.append(required(here, f"valid values: [{_quoted(ACTIONS)}]"))
    elif rule.action not in ACTIONS:
        errors.append(not_supported(here, rule.action, ACTIONS))
    elif rule.action == "FailIndex" and spec.backoff_limit_per_index is None:
        text = "requires the backoffLimitPerIndex to be set"
        errors.append(invalid(here, rule.action, text))
    if rule.on_exit_codes is not None:
        errors += _exit_code_errors(rule.on_exit_codes, (*path, "onExitCodes"), names)
    for index, pattern in enumerate(rule.on_pod_conditions):
        here = (*path, "onPodConditions", index)
        complaints = formats.qualified_name(pattern.type)
        errors += [invalid((*here, "type"), pattern.type, text) for text in complaints]
        statuses = ("False", "True", "Unknown")
        if pattern.status not in (None, *statuses):
            errors.append(not_supported((*here, "status"), pattern.status, statuses))
    both = rule.on_exit_codes is not None and rule.on_pod_conditions
    if both or (rule.on_exit_codes is None and not rule.on_pod_conditions):
        text = (
            "specifying both OnExitCodes and OnPodConditions is not supported"
            if both
            else "specifying one of OnExitCodes and OnPodConditions is required"
        )
        errors.append(invalid(path, None, text))
    return errors


def _exit_code_errors(
    wanted: PodFailurePolicyOnExitCodesRequirement, path: KeyPath, names: set[str]
) -> Errors:
    of_operator, of_values = (*path, "operator"), (*path, "values")
    errors: Errors = []
    if not wanted.operator:
        errors.append(required(of_operator, 'valid values: ["In" "NotIn"]'))
    elif wanted.operator not in ("In", "NotIn"):
        errors.append(not_supported(of_operator, wanted.operator, ("In", "NotIn")))
    if wanted.container_name is not None and wanted.container_name not in names:
        text = "must be one of the container or initContainer names in the pod template"
        errors.append(invalid((*path, "containerName"), wanted.container_name, text))
    if not wanted.values:
        errors.append(invalid(of_values, wanted.values, "at least one value is required"))
    for index, code in enumerate(wanted.values):
        here = (*of_values, index)
        if wanted.operator == "In" and code == 0:
            errors.append(invalid(here, code, "must not be 0 for the In operator"))
        if code in wanted.values[:index]:
            errors.append(duplicate(here, code))
    if list(wanted.values) != sorted(wanted.values):
        errors.append(invalid(of_values, wanted.values, "must be ordered"))
    return errors


def _success_policy_errors(spec: JobSpec, path: KeyPath) -> Errors:
    assert spec.success_policy is not None
    rules = spec.success_policy.rules
    if spec.completion_mode != "Indexed":
        return [invalid(path, shown(spec.success_policy), "requires indexed completion mode")]
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        return [required((*path, "rules"), text)]
    if len(rules) > MOST_RULES:
        return [too_many((*path, "rules"), len(rules), MOST_RULES)]
    return [
        error
        for index, rule in enumerate(rules)
        for error in _success_rule_errors(rule, spec.completions or 0, (*path, "rules", index))
    ]


def _success_rule_errors(rule: SuccessPolicyRule, completions: int, path: KeyPath) -> Errors:
    errors: Errors = []
    if rule.succeeded_count is None and rule.succeeded_indexes is None:
        text = "at least one of succeededCount or succeededIndexes must be specified"
        errors.append(required(path, text))
    listed = 0
    if rule.succeeded_indexes is not None:
        try:
            listed = check_indexes(rule.succeeded_indexes, completions)
        except IndexesError as error:
            text = f"error parsing succeededIndexes: {error}"
            here = (*path, "succeededIndexes")
            errors.append(invalid(here, rule.succeeded_indexes, text))
    count, here = rule.succeeded_count, (*path, "succeededCount")
    if count is None:
        return errors
    errors += not_negative(rule, path, succeeded_count="succeededCount")
    if count > completions:
        text = f"must be less than or equal to {completions} (the number of specified completions)"
        errors.append(invalid(here, count, text))
    if rule.succeeded_indexes is not None and count > listed:
        text = (
            f"must be less than or equal to {listed} "
            "(the number of indexes in the specified succeededIndexes field)"
        )
        errors.append(invalid(here, count, text))
    return errors


def _replacement_errors(spec: JobSpec, path: KeyPath) -> Errors:
    choices = ("Failed",) if spec.pod_failure_policy else ("Failed", "TerminatingOrFailed")
    policy = spec.pod_replacement_policy
    return [] if policy in (None, *choices) else [not_supported(path, policy, choices)]


def _restart_policy_errors(spec: JobSpec, path: KeyPath) -> Errors:
    policy, choices = spec.template.spec.restart_policy, ("OnFailure", "Never")
    if policy in (None, "", "Always"):
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in choices:
        return [not_supported(path, policy, choices)]
    if spec.pod_failure_policy is not None and policy != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        return [invalid(path, policy, text)]
    return []


def _quoted(choices: tuple[str, ...]) -> str:
    return " ".join(f'"{choice}"' for choice in choices)


def job_update_errors(new: Job, old: Job) -> Errors:
    """What may not change about a Job."""
    errors: Errors = []
    if new.spec.completion_mode != "Indexed":
        errors += immutable_errors(new.spec, old.spec, SPEC, completions="completions")
    elif new.spec.completions not in (old.spec.completions, None, new.spec.parallelism):
        text = "can only be modified in tandem with spec.parallelism"
        errors.append(invalid((*SPEC, "completions"), new.spec.completions, text))
    errors += immutable_errors(new.spec, old.spec, SPEC, selector="selector")
    if new.spec.template != _with_what_may_change(new, old):
        text = "field is immutable"
        errors.append(invalid((*SPEC, "template"), shown(new.spec.template), text))
    return errors + immutable_errors(
        new.spec,
        old.spec,
        SPEC,
        completion_mode="completionMode",
        pod_failure_policy="podFailurePolicy",
        backoff_limit_per_index="backoffLimitPerIndex",
        managed_by="managedBy",
        success_policy="successPolicy",
    )


def _with_what_may_change(new: Job, old: Job) -> PodTemplateSpec:
    """The old template with what may be new: where its pods run, while it stands still."""
    before, after = old.spec.template, new.spec.template
    suspended = any(c.type == "Suspended" and c.status == "True" for c in old.status.conditions)
    stands_still = old.spec.suspend and (old.status.start_time is None or suspended)
    if not stands_still or old.status.active:
        return before
    affinity, wanted = before.spec.affinity, after.spec.affinity
    if wanted is not None:
        node = wanted.node_affinity
        affinity = (affinity or type(wanted)()).replace(node_affinity=node)
    elif affinity is not None and affinity.replace(node_affinity=None) == type(affinity)():
        affinity = None
    spec = before.spec.replace(
        affinity=affinity,
        node_selector=after.spec.node_selector,
        tolerations=after.spec.tolerations,
        scheduling_gates=after.spec.scheduling_gates,
        containers=_with_resources(before.spec.containers, after.spec.containers),
        init_containers=_with_resources(before.spec.init_containers, after.spec.init_containers),
    )
    metadata = before.metadata.replace(
        annotations=after.metadata.annotations, labels=after.metadata.labels
    )
    return before.replace(metadata=metadata, spec=spec)


def _with_resources(before: tuple, after: tuple) -> tuple:  # type: ignore[type-arg]
    if [one.name for one in before] != [one.name for one in after]:
        return before
    return tuple(
        old.replace(resources=new.resources) for old, new in zip(before, after, strict=True)
    )


def cron_job_errors(cron_job: CronJob) -> Errors:
    """What is wrong with a CronJob, new or not."""
    spec = cron_job.spec
    errors = _schedule_errors(spec.schedule, (*SPEC, "schedule"))
    errors += not_negative(spec, starting_deadline_seconds="startingDeadlineSeconds")
    errors += _time_zone_errors(spec.time_zone, (*SPEC, "timeZone"))
    policy, policies = spec.concurrency_policy, ("Allow", "Forbid", "Replace")
    if policy not in policies:
        here = (*SPEC, "concurrencyPolicy")
        errors.append(not_supported(here, policy, policies) if policy else required(here))
    job, here = spec.job_template.spec, (*SPEC, "jobTemplate", "spec")
    errors += _spec_errors(job, here)
    if job.selector is not None:
        text = "`selector` will be auto-generated"
        errors.append(invalid((*here, "selector"), shown(job.selector), text))
    if job.manual_selector:
        choices = ("nil", "false")
        errors.append(not_supported((*here, "manualSelector"), job.manual_selector, choices))
    errors += not_negative(
        spec,
        successful_jobs_history_limit="successfulJobsHistoryLimit",
        failed_jobs_history_limit="failedJobsHistoryLimit",
    )
    if len(cron_job.name) > CRON_JOB_NAME_LENGTH:
        text = f"must be no more than {CRON_JOB_NAME_LENGTH} characters"
        errors.append(invalid(("metadata", "name"), cron_job.name, text))
    return errors


def _schedule_errors(schedule: str, path: KeyPath) -> Errors:
    if not schedule:
        return [required(path)]
    errors: Errors = []
    try:
        parse_schedule(schedule)
    except CronError as error:
        errors.append(invalid(path, schedule, str(error)))
    if "TZ" in schedule:
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        errors.append(invalid(path, schedule, text))
    return errors


def _time_zone_errors(zone: str | None, path: KeyPath) -> Errors:
    if zone is None:
        return []
    if not zone:
        return [invalid(path, zone, "timeZone must be nil or non-empty string")]
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            return [invalid(path, zone, f"unknown time zone {zone}")]
    if zone.lower() == "local":
        text = (
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
        return [invalid(path, zone, text)]
    try:
        load_zone(zone)
    except CronError as error:
        return [invalid(path, zone, str(error))]
    return []
