"""The extension points, by their upstream names.

A plugin is a class that states what it is by what it inherits: ``class NodeName(FilterPlugin)``.
It is told about one pod and one node at a time and knows neither its siblings nor the clock.

Mirrors: staging/src/k8s.io/kube-scheduler/framework/interface.go.
Departs: QueueSort gives a sort key where upstream compares two pods; NormalizeScore returns new
scores where upstream changes them in place; a plugin that preempts returns its victims, and the
scheduler's process evicts them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from kubesim.api.corev1 import Pod
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import ClusterEventWithHint
from kubesim.controlplane.scheduler.framework.listers import Lister
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.framework.waiting import WaitingPods
from kubesim.controlplane.scheduler.luck import Luck
from kubesim.controlplane.scheduler.versions import Version
from kubesim.sim import SimProcess


class Plugin(ABC):
    """A scheduler plugin.

    Attributes:
        name: What profiles and messages call it.
    """

    name: ClassVar[str]


class PreEnqueuePlugin(Plugin):
    """Decides whether a pod may enter the active queue at all."""

    @abstractmethod
    def pre_enqueue(self, pod: Pod) -> Status | None:
        """``None``, or why the pod has to wait outside."""


class QueueSortPlugin(Plugin):
    """Decides which pod comes first."""

    @abstractmethod
    def sort_key(self, info: PodInfo, timestamp_ns: int) -> tuple[int, ...]:
        """Pods are taken in ascending order of this key."""


class EnqueueExtensions(Plugin):
    """Says which events may lift this plugin's refusals."""

    @abstractmethod
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        """The events, each with its hint."""


class PreFilterPlugin(Plugin):
    """Looks at the pod once, before the nodes are filtered."""

    @abstractmethod
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        """The only nodes worth looking at (``None`` for all), and the plugin's verdict."""


class PreFilterExtensions(Plugin):
    """Mends the state of ``pre_filter`` for a what-if evaluation."""

    @abstractmethod
    def add_pod(self, state: CycleState, info: PodInfo, added: PodInfo, node: NodeInfo) -> None:
        """What would change if ``added`` ran on ``node``."""

    @abstractmethod
    def remove_pod(self, state: CycleState, info: PodInfo, gone: PodInfo, node: NodeInfo) -> None:
        """What would change if ``gone`` no longer ran on ``node``."""


class FilterPlugin(Plugin):
    """Decides whether a node can run a pod."""

    @abstractmethod
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        """``None``, or why not."""


class PostFilterPlugin(Plugin):
    """Called when no node passed; may make room."""

    @abstractmethod
    def post_filter(
        self, state: CycleState, info: PodInfo, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        """What was found, and the verdict."""


class PreScorePlugin(Plugin):
    """Looks at the nodes that passed, before they are scored."""

    @abstractmethod
    def pre_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        """``None``, or ``SKIP`` when there is nothing to score."""


class ScorePlugin(Plugin):
    """Ranks the nodes that passed."""

    @abstractmethod
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        """How good the node is; 0 to 100 after normalization."""


class ScoreExtensions(Plugin):
    """Brings the scores of all nodes into the range 0 to 100."""

    @abstractmethod
    def normalize_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]
    ) -> list[int]:
        """The normalized scores, in the same order."""


class ReservePlugin(Plugin):
    """Keeps books about promised nodes."""

    @abstractmethod
    def reserve(self, state: CycleState, info: PodInfo, node_name: str) -> Status | None:
        """The pod was promised that node."""

    @abstractmethod
    def unreserve(self, state: CycleState, info: PodInfo, node_name: str) -> None:
        """The promise was taken back."""


