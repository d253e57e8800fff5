"""The status manager: what the kubelet reports, in order, the latest version last.

A pod has at most one status on its way to the API server; a newer one replaces one that has not
left yet. Reporting never holds up a pod worker.

Mirrors: pkg/kubelet/status/status_manager.go.
Departs: no periodic batch sync of 10 s; every change is sent at once, as upstream does too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from kubesim.api.corev1 import Pod, PodStatus
from kubesim.api.podresize import IN_PROGRESS, PENDING
from kubesim.controlplane.client import Client, NotFound, StatusError
from kubesim.sim import Event, Sim, SimProcess


class StatusManager:
    """One kubelet's status manager.

    Args:
        sim: The run.
        client: The kubelet's client.
        committed: Called when the API server has a status.
        reported: Called when there is something to report.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        committed: Callable[[Pod], None],
        reported: Callable[[Pod, PodStatus], None],
    ) -> None:
        self._sim = sim
        self._client = client
        self._committed = committed
        self._reported = reported
        self._wanted: dict[str, tuple[Pod, PodStatus]] = {}
        self._sent: dict[str, PodStatus] = {}
        self._idle: dict[str, Event] = {}

    def report(self, pod: Pod, status: PodStatus) -> None:
        """Report a status, unless it is the one reported last."""
        uid = pod.uid
        if self._sent.get(uid) == status and uid not in self._wanted:
            return
        self._reported(pod, status)
        self._wanted[uid] = (pod, status)
        if uid not in self._idle:
            self._idle[uid] = self._sim.event()
            self._sim.process(self._send(uid))

    def forget(self, uid: str) -> None:
        """What the API server has may be another one by now: report the next status anyway."""
        self._sent.pop(uid, None)

    def delete(self, pod: Pod) -> SimProcess[None]:
        """When everything is reported, delete the pod's object: it has ended on this node."""
        uid = pod.uid
        under_way = self._idle.get(uid)
        if under_way is not None:
            yield under_way
        with suppress(StatusError):  # it is gone already, or another pod has its name
            yield from self._client.delete(Pod, pod.key, grace_period_seconds=0, uid=uid)
        self._sent.pop(uid, None)

    def _send(self, uid: str) -> SimProcess[None]:
        while uid in self._wanted:
            pod, status = self._wanted.pop(uid)
            try:
                merge = partial(_merged, status=status, uid=uid)
                stored = yield from self._client.patch(Pod, pod.key, merge, status=True)
            except NotFound:
                break
            self._sent[uid] = status
            self._committed(stored)
        self._wanted.pop(uid, None)
        self._idle.pop(uid).succeed()


def _merged(current: Pod, *, status: PodStatus, uid: str) -> Pod:
    """The current pod with a kubelet's status: conditions of other owners stay as they are."""
    if current.uid != uid:
        return current  # another pod of the same name: not ours to report on
    reported = {condition.type for condition in status.conditions} | {PENDING, IN_PROGRESS}
    foreign = tuple(c for c in current.status.conditions if c.type not in reported)
    # Invariant: PodScheduled belongs to the scheduler; the kubelet only carries it along.
    conditions = status.conditions + foreign
    return current.replace(
        status=status.replace(conditions=conditions, qos_class=current.status.qos_class)
    )
