"""A profile at work: its plugins in order, extension point by extension point.

Mirrors: pkg/scheduler/framework/runtime/framework.go.
Departs: plugins run one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import (
    BindPlugin,
    FilterPlugin,
    NodeToStatus,
    Nominator,
    PermitPlugin,
    Plugin,
    PostBindPlugin,
    PostFilterPlugin,
    PostFilterResult,
    PreBindPlugin,
    PreEnqueuePlugin,
    PreFilterExtensions,
    PreFilterPlugin,
    PreScorePlugin,
    QueueSortPlugin,
    ReservePlugin,
    ScoreExtensions,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import (
    MAX_NODE_SCORE,
    MIN_NODE_SCORE,
    SKIP,
    Code,
    Status,
)
from kubesim.controlplane.scheduler.framework.waiting import MAX_TIMEOUT_NS
from kubesim.sim import SimProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginLists:
    """The plugins of a profile, by extension point, in the order in which they run."""

    pre_enqueue: tuple[PreEnqueuePlugin, ...]
    queue_sort: QueueSortPlugin
    pre_filter: tuple[PreFilterPlugin, ...]
    filter: tuple[FilterPlugin, ...]
    post_filter: tuple[PostFilterPlugin, ...]
    pre_score: tuple[PreScorePlugin, ...]
    score: tuple[ScorePlugin, ...]
    reserve: tuple[ReservePlugin, ...]
    permit: tuple[PermitPlugin, ...]
    pre_bind: tuple[PreBindPlugin, ...]
    bind: tuple[BindPlugin, ...]
    post_bind: tuple[PostBindPlugin, ...]
    all: tuple[Plugin, ...]
    weights: Mapping[str, int]


@dataclass(slots=True, kw_only=True)
class ScoreTable:
    """The scores of one attempt, node by node in the order of ``nodes``.

    Attributes:
        nodes: The names of the nodes.
        totals: The weighted sums.
        raw: By plugin, the scores before normalization and weight.
        weighted: By plugin, the scores after both.
    """

    nodes: list[str]
    totals: list[int]
    raw: dict[str, list[int]]
    weighted: dict[str, list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreFilterOutcome:
    """What the PreFilter plugins said together.

    Attributes:
        node_names: The only nodes worth looking at; ``None`` for all.
        status: The refusal, if any.
        plugins: The plugins that named nodes.
    """

    node_names: frozenset[str] | None = None
    status: Status | None = None
    plugins: tuple[str, ...] = ()


class Framework:
    """One profile.

    Args:
        profile_name: The scheduler name that pods ask for.
        plugins: The plugins.
        nominator: Who waits for which node.
        percentage_of_nodes_to_score: The profile's own, if it has one.
    """

    def __init__(
        self,
        *,
        profile_name: str,
        plugins: PluginLists,
        nominator: Nominator,
        percentage_of_nodes_to_score: int | None,
    ) -> None:
        self.profile_name = profile_name
        self.plugins = plugins
        self.percentage_of_nodes_to_score = percentage_of_nodes_to_score
        self._nominator = nominator
        self._extensions = tuple(
            plugin for plugin in plugins.pre_filter if isinstance(plugin, PreFilterExtensions)
        )

    def run_pre_filter_plugins(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> PreFilterOutcome:
        """Let every plugin look at the pod; the first unresolvable refusal ends it."""
        skipped: list[str] = []
        named_by: list[str] = []
        names: frozenset[str] | None = None
        refusal: Status | None = None
        outcome: PreFilterOutcome | None = None
        for plugin in self.plugins.pre_filter:
            result, status = plugin.pre_filter(state, info, nodes)
            if status is not None:
                if status.code is Code.SKIP:
                    skipped.append(plugin.name)
                elif status.code is Code.UNSCHEDULABLE:
                    refusal = status.by(plugin.name)
                else:
                    outcome = PreFilterOutcome(status=_refused(status, plugin, "PreFilter"))
                    break
                continue
            if result is not None:
                named_by.append(plugin.name)
                names = result if names is None else names & result
                if not names:
                    status = Status.unresolvable(_nothing_left(named_by))
                    outcome = PreFilterOutcome(
                        node_names=names, status=status, plugins=tuple(named_by)
                    )
                    break
        state.skip_filter_plugins = frozenset(skipped)
        return outcome or PreFilterOutcome(
            node_names=names, status=refusal, plugins=tuple(named_by)
        )

    def run_pre_filter_extension_add_pod(
        self, state: CycleState, info: PodInfo, added: PodInfo, node: NodeInfo
    ) -> None:
        """Tell the plugins that a pod was added to a what-if node."""
        for plugin in self._extensions:
            if plugin.name not in state.skip_filter_plugins:
                plugin.add_pod(state, info, added, node)

    def run_pre_filter_extension_remove_pod(
        self, state: CycleState, info: PodInfo, gone: PodInfo, node: NodeInfo
    ) -> None:
        """Tell the plugins that a pod was removed from a what-if node."""
        for plugin in self._extensions:
            if plugin.name not in state.skip_filter_plugins:
                plugin.remove_pod(state, info, gone, node)

    def run_filter_plugins(
        self, state: CycleState, info: PodInfo, node: NodeInfo
    ) -> Status | None:
        """The first refusal, or ``None``."""
        skip = state.skip_filter_plugins
        for plugin in self.plugins.filter:
            if plugin.name not in skip:
                status = plugin.filter(state, info, node)
                if status is not None:
                    return _refused(status, plugin, "filter")
        return None

    def run_filter_plugins_with_nominated_pods(
        self, state: CycleState, info: PodInfo, node: NodeInfo
    ) -> Status | None:
        """Whether the node fits with those who wait for it there, and also without them.

        Only nominated pods of at least the same priority count.
        """
        with_nominated = self._with_nominated(state, info, node)
        if with_nominated is None:
            return self.run_filter_plugins(state, info, node)
        status = self.run_filter_plugins(with_nominated[0], info, with_nominated[1])
        return status if status is not None else self.run_filter_plugins(state, info, node)

    def run_post_filter_plugins(
        self, state: CycleState, info: PodInfo, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        """Let the plugins make room, until one succeeds."""
        result: PostFilterResult | None = None
        reasons: list[str] = []
        rejector = ""
        for plugin in self.plugins.post_filter:
            found, status = plugin.post_filter(state, info, statuses)
            if status is None:
                return found, None
            if status.code is Code.UNSCHEDULABLE_AND_UNRESOLVABLE:
                return found, status.by(plugin.name)
            if not status.rejected:
                return None, Status.error(*status.reasons, plugin=plugin.name)
            if found is not None:
                result = found
            reasons.extend(status.reasons)
            rejector = rejector or plugin.name
        return result, Status.unschedulable(*reasons, plugin=rejector)

    def run_pre_score_plugins(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        """Let the plugins look at the nodes that passed; who skips does not score."""
        skipped: list[str] = []
        failure: Status | None = None
        for plugin in self.plugins.pre_score:
            status = plugin.pre_score(state, info, nodes)
            if status is None:
                continue
            if status.code is Code.SKIP:
                skipped.append(plugin.name)
                continue
            failure = Status.error(f'running PreScore plugin "{plugin.name}": {status.message}')
            break
        state.skip_score_plugins = frozenset(skipped)
        return failure

    def run_score_plugins(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> ScoreTable:
        """Score, normalize, weigh and add up."""
        totals = [0] * len(nodes)
        raw: dict[str, list[int]] = {}
        weighted: dict[str, list[int]] = {}
        for plugin in self.plugins.score:
            name = plugin.name
            if name in state.skip_score_plugins:
                continue
            scores = raw[name] = [plugin.score(state, info, node) for node in nodes]
            if isinstance(plugin, ScoreExtensions):
                scores = plugin.normalize_score(state, info, nodes, list(scores))
            weight = self.plugins.weights[name]
            assert all(MIN_NODE_SCORE <= score <= MAX_NODE_SCORE for score in scores), (
                name,
                scores,
            )
            weighted[name] = [score * weight for score in scores]
            totals = [total + score for total, score in zip(totals, weighted[name], strict=True)]
        return ScoreTable(
            nodes=[node.name for node in nodes], totals=totals, raw=raw, weighted=weighted
        )

    def run_pre_enqueue_plugins(self, info: PodInfo) -> Status | None:
        """The first refusal to let the pod into the active queue."""
        for plugin in self.plugins.pre_enqueue:
            status = plugin.pre_enqueue(info.pod)
            if status is not None:
                return status.by(plugin.name)
        return None

    def run_reserve_plugins_reserve(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> Status | None:
        """Tell the plugins of a promise; the first that objects is the answer."""
        for plugin in self.plugins.reserve:
            status = plugin.reserve(state, info, node_name)
            if status is not None:
                return _refused(status, plugin, "Reserve")
        return None

    def run_reserve_plugins_unreserve(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> None:
        """Tell the plugins that a promise was taken back, in reverse order."""
        for plugin in reversed(self.plugins.reserve):
            plugin.unreserve(state, info, node_name)

    def run_permit_plugins(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> tuple[Status | None, Mapping[str, int]]:
        """The first refusal, or a wait, and how long each plugin lets the pod wait."""
        waits_ns: dict[str, int] = {}
        waits: Status | None = None
        for plugin in self.plugins.permit:
            status, wait_ns = plugin.permit(state, info, node_name)
            if status is None:
                continue
            if status.code is not Code.WAIT:
                return _refused(status, plugin, "Permit"), {}
            waits = status.by(plugin.name)
            waits_ns[plugin.name] = min(wait_ns, MAX_TIMEOUT_NS)
        return waits, waits_ns

    def run_pre_bind_plugins(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> SimProcess[Status | None]:
        """Prepare the node; the first failure ends it."""
        for plugin in self.plugins.pre_bind:
            if plugin.pre_bind_pre_flight(state, info, node_name) is not None:
                continue
            status = yield from plugin.pre_bind(state, info, node_name)
            if status is not None:
                return _refused(status, plugin, "PreBind")
        return None

    def run_bind_plugins(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> SimProcess[Status | None]:
        """Bind with the first plugin that does not skip."""
        for plugin in self.plugins.bind:
            status = yield from plugin.bind(state, info, node_name)
            if status is None:
                return None
            if status.code is not Code.SKIP:
                return _refused(status, plugin, "Bind")
        return SKIP

    def run_post_bind_plugins(self, state: CycleState, info: PodInfo, node_name: str) -> None:
        """Tell the plugins that the pod was bound."""
        for plugin in self.plugins.post_bind:
            plugin.post_bind(state, info, node_name)

    def _with_nominated(
        self, state: CycleState, info: PodInfo, node: NodeInfo
    ) -> tuple[CycleState, NodeInfo] | None:
        waiting = [
            other
            for other in self._nominator.nominated_pods_for_node(node.name)
            if other.priority >= info.priority and other.uid != info.uid
        ]
        if not waiting:
            return None
        state, node = state.clone(), node.clone()
        for other in waiting:
            node.add_pod(other)
            self.run_pre_filter_extension_add_pod(state, info, other, node)
        return state, node


def _refused(status: Status, plugin: Plugin, point: str) -> Status:
    """A refusal in the plugin's name; anything else is an error of the plugin."""
    if status.rejected:
        return status.by(plugin.name)
    if point == "filter":
        return Status.error(f'running "{plugin.name}" filter plugin: {status.message}').by(
            plugin.name
        )
    return Status.error(f'running {point} plugin "{plugin.name}": {status.message}').by(
        plugin.name
    )


def _nothing_left(plugins: list[str]) -> str:
    if len(plugins) == 1:
        return f"node(s) didn't satisfy plugin {plugins[0]}"
    return f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(plugins))}] simultaneously"
