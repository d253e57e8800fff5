"""A copy of the cluster on which an autoscaler tries things out, with the scheduler's own plugins.

Kept in step with the informers; a simulation begins with ``fork``, puts nodes and pods where it
likes, asks the real Filter plugins what fits, and ends with ``revert``.

Mirrors: kubernetes/autoscaler cluster-autoscaler/simulator/clustersnapshot (Fork, Revert,
SchedulePod, SchedulePodOnAnyNodeMatching).
Departs: nothing is ever committed, so there is no Commit; nodes are looked at in order of their
arrival and without hints of earlier simulations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kubesim.api.corev1 import Node, Pod
from kubesim.api.podutil import is_pod_terminal
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.listers import Lister
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.runtime import Framework
from kubesim.controlplane.scheduler.registry import PluginFactory


class ClusterSnapshot:
    """Nodes and pods as believed, and as imagined.

    Args:
        config: The scheduler's configuration.
        registry: The plugins that its profiles can name.
        lister: Where plugins look up everything else.
        clock: Nanoseconds since the epoch.
        counts: Whether a pod takes part at all.
    """

    def __init__(
        self,
        *,
        config: KubeSchedulerConfiguration,
        registry: Mapping[str, PluginFactory],
        lister: Lister,
        clock: Callable[[], int],
        counts: Callable[[Pod], bool] = lambda _pod: True,
    ) -> None:
        self._engine = Engine(
            config=config, lister=lister, clock=clock, registry=registry, fast=False
        )
        self._cache = self._engine.cache
        self._counts = counts
        self._undo: list[list[Callable[[], None]]] = []

    def node_changed(self, _old: Node | None, new: Node | None) -> None:
        """Hear of a node; between simulations only."""
        assert not self._undo
        if new is not None:
            self._cache.update_node(new)
        elif _old is not None:
            self._cache.remove_node(_old.name)

    def pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """Hear of a pod; between simulations only."""
        assert not self._undo
        if old is not None and (new is None or new.uid != old.uid or is_pod_terminal(new)):
            self._cache.remove_pod(old.uid)
        if new is None or is_pod_terminal(new) or not new.spec.node_name:
            return
        if self._counts(new):
            self._cache.add_pod(new)

    def nodes(self) -> list[NodeInfo]:
        """All nodes, in the scheduler's order."""
        return self._cache.node_infos

    def node(self, name: str) -> NodeInfo | None:
        """One node."""
        return self._cache.get(name)

    def pods_on(self, name: str) -> tuple[Pod, ...]:
        """The pods that are, or are imagined, on a node."""
        info = self._cache.get(name)
        return () if info is None else tuple(pod.pod for pod in info.pods)

    def fork(self) -> None:
        """From here on things are imagined."""
        self._undo.append([])

    def revert(self) -> None:
        """Everything is again as it was at the last ``fork``."""
        for undo in reversed(self._undo.pop()):
            undo()

    def keep(self) -> None:
        """What was imagined since the last ``fork`` belongs to the fork around it."""
        inner = self._undo.pop()
        self._undo[-1].extend(inner)

    def add_node(self, node: Node, pods: Iterable[Pod] = ()) -> None:
        """Imagine a node with pods on it."""
        self._cache.add_node(node)
        self._undo[-1].append(lambda: self._cache.remove_node(node.name))
        for pod in pods:
            self.place(pod, node.name)

    def remove_node(self, name: str) -> None:
        """Imagine a node and its pods away."""
        info = self._cache.get(name)
        if info is None:
            return
        for pod in self.pods_on(name):
            self.take_away(pod)
        node = info.node
        self._cache.remove_node(name)
        self._undo[-1].append(lambda: _again(self._cache.add_node, node))

    def place(self, pod: Pod, node_name: str) -> None:
        """Imagine a pod on a node."""
        info = self._info(pod)
        self._cache.assume_pod(info, node_name)
        self._undo[-1].append(lambda: self._cache.remove_pod(info.uid))

    def take_away(self, pod: Pod) -> None:
        """Imagine a pod gone from its node."""
        name = self._cache.node_name_of(pod.uid)
        if name is None:
            return
        info = self._info(pod)
        self._cache.remove_pod(pod.uid)
        self._undo[-1].append(lambda: self._cache.assume_pod(info, name))

    def refusals(self, pod: Pod, node_name: str) -> tuple[str, ...]:
        """Why a pod does not fit on a node; nothing if it does."""
        info, framework, state = self._begin(pod)
        outcome = framework.run_pre_filter_plugins(state, info, self._cache.node_infos)
        if outcome.status is not None:
            return outcome.status.reasons
        if outcome.node_names is not None and node_name not in outcome.node_names:
            return ("node(s) didn't satisfy plugin(s) " + str(sorted(outcome.plugins)),)
        node = self._cache.get(node_name)
        assert node is not None, node_name
        status = framework.run_filter_plugins(state, info, node)
        return () if status is None else status.reasons

    def fits_any(self, pod: Pod, accept: Callable[[str], bool]) -> str | None:
        """The first node among the accepted ones on which the pod fits."""
        info, framework, state = self._begin(pod)
        outcome = framework.run_pre_filter_plugins(state, info, self._cache.node_infos)
        if outcome.status is not None:
            return None
        for node in self._cache.node_infos:
            if outcome.node_names is not None and node.name not in outcome.node_names:
                continue
            if not accept(node.name):
                continue
            if framework.run_filter_plugins(state, info, node) is None:
                return node.name
        return None

    def _begin(self, pod: Pod) -> tuple[PodInfo, Framework, CycleState]:
        first = next(iter(self._engine.frameworks.values()))
        framework = self._engine.framework_for(pod) or first
        return self._info(pod), framework, CycleState()

    def _info(self, pod: Pod) -> PodInfo:
        return self._engine.pod_infos.of(pod)


def _again(add: Callable[[Node], object], node: Node) -> None:
    add(node)
