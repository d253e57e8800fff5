"""Priority classes.

Mirrors: staging/src/k8s.io/api/scheduling/v1/types.go.
"""

from typing import Literal

from kubesim.api.corev1.enums import PreemptionPolicy
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import Bool, Int32


class PriorityClass(KubeObject):
    """A name for a priority, and whether it may displace others."""

    api_version: Literal["scheduling.k8s.io/v1"] = "scheduling.k8s.io/v1"
    kind: Literal["PriorityClass"] = "PriorityClass"
    value: Int32 | None = None
    global_default: Bool | None = None
    description: str | None = None
    preemption_policy: PreemptionPolicy | None = None
