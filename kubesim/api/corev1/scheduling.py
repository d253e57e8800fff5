"""Taints and tolerations, spreading, scheduling gates.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from kubesim.api.corev1.enums import (
    NodeInclusionPolicy,
    TaintEffect,
    TolerationOperator,
    UnsatisfiableConstraintAction,
)
from kubesim.api.metav1 import LabelSelector, Time
from kubesim.api.model import Int32, Int64, KubeModel


class Taint(KubeModel):
    """What keeps pods off a node that do not tolerate it."""

    key: str
    value: str | None = None
    effect: TaintEffect
    time_added: Time | None = None


class Toleration(KubeModel):
    """A taint, or a family of taints, that a pod puts up with."""

    key: str | None = None
    operator: TolerationOperator | None = None
    value: str | None = None
    effect: TaintEffect | None = None
    toleration_seconds: Int64 | None = None


class TopologySpreadConstraint(KubeModel):
    """How evenly pods have to be spread over a topology."""

    max_skew: Int32
    topology_key: str
    when_unsatisfiable: UnsatisfiableConstraintAction
    label_selector: LabelSelector | None = None
    min_domains: Int32 | None = None
    node_affinity_policy: NodeInclusionPolicy | None = None
    node_taints_policy: NodeInclusionPolicy | None = None
    match_label_keys: tuple[str, ...] = ()


class PodSchedulingGate(KubeModel):
    """A reason not to schedule the pod yet."""

    name: str


class PodSchedulingGroup(KubeModel):
    """The group of pods with which this pod wants to be scheduled."""

    pod_group_name: str | None = None


class PodReadinessGate(KubeModel):
    """A condition which must be true before the pod counts as ready."""

    condition_type: str
