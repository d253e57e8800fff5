"""How many pods of a workload may be away or resized at the same time. Pure but for its counts.

Mirrors: vertical-pod-autoscaler/pkg/updater/restriction (pods_restriction_factory.go,
pods_eviction_restriction.go, pods_inplace_restriction.go).
Departs: the time since when a resize is under way begins anew with each resize.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from kubesim.api.corev1 import Pod, PodCondition
from kubesim.api.metav1 import controller_of
from kubesim.api.podresize import IN_PROGRESS, PENDING
from kubesim.api.podutil import get_pod_condition
from kubesim.api.vpav1 import VerticalPodAutoscaler, update_mode
from kubesim.controlplane.autoscaling.vpa.config import UpdaterConfig
from kubesim.controlplane.autoscaling.vpa.targets import Controller
from kubesim.sim.time import HOUR, MINUTE

DEFERRED_TIMEOUT_NS = 5 * MINUTE  # DeferredResizeUpdateTimeout
IN_PROGRESS_TIMEOUT_NS = HOUR  # InProgressResizeUpdateTimeout


class Decision(Enum):
    """Whether a pod may be resized in place now."""

    APPROVED = "approved"
    DEFERRED = "deferred"
    EVICT = "evict"


@dataclass(slots=True)
class Group:
    """The pods of one workload.

    Attributes:
        configured: How many there should be.
        pending: How many of those that live are pending.
        running: How many are not.
        tolerance: How many may be away.
        evicted: How many were evicted in this loop.
        resized: How many were resized in this loop.
        below_minimum: There are fewer than may be touched; resizes that restart nobody are let
            through.
    """

    configured: int
    pending: int
    running: int
    tolerance: int
    evicted: int = 0
    resized: int = 0
    below_minimum: bool = False

    @property
    def is_disruptable(self) -> bool:
        """Whether one more may go."""
        should_be_alive = self.configured - self.tolerance
        alive = self.running - (self.evicted + self.resized)
        untouched = self.evicted == 0 and self.resized == 0
        return alive > should_be_alive or (
            self.configured == self.running and self.tolerance == 0 and untouched
        )


class Restriction:
    """What may be done to the pods of one autoscaler in one loop.

    Args:
        vpa: The autoscaler.
        pods: Its living pods.
        config: The updater's flags.
        replicas: How many pods a workload should have; ``None`` when nobody knows.
        resized_since_ns: Since when each pod is being resized, by key; kept from loop to loop.
        wall_ns: The time on the wall.
    """

    def __init__(
        self,
        vpa: VerticalPodAutoscaler,
        pods: Iterable[Pod],
        *,
        config: UpdaterConfig,
        replicas: Callable[[Controller], int | None],
        resized_since_ns: dict[str, int],
        wall_ns: int,
    ) -> None:
        self._config, self._wall_ns = config, wall_ns
        self._since_ns = resized_since_ns
        self._group_of: dict[str, Group] = {}
        by_owner: dict[Controller, list[Pod]] = {}
        for pod in pods:
            owner = controller_of(pod)
            if owner is not None:
                key = Controller(owner.kind, pod.namespace or "", owner.name)
                by_owner.setdefault(key, []).append(pod)
        policy = vpa.spec.update_policy
        required = config.min_replicas
        if policy is not None and policy.min_replicas is not None:
            required = policy.min_replicas
        skips = config.in_place_skip_disruption_budget
        skips = skips and update_mode(vpa) == "InPlaceOrRecreate"
        for owner_key, living in by_owner.items():
            below = len(living) < required
            if below and not skips:
                continue
            configured = len(living) if owner_key.kind == "Job" else replicas(owner_key)
            if not configured:
                continue
            pending = sum(pod.status.phase == "Pending" for pod in living)
            group = Group(
                configured=configured,
                pending=pending,
                running=len(living) - pending,
                tolerance=int(configured * config.eviction_tolerance),
                below_minimum=below,
            )
            for pod in living:
                self._group_of[pod.key] = group

    def may_evict(self, pod: Pod) -> bool:
        """Whether a pod may be evicted now."""
        group = self._group_of.get(pod.key)
        if group is None:
            return False
        if pod.status.phase == "Pending":
            return True
        if group.below_minimum:
            return False
        if is_resizing(pod):
            return self._gave_up(pod, group)
        return group.is_disruptable

    def may_resize(self, pod: Pod, vpa: VerticalPodAutoscaler) -> Decision:
        """Whether a pod may be resized in place now."""
        group = self._group_of.get(pod.key)
        if group is None or pod.status.phase == "Pending" or vpa.status.recommendation is None:
            return Decision.DEFERRED
        if is_resizing(pod):
            return Decision.EVICT if self._gave_up(pod, group) else Decision.DEFERRED
        self._since_ns.pop(pod.key, None)
        if self._config.in_place_skip_disruption_budget and _restarts_nothing(pod):
            return Decision.APPROVED
        return Decision.APPROVED if group.is_disruptable else Decision.DEFERRED

    def evicted(self, pod: Pod) -> None:
        """A pod was evicted."""
        if pod.status.phase != "Pending":
            self._group_of[pod.key].evicted += 1

    def resized(self, pod: Pod) -> None:
        """A pod was resized."""
        self._group_of[pod.key].resized += 1

    def _gave_up(self, pod: Pod, group: Group) -> bool:
        """Whether a resize that is under way has failed, or takes too long."""
        since_ns = self._since_ns.setdefault(pod.key, self._wall_ns)
        if not group.is_disruptable:
            return False
        elapsed_ns = self._wall_ns - since_ns
        pending = get_pod_condition(pod.status, PENDING)
        if pending is not None:
            return pending.reason != "Deferred" or elapsed_ns > DEFERRED_TIMEOUT_NS
        going = get_pod_condition(pod.status, IN_PROGRESS)
        assert going is not None
        if not going.reason and not going.message:
            return elapsed_ns > IN_PROGRESS_TIMEOUT_NS
        return True


def is_resizing(pod: Pod) -> bool:
    """Whether a resize of the pod waits or is under way."""
    found: list[PodCondition | None] = [
        get_pod_condition(pod.status, type_) for type_ in (PENDING, IN_PROGRESS)
    ]
    return any(condition is not None and condition.status == "True" for condition in found)


def _restarts_nothing(pod: Pod) -> bool:
    return not any(
        policy.restart_policy == "RestartContainer"
        for container in pod.spec.containers
        for policy in container.resize_policy
    )
