"""Selectors: which labels, and which nodes, a selector picks.

Two languages, both answered by pure functions. A ``LabelSelector`` picks objects by their labels
(ReplicaSets pick pods with it). A ``NodeSelector`` picks nodes by labels and by name, and also
compares numbers (affinity picks nodes with it).

Mirrors: apimachinery/pkg/labels/selector.go, component-helpers/scheduling/corev1/nodeaffinity.
Departs: a requirement that validation would refuse (``In`` without values) just never holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kubesim.api.corev1.affinity import (
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PreferredSchedulingTerm,
)
from kubesim.api.corev1.node import Node
from kubesim.api.corev1.pod import PodSpec
from kubesim.api.metav1 import LabelSelector, LabelSelectorRequirement

__all__ = [
    "label_selector_matches",
    "labels_match",
    "node_selector_matches",
    "node_selector_term_matches",
    "preferred_terms_score",
    "required_node_affinity_matches",
]

Labels = Mapping[str, str]

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NAME_FIELD = "metadata.name"


def labels_match(selector: Labels, labels: Labels) -> bool:
    """Whether ``labels`` has every entry of ``selector``; an empty selector matches everything."""
    return all(labels.get(key) == value for key, value in selector.items())


def label_selector_matches(selector: LabelSelector | None, labels: Labels) -> bool:
    """Whether ``selector`` picks an object with these labels.

    No selector picks nothing; an empty one picks everything.
    """
    if selector is None:
        return False
    return labels_match(selector.match_labels, labels) and all(
        _requirement_holds(requirement, labels) for requirement in selector.match_expressions
    )


def node_selector_matches(selector: NodeSelector, node: Node) -> bool:
    """Whether one of the selector's terms picks ``node``."""
    return any(node_selector_term_matches(term, node) for term in selector.node_selector_terms)


def node_selector_term_matches(term: NodeSelectorTerm, node: Node) -> bool:
    """Whether all requirements of ``term`` hold for ``node``; an empty term picks no node."""
    if not term.match_expressions and not term.match_fields:
        return False
    labels = node.metadata.labels
    return all(_requirement_holds(item, labels) for item in term.match_expressions) and all(
        _field_requirement_holds(item, node.name) for item in term.match_fields
    )


def required_node_affinity_matches(spec: PodSpec, node: Node) -> bool:
    """Whether the pod's ``nodeSelector`` and required node affinity both allow ``node``."""
    if spec.node_selector and not labels_match(spec.node_selector, node.metadata.labels):
        return False
    affinity = spec.affinity and spec.affinity.node_affinity
    required = affinity and affinity.required_during_scheduling_ignored_during_execution
    return not required or node_selector_matches(required, node)


def preferred_terms_score(terms: tuple[PreferredSchedulingTerm, ...], node: Node) -> int:
    """The sum of the weights of the terms that pick ``node``."""
    return sum(term.weight for term in terms if node_selector_term_matches(term.preference, node))


def _requirement_holds(
    requirement: LabelSelectorRequirement | NodeSelectorRequirement, labels: Labels
) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _number_compares(requirement.operator, value, requirement.values)


def _number_compares(operator: str, value: str | None, bounds: tuple[str, ...]) -> bool:
    if value is None or len(bounds) != 1:
        return False
    if not _INTEGER.fullmatch(value) or not _INTEGER.fullmatch(bounds[0]):
        return False
    return int(value) > int(bounds[0]) if operator == "Gt" else int(value) < int(bounds[0])


def _field_requirement_holds(requirement: NodeSelectorRequirement, name: str) -> bool:
    """Fields know ``metadata.name`` only, ``In`` and ``NotIn`` only, and one value only."""
    if len(requirement.values) != 1:
        return False
    found = name if requirement.key == _NAME_FIELD else ""
    match requirement.operator:
        case "In":
            return found == requirement.values[0]
        case "NotIn":
            return found != requirement.values[0]
        case _:
            return False
