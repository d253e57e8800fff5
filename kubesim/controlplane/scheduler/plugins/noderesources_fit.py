"""NodeResourcesFit: a node must have left what the pod requests; how much is left makes a score.

A request that exceeds what the node has at all cannot be helped by evicting others.

Mirrors: pkg/scheduler/framework/plugins/noderesources/fit.go, resource_allocation.go.
Departs: extended resources that are backed by device classes are not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Node, Pod
from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.scheduler.config import (
    DEFAULT_RESOURCES,
    NodeResourcesFitArgs,
    ScoringStrategy,
)
from kubesim.controlplane.scheduler.framework.allocation import node_amounts
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
    QueueingHint,
)
from kubesim.controlplane.scheduler.framework.interface import (
    EnqueueExtensions,
    FilterPlugin,
    PreFilterPlugin,
    PreScorePlugin,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.resources import (
    Resource,
    is_extended_resource_name,
    is_scalar_resource_name,
    pod_requests,
)
from kubesim.controlplane.scheduler.framework.scorers import (
    Scorer,
    least_allocated,
    most_allocated,
    requested_to_capacity_ratio,
)
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.versions import Version

NAME = "NodeResourcesFit"


@dataclass(frozen=True, slots=True)
class PreScoreState:
    """What the pod counts with, for each scored resource."""

    requests: tuple[int, ...]

    def clone(self) -> PreScoreState:
        """Itself: it never changes."""
        return self


class Fit(PreFilterPlugin, FilterPlugin, PreScorePlugin, ScorePlugin, EnqueueExtensions):
    """Refuses nodes without enough left; scores by a strategy.

    Args:
        args: The strategy, and resources that others take care of.
        version: Whether a request beyond what a node has is final.
    """

    name: ClassVar[str] = NAME

    def __init__(
        self,
        args: NodeResourcesFitArgs,
        version: Version = Version(),  # noqa: B008  # frozen
    ) -> None:
        self.too_big_is_final = version.too_big_is_final
        self.ignored = frozenset(args.ignored_resources)
        self.ignored_groups = frozenset(args.ignored_resource_groups)
        self.strategy = args.scoring_strategy
        self.resources = args.scoring_strategy.resources or DEFAULT_RESOURCES
        self._names = tuple(spec.name for spec in self.resources)
        self._scorer = scorer_of(self.strategy)

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        pod = ClusterEvent(EventResource.POD, ActionType.DELETE | ActionType.UPDATE_POD_SCALE_DOWN)
        node = ClusterEvent(
            EventResource.NODE, ActionType.ADD | ActionType.UPDATE_NODE_ALLOCATABLE
        )
        return (
            ClusterEventWithHint(pod, after_pod_event),
            ClusterEventWithHint(node, after_node_change),
        )

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        return None, None

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        wanted = info.signature.requests
        reasons, unresolvable = insufficient(wanted, node, self.ignored, self.ignored_groups)
        if not reasons:
            return None
        unresolvable &= self.too_big_is_final
        code = Code.UNSCHEDULABLE_AND_UNRESOLVABLE if unresolvable else Code.UNSCHEDULABLE
        return Status(code, tuple(reasons), NAME)

    @override
    def pre_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        counted = info.signature.score_amounts
        state.write(PreScoreState(tuple(counted.get(name, 0) for name in self._names)))
        return None

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        requests = state.read(PreScoreState).requests
        return self._scorer(*node_amounts(node, self._names, requests, non_zero=True))


def scorer_of(strategy: ScoringStrategy) -> Scorer:
    """The scorer that a strategy names."""
    resources = strategy.resources or DEFAULT_RESOURCES
    match strategy.type:
        case "LeastAllocated":
            return least_allocated(resources)
        case "MostAllocated":
            return most_allocated(resources)
        case "RequestedToCapacityRatio":
            curve = strategy.requested_to_capacity_ratio
            return requested_to_capacity_ratio(resources, curve.shape if curve else ())


def insufficient(
    wanted: Resource,
    node: NodeInfo,
    ignored: frozenset[str] = frozenset(),
    ignored_groups: frozenset[str] = frozenset(),
) -> tuple[list[str], bool]:
    """What the node lacks, as messages, and whether it lacks it for good."""
    allocatable, requested = node.allocatable, node.requested
    reasons: list[str] = []
    unresolvable = False
    if len(node.pods) + 1 > allocatable.allowed_pod_number:
        reasons.append("Too many pods")
    if wanted.nothing:
        return reasons, unresolvable
    for name, amount, capacity, used in (
        ("cpu", wanted.milli_cpu, allocatable.milli_cpu, requested.milli_cpu),
        ("memory", wanted.memory, allocatable.memory, requested.memory),
        (
            "ephemeral-storage",
            wanted.ephemeral_storage,
            allocatable.ephemeral_storage,
            requested.ephemeral_storage,
        ),
    ):
        if amount > 0 and amount > capacity - used:
            reasons.append(f"Insufficient {name}")
            unresolvable |= amount > capacity
    for name, amount in wanted.scalars.items():
        if amount == 0 or _is_ignored(name, ignored, ignored_groups):
            continue
        capacity = allocatable.scalars.get(name, 0)
        if amount > capacity - requested.scalars.get(name, 0):
            reasons.append(f"Insufficient {name}")
            unresolvable |= amount > capacity
    return reasons, unresolvable


def _is_ignored(name: str, ignored: frozenset[str], groups: frozenset[str]) -> bool:
    if not (ignored or groups) or not is_extended_resource_name(name):
        return False
    return name in ignored or name.partition("/")[0] in groups


def after_pod_event(pod: Pod, old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """A pod left a node, or asks for less of something that this pod wants."""
    if new is None:
        assert isinstance(old, Pod)
        frees = old.spec.node_name or old.status.nominated_node_name
        return QueueingHint.QUEUE if frees else QueueingHint.SKIP
    assert isinstance(new, Pod)
    if new.uid == pod.uid:
        return QueueingHint.QUEUE
    if not new.spec.node_name or not isinstance(old, Pod):
        return QueueingHint.SKIP
    before, after = _amounts(old), _amounts(new)
    wanted = _amounts(pod)
    helps = any(before.get(name, 0) > after.get(name, 0) for name in wanted if wanted[name])
    return QueueingHint.QUEUE if helps else QueueingHint.SKIP


def after_node_change(pod: Pod, old: KubeObject | None, new: KubeObject | None) -> QueueingHint:
    """A node came on which the pod would fit were it empty, or has more of what the pod wants."""
    assert isinstance(new, Node)
    wanted = Resource(pod_requests(pod.spec))
    empty = NodeInfo(new.name)
    empty.set_node(new)
    if insufficient(wanted, empty)[0]:
        return QueueingHint.SKIP
    if not isinstance(old, Node):
        return QueueingHint.QUEUE
    before, after = Resource(old.status.allocatable), empty.allocatable
    return QueueingHint.QUEUE if _any_increased(wanted, before, after) else QueueingHint.SKIP


def _any_increased(wanted: Resource, before: Resource, after: Resource) -> bool:
    if after.allowed_pod_number > before.allowed_pod_number:
        return True
    if (
        (wanted.milli_cpu > 0 and after.milli_cpu > before.milli_cpu)
        or (wanted.memory > 0 and after.memory > before.memory)
        or (wanted.ephemeral_storage > 0 and after.ephemeral_storage > before.ephemeral_storage)
    ):
        return True
    return any(
        after.scalars.get(name, 0) > before.scalars.get(name, 0)
        for name, amount in wanted.scalars.items()
        if amount
    )


def _amounts(pod: Pod) -> Mapping[str, int]:
    return {
        name: quantity.milli_value()
        for name, quantity in pod_requests(pod.spec).items()
        if name in ("cpu", "memory", "ephemeral-storage") or is_scalar_resource_name(name)
    }
