"""Container garbage collection: of each container, the last dead run is kept, for its log.

When a container dies, the dead run before it goes. Of an evicted pod everything goes as soon as it has
ended, and its sandbox with the next collection, once a minute. Under disk pressure the containers of
all pods that have ended go.

Mirrors: pkg/kubelet/pod_container_deletor.go, pkg/kubelet/kuberuntime/kuberuntime_gc.go,
pkg/kubelet/kubelet.go (cleanUpContainersInPod; MaxPerPodContainerCount 1, ContainerGCPeriod).
"""

from __future__ import annotations

from collections.abc import Iterable

from kubesim.node.cri.messages import ContainerState, ContainerStatus
from kubesim.node.cri.services import RuntimeService
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MINUTE, next_grid_point

CONTAINER_GC_PERIOD_NS = MINUTE
CONTAINERS_TO_KEEP = 1  # MaxPerPodContainerCount


def superfluous(
    runs: Iterable[ContainerStatus], *, everything: bool = False
) -> list[ContainerStatus]:
    """The dead runs that go; ``runs`` are oldest first."""
    dead: dict[str, list[ContainerStatus]] = {}
    for run in runs:
        if run.state is ContainerState.EXITED:
            dead.setdefault(run.name, []).append(run)
    keep = 0 if everything else CONTAINERS_TO_KEEP
    return [run for group in dead.values() for run in group[: len(group) - keep]]


class ContainerGC:
    """One kubelet's.

    Args:
        sim: The run.
        runtime: The container runtime.
        offset_ns: Where in the minute its collections fall.
    """

    def __init__(self, sim: Sim, *, runtime: RuntimeService, offset_ns: int) -> None:
        self._sim = sim
        self._runtime = runtime
        self._offset_ns = offset_ns
        self._off = False

    def stop(self) -> None:
        """The kubelet is gone."""
        self._off = True

    def died(self, pod_uid: str, *, everything: bool) -> None:
        """Something of a pod may have died: what of it is superfluous goes."""
        runs = self._runtime.list_containers(pod_uid)
        going = superfluous(runs, everything=everything)
        if going and not self._off:
            self._sim.process(self._remove(going))

    def evicted(self, sandbox_id: str) -> None:
        """A pod was evicted: its sandbox goes with the next collection."""
        now_ns = self._sim.now
        due_ns = next_grid_point(
            now_ns, period_ns=CONTAINER_GC_PERIOD_NS, offset_ns=self._offset_ns
        )
        self._sim.call_in(due_ns - now_ns, self._collect, sandbox_id)

    def delete_all_unused(self, ended_pods: Iterable[str]) -> SimProcess[None]:
        """Under disk pressure: the containers of pods that have ended go, too."""
        for pod_uid in ended_pods:
            runs = self._runtime.list_containers(pod_uid)
            yield from self._remove(superfluous(runs, everything=True))

    def _collect(self, sandbox_id: str) -> None:
        if not self._off:
            self._sim.process(self._runtime.remove_pod_sandbox(sandbox_id))

    def _remove(self, going: Iterable[ContainerStatus]) -> SimProcess[None]:
        for run in going:
            yield from self._runtime.remove_container(run.id)
