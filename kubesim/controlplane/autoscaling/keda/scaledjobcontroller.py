"""The operator of ScaledJobs: looks at a queue once in a polling interval, and makes jobs of it.

Mirrors: kedacore/keda@8b4f083 controllers/keda/scaledjob_controller.go,
pkg/scaling/executor/scale_jobs.go.
"""

from __future__ import annotations

from contextlib import suppress

from typing_extensions import override

from kubesim.api.batchv1 import Job
from kubesim.api.corev1 import Pod
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.kedav1alpha1 import KedaCondition, ScaledJob, TriggerActivityStatus
from kubesim.api.metav1 import ObjectMeta, new_controller_ref
from kubesim.controlplane.autoscaling.keda.activation import (
    FALSE_TEXTS,
    PAUSED,
)
from kubesim.controlplane.autoscaling.keda.conditions import (
    ACTIVE,
    NOT_ACTIVE,
    merged,
    status_of,
)
from kubesim.controlplane.autoscaling.keda.jobscaling import (
    TriggerMetrics,
    demand_of,
    jobs_to_make,
    maximum_of,
    trigger_metrics,
)
from kubesim.controlplane.autoscaling.keda.scaleloop import Outlook, Quiet, ScaleLoops
from kubesim.controlplane.autoscaling.keda.scaler import ScalerError
from kubesim.controlplane.autoscaling.keda.scalers import outlook_of, scalers_of
from kubesim.controlplane.autoscaling.keda.sources import SourceError, Sources
from kubesim.controlplane.client import Client, Controller, NotFound, Recorder, StatusError
from kubesim.sim import Sim, SimProcess, Ticks
from kubesim.sim.time import SECOND

OWNER_LABEL = "scaledjob.keda.sh/name"
GENERATION = "scaledjob.keda.sh/generation"
EXCLUDED_LABELS = "scaledjob.keda.sh/job-excluded-labels"
BY_OWNER, BY_JOB = "scaledjob", "job"
HISTORY_LIMIT = 100  # defaultSuccessfulJobsHistoryLimit, defaultFailedJobsHistoryLimit

READY = KedaCondition(
    type="Ready",
    status="True",
    reason="ScaledJobReady",
    message="ScaledJob is defined correctly and is ready for scaling",
)
SOME_FAIL = KedaCondition(
    type="Ready",
    status="Unknown",
    reason="PartialTriggerError",
    message="Some triggers defined in ScaledJob are not working correctly",
)
ALL_FAIL = KedaCondition(
    type="Ready",
    status="False",
    reason="TriggerError",
    message="Triggers defined in ScaledJob are not working correctly",
)
HELD = KedaCondition(
    type="Paused", status="True", reason="ScaledJobPaused", message="ScaledJob is paused"
)
FREED = KedaCondition(
    type="Paused", status="False", reason="ScaledJobUnpaused", message="ScaledJob is unpaused"
)


