"""The allocation manager: whether a pod on this node may have other resources than it was let in with.

What a worker runs is the pod with the resources that were allocated to it. A version of the pod that
wants others is looked at here: is there room? Then it is allocated, and the worker brings it into
force; else it is deferred until somebody leaves or becomes smaller, or it is infeasible, because the
node could never give that much.

Mirrors: pkg/kubelet/allocation/allocation_manager.go (handlePodResourcesResize, retryPendingResizes,
sortPendingResizes), pkg/kubelet/events.
Departs: allocations are not written to disk: a pod that is there when its node boots gets what its
spec says. No periodic retry: nothing changes without a pod that changes.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubesim.api.corev1 import Pod, PodCondition
from kubesim.api.podresize import PENDING, with_resources_of
from kubesim.api.podutil import pod_qos, pod_requests
from kubesim.api.quantity import Quantity
from kubesim.controlplane.client import Recorder
from kubesim.node.kubelet.admission import resize_fits
from kubesim.node.kubelet.pod_worker import PodWorker
from kubesim.node.kubelet.resizing import resize_message
from kubesim.sim import Sim


class AllocationManager:
    """What the pods of one node have been given.

    Args:
        sim: The run.
        workers: The workers of the node's pods, by UID.
        allocatable: What pods may have of the node.
        recorder: In whose name events are recorded.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        workers: Mapping[str, PodWorker],
        allocatable: Mapping[str, Quantity],
        recorder: Recorder,
    ) -> None:
        self._sim = sim
        self._workers = workers
        self._allocatable = allocatable
        self._recorder = recorder
        self._desired: dict[str, Pod] = {}

    def update(self, worker: PodWorker, pod: Pod) -> None:
        """A new version of a pod: its worker goes on with what was allocated to it."""
        before = worker.pod
        allocated = pod if pod.spec is before.spec else with_resources_of(pod, before)
        worker.update(allocated)
        if allocated is pod:
            self._desired.pop(pod.uid, None)
            if worker.resizer.set_pending(None):
                worker.kick()
            return
        known = self._desired.get(pod.uid)
        self._desired[pod.uid] = pod
        if known is None or with_resources_of(known, pod) is not known:
            self.retry()

    def forget(self, uid: str) -> None:
        """A pod is gone, or over: there may be room for others."""
        self._desired.pop(uid, None)
        self.retry()

    def retry(self) -> None:
        """Look again at all resizes that wait, the most important first."""
        waiting = [self._workers[uid] for uid in self._desired if uid in self._workers]
        for worker in sorted(waiting, key=self._rank):
            self._evaluate(worker, self._desired[worker.pod.uid])

    def _rank(self, worker: PodWorker) -> tuple[bool, int, bool, int]:
        """Those that do not grow, then by priority, guaranteed ones, who waits longest."""
        desired = self._desired[worker.pod.uid]
        pending = worker.resizer.pending
        since_ns = self._sim.wall_ns if pending is None else pending.last_transition_time or 0
        return (
            _grows(desired, worker.pod),
            -(desired.spec.priority or 0),
            pod_qos(desired.spec) != "Guaranteed",
            since_ns,
        )

    def _evaluate(self, worker: PodWorker, desired: Pod) -> None:
        uid = desired.uid
        if worker.is_over:
            del self._desired[uid]
            return
        others = [w for key, w in self._workers.items() if key != uid and not w.is_over]
        taken = (other.resizer.reserved() for other in others)
        refused = resize_fits(desired, taken, self._allocatable)
        generation = desired.metadata.generation
        if refused is None:
            del self._desired[uid]
            self._recorder.normal(desired, "ResizeStarted", resize_message("started", desired))
            worker.allocate(with_resources_of(worker.pod, desired), resized=self.retry)
            return
        reason, message = refused
        pending = PodCondition(
            type=PENDING,
            status="True",
            reason=reason,
            message=message,
            observed_generation=generation,
            last_transition_time=self._sim.wall_ns,
        )
        if worker.resizer.set_pending(pending):
            text = resize_message(reason, desired, error=message)
            self._recorder.warning(desired, f"Resize{reason}", text)
            worker.kick()


def _grows(desired: Pod, allocated: Pod) -> bool:
    wanted, has = pod_requests(desired.spec), pod_requests(allocated.spec)
    return any(
        name in wanted and (name not in has or wanted[name] > has[name])
        for name in ("cpu", "memory")
    )
