"""How many nodes of a group would take some pods: binpacking with the scheduler's own plugins.

Mirrors: kubernetes/autoscaler cluster-autoscaler/estimator/binpacking_estimator.go,
decreasing_pod_orderer.go.
Departs: new nodes are tried in order of their making, not round robin; no limit of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from kubesim.api.corev1 import Node, Pod
from kubesim.api.podutil import pod_requests
from kubesim.controlplane.autoscaler.simulator import ClusterSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What some new nodes would take.

    Attributes:
        nodes: How many.
        pods: The pods that find a place on them.
    """

    nodes: int
    pods: tuple[Pod, ...]


def estimate(
    snapshot: ClusterSnapshot,
    template: Node,
    daemons: Sequence[Pod],
    groups: Sequence[Sequence[Pod]],
    *,
    max_nodes: int,
) -> Estimate:
    """Pack pods on as few new nodes as first fit finds.

    Args:
        snapshot: The cluster; afterwards as before.
        template: A new node.
        daemons: The pods that a new node has from the beginning.
        groups: The pods, equal ones together.
        max_nodes: How many nodes there may be.
    """
    placed: list[Pod] = []
    new: dict[str, bool] = {}  # by name, whether a pod has been placed on it
    snapshot.fork()
    for pods in sorted(groups, key=lambda pods: _score(pods[0], template), reverse=True):
        for pod in pods:
            name = snapshot.fits_any(pod, new.__contains__)
            if name is None:
                if len(new) >= max_nodes or False in new.values():
                    break  # equal pods fare no better; an empty node that does not fit never will
                name = f"template-node-for-{template.name}-{len(new)}"
                snapshot.add_node(*new_node(template, daemons, name))
                new[name] = False
                if snapshot.refusals(pod, name):
                    break
            snapshot.place(pod, name)
            new[name] = True
            placed.append(pod)
    snapshot.revert()
    return Estimate(nodes=sum(new.values()), pods=tuple(placed))


def new_node(template: Node, daemons: Sequence[Pod], name: str) -> tuple[Node, list[Pod]]:
    """A node made after a template, and its pods."""
    labels = template.metadata.labels.merge({"kubernetes.io/hostname": name})
    metadata = template.metadata.replace(name=name, labels=labels)
    pods = [
        pod.replace(
            metadata=pod.metadata.replace(name=f"{pod.name}-{name}", uid=f"{pod.uid}/{name}")
        )
        for pod in daemons
    ]
    return template.replace(metadata=metadata), pods


def _score(pod: Pod, template: Node) -> Fraction:
    """How much of a node a pod takes: cpu and memory together."""
    requests, allocatable = pod_requests(pod.spec), template.status.allocatable
    score = Fraction(0)
    for name in ("cpu", "memory"):
        if name in requests and name in allocatable and allocatable[name].nanos:
            score += Fraction(requests[name].nanos, allocatable[name].nanos)
    return score