class ScaledJobController(Controller):
    """Reconciles ScaledJobs.

    Args:
        sim: The run.
        client: Its connection to the API server.
        sources: What triggers ask.
        ticks: Where looks are planned.
        workers: ``KEDA_SCALEDJOB_CTRL_MAX_RECONCILES``.
    """

    def __init__(
        self, sim: Sim, *, client: Client, sources: Sources, ticks: Ticks, workers: int = 1
    ) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._sources = sources
        self._recorder = Recorder(sim, component="keda-operator")
        self._scaled = client.informer(ScaledJob)
        self._scaled.add_handler(self._scaled_changed)
        self._jobs = client.informer(Job)
        self._jobs.add_index(BY_OWNER, _owner_keys)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_JOB, _job_keys)
        self._loops: ScaleLoops[ScaledJob] = ScaleLoops(
            sim, client=client, ticks=ticks, looker=self
        )

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Clear away the jobs of older versions; begin to look at the triggers."""
        scaled = self._scaled.get(key)
        if scaled is None or scaled.metadata.deletion_timestamp is not None:
            self._loops.stop(key)
            return
        paused = status_of(scaled.status.conditions, "Paused") == "True"
        if is_paused(scaled):
            self._loops.stop(key)
            if not paused:
                self._recorder.normal(scaled, "ScaledJobPaused", HELD.message or "")
            yield from self._write(scaled, HELD)
            return
        if paused:
            self._recorder.normal(scaled, "ScaledJobUnpaused", FREED.message or "")
        yield from self._delete_older(scaled)
        if status_of(scaled.status.conditions, "Ready") != "True":
            text = "ScaledJob is ready for scaling"
            self._recorder.normal(scaled, "ScaledJobReady", text)
        yield from self._write(scaled, READY, *((FREED,) if paused else ()))
        if key not in self._loops:
            self._recorder.normal(scaled, "KEDAScalersStarted", "Started scalers watch")
        self._loops.begin(scaled, anew=True)

    def _delete_older(self, scaled: ScaledJob) -> SimProcess[None]:
        """Delete jobs that an older version made, unless they are to end by themselves."""
        spec = scaled.spec
        if (spec.rollout_strategy or spec.rollout.strategy) == "gradual":
            return
        generation = str(scaled.metadata.generation)
        old = [
            job
            for job in self._jobs.by_index(BY_OWNER, scaled.key)
            if job.metadata.annotations.get(GENERATION) != generation
        ]
        if not old:
            return
        owned = "jobs owned by the previous version of the scaledJob"
        text = f"Deleting {len(old)} {owned}"
        self._recorder.normal(scaled, "ScaledJobRolloutCleanupStarted", text)
        foreground = spec.rollout.propagation_policy == "foreground"
        for job in old:
            with suppress(NotFound):
                yield from self._client.delete(
                    Job, job.key, propagation_policy="Foreground" if foreground else "Background"
                )
        text = f"Deleted {len(old)} {owned}"
        self._recorder.normal(scaled, "ScaledJobRolloutCleanupCompleted", text)

    def get(self, key: str) -> ScaledJob | None:
        """See ``Looker``."""
        return self._scaled.get(key)

    def outlook(self, scaled: ScaledJob) -> Outlook | None:
        """See ``Looker``."""
        return outlook_of(scalers_of(scaled, self._sources.http), self._sources)

    def seen(self, scaled: ScaledJob) -> object:
        """See ``Looker``: the server's revision, and what of it has been heard here."""
        heard = (self._scaled.last_revision, self._jobs.last_revision, self._pods.last_revision)
        return self._client.server_revision, heard, scaled.metadata.resource_version

    def look(self, scaled: ScaledJob) -> SimProcess[Quiet | None]:
        """See ``Looker``."""
        try:
            return (yield from self._look(scaled))
        except ScalerError as error:
            self._recorder.warning(scaled, "ScaledJobCheckFailed", str(error))
        except StatusError as error:
            self._recorder.warning(scaled, "KEDAScalerFailed", error.message)
        return None

    def _look(self, scaled: ScaledJob) -> SimProcess[Quiet | None]:
        triggers, active_names, failed = self._read(scaled)
        jobs = list(self._jobs.by_index(BY_OWNER, scaled.key))
        running = [job for job in jobs if not _finished(job)]
        demand = demand_of(triggers, scaled)
        count = jobs_to_make(
            scaled,
            demand,
            running=len(running),
            pending=sum(self._is_pending(job, scaled) for job in running),
        )
        if count:
            yield from self._make(scaled, count)
        was_active = status_of(scaled.status.conditions, "Active") == "True"
        seen = ACTIVE if demand.active else NOT_ACTIVE
        if was_active != demand.active and (demand.active or was_active):
            reason = "ScaledJobActive" if demand.active else "ScaledJobInactive"
            self._recorder.normal(scaled, reason, seen.message or "")
        ready = READY
        if failed:
            ready = SOME_FAIL if demand.active else ALL_FAIL
        wrote = yield from self._write(
            scaled, ready, seen, active_names=active_names, active=demand.active
        )
        deleted = yield from self._clean_up(scaled, jobs)
        changed = wrote or deleted or count or failed or demand.active
        return None if changed else Quiet(requests=0)

    def _read(self, scaled: ScaledJob) -> tuple[list[TriggerMetrics], list[str], bool]:
        """What the triggers say, the metrics of those that are active, whether one failed."""
        triggers: list[TriggerMetrics] = []
        active: list[str] = []
        failed = False
        for scaler in scalers_of(scaled, self._sources.http):
            try:
                reading = scaler.query.read(self._sources)
            except SourceError as error:
                self._recorder.warning(scaled, "KEDAScalerFailed", str(error))
                failed = True
                continue
            if reading.active:
                active.append(scaler.metric)
            triggers.append(
                trigger_metrics(
                    reading.milli / 1000,
                    target=scaler.target.nanos / 1e9,
                    active=reading.active,
                    maximum=maximum_of(scaled),
                )
            )
        return triggers, active, failed

    def _is_pending(self, job: Job, scaled: ScaledJob) -> bool:
        """Whether no pod of a job runs yet, or is as far as the object wants it to be."""
        wanted = scaled.spec.scaling_strategy.pending_pod_conditions
        pods = self._pods.by_index(BY_JOB, job.key)
        if not wanted:
            return not any(pod.status.phase in ("Running", "Succeeded") for pod in pods)
        return not any(
            {c.type for c in pod.status.conditions if c.status == "True"} >= set(wanted)
            for pod in pods
        )

    def _make(self, scaled: ScaledJob, count: int) -> SimProcess[None]:
        for _ in range(count):
            try:
                yield from self._client.create(job_of(scaled))
            except StatusError as error:
                text = f"Failed to create job {scaled.name}-: {error.message}"
                self._recorder.warning(scaled, "KEDAJobCreateFailed", text)
        self._recorder.normal(scaled, "KEDAJobsCreated", f"Created {count} jobs")

    def _clean_up(self, scaled: ScaledJob, jobs: list[Job]) -> SimProcess[int]:
        """Delete the oldest finished jobs beyond the history limits; how many there were."""
        spec, count = scaled.spec, 0
        for condition, limit in (
            ("Complete", spec.successful_jobs_history_limit),
            ("Failed", spec.failed_jobs_history_limit),
        ):
            ended = [job for job in jobs if _has(job, condition)]
            ended.sort(key=lambda job: job.status.completion_time or 0)
            kept = HISTORY_LIMIT if limit is None else limit
            for job in ended[: max(0, len(ended) - kept)]:
                count += 1
                with suppress(NotFound):
                    yield from self._client.delete(Job, job.key, propagation_policy="Background")

        return count

    def _write(
        self,
        scaled: ScaledJob,
        *conditions: KedaCondition,
        active_names: list[str] | None = None,
        active: bool = False,
    ) -> SimProcess[bool]:
        """Change the status, if that changes anything; whether it did."""
        now_ns = self._sim.wall_ns // SECOND * SECOND
        names = tuple(scaler.metric for scaler in scalers_of(scaled, self._sources.http))

        def change(obj: ScaledJob) -> ScaledJob:
            status = obj.status.replace(
                conditions=merged(obj.status.conditions, *conditions),
                triggers_types=",".join(dict.fromkeys(t.type for t in obj.spec.triggers)),
                external_metric_names=names,
            )
            if active:
                status = status.replace(last_active_time=now_ns)
            if active_names is not None:
                activity = {n: TriggerActivityStatus(is_active=n in active_names) for n in names}
                status = status.replace(triggers_activity=FrozenMap(activity))
            return obj.replace(status=status)

        known = self._scaled.get(scaled.key) or scaled
        if change(known).status == known.status:
            return False
        with suppress(NotFound):
            yield from self._client.patch(ScaledJob, scaled.key, change, status=True)
        return True

    def _scaled_changed(self, old: ScaledJob | None, new: ScaledJob | None) -> None:
        changed = new or old
        assert changed is not None
        if old is not None and new is not None:
            same_pause = is_paused(old) == is_paused(new)
            if old.spec == new.spec and same_pause:
                return  # its status changed; that was us
        self.queue.add(changed.key)


