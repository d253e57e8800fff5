"""Where a pod may and would like to run: node selectors, affinity, anti-affinity.

Mirrors: staging/src/k8s.io/api/core/v1/types.go (Affinity and NodeSelector).
"""

from kubesim.api.corev1.enums import NodeSelectorOperator
from kubesim.api.metav1 import LabelSelector
from kubesim.api.model import Int32, KubeModel


class NodeSelectorRequirement(KubeModel):
    """One label (or field) of a node and the values it must have."""

    key: str
    operator: NodeSelectorOperator
    values: tuple[str, ...] = ()


class NodeSelectorTerm(KubeModel):
    """Requirements which must all hold; an empty term matches no node."""

    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(KubeModel):
    """Terms of which one must hold."""

    node_selector_terms: tuple[NodeSelectorTerm, ...]


class PreferredSchedulingTerm(KubeModel):
    """A term which earns a node ``weight`` points."""

    weight: Int32
    preference: NodeSelectorTerm


class NodeAffinity(KubeModel):
    """The nodes a pod requires and prefers."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredSchedulingTerm, ...] = ()


class PodAffinityTerm(KubeModel):
    """Other pods, and the topology domain to share with them or to keep away from."""

    label_selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    topology_key: str
    namespace_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()


class WeightedPodAffinityTerm(KubeModel):
    """A pod affinity term which earns ``weight`` points."""

    weight: Int32
    pod_affinity_term: PodAffinityTerm


class PodAffinity(KubeModel):
    """The pods this pod wants to be near."""

    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class PodAntiAffinity(KubeModel):
    """The pods this pod wants to be away from."""

    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class Affinity(KubeModel):
    """All affinities of a pod."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None
