"""Runtime classes: which handler of the container runtime runs a pod.

Mirrors: staging/src/k8s.io/api/node/v1/types.go.
"""

from typing import Literal

from kubesim.api.corev1.scheduling import Toleration
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import KubeModel
from kubesim.api.quantity import Quantity


class Overhead(KubeModel):
    """What a sandbox takes besides its containers."""

    pod_fixed: FrozenMap[str, Quantity] = FrozenMap()


class Scheduling(KubeModel):
    """The nodes that support a runtime class."""

    node_selector: FrozenMap[str, str] = FrozenMap()
    tolerations: tuple[Toleration, ...] = ()


class RuntimeClass(KubeObject):
    """A name for a handler of the container runtime, such as ``spin`` or ``runc``."""

    api_version: Literal["node.k8s.io/v1"] = "node.k8s.io/v1"
    kind: Literal["RuntimeClass"] = "RuntimeClass"
    handler: str
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None
