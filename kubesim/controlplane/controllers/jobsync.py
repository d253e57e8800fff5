"""What a Job's state means and what to do about it. Pure functions.

One look at a job (``View``) is read into an ``Assessment``: who is active, what has ended since it
was last counted, whether the job is at its end. From it follow the pods to create or to delete
(``plan``) and what is to be counted (``account``). A pod carries a finalizer until it is counted, so
none is counted twice and none is missed; the end is announced by an interim condition
(``FailureTarget``, ``SuccessCriteriaMet``) and final only when no pod is left to count or to end.

Mirrors: pkg/controller/job/job_controller.go, indexed_job_utils.go.
Departs: no Workload and PodGroup objects; the feature gates have their 1.36 defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from kubesim.api.batchv1 import Job, JobCondition, JobSpec
from kubesim.api.corev1 import Pod
from kubesim.api.podutil import is_pod_ready, is_pod_terminal
from kubesim.controlplane.controllers.jobbackoff import (
    NO_FAILURES,
    Backoff,
    counted,
    finished_ns,
    remaining_ns,
)
from kubesim.controlplane.controllers.jobindexes import (
    Indexes,
    first_free,
    merged,
    parse_indexes,
)
from kubesim.controlplane.controllers.jobpolicy import judge_failure, met_success_rule
from kubesim.controlplane.controllers.podranking import to_delete
from kubesim.sim.time import SECOND

TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
FAILURE_COUNT = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURE_COUNT = "batch.kubernetes.io/job-index-ignored-failure-count"
MAX_PODS_PER_SYNC = 500  # MaxPodCreateDeletePerSync
FINAL = ("Complete", "Failed")


@dataclass(frozen=True, kw_only=True)
class View:
    """What a sync looks at.

    Attributes:
        job: The job.
        pods: All pods that it controls.
        stripped: UIDs of pods whose finalizer was taken off, which the cache does not know yet.
        backoff: The failures before.
        wall_ns: The time on the wall.
    """

    job: Job
    pods: tuple[Pod, ...]
    stripped: frozenset[str] = frozenset()
    backoff: Backoff = NO_FAILURES
    wall_ns: int

    @cached_property
    def active(self) -> tuple[Pod, ...]:
        """The pods that are neither over nor going."""
        return tuple(p for p in self.pods if not is_pod_terminal(p) and not is_going(p))

    @cached_property
    def terminating(self) -> tuple[Pod, ...]:
        """The pods that are going and not over yet."""
        return tuple(p for p in self.pods if not is_pod_terminal(p) and is_going(p))

    @cached_property
    def uncounted(self) -> tuple[Pod, ...]:
        """The pods that still have the finalizer."""
        return tuple(
            p
            for p in self.pods
            if TRACKING_FINALIZER in p.metadata.finalizers and p.uid not in self.stripped
        )


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a view means.

    Attributes:
        succeeded: Pods that succeeded, those not counted yet among them.
        failed: Pods that failed and count.
        backoff: The failures since the last success.
        finished: The condition with which the job ends, when it does.
        counted_indexes: Indexes that succeeded and are in the status.
        succeeded_indexes: The same, and those which are not there yet.
        failed_indexes: Indexes that have failed for good; ``None`` without a limit per index.
        delayed: Failed pods that keep their finalizer until their index has another pod, by index.
        look_again_ns: When a deadline makes another sync necessary, from now.
    """

    succeeded: int
    failed: int
    backoff: Backoff
    finished: JobCondition | None
    counted_indexes: Indexes = ()
    succeeded_indexes: Indexes = ()
    failed_indexes: Indexes | None = None
    delayed: dict[int, Pod] = field(default_factory=dict)
    look_again_ns: int | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do about the number of pods: delete some, or create some, or wait."""

    delete: tuple[Pod, ...] = ()
    create: int = 0
    indexes: Indexes = ()
    wait_ns: int = 0


def assess(view: View) -> Assessment:
    """Read a job's state."""
    job, status = view.job, view.job.status
    uncounted = status.uncounted_terminated_pods
    known_succeeded = uncounted.succeeded if uncounted else ()
    known_failed = uncounted.failed if uncounted else ()
    valid = [
        p for p in view.uncounted if not is_indexed(job) or _index_in_range(job, p) is not None
    ]
    new_succeeded = [
        p for p in valid if p.uid not in known_succeeded and p.status.phase == "Succeeded"
    ]
    new_failed = [p for p in valid if p.uid not in known_failed and is_failed(job, p)]
    counting = [p for p in new_failed if judge_failure(job.spec.pod_failure_policy, p).counts]
    succeeded = (status.succeeded or 0) + len(new_succeeded) + len(known_succeeded)
    failed = (status.failed or 0) + len(counting) + len(known_failed)
    backoff = counted(view.backoff, succeeded=new_succeeded, failed=new_failed)
    finished = _settled(view) or _past_a_limit(view, failed)
    look_again_ns = None
    if finished is None and job.spec.active_deadline_seconds is not None and not job.spec.suspend:
        look_again_ns = job.spec.active_deadline_seconds * SECOND - _active_for_ns(view)
    if not is_indexed(job):
        return Assessment(
            succeeded=succeeded,
            failed=failed,
            backoff=backoff,
            finished=finished,
            look_again_ns=look_again_ns,
        )
    completions = job.spec.completions or 0
    before = parse_indexes(status.completed_indexes, completions)
    now = merged(before, _indexes(p for p in valid if p.status.phase == "Succeeded"))
    failed_indexes: Indexes | None = None
    if job.spec.backoff_limit_per_index is not None:
        new = _indexes(p for p in valid if _is_index_failed(job, p))
        failed_indexes = merged(parse_indexes(status.failed_indexes, completions), new)
        finished = finished or _past_failed_indexes(view, failed_indexes, now)
    if finished is None:
        met = met_success_rule(job.spec.success_policy, now, completions)
        if met is not None:
            finished = condition("SuccessCriteriaMet", "SuccessPolicy", met, view.wall_ns)
    return Assessment(
        succeeded=len(now),
        failed=failed,
        backoff=backoff,
        finished=finished,
        counted_indexes=before,
        succeeded_indexes=now,
        failed_indexes=failed_indexes,
        delayed=_delayed(view, valid, now, failed_indexes),
        look_again_ns=look_again_ns,
    )


