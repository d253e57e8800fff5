"""Emptying a node: pods are evicted, one group of priorities after the other, and waited for.

An eviction asks the API server; what a disruption budget refuses (429) is asked for again every ten
seconds, until ``max-pod-eviction-time`` is over. DaemonSet pods are evicted as well as possible:
nobody minds if that fails.

Mirrors: kubernetes/autoscaler cluster-autoscaler/core/scaledown/actuation (drain.go, priority.go),
utils/daemonset (PodsToEvict).
Departs: whether a pod is gone is seen in the informer's cache, not asked of the API server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import controller_of
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options
from kubesim.controlplane.client import Client, NotFound, Recorder, StatusError
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

EVICTION_RETRY_NS = 10 * SECOND
POD_EVICTION_HEADROOM_NS = 30 * SECOND
POLL_NS = 5 * SECOND
DEFAULT_GRACE_SECONDS = 30
ENABLE_DAEMON_SET_EVICTION = "cluster-autoscaler.kubernetes.io/enable-ds-eviction"


@dataclass(slots=True)
class EvictionGroup:
    """Pods that are evicted at the same time.

    Attributes:
        priority: The priority from which on a pod belongs here.
        grace_seconds: The longest grace period that a pod is given.
        full: The pods that have to be gone.
        best_effort: The pods that may stay.
    """

    priority: int
    grace_seconds: int
    full: list[Pod] = field(default_factory=list)
    best_effort: list[Pod] = field(default_factory=list)


def group_by_priority(
    rules: Sequence[tuple[int, int]], full: Iterable[Pod], best_effort: Iterable[Pod]
) -> list[EvictionGroup]:
    """The groups in which pods are evicted.

    Args:
        rules: Priorities in rising order, each with its grace in seconds.
        full: The pods that have to be gone.
        best_effort: The pods that may stay.
    """
    groups = [EvictionGroup(priority, grace) for priority, grace in rules]
    for pod in full:
        groups[_index(pod, rules)].full.append(pod)
    for pod in best_effort:
        groups[_index(pod, rules)].best_effort.append(pod)
    return groups


def _index(pod: Pod, rules: Sequence[tuple[int, int]]) -> int:
    """The highest rule that is not above the pod; the lowest if all are."""
    below = [i for i, (least, _) in enumerate(rules) if least <= (pod.spec.priority or 0)]
    return below[-1] if below else 0


def daemon_set_pods(pods: Iterable[Pod], *, by_default: bool) -> list[Pod]:
    """The pods of DaemonSets that are evicted, too."""
    chosen = []
    for pod in pods:
        owner = controller_of(pod)
        if owner is None or owner.kind != "DaemonSet":
            continue
        said = pod.metadata.annotations.get(ENABLE_DAEMON_SET_EVICTION)
        if said == "true" or (said is None and by_default):
            chosen.append(pod)
    return chosen


class Evictor:
    """Evicts pods.

    Args:
        sim: The run.
        client: The connection to the API server.
        recorder: For events.
        options: The flags.
    """

    def __init__(self, sim: Sim, *, client: Client, recorder: Recorder, options: Options) -> None:
        self._sim, self._client = sim, client
        self._recorder, self._options = recorder, options
        self._pods = client.informer(Pod)

    def drain(
        self, node: str, full: Iterable[Pod], best_effort: Iterable[Pod]
    ) -> SimProcess[str | None]:
        """Evict pods and wait until they are gone; why that failed, if it did."""
        if self._options.drain_priority_config:
            full, best_effort = [*full, *best_effort], ()
        for group in group_by_priority(self._options.drain_groups, full, best_effort):
            if not group.full and not group.best_effort:
                continue
            failure = yield from self._evict_group(node, group)
            if failure is None:
                failure = yield from self._await(node, group)
            if failure is not None:
                return failure
        return None

    def _evict_group(self, node: str, group: EvictionGroup) -> SimProcess[str | None]:
        until_ns = self._sim.now + self._options.max_pod_eviction_time
        full = [
            self._sim.process(self._evict(pod, group, until_ns, must=True)) for pod in group.full
        ]
        others = [
            self._sim.process(self._evict(pod, group, until_ns, must=False))
            for pod in group.best_effort
        ]
        yield self._sim.all_of([*full, *others])
        errors = [process.value for process in full if process.value is not None]
        if errors:
            listed = " ".join(errors)
            return f"Failed to drain node /{node}, due to following errors: [{listed}]"
        return None

    def _evict(
        self, pod: Pod, group: EvictionGroup, until_ns: int, *, must: bool
    ) -> SimProcess[str | None]:
        """Evict one pod; why it could not be, if it could not."""
        self._recorder.normal(pod, "ScaleDown", "deleting pod for node scale down")
        grace = grace_seconds(pod, at_most=group.grace_seconds)
        while True:
            try:
                yield from self._client.evict(pod.key, grace_period_seconds=grace)
            except NotFound:
                return None
            except StatusError as error:
                yield self._sim.timeout(EVICTION_RETRY_NS)
                if self._sim.now >= until_ns:
                    if must:
                        message = "failed to delete pod for ScaleDown"
                        self._recorder.warning(pod, "ScaleDownFailed", message)
                    return (
                        f"failed to evict pod {pod.namespace}/{pod.name} within allowed timeout "
                        f"(last error: {error.message})"
                    )
            else:
                return None

    def _await(self, node: str, group: EvictionGroup) -> SimProcess[str | None]:
        until_ns = self._sim.now + group.grace_seconds * SECOND + POD_EVICTION_HEADROOM_NS
        while any(self._is_there(pod, node) for pod in group.full):
            if self._sim.now >= until_ns:
                return f"Failed to drain node /{node}: pods remaining after timeout"
            yield self._sim.timeout(POLL_NS)
        return None

    def _is_there(self, pod: Pod, node: str) -> bool:
        current = self._pods.get(pod.key)
        return current is not None and current.spec.node_name == node


def grace_seconds(pod: Pod, *, at_most: int) -> int:
    """The grace period that a pod is given."""
    wanted = pod.spec.termination_grace_period_seconds
    seconds = DEFAULT_GRACE_SECONDS if wanted is None else wanted
    return min(seconds, at_most) if at_most > 0 else seconds
