"""What would make a pod fit: for each node everything that it lacks, the nearest nodes first.

An attempt stops at the first plugin that refuses a node. Here all plugins are asked, and what they
refuse for is put as what would help: so much cpu more, a taint to tolerate, a label. Near is a node
that lacks few things, and of these little.

Mirrors: nothing upstream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kubesim.api.corev1 import NodeSelectorTerm
from kubesim.api.labels import node_selector_matches, node_selector_term_matches
from kubesim.api.quantity import Quantity
from kubesim.api.taints import tolerations_tolerate_taint
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import FilterPlugin
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo, PodSignature
from kubesim.controlplane.scheduler.framework.status import Status
from kubesim.controlplane.scheduler.plugins.nodeaffinity import NodeAffinity, required_terms
from kubesim.controlplane.scheduler.plugins.nodename import NodeName
from kubesim.controlplane.scheduler.plugins.nodeports import NodePorts
from kubesim.controlplane.scheduler.plugins.noderesources_fit import Fit
from kubesim.controlplane.scheduler.plugins.nodeunschedulable import NodeUnschedulable
from kubesim.controlplane.scheduler.plugins.tainttoleration import TaintToleration, is_hard


@dataclass(frozen=True, slots=True)
class Lack:
    """Nodes that lack the same.

    Attributes:
        nodes: Their names; the nearest first.
        missing: What they lack; empty for nodes that fit.
        plugins: Who refuses for it.
    """

    nodes: tuple[str, ...]
    missing: tuple[str, ...]
    plugins: tuple[str, ...]


def nearest(engine: Engine, info: PodInfo) -> tuple[str, list[Lack]]:
    """What stands in the way on all nodes, and what each node lacks, the nearest first.

    Args:
        engine: Whose nodes and plugins.
        info: The pod.
    """
    framework = engine.framework_for(info.pod)
    assert framework is not None, info.pod.spec.scheduler_name
    nodes = engine.cache.node_infos
    state = CycleState()
    outcome = framework.run_pre_filter_plugins(state, info, nodes)
    if outcome.status is not None:
        return outcome.status.message, []
    filters = [
        plugin
        for plugin in framework.plugins.filter
        if plugin.name not in state.skip_filter_plugins
    ]
    found: list[tuple[tuple[int, int, float], str, tuple[str, ...], tuple[str, ...]]] = []
    for node in nodes:
        refusals = [
            (plugin, status)
            for plugin in filters
            if (status := plugin.filter(state, info, node)) is not None
        ]
        missing = tuple(text for refusal in refusals for text in _missing(info, node, *refusal))
        plugins = tuple(plugin.name for plugin, _ in refusals)
        distance = (len(plugins), len(missing), _shortage(info.signature, node))
        found.append((distance, node.name, missing, plugins))
    return "", list(_grouped(sorted(found, key=lambda item: item[0])))


def _grouped(
    found: Sequence[tuple[tuple[int, int, float], str, tuple[str, ...], tuple[str, ...]]],
) -> Iterator[Lack]:
    groups: dict[tuple[str, ...], list[str]] = {}
    plugins: dict[tuple[str, ...], tuple[str, ...]] = {}
    for _, name, missing, names in found:
        groups.setdefault(missing, []).append(name)
        plugins.setdefault(missing, names)
    for missing, nodes in groups.items():
        yield Lack(tuple(nodes), missing, plugins[missing])


def _missing(info: PodInfo, node: NodeInfo, plugin: FilterPlugin, status: Status) -> Iterator[str]:
    """What would lift a refusal, in words that complete "the node, or the pod, would need ..."."""
    signature = info.signature
    if isinstance(plugin, Fit):
        yield from _resources(signature, node)
    elif isinstance(plugin, TaintToleration):
        for taint in node.node.spec.taints:
            if is_hard(taint) and not tolerations_tolerate_taint(
                signature.spec.tolerations, taint
            ):
                value = f"={taint.value}" if taint.value else ""
                yield f"tolerate {taint.key}{value}:{taint.effect}"
    elif isinstance(plugin, NodeAffinity):
        yield from _labels(plugin, signature, node)
    elif isinstance(plugin, NodeUnschedulable):
        yield "uncordon the node"
    elif isinstance(plugin, NodeName):
        yield f"spec.nodeName names {signature.spec.node_name}"
    elif isinstance(plugin, NodePorts):
        taken = [port for port in signature.host_ports if node.conflicts_with([port])]
        yield "free host port " + ", ".join(f"{port.port}/{port.protocol}" for port in taken)
    else:
        reasons = "; ".join(status.reasons)
        yield f"{plugin.name} to agree" + (f" ({reasons})" if reasons else "")


def _resources(signature: PodSignature, node: NodeInfo) -> Iterator[str]:
    if len(node.pods) + 1 > node.allocatable.allowed_pod_number:
        yield "room for one pod more"
    for name, short, capacity, wanted in _shortages(signature, node):
        text = f"{_amount(name, short)} {name} more"
        if wanted > capacity:
            text += f" (it has {_amount(name, capacity)} in all)"
        yield text


def _shortages(signature: PodSignature, node: NodeInfo) -> Iterator[tuple[str, int, int, int]]:
    """By resource: how much is missing, how much there is in all, how much is wanted."""
    wanted, there, used = signature.requests, node.allocatable, node.requested
    amounts = [
        ("cpu", wanted.milli_cpu, there.milli_cpu, used.milli_cpu),
        ("memory", wanted.memory, there.memory, used.memory),
        (
            "ephemeral-storage",
            wanted.ephemeral_storage,
            there.ephemeral_storage,
            used.ephemeral_storage,
        ),
        *(
            (name, amount, there.scalars.get(name, 0), used.scalars.get(name, 0))
            for name, amount in wanted.scalars.items()
        ),
    ]
    for name, amount, capacity, taken in amounts:
        if amount > 0 and amount > capacity - taken:
            yield name, amount - (capacity - taken), capacity, amount


def _shortage(signature: PodSignature, node: NodeInfo) -> float:
    """How much is missing, as a share of what is wanted."""
    return sum(short / wanted for _, short, _, wanted in _shortages(signature, node))


def _amount(name: str, amount: int) -> str:
    if name == "cpu":
        return str(Quantity.of_millis(amount))
    if name in ("memory", "ephemeral-storage") or name.startswith("hugepages-"):
        return _binary(amount)
    return str(amount)


def _binary(amount: int) -> str:
    """Bytes for people: rounded up, so that so much more is enough."""
    for unit, size in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if amount >= size and (amount >= 10 * size or amount % size == 0):
            return f"{-(-amount // size)}{unit}"
    return str(amount)


def _labels(plugin: NodeAffinity, signature: PodSignature, node: NodeInfo) -> Iterator[str]:
    spec, labels = signature.spec, node.node.metadata.labels
    for key, value in spec.node_selector.items():
        if labels.get(key) != value:
            yield f"label {key}={value}" + (f" (it is {labels[key]})" if key in labels else "")
    terms = required_terms(spec)
    if terms and not any(node_selector_term_matches(term, node.node) for term in terms):
        yield "label " + " or ".join(_term(term) for term in terms)
    added = plugin.added_required
    if added is not None and not node_selector_matches(added, node.node):
        yield "label " + " or ".join(_term(term) for term in added.node_selector_terms)


def _term(term: NodeSelectorTerm) -> str:
    parts = [
        " ".join(
            (item.key, item.operator, *([f"({', '.join(item.values)})"] if item.values else []))
        )
        for item in (*term.match_expressions, *term.match_fields)
    ]
    return " and ".join(parts) or "nothing"
