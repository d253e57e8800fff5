"""Jobs: work that ends.

Mirrors: staging/src/k8s.io/api/batch/v1/types.go.
"""

from typing import Literal

from kubesim.api.corev1.pod import PodTemplateSpec
from kubesim.api.corev1.references import ObjectReference
from kubesim.api.metav1 import ConditionStatus, KubeObject, LabelSelector, ObjectMeta, Time
from kubesim.api.model import Bool, Int32, Int64, KubeModel


class PodFailurePolicyOnExitCodesRequirement(KubeModel):
    """The exit codes that a rule is about."""

    container_name: str | None = None
    operator: str
    values: tuple[Int32, ...]


class PodFailurePolicyOnPodConditionsPattern(KubeModel):
    """The pod condition that a rule is about."""

    type: str
    status: str | None = None


class PodFailurePolicyRule(KubeModel):
    """What to do with the job when a pod fails in a certain way."""

    action: str
    on_exit_codes: PodFailurePolicyOnExitCodesRequirement | None = None
    on_pod_conditions: tuple[PodFailurePolicyOnPodConditionsPattern, ...] = ()


class PodFailurePolicy(KubeModel):
    """Rules, of which the first that fits decides."""

    rules: tuple[PodFailurePolicyRule, ...]


class SuccessPolicyRule(KubeModel):
    """The indexes that make a job succeed."""

    succeeded_indexes: str | None = None
    succeeded_count: Int32 | None = None


class SuccessPolicy(KubeModel):
    """Rules, of which one that holds makes the job succeed."""

    rules: tuple[SuccessPolicyRule, ...]


class JobSpec(KubeModel):
    """What a job should do."""

    parallelism: Int32 | None = None
    completions: Int32 | None = None
    active_deadline_seconds: Int64 | None = None
    pod_failure_policy: PodFailurePolicy | None = None
    success_policy: SuccessPolicy | None = None
    backoff_limit: Int32 | None = None
    backoff_limit_per_index: Int32 | None = None
    max_failed_indexes: Int32 | None = None
    selector: LabelSelector | None = None
    manual_selector: Bool | None = None
    template: PodTemplateSpec
    ttl_seconds_after_finished: Int32 | None = None
    completion_mode: str | None = None
    suspend: Bool | None = None
    pod_replacement_policy: str | None = None
    managed_by: str | None = None


class JobCondition(KubeModel):
    """One yes-or-no fact about a job."""

    type: str
    status: ConditionStatus
    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class UncountedTerminatedPods(KubeModel):
    """Ended pods that the counters do not have yet."""

    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class JobStatus(KubeModel):
    """How far a job is."""

    conditions: tuple[JobCondition, ...] = ()
    start_time: Time | None = None
    completion_time: Time | None = None
    active: Int32 | None = None
    succeeded: Int32 | None = None
    failed: Int32 | None = None
    terminating: Int32 | None = None
    completed_indexes: str | None = None
    failed_indexes: str | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None
    ready: Int32 | None = None


class Job(KubeObject):
    """Pods that run until enough of them have succeeded."""

    api_version: Literal["batch/v1"] = "batch/v1"
    kind: Literal["Job"] = "Job"
    spec: JobSpec = JobSpec.zero()
    status: JobStatus = JobStatus.zero()


class JobTemplateSpec(KubeModel):
    """The job that a cron job creates."""

    metadata: ObjectMeta = ObjectMeta.zero()
    spec: JobSpec = JobSpec.zero()


class CronJobSpec(KubeModel):
    """What a cron job should do, and when."""

    schedule: str
    time_zone: str | None = None
    starting_deadline_seconds: Int64 | None = None
    concurrency_policy: str | None = None
    suspend: Bool | None = None
    job_template: JobTemplateSpec
    successful_jobs_history_limit: Int32 | None = None
    failed_jobs_history_limit: Int32 | None = None


class CronJobStatus(KubeModel):
    """What a cron job has started."""

    active: tuple[ObjectReference, ...] = ()
    last_schedule_time: Time | None = None
    last_successful_time: Time | None = None


class CronJob(KubeObject):
    """Creates jobs on a schedule."""

    api_version: Literal["batch/v1"] = "batch/v1"
    kind: Literal["CronJob"] = "CronJob"
    spec: CronJobSpec
    status: CronJobStatus = CronJobStatus.zero()
