"""The scale of a workload: how many replicas it should have, has, and which pods they are.

It is never stored: every workload has one as its ``scale`` subresource.

Mirrors: staging/src/k8s.io/api/autoscaling/v1/types.go (Scale).
"""

from typing import Literal

from kubesim.api.metav1 import KubeObject
from kubesim.api.model import Int32, KubeModel


class ScaleSpec(KubeModel):
    """How many replicas there should be."""

    replicas: Int32 = 0


class ScaleStatus(KubeModel):
    """How many there are, and the selector of their pods on one line."""

    replicas: Int32 = 0
    selector: str = ""


class Scale(KubeObject):
    """The ``scale`` subresource of a workload."""

    api_version: Literal["autoscaling/v1"] = "autoscaling/v1"
    kind: Literal["Scale"] = "Scale"
    spec: ScaleSpec = ScaleSpec.zero()
    status: ScaleStatus = ScaleStatus.zero()
