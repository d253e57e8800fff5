"""Karpenter's resources: NodePool, NodeClaim, and the reference to a class of nodes.

Mirrors: kubernetes-sigs/karpenter pkg/apis/v1 (nodepool.go, nodeclaim.go); aws/karpenter-provider-aws
pkg/apis/v1 (EC2NodeClass).
Departs: an EC2NodeClass is stored, and nothing in it has an effect.
"""

from typing import ClassVar, Literal

from kubesim.api.corev1 import NodeSelectorOperator, Taint
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import Condition, KubeObject, Time
from kubesim.api.model import Int32, KubeModel, Unsimulated
from kubesim.api.quantity import Quantity


class Requirement(KubeModel):
    """One label of a node and the values it may have."""

    key: str
    operator: NodeSelectorOperator
    values: tuple[str, ...] = ()
    min_values: Int32 | None = None


class NodeClassRef(KubeModel):
    """The class of nodes at the provider."""

    group: str | None = None
    kind: str | None = None
    name: str | None = None


class Budget(KubeModel):
    """How many nodes may be disrupted at the same time: a number or a percentage."""

    nodes: str = "10%"
    reasons: tuple[str, ...] = ()
    schedule: str | None = None
    duration: str | None = None


class Disruption(KubeModel):
    """When nodes are given up for cheaper ones."""

    consolidate_after: str | None = None
    consolidation_policy: Literal["WhenEmpty", "WhenEmptyOrUnderutilized"] | None = None
    budgets: tuple[Budget, ...] = ()


class NodeClaimSpec(KubeModel):
    """What a node is to be."""

    taints: tuple[Taint, ...] = ()
    startup_taints: tuple[Taint, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    node_class_ref: NodeClassRef | None = None
    termination_grace_period: str | None = None
    expire_after: str | None = None


class TemplateMeta(KubeModel):
    """Labels and annotations of the nodes."""

    labels: FrozenMap[str, str] = FrozenMap()
    annotations: FrozenMap[str, str] = FrozenMap()


class NodeClaimTemplate(KubeModel):
    """What the nodes of a pool are like."""

    metadata: TemplateMeta = TemplateMeta.zero()
    spec: NodeClaimSpec = NodeClaimSpec.zero()


class NodePoolSpec(KubeModel):
    """Which nodes there may be, and how many."""

    template: NodeClaimTemplate
    disruption: Disruption = Disruption.zero()
    limits: FrozenMap[str, Quantity] = FrozenMap()
    weight: Int32 | None = None
    replicas: Unsimulated[Int32 | None] = None


class NodePoolStatus(KubeModel):
    """What a pool has."""

    resources: FrozenMap[str, Quantity] = FrozenMap()
    conditions: tuple[Condition, ...] = ()


class NodePool(KubeObject):
    """A pool of nodes that are made when pods need them."""

    api_version: Literal["karpenter.sh/v1"] = "karpenter.sh/v1"
    kind: Literal["NodePool"] = "NodePool"
    spec: NodePoolSpec
    status: NodePoolStatus = NodePoolStatus.zero()


class NodeClaimStatus(KubeModel):
    """What has become of a claim."""

    node_name: str | None = None
    provider_id: str | None = None
    capacity: FrozenMap[str, Quantity] = FrozenMap()
    allocatable: FrozenMap[str, Quantity] = FrozenMap()
    conditions: tuple[Condition, ...] = ()
    last_pod_event_time: Time | None = None


class NodeClaim(KubeObject):
    """One node that was asked for."""

    api_version: Literal["karpenter.sh/v1"] = "karpenter.sh/v1"
    kind: Literal["NodeClaim"] = "NodeClaim"
    spec: NodeClaimSpec = NodeClaimSpec.zero()
    status: NodeClaimStatus = NodeClaimStatus.zero()


class SelectorTerm(KubeModel):
    """Which images, subnets or security groups."""

    alias: str | None = None
    id: str | None = None
    name: str | None = None
    owner: str | None = None
    tags: FrozenMap[str, str] = FrozenMap()


class EC2NodeClassSpec(KubeModel):
    """What instances are made of."""

    ami_family: str | None = None
    ami_selector_terms: tuple[SelectorTerm, ...] = ()
    subnet_selector_terms: tuple[SelectorTerm, ...] = ()
    security_group_selector_terms: tuple[SelectorTerm, ...] = ()
    role: str | None = None
    instance_profile: str | None = None
    user_data: str | None = None
    tags: FrozenMap[str, str] = FrozenMap()


class EC2NodeClass(KubeObject):
    """A class of nodes at AWS."""

    simulated: ClassVar[bool] = False

    api_version: Literal["karpenter.k8s.aws/v1"] = "karpenter.k8s.aws/v1"
    kind: Literal["EC2NodeClass"] = "EC2NodeClass"
    spec: EC2NodeClassSpec = EC2NodeClassSpec.zero()
