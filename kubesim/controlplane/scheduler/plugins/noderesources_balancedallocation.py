"""NodeResourcesBalancedAllocation: prefers nodes whose resources the pod makes evenly used.

Mirrors: pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from kubesim.controlplane.scheduler.config import (
    DEFAULT_RESOURCES,
    NodeResourcesBalancedAllocationArgs,
)
from kubesim.controlplane.scheduler.framework.allocation import node_amounts
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import PreScorePlugin, ScorePlugin
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.scorers import (
    Scorer,
    balance_with_pod,
    balanced_allocation,
)
from kubesim.controlplane.scheduler.framework.status import SKIP, Status
from kubesim.controlplane.scheduler.versions import Version

NAME = "NodeResourcesBalancedAllocation"


@dataclass(frozen=True, slots=True)
class PreScoreState:
    """What the pod requests, for each scored resource."""

    requests: tuple[int, ...]

    def clone(self) -> PreScoreState:
        """Itself: it never changes."""
        return self


class BalancedAllocation(PreScorePlugin, ScorePlugin):
    """Scores by the balance that the pod brings; pods without requests bring none.

    Args:
        args: The resources that count.
        version: What the score is.
    """

    name: ClassVar[str] = NAME

    def __init__(
        self,
        args: NodeResourcesBalancedAllocationArgs,
        version: Version = Version(),  # noqa: B008  # frozen
    ) -> None:
        self.resources = args.resources or DEFAULT_RESOURCES
        self.alone = version.balance_alone
        self.scores_best_effort = version.scores_best_effort
        self.scorer: Scorer = balance_with_pod if version.balance_alone else balanced_allocation
        self._names = tuple(spec.name for spec in self.resources)

    @override
    def pre_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        amounts = info.signature.request_amounts
        requests = tuple(amounts.get(name, 0) for name in self._names)
        if not any(requests) and not self.scores_best_effort:
            return SKIP
        state.write(PreScoreState(requests))
        return None

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        requests = state.read(PreScoreState).requests
        return self.scorer(*node_amounts(node, self._names, requests, non_zero=False))
