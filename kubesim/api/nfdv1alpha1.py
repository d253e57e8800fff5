"""NodeFeatureRule: labels and taints for nodes that have certain features.

Mirrors: node-feature-discovery api/nfd/v1alpha1/types.go.
"""

from typing import Literal

from kubesim.api.corev1 import Taint
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import KubeModel, Unsimulated

MatchOp = Literal[
    "In", "NotIn", "InRegexp", "Exists", "DoesNotExist", "Gt", "Lt", "GtLt", "IsTrue", "IsFalse"
]


class MatchExpression(KubeModel):
    """What the value of one element of a feature must be."""

    op: MatchOp
    value: tuple[str, ...] = ()


class FeatureMatcherTerm(KubeModel):
    """What one feature must be, such as ``kernel.version``."""

    feature: str
    match_expressions: FrozenMap[str, MatchExpression] = FrozenMap()
    match_name: Unsimulated[MatchExpression | None] = None


class MatchAnyElem(KubeModel):
    """One of several ways to match."""

    match_features: tuple[FeatureMatcherTerm, ...]


class Rule(KubeModel):
    """Labels for nodes of which everything in ``match_features`` is so, and one of ``match_any``."""

    name: str
    labels: FrozenMap[str, str] = FrozenMap()
    labels_template: Unsimulated[str | None] = None
    annotations: Unsimulated[FrozenMap[str, str]] = FrozenMap()
    vars: Unsimulated[FrozenMap[str, str]] = FrozenMap()
    vars_template: Unsimulated[str | None] = None
    taints: Unsimulated[tuple[Taint, ...]] = ()
    extended_resources: Unsimulated[FrozenMap[str, str]] = FrozenMap()
    match_features: tuple[FeatureMatcherTerm, ...] = ()
    match_any: tuple[MatchAnyElem, ...] = ()


class NodeFeatureRuleSpec(KubeModel):
    """Rules, in their order."""

    rules: tuple[Rule, ...]


class NodeFeatureRule(KubeObject):
    """Rules that turn features of nodes into labels."""

    api_version: Literal["nfd.k8s-sigs.io/v1alpha1"] = "nfd.k8s-sigs.io/v1alpha1"
    kind: Literal["NodeFeatureRule"] = "NodeFeatureRule"
    spec: NodeFeatureRuleSpec = NodeFeatureRuleSpec.zero()
