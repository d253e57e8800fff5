"""Which of several possible scale-ups: strategies that narrow the choice, one after the other.

Mirrors: kubernetes/autoscaler cluster-autoscaler/expander (waste, leastnodes, mostpods, price with
preferred.go, priority, random, factory/chain.go).
Departs: where there is no ConfigMap of priorities, those of the node pools count (upstream: none); what
a pod is worth is computed from GCE's constants on every cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kubesim.api.corev1 import Node, Pod
from kubesim.api.podutil import pod_requests
from kubesim.controlplane.autoscaler.cloudprovider import NodeGroup
from kubesim.controlplane.autoscaler.clusterautoscaler.priorities import (
    Priorities,
    Warn,
    preferred,
)
from kubesim.controlplane.autoscaler.simulator.utilization import GPUS
from kubesim.sim import Rng
from kubesim.sim.elementary import exp

_GIB_NANOS = (1 << 30) * 1_000_000_000
_CORE_NANOS = 1_000_000_000
# What a pod is worth an hour to the price expander: its constants of GCE (cpu, GiB of memory).
CPU_PRICE = Fraction(33_174, 1_000_000)
MEMORY_PRICE = Fraction(4_446, 1_000_000)
GPU_UNFITNESS = 1000
# Up to so many nodes a cluster prefers nodes of so many cores.
PREFERRED_CORES = ((2, 1), (6, 2), (20, 4), (60, 8), (200, 16), (1 << 62, 32))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What an expander goes by beside the options.

    Attributes:
        nodes: How many nodes the cluster has.
        priorities: What the ConfigMap of the priority expander says; ``None`` without one.
        warn: Told of groups about which it says nothing.
    """

    nodes: int = 0
    priorities: Priorities | None = None
    warn: Warn = lambda _reason, _message: None


def best_option(
    options: Sequence[Option], expanders: Sequence[str], at: Circumstances, rng: Rng
) -> Option:
    """The one that the expanders leave, by lot if they leave several."""
    assert options
    left = list(options)
    for name in expanders:
        if name == "priority" and at.priorities is not None:
            names = preferred([option.group.id for option in left], at.priorities, at.warn)
            left = [option for option in left if option.group.id in names]
        elif len(left) > 1 and name != "random":
            score = STRATEGIES[name]
            scores = [score(option, at) for option in left]
            best = min(scores)
            left = [option for option, own in zip(left, scores, strict=True) if own == best]
    return left[0] if len(left) == 1 else rng.choice(left)


def _waste(option: Option, _at: Circumstances) -> Fraction:
    """The share of cpu and memory of the new nodes that the pods leave unused."""
    wasted = Fraction(0)
    for resource in ("cpu", "memory"):
        available = option.template.status.capacity[resource].nanos * option.nodes
        wasted += Fraction(available - _requested(option.pods, resource), available)
    return wasted


def _most_pods(option: Option, _at: Circumstances) -> Fraction:
    return Fraction(-len(option.pods))


def _least_nodes(option: Option, _at: Circumstances) -> Fraction:
    return Fraction(option.nodes)


def _price(option: Option, at: Circumstances) -> Fraction:
    """What the nodes cost for what the pods are worth, times how ill the nodes suit the cluster."""
    nodes = Fraction(option.group.price_per_hour_nano_usd, 1_000_000_000) * option.nodes
    pods = CPU_PRICE * Fraction(_requested(option.pods, "cpu"), _CORE_NANOS)
    pods += MEMORY_PRICE * Fraction(_requested(option.pods, "memory"), _GIB_NANOS)
    price = (nodes + STABILIZATION_PRICE) / (pods + STABILIZATION_PRICE)
    return price * unfitness(option.template, option.nodes, cluster_nodes=at.nodes)


def unfitness(node: Node, count: int, *, cluster_nodes: int) -> Fraction:
    """How ill nodes suit a cluster: 1 for the preferred size; it matters less the more there are.

    Args:
        node: Such a node.
        count: How many of them.
        cluster_nodes: How many nodes the cluster has.
    """
    if any(name in node.status.capacity and node.status.capacity[name].nanos for name in GPUS):
        return Fraction(GPU_UNFITNESS)
    wanted = next(cores for most, cores in PREFERRED_CORES if cluster_nodes <= most)
    cpu = Fraction(node.status.capacity["cpu"].nanos, _CORE_NANOS)
    plain = max(wanted / cpu, cpu / wanted)
    # tanh by way of exp, whose bits are the same on every machine
    shrunk = exp(-2.0 * (count - 1) / 15.0)
    return (plain - 1) * (1 - Fraction((1.0 - shrunk) / (1.0 + shrunk))) + 1


def _priority(option: Option, _at: Circumstances) -> Fraction:
    return Fraction(-option.group.priority)


STRATEGIES: dict[str, Callable[[Option, Circumstances], Fraction]] = {
    "least-waste": _waste,
    "least-nodes": _least_nodes,
    "most-pods": _most_pods,
    "price": _price,
    "priority": _priority,
}


def _requested(pods: Sequence[Pod], resource: str) -> int:
    requests = (pod_requests(pod.spec) for pod in pods)
    return sum(asked[resource].nanos for asked in requests if resource in asked)
