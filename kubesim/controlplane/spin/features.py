"""What Node Feature Discovery knows of a node, and which labels follow from it. Pure functions.

Mirrors: node-feature-discovery source/{kernel,system,local}, api/nfd/nodefeaturerule (expression.go,
    rule.go): the operators, ``matchFeatures`` and ``matchAny``, the default label namespace.
Departs: of the sources only these three, from what the node's status says; a feature file of the host
    (``features.d``) is the node's annotation ``kubesim.dev/features.d``, a line a feature.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kubesim.api.corev1 import Node
from kubesim.api.nfdv1alpha1 import FeatureMatcherTerm, MatchExpression, NodeFeatureRule, Rule

LABEL_NAMESPACE = "feature.node.kubernetes.io"
FEATURE_FILES_ANNOTATION = "kubesim.dev/features.d"

Features = Mapping[str, Mapping[str, str]]


def features_of(node: Node) -> Features:
    """The node's features: for each name of a feature its elements."""
    info = node.status.node_info
    lines = node.metadata.annotations.get(FEATURE_FILES_ANNOTATION, "").split()
    local = dict(line.partition("=")[::2] for line in lines)
    found: dict[str, dict[str, str]] = {
        "system.name": {"nodename": node.name},
        "local.feature": {name: value or "true" for name, value in local.items()},
    }
    if info is not None:
        numbers = re.findall(r"\d+", info.kernel_version)
        names = ("major", "minor", "revision")
        found["kernel.version"] = {"full": info.kernel_version} | dict(
            zip(names, numbers, strict=False)
        )
        found["system.osrelease"] = {"ID": info.os_image, "ARCHITECTURE": info.architecture}
    found["local.label"] = found["local.feature"]
    return found


def labels_of(node: Node, rules: Iterable[NodeFeatureRule]) -> dict[str, str]:
    """The labels that the node should have: those of the sources, then those of the rules."""
    features = features_of(node)
    labels = {
        f"{LABEL_NAMESPACE}/{source}.{name}": value
        for feature, source in (
            ("kernel.version", "kernel-version"), ("system.osrelease", "system-os_release"),
        )
        for name, value in features.get(feature, {}).items()
        if name != "ARCHITECTURE"
    }  # fmt: skip
    for name, value in features["local.feature"].items():
        labels[_named(name)] = value
    for rule in (rule for one in rules for rule in one.spec.rules):
        if matches(rule, features):
            labels |= {_named(name): value for name, value in rule.labels.items()}
    return labels


def matches(rule: Rule, features: Features) -> bool:
    """Whether a rule is about a node with these features."""
    if not all(_holds(term, features) for term in rule.match_features):
        return False
    ways = [way.match_features for way in rule.match_any]
    return not ways or any(all(_holds(term, features) for term in way) for way in ways)


def _holds(term: FeatureMatcherTerm, features: Features) -> bool:
    elements = features.get(term.feature)
    if elements is None:
        return False
    return all(
        _fits(expression, elements.get(name))
        for name, expression in term.match_expressions.items()
    )


def _fits(expression: MatchExpression, value: str | None) -> bool:
    op, wanted = expression.op, expression.value
    if op in ("Exists", "DoesNotExist"):
        return (value is not None) is (op == "Exists")
    if value is None:
        return op == "NotIn"
    if op in ("In", "NotIn"):
        return (value in wanted) is (op == "In")
    if op == "InRegexp":
        return any(re.search(pattern, value) for pattern in wanted)
    if op in ("IsTrue", "IsFalse"):
        return value == ("true" if op == "IsTrue" else "false")
    return _compares(op, value, wanted)


def _compares(op: str, value: str, wanted: tuple[str, ...]) -> bool:
    """``Gt``, ``Lt`` and ``GtLt``: both are whole numbers, or it does not hold."""
    try:
        number, bounds = int(value), [int(bound) for bound in wanted]
    except ValueError:
        return False
    if op == "GtLt":
        return len(bounds) == 2 and bounds[0] < number < bounds[1]
    return len(bounds) == 1 and (number > bounds[0] if op == "Gt" else number < bounds[0])


def _named(label: str) -> str:
    return label if "/" in label else f"{LABEL_NAMESPACE}/{label}"
