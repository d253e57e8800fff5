"""Which of several possible scale-ups: strategies that narrow the choice, one after the other.

Mirrors: kubernetes/autoscaler cluster-autoscaler/expander (waste, mostpods, price, priority, random,
factory/chain.go).
Departs: the price expander has no preference for nodes of a size that suits the cluster
(preferred-node unfitness is 1); priorities stand at the node pools, not in a ConfigMap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kubesim.api.corev1 import Node, Pod
from kubesim.api.podutil import pod_requests
from kubesim.controlplane.autoscaler.cloudprovider import NodeGroup
from kubesim.sim import Rng

_GIB_NANOS = (1 << 30) * 1_000_000_000
_CORE_NANOS = 1_000_000_000
# What a pod is worth an hour to the price expander: its constants of GCE (cpu, GiB of memory).
CPU_PRICE = Fraction(33_174, 1_000_000)
MEMORY_PRICE = Fraction(4_446, 1_000_000)
# ... and the pod that keeps small differences small: 500m and 500 MB.
STABILIZATION_PRICE = CPU_PRICE / 2 + MEMORY_PRICE * Fraction(500_000_000, 1 << 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A scale-up that would help.

    Attributes:
        group: The group that would grow.
        nodes: By how many nodes.
        pods: The pods that would find a place.
        template: Such a node.
    """

    group: NodeGroup
    nodes: int
    pods: tuple[Pod, ...]
    template: Node


def best_option(options: Sequence[Option], expanders: Sequence[str], rng: Rng) -> Option:
    """The one that the expanders leave, by lot if they leave several."""
    assert options
    left = list(options)
    for name in expanders:
        if len(left) > 1 and name != "random":
            score = STRATEGIES[name]
            scores = [score(option) for option in left]
            best = min(scores)
            left = [option for option, own in zip(left, scores, strict=True) if own == best]
    return left[0] if len(left) == 1 else rng.choice(left)


def _waste(option: Option) -> Fraction:
    """The share of cpu and memory of the new nodes that the pods leave unused."""
    wasted = Fraction(0)
    for resource in ("cpu", "memory"):
        available = option.template.status.capacity[resource].nanos * option.nodes
        wasted += Fraction(available - _requested(option.pods, resource), available)
    return wasted


def _most_pods(option: Option) -> Fraction:
    return Fraction(-len(option.pods))


def _price(option: Option) -> Fraction:
    """What the nodes cost for what the pods are worth."""
    nodes = Fraction(option.group.price_per_hour_nano_usd, 1_000_000_000) * option.nodes
    pods = CPU_PRICE * Fraction(_requested(option.pods, "cpu"), _CORE_NANOS)
    pods += MEMORY_PRICE * Fraction(_requested(option.pods, "memory"), _GIB_NANOS)
    return (nodes + STABILIZATION_PRICE) / (pods + STABILIZATION_PRICE)


def _priority(option: Option) -> Fraction:
    return Fraction(-option.group.priority)


STRATEGIES: dict[str, Callable[[Option], Fraction]] = {
    "least-waste": _waste,
    "most-pods": _most_pods,
    "price": _price,
    "priority": _priority,
}


def _requested(pods: Sequence[Pod], resource: str) -> int:
    requests = (pod_requests(pod.spec) for pod in pods)
    return sum(asked[resource].nanos for asked in requests if resource in asked)
