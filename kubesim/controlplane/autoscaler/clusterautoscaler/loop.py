"""When the autoscaler looks: every ten seconds, and at once when there is something to be done.

Nothing ticks. A look is planned for a point of the grid when something changed that could matter. A pod
that the scheduler could not place starts a look at once (``frequent-loops-enabled``), and the grid
goes on from there; a look that made or removed nodes is followed by another one.

Mirrors: kubernetes/autoscaler cluster-autoscaler/loop (trigger.go, run.go).
Departs: a look takes no time.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.api.corev1 import Pod
from kubesim.api.podutil import get_pod_condition, is_pod_terminal
from kubesim.sim import Sim
from kubesim.sim.time import SECOND, next_grid_point

MAX_POD_CHANGE_AGE_NS = 10 * SECOND


class LoopTrigger:
    """Plans looks.

    Args:
        sim: The run.
        interval_ns: ``scan-interval``.
        offset_ns: When the first look is.
        look: What is to be done.
    """

    def __init__(
        self, sim: Sim, *, interval_ns: int, offset_ns: int, look: Callable[[], None]
    ) -> None:
        self._sim, self._interval_ns, self._offset_ns = sim, interval_ns, offset_ns
        self._look = look
        self._planned_ns: int | None = None

    def at(self, at_ns: int) -> None:
        """Look at the first point of the grid that is not before an instant, and not now."""
        due_ns = next_grid_point(
            max(at_ns, self._sim.now + 1) - 1,
            period_ns=self._interval_ns,
            offset_ns=self._offset_ns,
        )
        self._plan(due_ns)

    def at_once(self) -> None:
        """Look now, and every interval from now on."""
        if self._sim.now >= self._offset_ns:
            self._offset_ns = self._sim.now + 1
            self._planned_ns = None
            self._plan(self._offset_ns)

    def again(self) -> None:
        """Look once more; the grid stays."""
        self._plan(self._sim.now + 1)

    def _plan(self, due_ns: int) -> None:
        if self._planned_ns is None or due_ns < self._planned_ns:
            self._planned_ns = due_ns
            self._sim.call_in(due_ns - self._sim.now, self._fire, due_ns)

    def _fire(self, due_ns: int) -> None:
        if due_ns == self._planned_ns:  # else another look took its place
            self._planned_ns = None
            self._look()


def is_recent_unschedulable(pod: Pod, wall_ns: int) -> bool:
    """Whether a pod was found to fit nowhere a moment ago."""
    if pod.spec.node_name or is_pod_terminal(pod):
        return False
    scheduled = get_pod_condition(pod.status, "PodScheduled")
    if scheduled is None or (scheduled.status, scheduled.reason) != ("False", "Unschedulable"):
        return False
    return wall_ns <= (scheduled.last_transition_time or 0) + MAX_POD_CHANGE_AGE_NS
