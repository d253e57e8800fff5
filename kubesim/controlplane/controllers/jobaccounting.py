"""Counting a Job's ended pods, each exactly once. Pure functions.

First the UIDs of ended pods go into the status, then the finalizers come off, then the UIDs become
numbers: whenever the controller is interrupted, it finds out what is still to be done. An indexed
job's successes need no UIDs: the index says enough.

Mirrors: pkg/controller/job/job_controller.go (trackJobStatusAndRemoveFinalizers and what it calls).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kubesim.api.batchv1 import Job, JobCondition, JobStatus, UncountedTerminatedPods
from kubesim.api.corev1 import Pod
from kubesim.controlplane.controllers.jobindexes import Indexes, format_indexes, merged
from kubesim.controlplane.controllers.jobpolicy import judge_failure
from kubesim.controlplane.controllers.jobsync import (
    Assessment,
    View,
    completion_index,
    condition,
    is_failed,
    is_indexed,
)

MAX_UNCOUNTED_PODS = 500


@dataclass(frozen=True, kw_only=True)
class Account:
    """What has to be written down, and which finalizers come off then.

    Attributes:
        status: The status to write first.
        strip: The pods whose finalizer comes off after that.
        finished: The final condition, for when nothing is left to count.
        full: Whether there is more to count than one sync counts.
    """

    status: JobStatus
    strip: tuple[Pod, ...]
    finished: JobCondition | None
    full: bool


def account(
    view: View, assessment: Assessment, status: JobStatus, finished: JobCondition | None
) -> Account:
    """Count what has ended.

    Args:
        view: What the sync looks at.
        assessment: What it means.
        status: The job's status with its new numbers of active pods.
        finished: The condition with which the job ends, if it does.
    """
    job = view.job
    status = cleaned(status, {pod.uid for pod in view.uncounted})
    uncounted = status.uncounted_terminated_pods or UncountedTerminatedPods()
    succeeded, failed = list(uncounted.succeeded), list(uncounted.failed)
    indexes: list[int] = []
    strip: list[Pod] = []
    full = False
    for pod in _in_order(view):
        if not _may_strip(view, assessment, pod, finished):
            continue
        strip.append(pod)
        index = completion_index(pod)
        in_range = index is not None and index < (job.spec.completions or 0)
        if pod.status.phase == "Succeeded" and pod.uid not in uncounted.failed:
            if not is_indexed(job):
                if pod.uid not in uncounted.succeeded:
                    succeeded.append(pod.uid)
            elif in_range and index is not None and index not in assessment.counted_indexes:
                indexes.append(index)
        elif _counts_as_failed(job, pod, finished, in_range) and pod.uid not in failed:
            failed.append(pod.uid)
        full = len(indexes) + len(succeeded) + len(failed) >= MAX_UNCOUNTED_PODS
        if full:
            break
    status = _with_uncounted(status, tuple(succeeded), tuple(failed))
    if is_indexed(job):
        done = merged(assessment.counted_indexes, indexes)
        status = _with_indexes(status, done, assessment.failed_indexes)
    status, finished = _announced(status, finished, view.wall_ns)
    return Account(status=status, strip=tuple(strip), finished=finished, full=full)


def _announced(
    status: JobStatus, finished: JobCondition | None, wall_ns: int
) -> tuple[JobStatus, JobCondition | None]:
    """The status with the interim condition, and the final one that follows."""
    if finished is None or finished.type not in ("FailureTarget", "SuccessCriteriaMet"):
        return status, finished
    if all(c.type != finished.type for c in status.conditions):
        status = status.replace(conditions=(*status.conditions, finished))
    final = "Failed" if finished.type == "FailureTarget" else "Complete"
    return status, condition(final, finished.reason or "", finished.message or "", wall_ns)


def cleaned(status: JobStatus, uids_with_finalizer: Collection[str]) -> JobStatus:
    """The status with those pods counted whose finalizer is off."""
    uncounted = status.uncounted_terminated_pods
    if uncounted is None:
        return status
    succeeded = tuple(uid for uid in uncounted.succeeded if uid in uids_with_finalizer)
    failed = tuple(uid for uid in uncounted.failed if uid in uids_with_finalizer)
    more_succeeded = len(uncounted.succeeded) - len(succeeded)
    more_failed = len(uncounted.failed) - len(failed)
    if not more_succeeded and not more_failed:
        return status
    status = status.replace(
        succeeded=(status.succeeded or 0) + more_succeeded or None,
        failed=(status.failed or 0) + more_failed or None,
    )
    return _with_uncounted(status, succeeded, failed)


def closed(status: JobStatus, finished: JobCondition | None, wall_ns: int) -> JobStatus:
    """The status with the final condition, once nothing is uncounted and nothing still ends."""
    uncounted = status.uncounted_terminated_pods
    open_ones = uncounted is not None and (uncounted.succeeded or uncounted.failed)
    if finished is None or open_ones or status.terminating:
        return status
    done = condition(finished.type, finished.reason or "", finished.message or "", wall_ns)
    status = status.replace(
        conditions=(*(c for c in status.conditions if c.type != done.type), done)
    )
    return status.replace(completion_time=wall_ns) if done.type == "Complete" else status


def _in_order(view: View) -> tuple[Pod, ...]:
    if not is_indexed(view.job):
        return view.uncounted
    indexes = {pod.uid: completion_index(pod) for pod in view.uncounted}
    return tuple(sorted(view.uncounted, key=lambda p: -1 if (i := indexes[p.uid]) is None else i))


def _may_strip(
    view: View, assessment: Assessment, pod: Pod, finished: JobCondition | None
) -> bool:
    job = view.job
    if job.metadata.deletion_timestamp is not None or finished is not None:
        return True
    if pod.status.phase == "Succeeded":
        return True
    if not is_failed(job, pod):
        return False
    index = completion_index(pod)
    waiting = assessment.delayed.get(index) if index is not None else None
    return waiting is None or waiting.uid != pod.uid


def _counts_as_failed(job: Job, pod: Pod, finished: JobCondition | None, in_range: bool) -> bool:
    # When a job has failed, every pod that is not over counts as failed.
    ends_badly = finished is not None and finished.type != "SuccessCriteriaMet"
    if not is_failed(job, pod) and not ends_badly:
        return False
    if is_indexed(job) and not in_range:
        return False
    return judge_failure(job.spec.pod_failure_policy, pod).counts


def _with_uncounted(
    status: JobStatus, succeeded: tuple[str, ...], failed: tuple[str, ...]
) -> JobStatus:
    uncounted = UncountedTerminatedPods(succeeded=succeeded, failed=failed)
    if uncounted == status.uncounted_terminated_pods:
        return status
    return status.replace(uncounted_terminated_pods=uncounted)


def _with_indexes(status: JobStatus, done: Indexes, failed: Indexes | None) -> JobStatus:
    return status.replace(
        succeeded=len(done) or None,
        completed_indexes=format_indexes(done) or None,
        failed_indexes=None if failed is None else format_indexes(failed),
    )
