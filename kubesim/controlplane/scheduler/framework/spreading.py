"""Topology spread constraints, ready to be counted with.

A pod's own constraints, or the defaults of its profile: those spread the pods of one Service,
ReplicaSet, StatefulSet or ReplicationController.

Mirrors: pkg/scheduler/framework/plugins/podtopologyspread/common.go, plugins/helper/spread.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubesim.api.appsv1 import ReplicaSet, StatefulSet
from kubesim.api.corev1 import (
    Node,
    PodSpec,
    ReplicationController,
    Service,
    TopologySpreadConstraint,
)
from kubesim.api.labels import (
    label_selector_matches,
    labels_match,
    required_node_affinity_matches,
)
from kubesim.api.metav1 import LabelSelector
from kubesim.api.taints import find_matching_untolerated_taint
from kubesim.controlplane.scheduler.framework.listers import Lister
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodSignature

Labels = Mapping[str, str]

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True)
class Selector:
    """Label selectors that must all match; none of them matches everything, ``NOTHING`` nothing."""

    selectors: tuple[LabelSelector, ...] = ()
    nothing: bool = False

    def matches(self, labels: Labels) -> bool:
        """Whether an object with these labels is picked."""
        return not self.nothing and all(
            label_selector_matches(selector, labels) for selector in self.selectors
        )

    @property
    def empty(self) -> bool:
        """Whether it says nothing, and so picks everything."""
        return not self.nothing and not any(
            selector.match_labels or selector.match_expressions for selector in self.selectors
        )


NOTHING = Selector(nothing=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One constraint of one pod, with its defaults filled in."""

    max_skew: int
    topology_key: str
    selector: Selector
    min_domains: int
    honor_affinity: bool
    honor_taints: bool

    def includes(self, signature: PodSignature, node: Node) -> bool:
        """Whether the pods of a node count, given the constraint's policies."""
        spec = signature.spec
        if self.honor_affinity and not required_node_affinity_matches(spec, node):
            return False
        return not self.honor_taints or tolerates(spec, node)


def tolerates(spec: PodSpec, node: Node) -> bool:
    """Whether the pod tolerates all taints of a node that keep pods off."""
    hard = (taint for taint in node.spec.taints if taint.effect in ("NoSchedule", "NoExecute"))
    return find_matching_untolerated_taint(hard, spec.tolerations) is None


def constraints_of(
    constraints: Iterable[TopologySpreadConstraint], labels: Labels, action: str
) -> tuple[Constraint, ...]:
    """The constraints with one ``whenUnsatisfiable``, for a pod with these labels."""
    return tuple(
        _constraint(item, labels) for item in constraints if item.when_unsatisfiable == action
    )


def _constraint(item: TopologySpreadConstraint, labels: Labels) -> Constraint:
    selector = NOTHING
    if item.label_selector is not None:
        own = {key: labels[key] for key in item.match_label_keys if key in labels}
        extra = (LabelSelector.model_validate({"matchLabels": own}),) if own else ()
        selector = Selector((*extra, item.label_selector))
    return Constraint(
        max_skew=item.max_skew,
        topology_key=item.topology_key,
        selector=selector,
        min_domains=1 if item.min_domains is None else item.min_domains,
        honor_affinity=item.node_affinity_policy != "Ignore",
        honor_taints=item.node_taints_policy == "Honor",
    )


def has_all_keys(labels: Labels, constraints: Iterable[Constraint]) -> bool:
    """Whether a node has a value for every constraint's topology."""
    return all(constraint.topology_key in labels for constraint in constraints)


def count_matching(node: NodeInfo, selector: Selector, namespace: str) -> int:
    """How many of the node's pods in that namespace are picked; those being deleted are not."""
    if selector.empty:
        return 0
    return sum(
        info.signature.namespace == namespace
        and info.pod.metadata.deletion_timestamp is None
        and selector.matches(info.signature.labels)
        for info in node.pods
    )


def default_selector(signature: PodSignature, lister: Lister) -> Selector:
    """What picks the pod's siblings: its Services' selectors and its owner's."""
    namespace, labels = signature.namespace, signature.labels
    merged: dict[str, str] = {}
    for service in lister.values(Service):
        selector = service.spec.selector
        if service.namespace == namespace and selector and labels_match(selector, labels):
            merged.update(selector)
    owner = signature.owner
    more: LabelSelector | None = None
    if owner is not None:
        key = f"{namespace}/{owner.name}"
        match (owner.api_version, owner.kind):
            case ("v1", "ReplicationController"):
                controller = lister.get(ReplicationController, key)
                merged.update(controller.spec.selector if controller is not None else {})
            case ("apps/v1", "ReplicaSet"):
                replica_set = lister.get(ReplicaSet, key)
                more = replica_set.spec.selector if replica_set is not None else None
            case ("apps/v1", "StatefulSet"):
                stateful_set = lister.get(StatefulSet, key)
                more = stateful_set.spec.selector if stateful_set is not None else None
            case _:
                pass
    parts = [LabelSelector.model_validate({"matchLabels": merged})] if merged else []
    return Selector(tuple(parts if more is None else [*parts, more]))
