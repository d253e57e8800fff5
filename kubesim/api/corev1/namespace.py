"""Namespaces.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import Literal

from kubesim.api.corev1.enums import NamespacePhase
from kubesim.api.metav1 import ConditionStatus, KubeObject, Time
from kubesim.api.model import KubeModel


class NamespaceSpec(KubeModel):
    """What a namespace should be."""

    finalizers: tuple[str, ...] = ()


class NamespaceCondition(KubeModel):
    """One yes-or-no fact about a namespace."""

    type: str
    status: ConditionStatus
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class NamespaceStatus(KubeModel):
    """What a namespace is."""

    phase: NamespacePhase | None = None
    conditions: tuple[NamespaceCondition, ...] = ()


class Namespace(KubeObject):
    """A room for names."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Namespace"] = "Namespace"
    spec: NamespaceSpec = NamespaceSpec.zero()
    status: NamespaceStatus = NamespaceStatus.zero()
