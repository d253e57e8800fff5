"""What a job's policies say about a failed pod and about the indexes that succeeded. Pure functions.

Mirrors: pkg/controller/job/pod_failure_policy.go, success_policy.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kubesim.api.batchv1 import (
    PodFailurePolicy,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyRule,
    SuccessPolicy,
)
from kubesim.api.corev1 import Pod
from kubesim.api.corev1.containerstatus import ContainerStatus
from kubesim.controlplane.controllers.jobindexes import Indexes, parse_indexes


class Verdict(NamedTuple):
    """What the first rule that fits a failed pod wants.

    Attributes:
        counts: Whether the failure counts against ``backoffLimit``.
        action: The rule's action; empty when no rule fits.
        message: Why the whole job has failed; empty unless the action is ``FailJob``.
    """

    counts: bool = True
    action: str = ""
    message: str = ""


NO_RULE = Verdict()


def judge_failure(policy: PodFailurePolicy | None, pod: Pod) -> Verdict:
    """The verdict of a pod failure policy about a failed pod."""
    for number, rule in enumerate(policy.rules if policy is not None else ()):
        cause = _cause(rule, pod)
        if not cause:
            continue
        message = f"{cause} matching {rule.action} rule at index {number}"
        return Verdict(
            counts=rule.action != "Ignore",
            action=rule.action,
            message=message if rule.action == "FailJob" else "",
        )
    return NO_RULE


def _cause(rule: PodFailurePolicyRule, pod: Pod) -> str:
    """What about the pod a rule fits, in words; empty when it does not fit."""
    if rule.on_exit_codes is not None:
        found = _exited(pod.status.container_statuses, rule.on_exit_codes) or _exited(
            pod.status.init_container_statuses, rule.on_exit_codes
        )
        if found is None or found.state.terminated is None:
            return ""
        code = found.state.terminated.exit_code
        return f"Container {found.name} for pod {pod.key} failed with exit code {code}"
    for condition in pod.status.conditions:
        for pattern in rule.on_pod_conditions:
            if (condition.type, condition.status) == (pattern.type, pattern.status):
                return f"Pod {pod.key} has condition {condition.type}"
    return ""


def _exited(
    statuses: Iterable[ContainerStatus], wanted: PodFailurePolicyOnExitCodesRequirement
) -> ContainerStatus | None:
    for status in statuses:
        terminated = status.state.terminated
        if terminated is None or terminated.exit_code == 0:
            continue
        if wanted.container_name is not None and wanted.container_name != status.name:
            continue
        listed = terminated.exit_code in wanted.values
        if listed == (wanted.operator == "In"):
            return status
    return None


def met_success_rule(
    policy: SuccessPolicy | None, succeeded: Indexes, completions: int
) -> str | None:
    """Which rule of a success policy is met, in the words of the condition."""
    if policy is None or not succeeded:
        return None
    for number, rule in enumerate(policy.rules):
        if rule.succeeded_indexes is not None:
            required = parse_indexes(rule.succeeded_indexes, completions)
            have = len(set(required).intersection(succeeded))
            enough = rule.succeeded_count is not None and have >= rule.succeeded_count
            met = bool(required) and (have == len(required) or enough)
        else:
            met = rule.succeeded_count is not None and len(succeeded) >= rule.succeeded_count
        if met:
            return f"Matched rules at index {number}"
    return None
