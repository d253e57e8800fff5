"""Replication controllers: the ancestors of ReplicaSets.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import ClassVar, Literal

from kubesim.api.corev1.pod import PodTemplateSpec
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ConditionStatus, KubeObject, Time
from kubesim.api.model import Int32, Int64, KubeModel


class ReplicationControllerSpec(KubeModel):
    """How many pods of which kind there should be."""

    replicas: Int32 | None = None
    min_ready_seconds: Int32 | None = None
    selector: FrozenMap[str, str] = FrozenMap()
    template: PodTemplateSpec | None = None


class ReplicationControllerCondition(KubeModel):
    """One yes-or-no fact about a replication controller."""

    type: str
    status: ConditionStatus
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class ReplicationControllerStatus(KubeModel):
    """How many pods there are."""

    replicas: Int32
    fully_labeled_replicas: Int32 | None = None
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    observed_generation: Int64 | None = None
    conditions: tuple[ReplicationControllerCondition, ...] = ()


class ReplicationController(KubeObject):
    """Keeps a number of equal pods running."""

    simulated: ClassVar[bool] = False

    api_version: Literal["v1"] = "v1"
    kind: Literal["ReplicationController"] = "ReplicationController"
    spec: ReplicationControllerSpec = ReplicationControllerSpec.zero()
    status: ReplicationControllerStatus = ReplicationControllerStatus.zero()
