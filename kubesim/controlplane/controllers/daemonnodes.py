"""On which nodes a DaemonSet's pods belong, and which of them go or come next. Pure functions.

A node is looked at as if the pod were there already: name, affinity and taints decide. A taint
``NoSchedule`` keeps a new pod away and lets an old one stay; ``NoExecute`` lets none stay.

Mirrors: pkg/controller/daemon (daemon_controller.go, update.go, util/daemonset_util.go).
Departs: nodes and pods are looked at in the order in which they became known, where upstream's maps
have none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kubesim.api.appsv1 import DaemonSet
from kubesim.api.corev1 import (
    Affinity,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodSpec,
    Toleration,
)
from kubesim.api.intstr import scaled_value
from kubesim.api.labels import required_node_affinity_matches
from kubesim.api.podutil import is_pod_available, is_pod_ready
from kubesim.api.taints import find_matching_untolerated_taint
from kubesim.sim.time import SECOND

HASH_LABEL = "controller-revision-hash"
GENERATION_LABEL = "pod-template-generation"
GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"
_NAME_FIELD = "metadata.name"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_TOLERATED_ON_HOST_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


class Fit(NamedTuple):
    """Whether a node should get a pod, and whether one that is there may stay."""

    should_run: bool
    may_stay: bool


class OnNode(NamedTuple):
    """What is to be done on one node.

    Attributes:
        create: Whether a pod is missing.
        delete: The pods that have to go.
        failed: Those of them that have failed.
        succeeded: Those of them that have ended well, which no daemon should.
        wait_ns: How long to wait before a failed pod is removed.
    """

    create: bool = False
    delete: tuple[Pod, ...] = ()
    failed: tuple[Pod, ...] = ()
    succeeded: tuple[Pod, ...] = ()
    wait_ns: int = 0


class Update(NamedTuple):
    """The next step of a rolling update."""

    delete: tuple[Pod, ...] = ()
    create_on: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a sync looks at.

    Attributes:
        daemon_set: The DaemonSet.
        hash: Its template's revision.
        nodes: All nodes.
        pods: Its pods by the name of the node that they are meant for.
        wall_ns: The time on the wall.
    """

    daemon_set: DaemonSet
    hash: str
    nodes: tuple[Node, ...]
    pods: dict[str, list[Pod]]
    wall_ns: int

    def available(self, pod: Pod) -> bool:
        """Whether a pod has been ready for long enough."""
        min_ready = self.daemon_set.spec.min_ready_seconds or 0
        return is_pod_available(pod, min_ready, self.wall_ns)

    def updated(self, pod: Pod) -> bool:
        """Whether a pod is of the current template."""
        labels = pod.metadata.labels
        generation = self.daemon_set.metadata.annotations.get(GENERATION_ANNOTATION)
        by_generation = generation is not None and labels.get(GENERATION_LABEL) == generation
        return labels.get(HASH_LABEL) == self.hash or by_generation


def fit(daemon_set: DaemonSet, node: Node) -> Fit:
    """Whether a DaemonSet's pod belongs on a node."""
    spec = daemon_spec(daemon_set.spec.template.spec, node.name)
    if spec.node_name not in (None, "", node.name):
        return Fit(False, False)
    if not required_node_affinity_matches(spec, node):
        return Fit(False, False)

    def untolerated(*effects: str) -> bool:
        found = find_matching_untolerated_taint(
            node.spec.taints, spec.tolerations, lambda taint: taint.effect in effects
        )
        return found is not None

    if not untolerated("NoSchedule", "NoExecute"):
        return Fit(True, True)
    return Fit(False, not untolerated("NoExecute"))


def daemon_spec(spec: PodSpec, node_name: str) -> PodSpec:
    """The pod spec of a template for one node: tolerations for what befalls nodes, and the node."""
    wanted = list(_TOLERATED)
    if spec.host_network:
        wanted.append(_TOLERATED_ON_HOST_NETWORK)
    tolerations = list(spec.tolerations)
    for key, effect in wanted:
        made = Toleration.model_validate({"key": key, "operator": "Exists", "effect": effect})
        if made not in tolerations:
            tolerations.append(made)
    by_name = NodeSelectorRequirement(key=_NAME_FIELD, operator="In", values=(node_name,))
    selector = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(by_name,)),))
    affinity = spec.affinity or Affinity()
    of_nodes = affinity.node_affinity or NodeAffinity()
    # The template's own required terms are not lost: they were judged when the node was chosen.
    of_nodes = of_nodes.replace(required_during_scheduling_ignored_during_execution=selector)
    return spec.replace(
        tolerations=tuple(tolerations), affinity=affinity.replace(node_affinity=of_nodes)
    )


def target_node(pod: Pod) -> str:
    """The node that a pod is on, or was made for; empty when that cannot be told."""
    if pod.spec.node_name:
        return pod.spec.node_name
    of_nodes = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = of_nodes.required_during_scheduling_ignored_during_execution if of_nodes else None
    for term in required.node_selector_terms if required else ():
        for field in term.match_fields:
            if field.key == _NAME_FIELD and field.operator == "In" and len(field.values) == 1:
                return field.values[0]
    return ""


def surge(daemon_set: DaemonSet, desired: int) -> int:
    """How many nodes may have two pods during an update."""
    rolling = daemon_set.spec.update_strategy.rolling_update
    if daemon_set.spec.update_strategy.type != "RollingUpdate" or rolling is None:
        return 0
    return scaled_value(rolling.max_surge or 0, desired, round_up=True)


