"""GpuShare: pods that take a part of a GPU, or several whole ones, of certain models.

A node says how many GPUs it has (``alibabacloud.com/gpu-count`` in its allocatable) and of which
model (label ``alibabacloud.com/gpu-card-model``). A pod says in annotations how many it wants
(``gpu-count``), how much of each in thousandths (``gpu-milli``), and which models will do
(``gpu-card-model``, separated by ``|``). A share lies on one GPU; who wants several gets whole ones.

The score is best fit: a share goes where it leaves the least of a GPU over, several GPUs come from
the node that has the fewest to spare, and a pod that wants none goes where none are free.

Which GPU a pod has follows from the order in which pods came to the node; a pod that brings
``alibabacloud.com/gpu-index`` has that one.

Mirrors: alibaba/open-gpu-share; the data set of "Beware of Fragmentation" (USENIX ATC 2023).
Departs: the index is not written back to the pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from kubesim.api.corev1 import Node, Pod
from kubesim.controlplane.scheduler.framework.columnplugin import ColumnPlugin
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
)
from kubesim.controlplane.scheduler.framework.interface import EnqueueExtensions, Handle
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import SKIP, Status

NAME = "GpuShare"
COUNT = "alibabacloud.com/gpu-count"
MILLI = "alibabacloud.com/gpu-milli"
MODEL = "alibabacloud.com/gpu-card-model"
INDEX = "alibabacloud.com/gpu-index"
WHOLE = 1000
MAX_GPUS = 16

NO_GPU = Status.unresolvable("node(s) had no GPU of the wanted model", plugin=NAME)
NO_ROOM = Status.unschedulable("Insufficient GPU", plugin=NAME)

Milli = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a pod wants.

    Attributes:
        count: How many GPUs.
        milli: How much of each.
        models: Which will do; all if there are none.
    """

    count: int
    milli: int
    models: frozenset[str]


