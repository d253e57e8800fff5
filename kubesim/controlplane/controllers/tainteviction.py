"""The taint eviction controller: pods that do not tolerate a NoExecute taint go, at once or later.

A pod that tolerates the taint for some seconds (every pod does so for five minutes with the taints
of a lost node) is deleted when they are over, unless the taint went first. The seconds count from
when the controller saw the pod together with the taint.

Mirrors: pkg/controller/tainteviction/taint_eviction.go.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.corev1 import Node, Pod, PodCondition, Taint
from kubesim.api.podutil import is_pod_terminal, set_pod_condition
from kubesim.api.taints import toleration_tolerates_taint
from kubesim.controlplane.client import Client, Controller, NotFound, Recorder
from kubesim.controlplane.controllers.indexes import BY_NODE, node_names
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

WORKERS = 8


class TaintEvictionController(Controller):
    """Evicts pods from tainted nodes; its keys are pods."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._recorder = Recorder(sim, component="taint-eviction-controller")
        self._since_ns: dict[str, int] = {}  # pods whose eviction is planned, and since when
        self._nodes = client.informer(Node)
        self._nodes.add_handler(self._node_changed)
        self._pods = client.informer(Pod)
        self._pods.add_index(BY_NODE, node_names)
        self._pods.add_handler(self._pod_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Delete a pod whose toleration is over; come back when it is not over yet."""
        pod = self._pods.get(key)
        if pod is None or pod.metadata.deletion_timestamp is not None or is_pod_terminal(pod):
            self._since_ns.pop(key, None)
            return
        taints = _no_execute(self._nodes.get(pod.spec.node_name or ""))
        tolerated_ns = tolerated_for(pod, taints)
        if tolerated_ns is None:
            if self._since_ns.pop(key, None) is not None:
                message = f"Cancelling deletion of Pod {key}"
                self._recorder.normal(pod, "TaintManagerEviction", message)
            return
        due_ns = tolerated_ns
        if tolerated_ns:
            due_ns += self._since_ns.setdefault(key, self._sim.now)
        if due_ns > self._sim.now:
            self.queue.add_after(key, due_ns - self._sim.now)
            return
        self._since_ns.pop(key, None)
        self._recorder.normal(pod, "TaintManagerEviction", f"Marking for deletion Pod {key}")
        try:
            yield from self._client.patch(Pod, key, self._disrupted, status=True)
            yield from self._client.delete(Pod, key, uid=pod.uid)
        except NotFound:
            return

    def _disrupted(self, pod: Pod) -> Pod:
        condition = PodCondition(
            type="DisruptionTarget",
            status="True",
            reason="DeletionByTaintManager",
            message="Taint manager: deleting due to NoExecute taint",
            last_transition_time=self._sim.wall_ns,
        )
        return pod.replace(status=set_pod_condition(pod.status, condition))

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is not None and _no_execute(old) != _no_execute(new):
            for pod in self._pods.by_index(BY_NODE, new.name):
                self.queue.add(pod.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            assert old is not None
            self._since_ns.pop(old.key, None)  # another pod may get its name
            return
        if not new.spec.node_name:
            return
        same = old is not None and (old.spec.node_name, old.spec.tolerations) == (
            new.spec.node_name,
            new.spec.tolerations,
        )
        if not same and _no_execute(self._nodes.get(new.spec.node_name)):
            self.queue.add(new.key)


def _no_execute(node: Node | None) -> tuple[Taint, ...]:
    if node is None:
        return ()
    return tuple(taint for taint in node.spec.taints if taint.effect == "NoExecute")


def tolerated_for(pod: Pod, taints: tuple[Taint, ...]) -> int | None:
    """How long the pod may stay, in nanoseconds: 0 when it has to go now, ``None`` for ever."""
    seconds: list[int] = []
    for taint in taints:
        matching = [t for t in pod.spec.tolerations if toleration_tolerates_taint(t, taint)]
        if not matching:
            return 0
        limits = (toleration.toleration_seconds for toleration in matching)
        seconds += [max(limit, 0) for limit in limits if limit is not None]
    return min(seconds) * SECOND if seconds else None
