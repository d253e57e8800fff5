"""Node Feature Discovery: a worker looks at its node once a minute, the master writes labels.

With a rule that knows machines fit for Wasm, and a Shim that selects the rule's label, a plain node
becomes one with the handler without anybody naming it.

Mirrors: node-feature-discovery pkg/nfd-worker (sleepInterval 60 s), pkg/nfd-master (labels, the
    annotation that lists which of them are its own; all nodes again when a rule changes).
Departs: worker and master are no pods; the worker's NodeFeature object is left out. A worker begins when
    its node is there, and between two looks nothing is done.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.corev1 import Node
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.nfdv1alpha1 import NodeFeatureRule
from kubesim.controlplane.client import Client, Controller, StatusError
from kubesim.controlplane.spin.features import FEATURE_FILES_ANNOTATION, labels_of
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import SECOND

WORKERS = 1
SLEEP_INTERVAL_NS = 60 * SECOND  # core.sleepInterval
OWN_LABELS = "nfd.node.kubernetes.io/feature-labels"


class NodeFeatureController(Controller):
    """Labels nodes by their features."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._since: dict[str, int] = {}
        self._nodes = client.informer(Node)
        self._nodes.add_handler(self._node_changed)
        self._rules = client.informer(NodeFeatureRule)
        self._rules.add_handler(self._rule_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Give a node the labels that it should have, and take away those that it had from here."""
        node = self._nodes.get(key)
        if node is None:
            self._since.pop(key, None)
            return
        rules = sorted(self._rules.values(), key=lambda rule: rule.name)
        wanted = labels_of(node, rules)
        if labelled(node, wanted) == node:
            return
        try:
            yield from self._client.patch(Node, key, lambda current: labelled(current, wanted))
        except StatusError:
            return  # the node is gone

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is None:
            return
        if old is None or old.status.node_info != new.status.node_info:
            self._since[new.name] = self._sim.now
            self.queue.add(new.name)
        elif _files(old) != _files(new):
            age_ns = self._sim.now - self._since.get(new.name, 0)
            self.queue.add_after(new.name, SLEEP_INTERVAL_NS - age_ns % SLEEP_INTERVAL_NS)

    def _rule_changed(self, _old: NodeFeatureRule | None, _new: NodeFeatureRule | None) -> None:
        for node in self._nodes.values():
            self.queue.add(node.name)


def labelled(node: Node, wanted: dict[str, str]) -> Node:
    """The node with these labels, and without what it had of Node Feature Discovery before."""
    metadata = node.metadata
    own = [name for name in metadata.annotations.get(OWN_LABELS, "").split(",") if name]
    labels = {k: v for k, v in metadata.labels.items() if k not in own or k in wanted}
    annotations = {**metadata.annotations, OWN_LABELS: ",".join(sorted(wanted))}
    return node.replace(
        metadata=metadata.replace(
            labels=FrozenMap({**labels, **wanted}), annotations=FrozenMap(annotations)
        )
    )


def _files(node: Node) -> str | None:
    return node.metadata.annotations.get(FEATURE_FILES_ANNOTATION)