def _settled(view: View) -> JobCondition | None:
    """The end that an earlier sync announced, or that the failure policy demands."""
    conditions = {c.type: c for c in view.job.status.conditions if c.status == "True"}
    if (met := conditions.get("SuccessCriteriaMet")) is not None:
        return met
    if (target := conditions.get("FailureTarget")) is not None:
        return condition("Failed", target.reason or "", target.message or "", view.wall_ns)
    policy = view.job.spec.pod_failure_policy
    for pod in view.pods if policy is not None else ():
        message = judge_failure(policy, pod).message if is_failed(view.job, pod) else ""
        if message:
            return condition("FailureTarget", "PodFailurePolicy", message, view.wall_ns)
    return None


def _past_a_limit(view: View, failed: int) -> JobCondition | None:
    spec = view.job.spec
    limit = spec.backoff_limit if spec.backoff_limit is not None else 6
    if failed > limit or _restarted_too_often(view, limit):
        message = "Job has reached the specified backoff limit"
        return condition("FailureTarget", "BackoffLimitExceeded", message, view.wall_ns)
    deadline = spec.active_deadline_seconds
    if deadline is None or view.job.status.start_time is None or spec.suspend:
        return None
    if _active_for_ns(view) >= deadline * SECOND:
        message = "Job was active longer than specified deadline"
        return condition("FailureTarget", "DeadlineExceeded", message, view.wall_ns)
    return None


def _restarted_too_often(view: View, limit: int) -> bool:
    if view.job.spec.template.spec.restart_policy != "OnFailure":
        return False
    restarts = sum(
        status.restart_count
        for pod in view.pods
        if pod.status.phase in ("Running", "Pending")
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    )
    return restarts >= max(limit, 1)


def _active_for_ns(view: View) -> int:
    started_ns = view.job.status.start_time
    return 0 if started_ns is None else view.wall_ns - started_ns // SECOND * SECOND


