"""Ending a node: taint it, evict its pods, end its instance, and let its objects go.

Four groups of pods leave one after the other: ordinary ones, then those of DaemonSets, then critical
ones, then critical ones of DaemonSets. Each pod is evicted; what a disruption budget refuses (429) is
asked for again after a tenth of a second, then twice as long, up to ten seconds. A pod with the
annotation ``karpenter.sh/do-not-disrupt`` is waited for. When the claim has a
``terminationGracePeriod``, a pod that could not use its own grace before the end of it is deleted, and
neither budget nor annotation is asked.

Mirrors: kubernetes-sigs/karpenter pkg/controllers/node/termination (controller.go,
terminator/terminator.go, terminator/eviction.go).
Departs: nothing is asked again before a budget, a pod or a deadline has changed; volumes are not waited
for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kubesim.api.corev1 import Node, Pod, Taint
from kubesim.api.metav1 import controller_of
from kubesim.api.podutil import is_pod_terminal
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.api.taints import find_matching_untolerated_taint
from kubesim.controlplane.client import Client, Conflict, NotFound, Recorder, StatusError
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MILLISECOND, MINUTE, SECOND

DISRUPTED = "karpenter.sh/disrupted"
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
CRITICAL = ("system-cluster-critical", "system-node-critical")
BASE_DELAY_NS = 100 * MILLISECOND
MAX_DELAY_NS = 10 * SECOND
POLL_NS = SECOND
STUCK_NS = MINUTE
DEFAULT_GRACE_SECONDS = 30
_MARK = Taint(key=DISRUPTED, effect="NoSchedule")


class Terminator:
    """Empties nodes.

    Args:
        sim: The run.
        client: The connection to the API server.
        recorder: For events.
        gone: Whether the instance of a node is gone.
    """

    def __init__(
        self, sim: Sim, *, client: Client, recorder: Recorder, gone: Callable[[str], bool]
    ) -> None:
        self._sim, self._client, self._recorder, self._gone = sim, client, recorder, gone
        self._pods, self._nodes = client.informer(Pod), client.informer(Node)
        self._budgets = client.informer(PodDisruptionBudget)
        self._change = sim.event()
        self._waiting = 0
        self._queued: set[str] = set()
        self._pods.add_handler(lambda _old, _new: self.wake())
        self._budgets.add_handler(lambda _old, _new: self.wake())

    def wake(self) -> None:
        """Something changed that somebody may wait for."""
        if self._waiting:
            change, self._change = self._change, self._sim.event()
            change.succeed()

    def drain(self, name: str, reason: str, deadline_ns: int | None) -> SimProcess[None]:
        """Evict the pods of a node and wait until they are gone.

        Args:
            name: The node.
            reason: Why, as events say it.
            deadline_ns: When the last pod has to be gone, whatever protects it.
        """
        while True:
            if self._gone(name):
                return
            waiting = [pod for pod in self._pods.values() if self._waits(pod, name)]
            if not waiting:
                return
            forced = [pod for pod in waiting if self._must_be_deleted(pod, deadline_ns)]
            graceful = [pod for pod in waiting if pod not in forced]
            groups = group_pods(graceful)
            for pod in (*forced, *(groups[0] if groups else ())):
                if pod.uid not in self._queued:
                    self._queued.add(pod.uid)
                    self._sim.process(self._evict(pod, name, reason, deadline_ns))
            yield from self._wait(self._next_deadline_ns(waiting, deadline_ns))

    def _wait(self, until_ns: int | None) -> SimProcess[None]:
        """Wait for a change, or an instant; a second at least, as the real one comes again."""
        self._waiting += 1
        change = self._change
        yield self._sim.timeout(POLL_NS)
        if not change.triggered:
            if until_ns is None:
                yield change
            elif until_ns > self._sim.now:
                yield self._sim.any_of([change, self._sim.timeout(until_ns - self._sim.now)])
        self._waiting -= 1

    def _next_deadline_ns(self, pods: Iterable[Pod], deadline_ns: int | None) -> int | None:
        """When the passing of time alone changes what becomes of a pod."""
        due = []
        offset_ns = self._sim.now - self._sim.wall_ns
        for pod in pods:
            if deadline_ns is not None:
                due.append(deadline_ns - _grace_ns(pod))
            ends_ns = pod.metadata.deletion_timestamp
            if ends_ns is not None:
                due.append(ends_ns + offset_ns + STUCK_NS)
        return min((at_ns + 1 for at_ns in due if at_ns >= self._sim.now), default=None)

    def _waits(self, pod: Pod, node: str) -> bool:
        """Whether the node waits for a pod to leave."""
        if pod.spec.node_name != node or is_pod_terminal(pod) or not is_drainable(pod):
            return False
        ends_ns = pod.metadata.deletion_timestamp
        return ends_ns is None or self._sim.wall_ns <= ends_ns + STUCK_NS

    def _must_be_deleted(self, pod: Pod, deadline_ns: int | None) -> bool:
        if deadline_ns is None:
            return False
        ends_ns = pod.metadata.deletion_timestamp
        if ends_ns is not None:
            return ends_ns - self._sim.wall_ns + self._sim.now > deadline_ns
        return self._sim.now > deadline_ns - _grace_ns(pod)

    def _evict(
        self, queued: Pod, node: str, reason: str, deadline_ns: int | None
    ) -> SimProcess[None]:
        """One pod's way out of the queue."""
        delay_ns = BASE_DELAY_NS
        while True:
            pod = self._pods.get(queued.key)
            if pod is None or pod.uid != queued.uid:
                break
            if self._must_be_deleted(pod, deadline_ns):
                assert deadline_ns is not None
                yield from self._delete(pod, deadline_ns)
                break
            if pod.metadata.deletion_timestamp is not None or is_pod_terminal(pod):
                break
            if pod.metadata.annotations.get(DO_NOT_DISRUPT) != "true":
                refused = yield from self._ask(pod, node, reason)
                if not refused:
                    break
            yield self._sim.timeout(delay_ns)
            if delay_ns == MAX_DELAY_NS:
                yield from self._wait(self._next_deadline_ns([pod], deadline_ns))
            delay_ns = min(2 * delay_ns, MAX_DELAY_NS)
        self._queued.discard(queued.uid)

    def _ask(self, pod: Pod, node: str, reason: str) -> SimProcess[bool]:
        """Ask for an eviction; whether it was refused."""
        try:
            yield from self._client.evict(pod.key)
        except (NotFound, Conflict):
            return False
        except StatusError as error:
            known = self._nodes.get(node)
            several = error.code != 429
            what = (
                "eviction does not support multiple PDBs"
                if several
                else ("evicting pod violates a PDB")
            )
            if known is not None:
                message = f"Failed to drain node, {what} (Pod={pod.namespace}/{pod.name})"
                self._recorder.warning(known, "FailedDraining", message)
            return True
        self._recorder.normal(pod, "Evicted", f"Evicted pod: {reason}")
        return False

    def _delete(self, pod: Pod, deadline_ns: int) -> SimProcess[None]:
        """Delete a pod whose own grace is longer than what is left of the node's."""
        left_s = max((deadline_ns - self._sim.now) // SECOND, 1)
        own_s = _grace_ns(pod) // SECOND
        self._recorder.normal(
            pod,
            "Disrupted",
            "Deleting the pod to accommodate the terminationTime of the node. The pod was granted "
            f"{left_s} seconds of grace-period of its {own_s} terminationGracePeriodSeconds. This "
            "bypasses the PDB of the pod and the do-not-disrupt annotation.",
        )
        try:
            yield from self._client.delete(Pod, pod.key, uid=pod.uid, grace_period_seconds=left_s)
        except StatusError:
            return


def is_drainable(pod: Pod) -> bool:
    """Whether a pod has to leave: not if it tolerates that its node goes, or is its node's own."""
    owner = controller_of(pod)
    if owner is not None and owner.kind == "Node":
        return False
    tolerations = pod.spec.tolerations
    return find_matching_untolerated_taint((_MARK,), tolerations, lambda _taint: True) is not None


def group_pods(pods: Iterable[Pod]) -> list[list[Pod]]:
    """Pods in the groups in which they leave, the first group first, without empty ones."""
    groups: list[list[Pod]] = [[], [], [], []]
    for pod in pods:
        owner = controller_of(pod)
        daemon = owner is not None and owner.kind == "DaemonSet"
        critical = pod.spec.priority_class_name in CRITICAL
        groups[2 * critical + daemon].append(pod)
    return [group for group in groups if group]


def _grace_ns(pod: Pod) -> int:
    grace = pod.spec.termination_grace_period_seconds
    return (DEFAULT_GRACE_SECONDS if grace is None else grace) * SECOND