class GpuShare(ColumnPlugin, EnqueueExtensions):
    """Keeps books about GPUs."""

    name: ClassVar[str] = NAME

    def __init__(self, _args: Mapping[str, Any], handle: Handle) -> None:
        self._handle = handle
        self._wishes: dict[str, tuple[Pod, Wish | None]] = {}
        self._seen: list[Node] = []
        self._generations: list[int] = []
        self._free: Milli = np.zeros((0, MAX_GPUS), dtype=np.int64)
        self._models: list[str] = []
        self._gpus: Milli = np.zeros(0, dtype=np.int64)
        self._by_node: dict[str, tuple[NodeInfo, int, Milli]] = {}
        self._allowed: dict[frozenset[str], NDArray[np.bool_]] = {}

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        node = ActionType.ADD | ActionType.UPDATE_NODE_ALLOCATABLE | ActionType.UPDATE_NODE_LABEL
        return (
            ClusterEventWithHint(ClusterEvent(EventResource.POD, ActionType.DELETE)),
            ClusterEventWithHint(ClusterEvent(EventResource.NODE, node)),
        )

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        return None, SKIP if self._wish(info.pod) is None else None

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        wish = self._wish(info.pod)
        if wish is None:
            return None
        model = model_of(node.node)
        if not model or (wish.models and model not in wish.models):
            return NO_GPU
        if wish.count > gpus_of(node.node):
            return NO_GPU
        free = self._free_on(node)
        return None if int((free >= wish.milli).sum()) >= wish.count else NO_ROOM

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        free = self._free_on(node)[np.newaxis, :]
        gpus = np.array([gpus_of(node.node)], dtype=np.int64)
        return int(_scores(self._wish(info.pod), free, gpus)[0])

    @override
    def fitting(self, info: PodInfo) -> NDArray[np.bool_] | None:
        wish = self._wish(info.pod)
        if wish is None:
            return None
        self._sync()
        fits = (self._free >= wish.milli).sum(axis=1) >= wish.count
        result: NDArray[np.bool_] = fits & self._with_model(wish.models)
        return result

    @override
    def column_scores(self, info: PodInfo, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        self._sync()
        return _scores(self._wish(info.pod), self._free[rows], self._gpus[rows])

    def _wish(self, pod: Pod) -> Wish | None:
        known = self._wishes.get(pod.uid)
        if known is None or known[0].metadata.annotations is not pod.metadata.annotations:
            known = self._wishes[pod.uid] = (pod, wish_of(pod))
        return known[1]

    def _with_model(self, models: frozenset[str]) -> NDArray[np.bool_]:
        allowed = self._allowed.get(models)
        if allowed is None:
            fits = [bool(model) and (not models or model in models) for model in self._models]
            allowed = self._allowed[models] = np.array(fits, dtype=np.bool_)
        return allowed

    def _free_on(self, node: NodeInfo) -> Milli:
        """The free GPUs of a node; a what-if copy of a node is counted anew."""
        known = self._by_node.get(node.name)
        if known is None or known[0] is not node or known[1] != node.generation:
            known = (node, node.generation, self._counted(node))
            if self._handle.snapshot.get(node.name) is node:
                self._by_node[node.name] = known
        return known[2]

    def _sync(self) -> None:
        """Count again on the nodes that changed since the last look."""
        nodes = self._handle.snapshot.node_infos
        seen = [node.node for node in nodes]
        generations = [node.generation for node in nodes]
        if len(seen) != len(self._seen) or any(
            a is not b for a, b in zip(seen, self._seen, strict=True)
        ):
            self._seen = seen
            self._free = np.array([self._counted(node) for node in nodes], dtype=np.int64)
            self._gpus = np.array([gpus_of(node) for node in seen], dtype=np.int64)
            self._models = [model_of(node) if gpus_of(node) else "" for node in seen]
            self._allowed = {}
        elif generations != self._generations:
            for row, (old, new) in enumerate(zip(self._generations, generations, strict=True)):
                if old != new:
                    self._free[row] = self._counted(nodes[row])
        self._generations = generations

    def _counted(self, node: NodeInfo) -> Milli:
        """What is free of each GPU, after all pods of the node in the order in which they came."""
        free = np.full(MAX_GPUS, -1, dtype=np.int64)
        free[: gpus_of(node.node)] = WHOLE
        for info in node.pods:
            wish = self._wish(info.pod)
            if wish is not None:
                for gpu in _chosen(wish, free, info.pod.metadata.annotations.get(INDEX)):
                    free[gpu] -= wish.milli
        return free


def wish_of(pod: Pod) -> Wish | None:
    """What a pod's annotations ask for; ``None`` for no GPU."""
    annotations = pod.metadata.annotations
    if COUNT not in annotations and MILLI not in annotations:
        return None
    count, milli = _number(annotations.get(COUNT, "1")), _number(annotations.get(MILLI, "1000"))
    if not count or not milli:
        return None
    models = frozenset(filter(None, annotations.get(MODEL, "").split("|")))
    return Wish(count, WHOLE if count > 1 else milli, models)


def gpus_of(node: Node) -> int:
    """How many GPUs a node has."""
    amount = node.status.allocatable.get(COUNT)
    return min(amount.value(), MAX_GPUS) if amount is not None else 0


def model_of(node: Node) -> str:
    """The model of a node's GPUs; a node that does not say has some model."""
    return node.metadata.labels.get(MODEL, "GPU") if gpus_of(node) else ""


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _chosen(wish: Wish, free: Milli, index: str | None) -> list[int]:
    """Which GPUs a pod has: those it names, or the fullest that have room."""
    if index:
        named = [int(part) for part in index.split("-") if part.isdecimal()]
        return [gpu for gpu in named if gpu < MAX_GPUS]
    order = sorted((int(left), gpu) for gpu, left in enumerate(free) if left >= wish.milli)
    return [gpu for _, gpu in order[: wish.count]]


def _scores(wish: Wish | None, free: Milli, gpus: Milli) -> Milli:
    """Best fit, for several nodes at once; each row of ``free`` is one node."""
    if wish is None:
        # The fewer GPUs would lie idle beside it, the better.
        idle: Milli = np.maximum(free, 0).sum(axis=1) * 100 // np.maximum(gpus * WHOLE, 1)
        return 100 - idle
    scores: Milli
    if wish.count == 1:
        left = np.where(free >= wish.milli, free - wish.milli, WHOLE).min(axis=1)
        scores = 100 - left * 100 // WHOLE
    else:
        spare = (free >= WHOLE).sum(axis=1) - wish.count
        scores = 100 - np.clip(spare, 0, MAX_GPUS) * 100 // MAX_GPUS
    return scores
