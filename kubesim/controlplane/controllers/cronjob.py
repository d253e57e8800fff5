"""The CronJob controller: a Job at each time of a schedule.

It looks 0.1 s after a time is due. Of several times that were missed only the last counts, and only
while its deadline is not over.

Mirrors: pkg/controller/cronjob (cronjob_controllerv2.go, utils.go).
Departs: Jobs without a controller are not adopted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from typing_extensions import override

from kubesim.api.batchv1 import CronJob, CronJobStatus, Job
from kubesim.api.corev1 import ObjectReference
from kubesim.api.cron import CronError, Schedule, load_zone, parse_schedule
from kubesim.api.metav1 import ObjectMeta, controller_of, new_controller_ref
from kubesim.controlplane.client import (
    AlreadyExists,
    Client,
    Controller,
    NotFound,
    Recorder,
    StatusError,
)
from kubesim.controlplane.controllers.indexes import BY_CONTROLLER, controller_uids
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MILLISECOND, SECOND

WORKERS = 5  # --concurrent-cron-job-syncs
DELTA_NS = 100 * MILLISECOND  # nextScheduleDelta
MANY_MISSED = 100
SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class Missed(NamedTuple):
    """The times that should have been and were not.

    Attributes:
        earliest_s: Since when they are looked for.
        latest_s: The last of them, if there is any.
        number: How many there are, about.
    """

    earliest_s: int
    latest_s: int | None = None
    number: int = 0


class CronJobController(Controller):
    """Creates Jobs when they are due, and deletes old ones."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._recorder = Recorder(sim, component="cronjob-controller", client=client)
        self._cron_jobs = client.informer(CronJob)
        self._cron_jobs.add_handler(self._cron_job_changed)
        self._jobs = client.informer(Job)
        self._jobs.add_index(BY_CONTROLLER, controller_uids)
        self._jobs.add_handler(self._job_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Note what has ended, start what is due, and come back for the next time."""
        cron_job = self._cron_jobs.get(key)
        if cron_job is None:
            return
        jobs = self._jobs.by_index(BY_CONTROLLER, cron_job.uid)
        status = cron_job.status
        failure: StatusError | None = None
        next_in_ns: int | None = None
        try:
            status = yield from self._clean_up(cron_job, status, jobs)
            status = yield from self._take_stock(cron_job, status, jobs)
            if cron_job.metadata.deletion_timestamp is None and not cron_job.spec.suspend:
                status, next_in_ns = yield from self._start_due(cron_job, status)
        except _Interrupted as interrupted:
            status, failure = interrupted.status, interrupted.cause
        if status != cron_job.status:
            yield from self._client.update_status(cron_job.replace(status=status))
        if failure is not None:
            raise failure
        if next_in_ns is not None:
            self.queue.add_after(key, next_in_ns)

    def _clean_up(
        self, cron_job: CronJob, status: CronJobStatus, jobs: tuple[Job, ...]
    ) -> SimProcess[CronJobStatus]:
        """Delete the oldest of the jobs that are over."""
        spec = cron_job.spec
        for type_, limit in (
            ("Complete", spec.successful_jobs_history_limit),
            ("Failed", spec.failed_jobs_history_limit),
        ):
            if limit is None:
                continue
            over = sorted((j for j in jobs if finished_as(j) == type_), key=_start_order)
            for job in over[: max(0, len(over) - limit)]:
                status = yield from self._delete(cron_job, status, job)
        return status

    def _take_stock(
        self, cron_job: CronJob, status: CronJobStatus, jobs: tuple[Job, ...]
    ) -> SimProcess[CronJobStatus]:
        """Compare the list of active jobs with the jobs."""
        for job in jobs:
            listed = any(reference.uid == job.uid for reference in status.active)
            finished = finished_as(job)
            if finished and listed:
                status = _without(status, job.uid)
                message = f"Saw completed job: {job.name}, condition: {finished}"
                self._recorder.normal(cron_job, "SawCompletedJob", message)
            elif not finished and not listed:
                live = yield from self._client.get(CronJob, cron_job.key)
                if any(reference.uid == job.uid for reference in live.status.active):
                    status = live.status
                    continue
                message = f"Saw a job that the controller did not create or forgot: {job.name}"
                self._recorder.warning(cron_job, "UnexpectedJob", message)
            ended_ns = job.status.completion_time if finished == "Complete" else None
            if ended_ns is not None and ended_ns > (status.last_successful_time or 0):
                status = status.replace(last_successful_time=ended_ns)
        known = {job.uid for job in jobs}
        for reference in status.active:
            if reference.uid in known:
                continue
            try:
                yield from self._client.get(Job, f"{reference.namespace}/{reference.name}")
            except NotFound:
                message = f"Active job went missing: {reference.name}"
                self._recorder.normal(cron_job, "MissingJob", message)
                status = _without(status, reference.uid or "")
        return status

    def _start_due(
        self, cron_job: CronJob, status: CronJobStatus
    ) -> SimProcess[tuple[CronJobStatus, int | None]]:
        """Start the job that is due, if one is; gives the status and when the next one will be."""
        schedule = self._schedule(cron_job)
        if schedule is None:
            return status, None
        spec, wall_ns = cron_job.spec, self._sim.wall_ns
        due_s = self._due(cron_job, status, schedule)
        if due_s is None or not self._may_start(cron_job, status, due_s):
            return status, next_in_ns(cron_job, status, schedule, wall_ns=wall_ns)
        if spec.concurrency_policy == "Replace":
            for reference in status.active:
                job_key = f"{reference.namespace}/{reference.name}"
                try:
                    job = yield from self._client.get(Job, job_key)
                except StatusError as error:
                    self._recorder.warning(cron_job, "FailedGet", f"Get job: {error.message}")
                    raise _Interrupted(status, error) from error
                status = yield from self._delete(cron_job, status, job)
        created = yield from self._create(cron_job, status, due_s)
        if created is None:
            return status, None
        status = status.replace(
            active=(*status.active, _reference(created)), last_schedule_time=due_s * SECOND
        )
        return status, next_in_ns(cron_job, status, schedule, wall_ns=self._sim.wall_ns)

    def _schedule(self, cron_job: CronJob) -> Schedule | None:
        spec = cron_job.spec
        try:
            load_zone(spec.time_zone)
        except CronError as error:
            message = f'invalid timeZone: "{spec.time_zone}": {error}'
            self._recorder.warning(cron_job, "UnknownTimeZone", message)
            return None
        try:
            return parse_schedule(spec.schedule, spec.time_zone)
        except CronError as error:
            message = f'unparseable schedule: "{spec.schedule}" : {error}'
            self._recorder.warning(cron_job, "UnparseableSchedule", message)
            return None

    def _due(self, cron_job: CronJob, status: CronJobStatus, schedule: Schedule) -> int | None:
        missed = missed_times(
            cron_job, status, schedule, wall_ns=self._sim.wall_ns, with_deadline=True
        )
        if missed.latest_s is not None and missed.number > MANY_MISSED:
            message = (
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or "
                "check clock skew"
            )
            self._recorder.warning(cron_job, "TooManyMissedTimes", message)
        return missed.latest_s

    def _may_start(self, cron_job: CronJob, status: CronJobStatus, due_s: int) -> bool:
        deadline = cron_job.spec.starting_deadline_seconds
        if deadline is not None and (due_s + deadline) * SECOND < self._sim.wall_ns:
            at = datetime.fromtimestamp(due_s, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
            message = f"Missed scheduled time to start a job: {at}"
            self._recorder.warning(cron_job, "MissSchedule", message)
            return False
        name = job_name(cron_job, due_s)
        if any(reference.name == name for reference in status.active):
            return False
        if status.last_schedule_time == due_s * SECOND:
            return False
        if cron_job.spec.concurrency_policy == "Forbid" and status.active:
            message = (
                "Not starting job because prior execution is running and concurrency policy is "
                "Forbid"
            )
            self._recorder.normal(cron_job, "JobAlreadyActive", message)
            return False
        return True

    def _create(
        self, cron_job: CronJob, status: CronJobStatus, due_s: int
    ) -> SimProcess[Job | None]:
        wanted = job_of(cron_job, due_s)
        try:
            created = yield from self._client.create(wanted)
        except AlreadyExists:
            found = yield from self._client.get(Job, wanted.key)
            owner = controller_of(found)
            is_own = owner is not None and owner.uid == cron_job.uid
            listed = any(reference.uid == found.uid for reference in status.active)
            return found if is_own and not listed else None
        except StatusError as error:
            if not error.has_cause("NamespaceTerminating"):
                message = f"Error creating job: {error.message}"
                self._recorder.warning(cron_job, "FailedCreate", message)
            raise _Interrupted(status, error) from error
        self._recorder.normal(cron_job, "SuccessfulCreate", f"Created job {created.name}")
        return created

    def _delete(
        self, cron_job: CronJob, status: CronJobStatus, job: Job
    ) -> SimProcess[CronJobStatus]:
        try:
            yield from self._client.delete(Job, job.key, propagation_policy="Background")
        except StatusError as error:
            self._recorder.warning(cron_job, "FailedDelete", f"Deleted job: {error.message}")
            return status
        self._recorder.normal(cron_job, "SuccessfulDelete", f"Deleted job {job.name}")
        return _without(status, job.uid)

    def _cron_job_changed(self, old: CronJob | None, new: CronJob | None) -> None:
        changed = new or old
        assert changed is not None
        if old is not None and new is not None:
            before, after = old.spec, new.spec
            if (before.schedule, before.time_zone) != (after.schedule, after.time_zone):
                self._reschedule(new)
                return
        self.queue.add(changed.key)

    def _reschedule(self, cron_job: CronJob) -> None:
        """A new schedule begins to count now."""
        try:
            schedule = parse_schedule(cron_job.spec.schedule, cron_job.spec.time_zone)
        except CronError:
            message = f"unparseable schedule for cronjob: {cron_job.spec.schedule}"
            self._recorder.warning(cron_job, "UnParseableCronJobSchedule", message)
            return
        wall_ns = self._sim.wall_ns
        wait_ns = next_in_ns(cron_job, cron_job.status, schedule, wall_ns=wall_ns)
        if wait_ns is not None:
            self.queue.add_after(cron_job.key, wait_ns)

    def _job_changed(self, old: Job | None, new: Job | None) -> None:
        job = new or old
        assert job is not None
        owner = controller_of(job)
        if owner is not None and owner.kind == "CronJob":
            self.queue.add(f"{job.namespace}/{owner.name}")


class _Interrupted(Exception):  # noqa: N818  # not an error of its own
    """A sync that cannot go on, and the status that is right so far."""

    def __init__(self, status: CronJobStatus, cause: StatusError) -> None:
        super().__init__(cause.message)
        self.status = status
        self.cause = cause


def missed_times(
    cron_job: CronJob,
    status: CronJobStatus,
    schedule: Schedule,
    *,
    wall_ns: int,
    with_deadline: bool,
) -> Missed:
    """The times since the last start, or since the cron job was created."""
    now_s = wall_ns // SECOND
    since_ns = status.last_schedule_time or cron_job.metadata.creation_timestamp or 0
    earliest_s = since_ns // SECOND
    deadline = cron_job.spec.starting_deadline_seconds
    if with_deadline and deadline is not None:
        earliest_s = max(earliest_s, now_s - deadline)
    first_s = schedule.next(earliest_s)
    if first_s is None or now_s < first_s:
        return Missed(earliest_s)
    second_s = schedule.next(first_s)
    if second_s is None or now_s < second_s:
        return Missed(earliest_s, first_s)
    apart_s = second_s - first_s
    number = (now_s - first_s) // apart_s + 1
    latest_s: int | None = None
    at_s = schedule.next(first_s + (number - 2) * apart_s)
    while at_s is not None and at_s <= now_s:
        latest_s, at_s = at_s, schedule.next(at_s)
    return Missed(earliest_s, latest_s, number)


def next_in_ns(
    cron_job: CronJob, status: CronJobStatus, schedule: Schedule, *, wall_ns: int
) -> int | None:
    """How long until the next look; ``None`` when there is nothing more to come."""
    missed = missed_times(cron_job, status, schedule, wall_ns=wall_ns, with_deadline=False)
    from_s = missed.latest_s
    if from_s is None:
        from_s = wall_ns // SECOND if missed.number else missed.earliest_s
    next_s = schedule.next(from_s)
    return None if next_s is None else max(0, next_s * SECOND + DELTA_NS - wall_ns)


def job_name(cron_job: CronJob, due_s: int) -> str:
    """The name of the job of a time: one a minute."""
    return f"{cron_job.name}-{due_s // 60}"


def job_of(cron_job: CronJob, due_s: int) -> Job:
    """The job of a time."""
    template = cron_job.spec.job_template
    at = datetime.fromtimestamp(due_s, load_zone(cron_job.spec.time_zone) or UTC)
    annotations = template.metadata.annotations.set(
        SCHEDULED_AT, at.isoformat().replace("+00:00", "Z")
    )
    return Job(
        metadata=ObjectMeta(
            name=job_name(cron_job, due_s),
            namespace=cron_job.namespace,
            labels=template.metadata.labels,
            annotations=annotations,
            owner_references=(new_controller_ref(cron_job),),
        ),
        spec=template.spec,
    )


def finished_as(job: Job) -> str:
    """``Complete`` or ``Failed``; empty while the job is not over."""
    for condition in job.status.conditions:
        if condition.type in ("Complete", "Failed") and condition.status == "True":
            return condition.type
    return ""


def _start_order(job: Job) -> tuple[bool, int, str]:
    started_ns = job.status.start_time
    return (started_ns is None, started_ns or 0, job.name)


def _without(status: CronJobStatus, uid: str) -> CronJobStatus:
    return status.replace(active=tuple(r for r in status.active if r.uid != uid))


def _reference(job: Job) -> ObjectReference:
    return ObjectReference(
        api_version=job.api_version,
        kind=job.kind,
        namespace=job.namespace,
        name=job.name,
        uid=job.uid,
        resource_version=job.metadata.resource_version,
    )