def _past_failed_indexes(view: View, failed: Indexes, succeeded: Indexes) -> JobCondition | None:
    spec = view.job.spec
    if spec.max_failed_indexes is not None and len(failed) > spec.max_failed_indexes:
        message = "Job has exceeded the specified maximal number of failed indexes"
        return condition("FailureTarget", "MaxFailedIndexesExceeded", message, view.wall_ns)
    if failed and len(failed) + len(succeeded) >= (spec.completions or 0):
        return condition("FailureTarget", "FailedIndexes", "Job has failed indexes", view.wall_ns)
    return None


def _is_index_failed(job: Job, pod: Pod) -> bool:
    if not is_failed(job, pod):
        return False
    verdict = judge_failure(job.spec.pod_failure_policy, pod)
    limit = job.spec.backoff_limit_per_index or 0
    return verdict.action == "FailIndex" or (
        verdict.counts and _annotated(pod, FAILURE_COUNT) >= limit
    )


def _delayed(
    view: View, valid: Sequence[Pod], succeeded: Indexes, failed: Indexes | None
) -> dict[int, Pod]:
    """The last failed pod of each index that is to be tried again."""
    if failed is None:
        return {}
    done = {*succeeded, *failed, *_indexes(view.active)}
    known = view.job.status.uncounted_terminated_pods
    latest: dict[int, Pod] = {}
    for pod in valid:
        index = completion_index(pod)
        if index is None or index in done or not is_failed(view.job, pod):
            continue
        if known is not None and pod.uid in known.failed and index not in latest:
            latest[index] = pod
            continue
        before = latest.get(index)
        if before is None or _absolute_failures(before) <= _absolute_failures(pod):
            latest[index] = pod
    return latest


def plan(view: View, assessment: Assessment) -> Plan:
    """How many pods there should be, and what to do about it."""
    job, active = view.job, view.active
    if job.spec.suspend:
        return Plan(delete=_removable(view, len(active)))
    wanted = wanted_active(job.spec, assessment.succeeded, len(active))
    doomed = _removable(view, max(0, len(active) - wanted))[:MAX_PODS_PER_SYNC]
    if doomed:
        return Plan(delete=doomed)
    going = len(view.terminating) if only_replaces_failed(job) else 0
    missing = wanted - going - len(active)
    if missing <= 0:
        return Plan()
    per_index = job.spec.backoff_limit_per_index is not None
    if not per_index and (wait_ns := remaining_ns(assessment.backoff, wall_ns=view.wall_ns)):
        return Plan(wait_ns=wait_ns)
    missing = min(missing, MAX_PODS_PER_SYNC)
    return _next_indexes(view, assessment, missing) if is_indexed(job) else Plan(create=missing)


def _next_indexes(view: View, assessment: Assessment, missing: int) -> Plan:
    job = view.job
    taken = {
        *assessment.succeeded_indexes,
        *_indexes(view.active),
        *(assessment.failed_indexes or ()),
    }
    if only_replaces_failed(job):
        taken |= set(_indexes(view.terminating))
    indexes = first_free(taken, missing, job.spec.completions or 0)
    if job.spec.backoff_limit_per_index is not None:
        waits = {index: _index_wait_ns(view, assessment.delayed.get(index)) for index in indexes}
        indexes = tuple(index for index in indexes if not waits[index])
        if not indexes and waits:
            return Plan(wait_ns=min(waits.values()))
    return Plan(create=len(indexes), indexes=indexes)


def wanted_active(spec: JobSpec, succeeded: int, active: int) -> int:
    """How many pods should be active."""
    parallelism = 1 if spec.parallelism is None else spec.parallelism
    if spec.completions is None:
        return active if succeeded else parallelism
    return max(0, min(parallelism, spec.completions - succeeded))


def _index_wait_ns(view: View, last_failed: Pod | None) -> int:
    if last_failed is None:
        return 0
    failures = _absolute_failures(last_failed) + 1
    return remaining_ns(Backoff(failures, finished_ns(last_failed)), wall_ns=view.wall_ns)


