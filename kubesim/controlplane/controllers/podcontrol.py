"""Creating and deleting pods in the name of a workload, with the events that people look for.

A batch is slow at first: one pod, then two, four, ...; a quota or an admission that refuses them is
met by one request and not by hundreds.

Mirrors: pkg/controller/controller_utils.go (RealPodControl).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.client import Client, NotFound, Recorder, StatusError
from kubesim.facts import StartupPhaseEnded
from kubesim.sim import Process, Sim, SimProcess

SLOW_START_INITIAL_BATCH = 1


class PodControl:
    """Creates and deletes pods.

    Args:
        sim: The run.
        client: The controller's connection.
        recorder: The controller's events.
    """

    def __init__(self, sim: Sim, *, client: Client, recorder: Recorder) -> None:
        self._sim = sim
        self._client = client
        self._recorder = recorder

    def create(
        self, owner: KubeObject, pods: Sequence[Pod], *, wanted_since_ns: int
    ) -> SimProcess[list[StatusError | None]]:
        """Create pods batch by batch; a batch with a refusal is the last.

        Returns:
            What became of each pod that was tried: ``None`` when it was created.
        """
        results: list[StatusError | None] = []
        for size in slow_start_batches(len(pods)):
            batch: list[Process] = [
                self._sim.process(self._create_one(owner, pod, wanted_since_ns))
                for pod in pods[len(results) : len(results) + size]
            ]
            yield self._sim.all_of(batch)
            outcome = [process.value for process in batch]
            results += outcome
            if any(refusal is not None for refusal in outcome):
                break
        return results

    def delete(self, owner: KubeObject, pods: Sequence[Pod]) -> SimProcess[list[StatusError]]:
        """Delete pods, all at once; returns the refusals. One that is gone already is no refusal."""
        deletions = [self._sim.process(self._delete_one(owner, pod)) for pod in pods]
        if deletions:
            yield self._sim.all_of(deletions)
        return [process.value for process in deletions if process.value is not None]

    def _create_one(
        self, owner: KubeObject, pod: Pod, wanted_since_ns: int
    ) -> SimProcess[StatusError | None]:
        try:
            created = yield from self._client.create(pod)
        except StatusError as error:
            if error.has_cause("NamespaceTerminating"):
                return None  # nothing will ever come in there again, and everybody knows it
            self._recorder.warning(owner, "FailedCreate", f"Error creating: {error.message}")
            return error
        self._recorder.normal(owner, "SuccessfulCreate", f"Created pod: {created.name}")
        self._sim.emit(
            StartupPhaseEnded(
                namespace=created.namespace,
                name=created.name,
                uid=created.uid,
                container="",
                phase="controller",
                began_ns=wanted_since_ns,
            )
        )
        return None

    def _delete_one(self, owner: KubeObject, pod: Pod) -> SimProcess[StatusError | None]:
        try:
            yield from self._client.delete(Pod, pod.key, uid=pod.uid)
        except NotFound:
            return None
        except StatusError as error:
            self._recorder.warning(owner, "FailedDelete", f"Error deleting: {error.message}")
            return error
        self._recorder.normal(owner, "SuccessfulDelete", f"Deleted pod: {pod.name}")
        return None


def slow_start_batches(count: int) -> Iterator[int]:
    """Sizes that add up to ``count``: 1, 2, 4, ... and what is left."""
    size = SLOW_START_INITIAL_BATCH
    while count > 0:
        batch = min(size, count)
        yield batch
        count -= batch
        size *= 2