class PermitPlugin(Plugin):
    """May hold a pod back before it is bound."""

    @abstractmethod
    def permit(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> tuple[Status | None, int]:
        """The verdict, and for ``Wait`` the longest time to wait, in nanoseconds."""


class PreBindPlugin(Plugin):
    """Prepares the node for the pod, which takes time."""

    @abstractmethod
    def pre_bind_pre_flight(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> Status | None:
        """``SKIP`` when ``pre_bind`` has nothing to do."""

    @abstractmethod
    def pre_bind(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> SimProcess[Status | None]:
        """Prepare."""


class BindPlugin(Plugin):
    """Tells the API server where the pod runs."""

    @abstractmethod
    def bind(self, state: CycleState, info: PodInfo, node_name: str) -> SimProcess[Status | None]:
        """Bind; ``SKIP`` leaves it to the next one."""


class PostBindPlugin(Plugin):
    """Is told that a pod was bound."""

    @abstractmethod
    def post_bind(self, state: CycleState, info: PodInfo, node_name: str) -> None:
        """The pod was bound."""


class NodeToStatus:
    """Why nodes were turned down.

    Args:
        statuses: The nodes that were looked at and turned down, in that order.
        absent: What holds for the nodes that were not looked at.
    """

    def __init__(
        self,
        statuses: dict[str, Status] | None = None,
        absent: Status = Status(Code.UNSCHEDULABLE_AND_UNRESOLVABLE),  # noqa: B008  # frozen
    ) -> None:
        self._statuses = {} if statuses is None else statuses
        self.absent = absent

    def __len__(self) -> int:
        return len(self._statuses)

    @property
    def statuses(self) -> dict[str, Status]:
        """The nodes that were looked at and turned down, in that order."""
        return self._statuses

    def get(self, node_name: str) -> Status:
        """The status of one node."""
        return self.statuses.get(node_name, self.absent)

    def counted(self) -> Iterable[tuple[Status, int]]:
        """The statuses of the nodes that were looked at, and how often each was given."""
        return ((status, 1) for status in self._statuses.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Victims:
    """The pods that would have to leave a node.

    Attributes:
        pods: The most important one first.
        num_pdb_violations: How many of them a disruption budget protects.
    """

    pods: tuple[PodInfo, ...]
    num_pdb_violations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFilterResult:
    """What a post filter plugin found.

    Attributes:
        nominated_node_name: Where the pod is expected to fit soon; empty takes back a nomination.
        victims: Who has to leave that node.
        candidates: All the nodes that were considered, with their victims.
    """

    nominated_node_name: str
    victims: Victims | None = None
    candidates: Mapping[str, Victims] = field(default_factory=dict)


class Snapshot(Protocol):
    """The cluster at the beginning of a scheduling attempt."""

    @property
    def node_infos(self) -> Sequence[NodeInfo]:
        """All nodes, in the scheduler's order."""
        ...

    @property
    def have_pods_with_affinity(self) -> Sequence[NodeInfo]:
        """The nodes with pods that have any affinity to pods."""
        ...

    @property
    def have_pods_with_required_anti_affinity(self) -> Sequence[NodeInfo]:
        """The nodes with pods that must be apart from others."""
        ...

    def get(self, node_name: str) -> NodeInfo | None:
        """One node."""
        ...


class Nominator(Protocol):
    """Who waits for which node."""

    def nominated_pods_for_node(self, node_name: str) -> Sequence[PodInfo]:
        """The pods that were nominated to a node, in order of nomination."""
        ...


class PreemptionsUnderWay(Protocol):
    """For whom room is being made at this moment."""

    def is_running(self, uid: str) -> bool:
        """Whether a pod has to wait until its victims were told."""
        ...


class FilterRunner(Protocol):
    """What a preempting plugin needs of the framework that runs it."""

    def run_filter_plugins_with_nominated_pods(
        self, state: CycleState, info: PodInfo, node: NodeInfo
    ) -> Status | None:
        """Whether the pod would fit, counting those who wait for the node."""
        ...

    def run_pre_filter_extension_add_pod(
        self, state: CycleState, info: PodInfo, added: PodInfo, node: NodeInfo
    ) -> None:
        """Tell the plugins that a pod was added to a what-if node."""
        ...

    def run_pre_filter_extension_remove_pod(
        self, state: CycleState, info: PodInfo, gone: PodInfo, node: NodeInfo
    ) -> None:
        """Tell the plugins that a pod was removed from a what-if node."""
        ...


class Binder(Protocol):
    """Tells the API server where a pod runs."""

    def bind(self, key: str, node_name: str) -> SimProcess[Pod]:
        """Bind a pod; raises the API server's errors."""
        ...


class Handle(Protocol):
    """What a plugin is given when it is made."""

    @property
    def snapshot(self) -> Snapshot:
        """The nodes."""
        ...

    @property
    def lister(self) -> Lister:
        """All other objects."""
        ...

    @property
    def nominator(self) -> Nominator:
        """Who waits for which node."""
        ...

    @property
    def preempting(self) -> PreemptionsUnderWay:
        """For whom room is being made."""
        ...

    @property
    def framework(self) -> FilterRunner:
        """The framework that runs the plugin."""
        ...

    @property
    def binder(self) -> Binder | None:
        """The way to the API server; ``None`` when nothing is ever bound."""
        ...

    @property
    def waiting_pods(self) -> WaitingPods:
        """The pods that Permit plugins hold back."""
        ...

    @property
    def luck(self) -> Luck:
        """What is left to chance."""
        ...

    @property
    def version(self) -> Version:
        """Which kube-scheduler this is."""
        ...

    @property
    def now_ns(self) -> int:
        """Nanoseconds since the epoch: what counts as the start of a pod that has none."""
        ...