def unavailable(daemon_set: DaemonSet, desired: int) -> int:
    """How many nodes may be without a pod during an update."""
    rolling = daemon_set.spec.update_strategy.rolling_update
    if daemon_set.spec.update_strategy.type != "RollingUpdate" or rolling is None:
        return 0
    wanted = scaled_value(rolling.max_unavailable or 0, desired, round_up=True)
    # With neither allowed there would be no way forward.
    return wanted if wanted or surge(daemon_set, desired) else min(1, desired)


def on_node(look: Look, node: Node, *, failure_wait_ns: Callable[[str], int]) -> OnNode:
    """What is to be done on a node.

    Args:
        look: What the sync looks at.
        node: The node.
        failure_wait_ns: How long a failed pod on a node is left alone yet.
    """
    wanted = fit(look.daemon_set, node)
    pods = look.pods.get(node.name, [])
    staying = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
    if wanted.should_run and not pods:
        return OnNode(create=True)
    if not wanted.may_stay:
        return OnNode(delete=tuple(staying))
    failed = tuple(pod for pod in staying if pod.status.phase == "Failed")
    succeeded = tuple(pod for pod in staying if pod.status.phase == "Succeeded")
    wait_ns = failure_wait_ns(node.name) if failed else 0
    if wait_ns:
        failed = ()
    running = [p for p in staying if p.status.phase not in ("Failed", "Succeeded")]
    running.sort(key=_oldest_first)
    create = False
    if surge(look.daemon_set, 1):
        superfluous = _superfluous_of_surge(look, running)
        create = not running and wanted.should_run
    else:
        superfluous = running[1:]
    return OnNode(
        create=create,
        delete=(*failed, *succeeded, *superfluous),
        failed=failed,
        succeeded=succeeded,
        wait_ns=wait_ns,
    )


def _superfluous_of_surge(look: Look, running: list[Pod]) -> list[Pod]:
    """With a surge a node may have an old and a new pod, until the new one is available."""
    if len(running) <= 1:
        return []
    new = [p for p in running if p.metadata.labels.get(HASH_LABEL) == look.hash]
    old = [p for p in running if p not in new]
    superfluous = [*new[1:], *old[1:]]
    if new and old and (not is_pod_ready(old[0]) or look.available(new[0])):
        superfluous.append(old[0])
    return superfluous


def unscheduled_without_node(look: Look) -> list[Pod]:
    """Pods that were made for a node which is gone, and never got there."""
    names = {node.name for node in look.nodes}
    return [
        pod
        for name, pods in look.pods.items()
        if name not in names
        for pod in pods
        if not pod.spec.node_name
    ]


def desired_nodes(look: Look) -> list[str]:
    """The nodes that should have a pod."""
    return [node.name for node in look.nodes if fit(look.daemon_set, node).should_run]


def next_update(look: Look) -> Update:
    """The next step from old pods to new ones."""
    desired = desired_nodes(look)
    names = list(dict.fromkeys((*look.pods, *desired)))
    most = surge(look.daemon_set, len(desired))
    if most == 0:
        return _by_deleting(look, names, unavailable(look.daemon_set, len(desired)))
    return _by_surging(look, names, frozenset(desired), most)


def _by_deleting(look: Look, names: Iterable[str], may_miss: int) -> Update:
    """Delete old pods, the ones that are not available in any case."""
    missing = 0
    replaceable: list[Pod] = []
    candidates: list[Pod] = []
    for name in names:
        pair = _pair(look, name)
        if pair is None or (pair.new is None) == (pair.old is None):
            missing += 1
        elif pair.new is not None:
            missing += not look.available(pair.new)
        elif pair.old is not None and not look.available(pair.old):
            replaceable.append(pair.old)
            missing += 1
        elif pair.old is not None and missing < may_miss:
            candidates.append(pair.old)
    room = max(0, may_miss - missing)
    return Update(delete=(*replaceable, *candidates[:room]))


def _by_surging(look: Look, names: Iterable[str], desired: frozenset[str], most: int) -> Update:
    """Create new pods beside old ones, and delete an old one when the new one is available."""
    surging = available = 0
    delete: list[Pod] = []
    sunset: list[Pod] = []
    allowed: list[str] = []
    candidates: list[str] = []
    for name in names:
        pair = _pair(look, name)
        if pair is None:
            surging += 1
            continue
        serving = pair.old or pair.new
        available += serving is not None and look.available(serving)
        if pair.old is None:
            continue
        if pair.new is not None:
            if look.available(pair.new):
                delete.append(pair.old)
            else:
                surging += 1
        elif not look.available(pair.old):
            if name in desired:
                allowed.append(name)
            else:
                delete.append(pair.old)
        elif name not in desired:
            sunset.append(pair.old)
        elif surging < most:
            candidates.append(name)
    delete += sunset[: max(0, available - len(desired))]
    return Update(
        delete=tuple(delete), create_on=(*allowed, *candidates[: max(0, most - surging)])
    )


class _Pair(NamedTuple):
    new: Pod | None
    old: Pod | None


def _pair(look: Look, name: str) -> _Pair | None:
    """The new and the old pod of a node; ``None`` when there are more than one of a kind."""
    staying = [p for p in look.pods.get(name, ()) if p.metadata.deletion_timestamp is None]
    new = [pod for pod in staying if look.updated(pod)]
    old = [pod for pod in staying if not look.updated(pod)]
    if len(new) > 1 or len(old) > 1:
        return None
    return _Pair(new[0] if new else None, old[0] if old else None)


def oldest(pods: Sequence[Pod]) -> Pod:
    """The pod that stands for a node: one with a node before one without, then the oldest."""
    return min(pods, key=_oldest_first)


def _oldest_first(pod: Pod) -> tuple[bool, int, str]:
    created_s = (pod.metadata.creation_timestamp or 0) // SECOND
    return (not pod.spec.node_name, created_s, pod.name)
