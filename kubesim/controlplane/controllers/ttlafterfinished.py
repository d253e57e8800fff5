"""The TTL controller: a Job that is over goes when its time is up.

Mirrors: pkg/controller/ttlafterfinished/ttlafterfinished_controller.go.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.batchv1 import Job
from kubesim.controlplane.client import Client, Controller, NotFound
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

WORKERS = 5  # --concurrent-ttl-after-finished-syncs


class TTLAfterFinishedController(Controller):
    """Deletes finished Jobs, and their pods with them."""

    def __init__(self, sim: Sim, *, client: Client, workers: int = WORKERS) -> None:
        super().__init__(sim, workers=workers)
        self._client = client
        self._jobs = client.informer(Job)
        self._jobs.add_handler(self._job_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Delete a job whose time is up; come back when it is not yet."""
        known = self._jobs.get(key)
        if known is None or self._look_later(known):
            return
        try:
            job = yield from self._client.get(Job, key)
            # Its time to live may have been changed just now.
            if expires_ns(job) is not None and not self._look_later(job):
                yield from self._client.delete(
                    Job, key, uid=job.uid, propagation_policy="Foreground"
                )
        except NotFound:
            return

    def _look_later(self, job: Job) -> bool:
        """Whether there is nothing to do now; plans the time when there is."""
        at_ns = expires_ns(job)
        if at_ns is None:
            return True
        if at_ns > self._sim.wall_ns:
            self.queue.add_after(job.key, at_ns - self._sim.wall_ns)
            return True
        return False

    def _job_changed(self, _: Job | None, new: Job | None) -> None:
        if new is not None and expires_ns(new) is not None:
            self.queue.add(new.key)


def expires_ns(job: Job) -> int | None:
    """When the job's time is up; ``None`` while it is not over, or is going, or may stay for ever.

    It is over since a whole second, as that is how the moment is stored.
    """
    ttl_seconds = job.spec.ttl_seconds_after_finished
    if ttl_seconds is None or job.metadata.deletion_timestamp is not None:
        return None
    for condition in job.status.conditions:
        if condition.type in ("Complete", "Failed") and condition.status == "True":
            finished_ns = (condition.last_transition_time or 0) // SECOND * SECOND
            return finished_ns + ttl_seconds * SECOND
    return None
