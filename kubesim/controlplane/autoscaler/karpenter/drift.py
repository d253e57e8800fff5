"""Whether a node is still what its pool says. Pure functions.

A node drifts when the pool's template changed in anything but its requirements (a hash of it stands at
the claim), or when its labels no longer meet the requirements.

Mirrors: kubernetes-sigs/karpenter pkg/controllers/nodeclaim/disruption/drift.go, pkg/apis/v1
(nodepool.go, Hash), pkg/controllers/nodepool/hash.
Departs: the hash is not the one of hashstructure; what the cloud thinks (images, security groups) never
changes.
"""

from __future__ import annotations

import hashlib
import json

from kubesim.api.corev1 import Node, NodeSelectorRequirement, NodeSelectorTerm
from kubesim.api.karpenterv1 import NodeClaimTemplate, NodePool
from kubesim.api.labels import node_selector_term_matches

HASH_ANNOTATION = "karpenter.sh/nodepool-hash"
NODE_POOL_DRIFTED = "NodePoolDrifted"
REQUIREMENTS_DRIFTED = "RequirementsDrifted"


def template_hash(template: NodeClaimTemplate) -> str:
    """A hash of everything in a template but its requirements; the order of lists does not matter."""
    content = template.model_dump(mode="json", by_alias=True, exclude_none=True)
    content.get("spec", {}).pop("requirements", None)
    text = json.dumps(_sorted(content), sort_keys=True)
    return str(int(hashlib.sha256(text.encode()).hexdigest()[:16], 16))


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(part) for key, part in value.items() if part not in ("", [], {})}
    if isinstance(value, list | tuple):
        return sorted((_sorted(part) for part in value), key=json.dumps)
    return value


def drift_reason(pool: NodePool, claim_hash: str, node: Node) -> str | None:
    """Why a node is no longer as its pool says, if it is not.

    Args:
        pool: The pool as it is now.
        claim_hash: The hash of the template that the node was made after.
        node: The node, for its labels.
    """
    if template_hash(pool.spec.template) != claim_hash:
        return NODE_POOL_DRIFTED
    return None if suits(pool, node) else REQUIREMENTS_DRIFTED


def suits(pool: NodePool, node: Node) -> bool:
    """Whether a node meets a pool's requirements (``In``, ``NotIn``, ``Exists``, ``Gt``, ...)."""
    requirements = tuple(
        NodeSelectorRequirement(key=r.key, operator=r.operator, values=r.values)
        for r in pool.spec.template.spec.requirements
    )
    if not requirements:
        return True
    return node_selector_term_matches(NodeSelectorTerm(match_expressions=requirements), node)