def is_paused(scaled: ScaledJob) -> bool:
    """Whether no jobs are to be made."""
    text = scaled.metadata.annotations.get(PAUSED)
    return text is not None and text not in FALSE_TEXTS


def job_of(scaled: ScaledJob) -> Job:
    """A job as the object wants it, without a name yet."""
    metadata, spec = scaled.metadata, scaled.spec.job_target_ref
    excluded = metadata.annotations.get(EXCLUDED_LABELS, "").split(",")
    labels = {
        "app.kubernetes.io/name": scaled.name,
        "app.kubernetes.io/part-of": scaled.name,
        "app.kubernetes.io/managed-by": "keda-operator",
        OWNER_LABEL: scaled.name,
        **{name: text for name, text in metadata.labels.items() if name not in excluded},
    }
    template = spec.template
    of_pod = FrozenMap({**template.metadata.labels, OWNER_LABEL: scaled.name})
    pod = template.spec
    if not pod.restart_policy:
        pod = pod.replace(restart_policy="OnFailure")
    template = template.replace(
        metadata=template.metadata.replace(labels=of_pod, generate_name=f"{scaled.name}-"),
        spec=pod,
    )
    return Job(
        metadata=ObjectMeta(
            generate_name=f"{scaled.name}-",
            namespace=scaled.namespace,
            labels=FrozenMap(labels),
            annotations=FrozenMap({GENERATION: str(metadata.generation), **metadata.annotations}),
            owner_references=(new_controller_ref(scaled),),
        ),
        spec=spec.replace(template=template),
    )


def _has(job: Job, condition: str) -> bool:
    return any(c.type == condition and c.status == "True" for c in job.status.conditions)


def _finished(job: Job) -> bool:
    return _has(job, "Complete") or _has(job, "Failed")


def _owner_keys(job: Job) -> tuple[str, ...]:
    name = job.metadata.labels.get(OWNER_LABEL)
    return (f"{job.namespace}/{name}",) if name else ()


def _job_keys(pod: Pod) -> tuple[str, ...]:
    name = pod.metadata.labels.get("job-name")
    return (f"{pod.namespace}/{name}",) if name else ()
