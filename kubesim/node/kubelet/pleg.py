"""PLEG: the pod lifecycle event generator, which looks at the runtime once a second.

What happens in the runtime is seen at the kubelet's next relist, and what a relist saw is what the
kubelet believes until the next one (the pod cache). The relist is not run; a change asks for the
grid point that follows it, and a node where nothing changes costs nothing.

Mirrors: pkg/kubelet/pleg/generic.go (relist period 1 s), pkg/kubelet/container/cache.go.
Departs: a relist takes no time and never falls behind.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.node.cri.messages import ContainerStatus
from kubesim.sim import Sim
from kubesim.sim.time import SECOND, next_grid_point

RELIST_PERIOD_NS = SECOND


class PLEG:
    """The relist of one node.

    Args:
        sim: The run.
        offset_ns: Where in the second this kubelet's relists fall.
        list_containers: Asks the runtime for a pod's containers.
        on_event: Called at a relist with each pod that changed since the one before, in the order
            of the changes.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        offset_ns: int,
        list_containers: Callable[[str], tuple[ContainerStatus, ...]],
        on_event: Callable[[str], None],
    ) -> None:
        self._sim = sim
        self._offset_ns = offset_ns
        self._list_containers = list_containers
        self._on_event = on_event
        self._cache: dict[str, tuple[ContainerStatus, ...]] = {}
        self._changed: dict[str, None] = {}

    def changed(self, pod_uid: str) -> None:
        """Something about a pod's sandbox or containers changed."""
        if not self._changed:
            now_ns = self._sim.now
            relist_ns = next_grid_point(
                now_ns, period_ns=RELIST_PERIOD_NS, offset_ns=self._offset_ns
            )
            self._sim.call_in(relist_ns - now_ns, self._relist)
        self._changed[pod_uid] = None

    def containers(self, pod_uid: str) -> tuple[ContainerStatus, ...]:
        """A pod's containers as the last relist saw them, oldest first."""
        return self._cache.get(pod_uid, ())

    def prime(self, pod_uid: str) -> bool:
        """Look at a pod now, before the first relist; whether the runtime knows anything of it."""
        found = self._list_containers(pod_uid)
        if found:
            self._cache[pod_uid] = found
        return bool(found)

    def forget(self, pod_uid: str) -> None:
        """A pod is gone from the node."""
        self._cache.pop(pod_uid, None)

    def _relist(self) -> None:
        changed, self._changed = self._changed, {}
        for pod_uid in changed:
            self._cache[pod_uid] = self._list_containers(pod_uid)
            self._on_event(pod_uid)
