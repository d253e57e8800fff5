"""Pods that Permit plugins hold back before they are bound.

Such a pod has its node, and keeps it while it waits. It goes on when every plugin that asked it to
wait has allowed it, and is turned down when one of them rejects it, or waits for too long.

Mirrors: pkg/scheduler/framework/runtime/waiting_pods_map.go, PodsToActivate of
pkg/scheduler/framework/types.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import Status
from kubesim.sim.time import MINUTE

MAX_TIMEOUT_NS = 15 * MINUTE


class WaitingPod:
    """One pod.

    Args:
        info: The pod.
        node_name: The node that it was promised.
        waits_ns: How long each plugin lets it wait at most.

    Attributes:
        verdict: Why the pod must not be bound, once that is decided; ``None`` if it may.
        done: Whether it is decided.
        decided: Called when it is decided.
    """

    def __init__(self, info: PodInfo, node_name: str, waits_ns: Mapping[str, int]) -> None:
        self.info = info
        self.node_name = node_name
        self.verdict: Status | None = None
        self.done = False
        self.decided: Callable[[], None] = lambda: None
        self._pending = dict(waits_ns)

    @property
    def pending_plugins(self) -> tuple[str, ...]:
        """The plugins that have not allowed the pod yet."""
        return tuple(self._pending)

    def allow(self, plugin: str) -> None:
        """A plugin lets the pod go; the last one that does sets it free."""
        self._pending.pop(plugin, None)
        if not self._pending:
            self._decide(None)

    def reject(self, plugin: str, message: str) -> bool:
        """A plugin turns the pod down; whether that was in time."""
        return self._decide(Status.unschedulable(message, plugin=plugin))

    def preempt(self, plugin: str, message: str) -> bool:
        """The pod has to make room for another; it is not its fault, so it is tried again."""
        return self._decide(Status.error(message, plugin=plugin))

    def expire(self, plugin: str, waited: str) -> None:
        """The time that a plugin gave is over."""
        if plugin in self._pending:
            self.reject(
                plugin, f"rejected due to timeout after waiting {waited} at plugin {plugin}"
            )

    def _decide(self, verdict: Status | None) -> bool:
        if self.done:
            return False
        self.done, self.verdict = True, verdict
        self.decided()
        return True


class WaitingPods:
    """All pods that are held back, of all profiles, by UID."""

    def __init__(self) -> None:
        self._pods: dict[str, WaitingPod] = {}

    def __iter__(self) -> Iterator[WaitingPod]:
        return iter(tuple(self._pods.values()))

    def get(self, uid: str) -> WaitingPod | None:
        """A pod, if it is held back."""
        return self._pods.get(uid)

    def add(self, pod: WaitingPod) -> None:
        """A pod is held back from now on."""
        self._pods[pod.info.uid] = pod

    def remove(self, uid: str) -> None:
        """A pod is not held back any more."""
        self._pods.pop(uid, None)

    def reject(self, uid: str) -> bool:
        """The pod was deleted; whether it was held back."""
        pod = self._pods.get(uid)
        return pod is not None and pod.reject("", "removed")


class PodsToActivate:
    """Pods that a plugin wants to be tried soon; written into the state of an attempt."""

    def __init__(self) -> None:
        self.uids: dict[str, None] = {}

    def clone(self) -> PodsToActivate:
        """Itself: a what-if evaluation does not write it."""
        return self