def _removable(view: View, at_least: int) -> tuple[Pod, ...]:
    """The pods to delete: those whose index is another's or nobody's, then the cheapest."""
    left = list(view.active)
    doomed: list[Pod] = []
    if is_indexed(view.job):
        by_index: dict[int | None, list[Pod]] = {}
        for pod in left:
            by_index.setdefault(_index_in_range(view.job, pod), []).append(pod)
        left = []
        for index, pods in sorted(by_index.items(), key=lambda item: item[0] or 0):
            ranked = _ranked(view, pods)
            keep = 0 if index is None else 1
            doomed += ranked[: len(ranked) - keep]
            left += ranked[len(ranked) - keep :]
    if len(doomed) < at_least:
        doomed += _ranked(view, left)[: at_least - len(doomed)]
    return tuple(doomed)


def _ranked(view: View, pods: list[Pod]) -> list[Pod]:
    # The last one would not be ranked if all had to go.
    first = to_delete(pods, len(pods) - 1, related=(), wall_ns=view.wall_ns) if pods else []
    chosen = {pod.uid for pod in first}
    return [*first, *(pod for pod in pods if pod.uid not in chosen)]


def is_complete(spec: JobSpec, succeeded: int, active: int) -> bool:
    """Whether enough pods have succeeded and none is active any more."""
    if active:
        return False
    return succeeded > 0 if spec.completions is None else succeeded >= spec.completions


def is_finished(job: Job) -> bool:
    """Whether the job is over."""
    return any(c.type in FINAL and c.status == "True" for c in job.status.conditions)


def is_indexed(job: Job) -> bool:
    """Whether each completion has a number."""
    return job.spec.completion_mode == "Indexed"


def is_going(pod: Pod) -> bool:
    """Whether the pod is being deleted."""
    return pod.metadata.deletion_timestamp is not None


def only_replaces_failed(job: Job) -> bool:
    """Whether a pod that is going holds its place until it is over."""
    spec = job.spec
    return spec.pod_replacement_policy == "Failed" or spec.pod_failure_policy is not None


def is_failed(job: Job, pod: Pod) -> bool:
    """Whether a pod counts as failed; one that is being deleted does so at once, as a rule."""
    if pod.status.phase == "Failed":
        return True
    return not only_replaces_failed(job) and is_going(pod) and pod.status.phase != "Succeeded"


def count_ready(pods: Iterable[Pod]) -> int:
    """How many of the pods are ready."""
    return sum(map(is_pod_ready, pods))


def completion_index(pod: Pod) -> int | None:
    """The number of the completion that a pod works on."""
    text = pod.metadata.annotations.get(COMPLETION_INDEX, "")
    return int(text) if text.isdecimal() else None


def new_failure_counts(job: Job, replaced: Pod | None) -> tuple[int, int]:
    """What the next pod of an index carries on: failures that count, and ignored ones."""
    if replaced is None:
        return 0, 0
    counts = judge_failure(job.spec.pod_failure_policy, replaced).counts
    failures, ignored = (_annotated(replaced, a) for a in (FAILURE_COUNT, IGNORED_FAILURE_COUNT))
    return failures + counts, ignored + (not counts)


def condition(type_: str, reason: str, message: str, wall_ns: int) -> JobCondition:
    """A condition that holds since now."""
    return JobCondition(
        type=type_,
        status="True",
        last_probe_time=wall_ns,
        last_transition_time=wall_ns,
        reason=reason,
        message=message,
    )


def _index_in_range(job: Job, pod: Pod) -> int | None:
    index = completion_index(pod)
    return index if index is not None and index < (job.spec.completions or 0) else None


def _indexes(pods: Iterable[Pod]) -> list[int]:
    return [index for pod in pods if (index := completion_index(pod)) is not None]


def _annotated(pod: Pod, annotation: str) -> int:
    text = pod.metadata.annotations.get(annotation, "")
    return int(text) if text.isdecimal() else 0


def _absolute_failures(pod: Pod) -> int:
    return _annotated(pod, FAILURE_COUNT) + _annotated(pod, IGNORED_FAILURE_COUNT)
