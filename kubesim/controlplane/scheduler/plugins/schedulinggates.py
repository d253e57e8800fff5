"""SchedulingGates: a pod with gates is not looked at.

Mirrors: pkg/scheduler/framework/plugins/schedulinggates/scheduling_gates.go.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
    QueueingHint,
)
from kubesim.controlplane.scheduler.framework.interface import EnqueueExtensions, PreEnqueuePlugin
from kubesim.controlplane.scheduler.framework.status import Status


class SchedulingGates(PreEnqueuePlugin, EnqueueExtensions):
    """Keeps gated pods out of the active queue."""

    name: ClassVar[str] = "SchedulingGates"

    @override
    def pre_enqueue(self, pod: Pod) -> Status | None:
        gates = pod.spec.scheduling_gates
        if not gates:
            return None
        names = " ".join(gate.name for gate in gates)
        return Status.unresolvable(f"waiting for scheduling gates: [{names}]")

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        action = ActionType.UPDATE_POD_SCHEDULING_GATES_ELIMINATED
        event = ClusterEvent(EventResource.POD, action)
        return (ClusterEventWithHint(event, after_gates_eliminated),)


def after_gates_eliminated(
    pod: Pod, _old: KubeObject | None, new: KubeObject | None
) -> QueueingHint:
    """The pod's own gates are gone."""
    return QueueingHint.QUEUE if new is not None and new.uid == pod.uid else QueueingHint.SKIP
