"""The Job controller: pods until enough of them have succeeded.

It looks late on purpose: what pods do is looked at a second later, all of it together; what a user
changes in the spec, at once.

Mirrors: pkg/controller/job/job_controller.go.
Departs: what ``jobsync`` departs in; pods without a controller are not adopted.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.batchv1 import Job, JobCondition, JobStatus, UncountedTerminatedPods
from kubesim.api.corev1 import Pod
from kubesim.api.corev1.container import Container
from kubesim.api.corev1.env import EnvVar, EnvVarSource, ObjectFieldSelector
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ObjectMeta, controller_of, new_controller_ref
from kubesim.controlplane.client import Client, Controller, NotFound, Recorder, StatusError
from kubesim.controlplane.controllers import jobsync
from kubesim.controlplane.controllers.expectations import Expectations
from kubesim.controlplane.controllers.indexes import BY_CONTROLLER, controller_uids
from kubesim.controlplane.controllers.jobaccounting import Account, account, cleaned, closed
from kubesim.controlplane.controllers.jobbackoff import NO_FAILURES, Backoff
from kubesim.controlplane.controllers.jobsync import (
    COMPLETION_INDEX,
    TRACKING_FINALIZER,
    Assessment,
    Plan,
    View,
    is_finished,
)
from kubesim.controlplane.controllers.podcontrol import PodControl
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

WORKERS = 5  # --concurrent-job-syncs
SYNC_BATCH_PERIOD_NS = SECOND  # SyncJobBatchPeriod
RETRY_DELAY_NS = SECOND  # DefaultJobApiBackOff
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
LONGEST_INDEXED_PREFIX = 58  # names.MaxGeneratedNameLength


class JobController(Controller):
    """Reconciles Jobs."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers, retry_delay_ns=RETRY_DELAY_NS)
        self._client = client
        self._recorder = Recorder(sim, component="job-controller", client=client)
        self._pod_control = PodControl(sim, client=client, recorder=self._recorder)
        self._expectations = Expectations()
        self._stripped: dict[str, dict[str, None]] = {}
        self._backoffs: dict[str, Backoff] = {}
        self._ended: dict[str, None] = {}
        self._jobs = client.informer(Job)
        self._jobs.add_handler(self._job_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_CONTROLLER, controller_uids)
        self._pods.add_handler(self._pod_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Create or delete pods, count those that have ended, and say how far the job is."""
        job = self._jobs.get(key)
        if job is None:
            self._forget(key)
            return
        if is_finished(job):
            self._backoffs.pop(key, None)
            self._ended.pop(job.uid, None)
            yield from self._release(job)
            return
        if job.uid in self._ended:
            return
        may_act = self._expectations.satisfied(key, now_ns=self._sim.now)
        view = View(
            job=job,
            pods=self._pods.by_index(BY_CONTROLLER, job.uid),
            stripped=frozenset(self._stripped.get(key, ())),
            backoff=self._backoffs.get(key, NO_FAILURES),
            wall_ns=self._sim.wall_ns,
        )
        assessment = jobsync.assess(view)
        if assessment.look_again_ns is not None:
            self.queue.add_after(key, assessment.look_again_ns)
        status = job.status
        if status.start_time is None and not job.spec.suspend:
            status = status.replace(start_time=self._sim.wall_ns)
        if assessment.finished is not None:
            finished, status, failure = yield from self._stop(view, assessment, status, may_act)
        else:
            finished, status, failure = yield from self._manage(view, assessment, status, may_act)
        if status.uncounted_terminated_pods is None:
            status = status.replace(uncounted_terminated_pods=UncountedTerminatedPods())
        yield from self._write(
            view, assessment.backoff, account(view, assessment, status, finished)
        )
        if failure is not None:
            raise failure

    def _stop(
        self, view: View, assessment: Assessment, status: JobStatus, may_act: bool
    ) -> SimProcess[tuple[JobCondition | None, JobStatus, StatusError | None]]:
        """The job is at its end: its active pods go."""
        active = view.active
        failures = yield from self._pod_control.delete(view.job, active)
        done = not failures and may_act
        deleted = len(active) - len(failures)
        ready = 0 if deleted else jobsync.count_ready(active)
        status = _numbers(
            status,
            active=len(active) - deleted,
            ready=ready,
            terminating=len(view.terminating) + deleted,
        )
        # While some pods may be unknown, the end cannot be declared.
        finished = assessment.finished if done else None
        return finished, status, failures[0] if failures else None

    def _manage(
        self, view: View, assessment: Assessment, status: JobStatus, may_act: bool
    ) -> SimProcess[tuple[JobCondition | None, JobStatus, StatusError | None]]:
        """The job goes on: create or delete pods; says so when that was all."""
        job = view.job
        active, gone = len(view.active), 0
        ready = jobsync.count_ready(view.active)
        failure: StatusError | None = None
        acts = may_act and job.metadata.deletion_timestamp is None
        if acts:
            plan = jobsync.plan(view, assessment)
            if plan.delete:
                gone, failure = yield from self._delete(job, plan.delete)
                active -= gone
                ready -= jobsync.count_ready(plan.delete) if gone else 0
            elif plan.wait_ns:
                self.queue.add_after(job.key, max(plan.wait_ns, SYNC_BATCH_PERIOD_NS))
                active = 0
            elif plan.create:
                created, failure = yield from self._create(job, assessment, plan)
                active += created
        status = _numbers(
            status, active=active, ready=ready, terminating=len(view.terminating) + gone
        )
        finished: JobCondition | None = None
        if jobsync.is_complete(job.spec, assessment.succeeded, active):
            message = "Reached expected number of succeeded pods"
            finished = jobsync.condition(
                "SuccessCriteriaMet", "CompletionsReached", message, self._sim.wall_ns
            )
        elif acts:
            status = self._suspended_or_resumed(job, status)
        return finished, status, failure

    def _create(
        self, job: Job, assessment: Assessment, plan: Plan
    ) -> SimProcess[tuple[int, StatusError | None]]:
        template = pod_of(job)
        if plan.indexes:
            pods = [
                indexed_pod(job, template, index, assessment.delayed.get(index))
                for index in plan.indexes
            ]
        else:
            pods = [template] * plan.create
        self._expectations.expect_creations(job.key, len(pods), now_ns=self._sim.now)
        since_ns = self._sim.now
        results = yield from self._pod_control.create(job, pods, wanted_since_ns=since_ns)
        refusals = [refusal for refusal in results if refusal is not None]
        created = len(results) - len(refusals)
        for _ in range(len(pods) - created):
            self._expectations.creation_observed(job.key)
        return created, refusals[0] if refusals else None

    def _delete(
        self, job: Job, pods: tuple[Pod, ...]
    ) -> SimProcess[tuple[int, StatusError | None]]:
        """Delete pods that are not wanted: they are not counted, so their finalizer goes first."""
        keys = [pod.key for pod in pods]
        self._expectations.expect_deletions(job.key, keys, now_ns=self._sim.now)
        yield self._sim.all_of([self._sim.process(self._strip_one(pod)) for pod in pods])
        failures = yield from self._pod_control.delete(job, pods)
        if failures:
            for key in keys:
                self._expectations.deletion_observed(job.key, key)
        return len(pods) - len(failures), failures[0] if failures else None

    def _suspended_or_resumed(self, job: Job, status: JobStatus) -> JobStatus:
        now = self._sim.wall_ns
        before = next((c for c in status.conditions if c.type == "Suspended"), None)
        if job.spec.suspend:
            wanted = jobsync.condition("Suspended", "JobSuspended", "Job suspended", now)
        elif before is None:
            return status
        else:
            wanted = jobsync.condition("Suspended", "JobResumed", "Job resumed", now)
            wanted = wanted.replace(status="False")
        if before is not None and before.status == wanted.status:
            return status
        reason = "Suspended" if job.spec.suspend else "Resumed"
        self._recorder.normal(job, reason, wanted.message or "")
        conditions = tuple(wanted if c is before else c for c in status.conditions)
        return status.replace(
            conditions=conditions if before is not None else (*conditions, wanted),
            start_time=None if job.spec.suspend else now,
        )

    def _write(self, view: View, backoff: Backoff, told: Account) -> SimProcess[None]:
        """Note what has ended, take the finalizers off, count, and end the job when it can end."""
        job = view.job
        if not _same(told.status, job.status):
            job = yield from self._client.update_status(job.replace(status=told.status))
            self._backoffs[job.key] = backoff
        refusals = yield from self._strip(job.key, told.strip)
        stripped = {pod.uid for pod in told.strip if pod.uid not in refusals}
        left = {pod.uid for pod in view.uncounted} - stripped
        status = cleaned(told.status, left)
        if refusals:
            if status != told.status:
                yield from self._client.update_status(job.replace(status=status))
            raise next(iter(refusals.values()))
        if not told.full:
            status = closed(status, told.finished, self._sim.wall_ns)
        if status == told.status:
            return
        job = yield from self._client.update_status(job.replace(status=status))
        if is_finished(job) and told.finished is not None:
            self._ended[job.uid] = None
            self._record_end(job, told.finished)

    def _record_end(self, job: Job, finished: JobCondition) -> None:
        if finished.type != "Complete":
            self._recorder.warning(job, finished.reason or "", finished.message or "")
            return
        if job.spec.completions is not None and (job.status.succeeded or 0) > job.spec.completions:
            message = "Too many succeeded pods running after completion count reached"
            self._recorder.warning(job, "TooManySucceededPods", message)
        self._recorder.normal(job, "Completed", "Job completed")

    def _strip(self, key: str, pods: tuple[Pod, ...]) -> SimProcess[dict[str, StatusError]]:
        """Take the finalizer off pods; returns the refusals by UID."""
        expected = self._stripped.setdefault(key, {})
        expected.update((pod.uid, None) for pod in pods)
        removals = [self._sim.process(self._strip_one(pod)) for pod in pods]
        if removals:
            yield self._sim.all_of(removals)
        results = ((pod.uid, process.value) for pod, process in zip(pods, removals, strict=True))
        return {uid: refusal for uid, refusal in results if refusal is not None}

    def _strip_one(self, pod: Pod) -> SimProcess[StatusError | None]:
        try:
            yield from self._client.patch(Pod, pod.key, lambda p: _stripped(p, pod.uid))
        except NotFound:
            self._observe_stripped(pod)
        except StatusError as error:
            self._observe_stripped(pod)
            return error
        return None

    def _release(self, job: Job) -> SimProcess[None]:
        """Let go of what a job that is over or gone still holds."""
        for pod in self._pods.by_index(BY_CONTROLLER, job.uid):
            if TRACKING_FINALIZER in pod.metadata.finalizers:
                yield from self._strip_one(pod)

    def _forget(self, key: str) -> None:
        self._expectations.forget(key)
        self._stripped.pop(key, None)
        self._backoffs.pop(key, None)

    def _observe_stripped(self, pod: Pod) -> None:
        owner = controller_of(pod)
        if owner is not None:
            self._stripped.get(f"{pod.namespace}/{owner.name}", {}).pop(pod.uid, None)

    def _job_changed(self, old: Job | None, new: Job | None) -> None:
        changed = new or old
        assert changed is not None
        if new is None:
            self._ended.pop(changed.uid, None)
            self._sim.process(self._release(changed))
        same_spec = (
            old is not None
            and new is not None
            and (old.uid, old.metadata.generation) == (new.uid, new.metadata.generation)
        )
        if same_spec and not is_finished(changed):
            self.queue.add_after(changed.key, SYNC_BATCH_PERIOD_NS)
        else:
            self.queue.add(changed.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        owner = controller_of(pod)
        tracked = TRACKING_FINALIZER in pod.metadata.finalizers
        if owner is None or owner.kind != "Job":
            if owner is None and new is not None and tracked:
                self._sim.process(self._strip_orphan(pod))
            return
        key = f"{pod.namespace}/{owner.name}"
        job = self._jobs.get(key)
        if job is None or job.uid != owner.uid:
            if new is not None and tracked and jobsync.is_going(pod):
                self._sim.process(self._strip_orphan(pod))
            return
        if new is None or jobsync.is_going(new):
            self._expectations.deletion_observed(key, pod.key)
        elif old is None:
            self._expectations.creation_observed(key)
        if new is None or not tracked:
            self._observe_stripped(pod)
        if is_finished(job):
            if new is not None and tracked:
                self.queue.add(key)
            return
        self.queue.add_after(key, SYNC_BATCH_PERIOD_NS)

    def _strip_orphan(self, pod: Pod) -> SimProcess[None]:
        yield from self._strip_one(pod)


def pod_of(job: Job) -> Pod:
    """The pod to create: the template with an owner, the finalizer, and a name to be generated."""
    template = job.spec.template
    finalizers = template.metadata.finalizers
    if TRACKING_FINALIZER not in finalizers:
        finalizers = (*finalizers, TRACKING_FINALIZER)
    return Pod(
        metadata=ObjectMeta(
            generate_name=f"{job.name}-",
            namespace=job.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            finalizers=finalizers,
            owner_references=(new_controller_ref(job),),
        ),
        spec=template.spec,
    )


def indexed_pod(job: Job, template: Pod, index: int, replaced: Pod | None) -> Pod:
    """The pod that works on one index."""
    annotations = {**template.metadata.annotations, COMPLETION_INDEX: str(index)}
    if job.spec.backoff_limit_per_index is not None:
        failures, ignored = jobsync.new_failure_counts(job, replaced)
        annotations[jobsync.FAILURE_COUNT] = str(failures)
        if ignored:
            annotations[jobsync.IGNORED_FAILURE_COUNT] = str(ignored)
    suffix = f"-{index}-"
    prefix = f"{job.name}{suffix}"
    if len(prefix) > LONGEST_INDEXED_PREFIX:
        prefix = prefix[: LONGEST_INDEXED_PREFIX - len(suffix)] + suffix
    spec = template.spec
    return template.replace(
        metadata=template.metadata.replace(
            generate_name=prefix,
            labels=template.metadata.labels.set(COMPLETION_INDEX, str(index)),
            annotations=FrozenMap(annotations),
        ),
        spec=spec.replace(
            hostname=f"{job.name}-{index}",
            containers=tuple(map(_with_index, spec.containers)),
            init_containers=tuple(map(_with_index, spec.init_containers)),
        ),
    )


def _with_index(container: Container) -> Container:
    if any(variable.name == INDEX_VARIABLE for variable in container.env):
        return container
    path = f"metadata.labels['{COMPLETION_INDEX}']"
    source = EnvVarSource(field_ref=ObjectFieldSelector(field_path=path))
    variable = EnvVar(name=INDEX_VARIABLE, value_from=source)
    return container.replace(env=(*container.env, variable))


def _stripped(pod: Pod, uid: str) -> Pod:
    if pod.uid != uid:
        return pod
    finalizers = tuple(f for f in pod.metadata.finalizers if f != TRACKING_FINALIZER)
    return pod.replace(metadata=pod.metadata.replace(finalizers=finalizers))


def _numbers(status: JobStatus, *, active: int, ready: int, terminating: int) -> JobStatus:
    return status.replace(active=active or None, ready=ready, terminating=terminating)


def _same(new: JobStatus, old: JobStatus) -> bool:
    empty = UncountedTerminatedPods()
    uncounted = old.uncounted_terminated_pods or empty
    return new == old.replace(uncounted_terminated_pods=uncounted)
