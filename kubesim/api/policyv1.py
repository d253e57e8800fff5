"""Disruption budgets.

Mirrors: staging/src/k8s.io/api/policy/v1/types.go.
"""

from typing import Literal

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.intstr import IntOrString
from kubesim.api.metav1 import Condition, KubeObject, LabelSelector, Time
from kubesim.api.model import Int32, Int64, KubeModel


class PodDisruptionBudgetSpec(KubeModel):
    """How many pods must stay, or may be missing."""

    min_available: IntOrString | None = None
    selector: LabelSelector | None = None
    max_unavailable: IntOrString | None = None
    unhealthy_pod_eviction_policy: str | None = None


class PodDisruptionBudgetStatus(KubeModel):
    """How many pods may be disrupted now."""

    observed_generation: Int64 | None = None
    disrupted_pods: FrozenMap[str, Time] = FrozenMap()
    disruptions_allowed: Int32 | None = None
    current_healthy: Int32 | None = None
    desired_healthy: Int32 | None = None
    expected_pods: Int32 | None = None
    conditions: tuple[Condition, ...] = ()


class PodDisruptionBudget(KubeObject):
    """How many pods of a set may be disrupted at the same time."""

    api_version: Literal["policy/v1"] = "policy/v1"
    kind: Literal["PodDisruptionBudget"] = "PodDisruptionBudget"
    spec: PodDisruptionBudgetSpec = PodDisruptionBudgetSpec.zero()
    status: PodDisruptionBudgetStatus = PodDisruptionBudgetStatus.zero()
