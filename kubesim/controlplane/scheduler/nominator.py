"""Who waits for which node.

A pod for which others were evicted is *nominated* to their node: until it is placed, pods of lower
priority are tried as if it were already there.

Mirrors: pkg/scheduler/backend/queue/nominator.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubesim.controlplane.scheduler.framework.podinfo import PodInfo, PodSignature


class PodNominator:
    """The nominated pods, by node, in order of nomination.

    Attributes:
        touched: The nodes whose nominations changed since somebody cleared this.
    """

    def __init__(self) -> None:
        self._by_node: dict[str, dict[str, PodInfo]] = {}
        self._node_of: dict[str, str] = {}
        self._signatures: dict[PodSignature, int] = {}
        self.touched: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._by_node)

    def waiting_for(self, node_name: str) -> Mapping[str, PodInfo] | None:
        """The pods that wait for a node, by UID; ``None`` for nobody."""
        return self._by_node.get(node_name)

    @property
    def signatures(self) -> Iterable[PodSignature]:
        """What kinds of pods wait for any node."""
        return self._signatures

    def nominated_pods_for_node(self, node_name: str) -> Sequence[PodInfo]:
        """The pods that wait for a node."""
        waiting = self._by_node.get(node_name)
        return tuple(waiting.values()) if waiting else ()

    def node_of(self, uid: str) -> str | None:
        """The node for which a pod waits."""
        return self._node_of.get(uid)

    @property
    def nodes(self) -> Sequence[str]:
        """The nodes for which some pod waits."""
        return tuple(self._by_node)

    def uids_for_node(self, node_name: str) -> Sequence[str]:
        """The same, by UID."""
        return tuple(self._by_node.get(node_name, ()))

    def add(self, info: PodInfo, node_name: str | None = None) -> None:
        """Nominate a pod: to ``node_name``, or to the node its status names.

        An empty ``node_name`` takes the nomination back.
        """
        self.remove(info.uid)
        wanted = info.pod.status.nominated_node_name if node_name is None else node_name
        if not wanted:
            return
        self._node_of[info.uid] = wanted
        self._by_node.setdefault(wanted, {})[info.uid] = info
        self._signatures[info.signature] = self._signatures.get(info.signature, 0) + 1
        self.touched[wanted] = None

    def update(self, info: PodInfo, old_nominated: str | None) -> None:
        """A new version of a waiting pod.

        A nomination that the API server has not heard of yet outlives updates by others.
        """
        kept = self._node_of.get(info.uid)
        if not old_nominated and not info.pod.status.nominated_node_name and kept:
            self.add(info, kept)
        else:
            self.add(info)

    def remove(self, uid: str) -> None:
        """The pod does not wait any more."""
        node_name = self._node_of.pop(uid, None)
        if node_name is None:
            return
        waiting = self._by_node[node_name]
        signature = waiting.pop(uid).signature
        self._signatures[signature] -= 1
        if not self._signatures[signature]:
            del self._signatures[signature]
        self.touched[node_name] = None
        if not waiting:
            del self._by_node[node_name]
