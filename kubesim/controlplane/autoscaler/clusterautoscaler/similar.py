"""Whether two node groups are alike, so that new nodes may be spread over them.

Mirrors: kubernetes/autoscaler cluster-autoscaler/processors/nodegroupset (compare_nodegroups.go,
label_nodegroups.go).
Departs: the pool's own label is ignored as a cloud's label of the group is; what DaemonSets take is
free, too.
"""

from __future__ import annotations

from fractions import Fraction

from kubesim.api.corev1 import Node
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.quantity import Quantity
from kubesim.controlplane.autoscaler.clusterautoscaler.options import Options

IGNORED_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "kubesim.dev/pool",
    }
)


def similar(one: Node, other: Node, options: Options) -> bool:
    """Whether the templates of two groups are alike."""
    if options.balancing_label:
        return all(
            name in one.metadata.labels
            and one.metadata.labels[name] == other.metadata.labels.get(name)
            for name in options.balancing_label
        )
    capacity, others = one.status.capacity, other.status.capacity
    if sorted(capacity) != sorted(others):
        return False
    for name in capacity:
        ratio = options.memory_difference_ratio if name == "memory" else Fraction(0)
        if not _within(capacity[name], others[name], ratio):
            return False
    ratio = min(options.max_allocatable_difference_ratio, options.max_free_difference_ratio)
    if not _all_within(one.status.allocatable, other.status.allocatable, ratio):
        return False
    ignored = IGNORED_LABELS | set(options.balancing_ignore_label)
    return _labels(one, ignored) == _labels(other, ignored)


def _labels(node: Node, ignored: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in node.metadata.labels.items() if name not in ignored}


def _all_within(
    one: FrozenMap[str, Quantity], other: FrozenMap[str, Quantity], ratio: Fraction
) -> bool:
    return sorted(one) == sorted(other) and all(
        _within(one[name], other[name], ratio) for name in one
    )


def _within(one: Quantity, other: Quantity, ratio: Fraction) -> bool:
    larger, smaller = max(one.nanos, other.nanos), min(one.nanos, other.nanos)
    return larger - smaller <= larger * ratio
