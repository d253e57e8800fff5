"""Making room: the victims of a preemption are told to go.

While that is under way the pod for which it happens is kept out of the active queue.

Mirrors: pkg/scheduler/framework/preemption/executor.go (prepareCandidateAsync).
"""

from __future__ import annotations

from kubesim.api.corev1 import Pod, PodCondition
from kubesim.api.podutil import set_pod_condition
from kubesim.controlplane.client import Client, Recorder, StatusError
from kubesim.controlplane.scheduler.config import scheduler_name
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.interface import PostFilterResult
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.plugins.defaultpreemption import NAME as DEFAULT_PREEMPTION
from kubesim.controlplane.scheduler.queue import SchedulingQueue
from kubesim.sim import Sim, SimProcess


class Executor:
    """Evicts victims through the API server.

    Args:
        sim: The run.
        client: The connection to the API server.
        engine: Whose nominations are to be taken back.
        queue: Where the preemptor waits.
        recorder: For the victims' events.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        engine: Engine,
        queue: SchedulingQueue,
        recorder: Recorder,
    ) -> None:
        self._sim = sim
        self._client = client
        self._engine = engine
        self._queue = queue
        self._recorder = recorder
        self._pods = client.informer(Pod)

    def prepare(self, preemptor: PodInfo, result: PostFilterResult) -> None:
        """Begin to evict the victims on the chosen node; those already going are left."""
        if result.victims is None:
            return
        victims = [
            info.pod
            for info in result.victims.pods
            if info.pod.metadata.deletion_timestamp is None
        ]
        if victims:
            self._engine.preempting.begin(preemptor.uid)
            self._sim.process(self._evict(preemptor, result.nominated_node_name, victims))

    def _evict(self, preemptor: PodInfo, node_name: str, victims: list[Pod]) -> SimProcess[None]:
        preempting = self._engine.preempting
        yield from self._clear_nominations(preemptor, node_name)
        failed = False
        others = [
            self._sim.process(self._preempt(pod, preemptor, node_name)) for pod in victims[:-1]
        ]
        if others:
            yield self._sim.all_of(others)
            failed = any(process.value is False for process in others)
        if not failed:
            last = victims[-1]
            preempting.last_victim(preemptor.uid, lambda: self._is_going(last))
            done = yield from self._preempt(last, preemptor, node_name)
            failed = not done
        preempting.end(preemptor.uid)
        if failed:
            self._queue.activate(preemptor.uid)

    def _is_going(self, victim: Pod) -> bool:
        current = self._pods.get(victim.key)
        return current is None or current.metadata.deletion_timestamp is not None

    def _preempt(self, victim: Pod, preemptor: PodInfo, node_name: str) -> SimProcess[bool]:
        """Evict one pod; whether it worked (a pod that is gone already counts as evicted)."""
        message = f"Preempted by pod {preemptor.uid} on node {node_name}"
        waiting = self._engine.waiting_pods.get(victim.uid)
        if waiting is not None and waiting.preempt(DEFAULT_PREEMPTION, "preempted"):
            # Nobody but us knows that it had a node: it just goes back into the queue.
            self._recorder.normal(victim, "Preempted", f"{message} (in kube-scheduler memory).")
            return True
        condition = PodCondition(
            type="DisruptionTarget",
            status="True",
            reason="PreemptionByScheduler",
            message=f"{scheduler_name(preemptor.pod)}: "
            "preempting to accommodate a higher priority pod",
            last_transition_time=self._sim.wall_ns,
        )
        try:
            yield from self._client.patch(
                Pod,
                victim.key,
                lambda pod: pod.replace(status=set_pod_condition(pod.status, condition)),
                status=True,
            )
            yield from self._client.delete(Pod, victim.key)
        except StatusError as error:
            return error.reason == "NotFound"
        self._recorder.normal(victim, "Preempted", message)
        return True

    def _clear_nominations(self, preemptor: PodInfo, node_name: str) -> SimProcess[None]:
        """Pods of lower priority that waited for the node have to look again."""
        for waiting in self._engine.nominator.nominated_pods_for_node(node_name):
            current = self._pods.get(waiting.pod.key)
            if waiting.priority >= preemptor.priority or current is None:
                continue
            if not current.status.nominated_node_name:
                continue
            try:
                yield from self._client.patch(Pod, current.key, _without_nomination, status=True)
            except StatusError:
                continue


def _without_nomination(pod: Pod) -> Pod:
    return pod.replace(status=pod.status.replace(nominated_node_name=None))
