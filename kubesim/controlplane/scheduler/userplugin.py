"""A scheduler plugin of one's own, in a few lines of Python.

    from kubesim.controlplane.scheduler.userplugin import NodePlugin

    class QuietNodes(NodePlugin):
        def filter(self, state, pod, node):
            if "noisy" in node.node.metadata.labels:
                return "node(s) are noisy"

        def score(self, state, pod, node):
            return 100 - len(node.pods)

What a class overrides decides where it is called. It sees the pod, one node at a time with the
pods that are on it (``NodeInfo``), and a dictionary of its own that lasts for one attempt. A refusal is
the text that users read, or a ``Status``; an exception is reported with file and line.

Who needs more (queue order, binding, events that wake a pod) inherits from the classes of
``framework.interface`` instead, as the built-in plugins do.

Mirrors: nothing upstream; there a plugin is compiled into the scheduler.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, TypeVar

from typing_extensions import override

from kubesim.api.corev1 import Pod
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import (
    FilterPlugin,
    Handle,
    Plugin,
    PreFilterPlugin,
    ReservePlugin,
    ScoreExtensions,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import (
    MAX_NODE_SCORE,
    MIN_NODE_SCORE,
    Status,
)
from kubesim.errors import InputError, Problem

State = MutableMapping[str, Any]
Refusal = str | Status | None
T = TypeVar("T")


class NodePlugin:
    """The base of a user's plugin; override what you need.

    Args:
        args: The plugin's arguments from the profile's ``pluginConfig``.
        handle: What the plugin may see beside the pod and the node.
    """

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        self.args = args
        self.handle = handle

    def pre_filter(self, state: State, pod: Pod, nodes: Sequence[NodeInfo]) -> Refusal:  # noqa: ARG002
        """Look at the pod once, before any node; a refusal here refuses the pod everywhere."""
        return None

    def filter(self, state: State, pod: Pod, node: NodeInfo) -> Refusal:  # noqa: ARG002
        """``None``, or why the pod cannot run on that node."""
        return None

    def score(self, state: State, pod: Pod, node: NodeInfo) -> int:  # noqa: ARG002
        """How good the node is: 0 to 100, or any number if ``normalize`` is overridden."""
        return 0

    def normalize(
        self,
        state: State,  # noqa: ARG002
        pod: Pod,  # noqa: ARG002
        scores: Mapping[str, int],
    ) -> Mapping[str, int]:
        """All scores by node, brought into 0 to 100."""
        return scores

    def reserve(self, state: State, pod: Pod, node_name: str) -> Refusal:  # noqa: ARG002
        """The pod was promised that node: keep books, or object."""
        return None

    def unreserve(self, state: State, pod: Pod, node_name: str) -> None:
        """The promise was taken back."""


class Notes:
    """What user plugins remember during an attempt, by plugin."""

    def __init__(self, by_plugin: dict[str, State] | None = None) -> None:
        self._by_plugin = by_plugin if by_plugin is not None else {}

    def of(self, plugin: str) -> State:
        """The dictionary of one plugin."""
        return self._by_plugin.setdefault(plugin, {})

    def clone(self) -> Notes:
        """A copy for a what-if evaluation."""
        return Notes({name: dict(state) for name, state in self._by_plugin.items()})


def adapted(name: str, user: NodePlugin) -> Plugin:
    """A user's plugin as the framework knows plugins: only with the points that it overrides.

    Args:
        name: What the profile calls it.
        user: The plugin.
    """
    kinds = [
        kind for kind in _ADAPTERS if any(_overrides(user, method) for method in kind.METHODS)
    ]
    made = type(type(user).__name__, tuple(kinds) or (_Adapter,), {"name": name})
    plugin: _Adapter = made(user)
    return plugin


class _Adapter(Plugin):
    """Calls the user's plugin, and says where it broke if it did."""

    METHODS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, user: NodePlugin) -> None:
        self.user = user

    def _ask(self, work: Callable[..., T], state: CycleState, *rest: Any) -> T:
        notes = state.find(Notes)
        if notes is None:
            notes = Notes()
            state.write(notes)
        try:
            return work(notes.of(self.name), *rest)
        except InputError:
            raise
        except Exception as error:  # whatever a user's code does is the user's to repair
            raise broken(self.name, error) from error

    def _status(self, refusal: object) -> Status | None:
        if refusal is None or isinstance(refusal, Status):
            return refusal
        if isinstance(refusal, str):
            return Status.unschedulable(refusal, plugin=self.name)
        message = f'plugin "{self.name}": expected None, a text or a Status, got {refusal!r}'
        raise InputError(message)


class _PreFilters(_Adapter, PreFilterPlugin):
    METHODS = ("pre_filter",)

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        return None, self._status(self._ask(self.user.pre_filter, state, info.pod, nodes))


class _Filters(_Adapter, FilterPlugin):
    METHODS = ("filter",)

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        return self._status(self._ask(self.user.filter, state, info.pod, node))


class _Scores(_Adapter, ScorePlugin):
    METHODS = ("score",)

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        score = self._ask(self.user.score, state, info.pod, node)
        if not _overrides(self.user, "normalize"):
            _require_score(self.name, node.name, score)
        return score


class _Normalizes(_Adapter, ScoreExtensions):
    METHODS = ("normalize",)

    @override
    def normalize_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]
    ) -> list[int]:
        given = {node.name: score for node, score in zip(nodes, scores, strict=True)}
        found = self._ask(self.user.normalize, state, info.pod, given)
        for node in nodes:
            _require_score(self.name, node.name, found.get(node.name))
        return [found[node.name] for node in nodes]


class _Reserves(_Adapter, ReservePlugin):
    METHODS = ("reserve", "unreserve")

    @override
    def reserve(self, state: CycleState, info: PodInfo, node_name: str) -> Status | None:
        return self._status(self._ask(self.user.reserve, state, info.pod, node_name))

    @override
    def unreserve(self, state: CycleState, info: PodInfo, node_name: str) -> None:
        self._ask(self.user.unreserve, state, info.pod, node_name)


_ADAPTERS: tuple[type[_Adapter], ...] = (_PreFilters, _Filters, _Scores, _Normalizes, _Reserves)


def _overrides(user: NodePlugin, method: str) -> bool:
    return getattr(type(user), method) is not getattr(NodePlugin, method)


def _require_score(plugin: str, node: str, score: object) -> None:
    """Upstream's rule: a score outside the range is an error, not a high score."""
    if not isinstance(score, int) or isinstance(score, bool):
        raise InputError(f'plugin "{plugin}": expected a whole number for {node}, got {score!r}')
    if not MIN_NODE_SCORE <= score <= MAX_NODE_SCORE:
        raise InputError(
            f'plugin "{plugin}" returns an invalid score {score} for {node}, it should in the range '
            f"of [{MIN_NODE_SCORE}, {MAX_NODE_SCORE}] after normalizing"
        )


def broken(plugin: str, error: Exception) -> InputError:
    """What a user's plugin raised, with the place in the user's code."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    message = f'plugin "{plugin}": {type(error).__name__}: {error}'
    return InputError(Problem(message=message, file=frame.filename, line=frame.lineno or 0))
