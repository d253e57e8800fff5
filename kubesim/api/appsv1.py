"""Workloads: controllers that keep pods running.

Mirrors: staging/src/k8s.io/api/apps/v1/types.go.
"""

from typing import Literal

from kubesim.api.corev1.persistentvolume import PersistentVolumeClaim
from kubesim.api.corev1.pod import PodTemplateSpec
from kubesim.api.frozenmap import RawObject
from kubesim.api.intstr import IntOrString
from kubesim.api.metav1 import ConditionStatus, KubeObject, LabelSelector, Time
from kubesim.api.model import Bool, Int32, Int64, KubeModel

DeploymentStrategyType = Literal["Recreate", "RollingUpdate"]


class RollingUpdateDeployment(KubeModel):
    """How far a rolling update may stray from the wanted number of pods."""

    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None


class DeploymentStrategy(KubeModel):
    """How old pods are replaced by new ones."""

    type: DeploymentStrategyType | None = None
    rolling_update: RollingUpdateDeployment | None = None


class DeploymentSpec(KubeModel):
    """What a deployment should be."""

    replicas: Int32 | None = None
    selector: LabelSelector
    template: PodTemplateSpec
    strategy: DeploymentStrategy = DeploymentStrategy.zero()
    min_ready_seconds: Int32 | None = None
    revision_history_limit: Int32 | None = None
    paused: Bool | None = None
    progress_deadline_seconds: Int32 | None = None


class DeploymentCondition(KubeModel):
    """One yes-or-no fact about a deployment."""

    type: str
    status: ConditionStatus
    last_update_time: Time | None = None
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class DeploymentStatus(KubeModel):
    """How far a deployment is."""

    observed_generation: Int64 | None = None
    replicas: Int32 | None = None
    updated_replicas: Int32 | None = None
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    unavailable_replicas: Int32 | None = None
    terminating_replicas: Int32 | None = None
    conditions: tuple[DeploymentCondition, ...] = ()
    collision_count: Int32 | None = None


class Deployment(KubeObject):
    """Equal, replaceable pods, updated step by step through ReplicaSets."""

    api_version: Literal["apps/v1"] = "apps/v1"
    kind: Literal["Deployment"] = "Deployment"
    spec: DeploymentSpec = DeploymentSpec.zero()
    status: DeploymentStatus = DeploymentStatus.zero()


class ReplicaSetSpec(KubeModel):
    """How many pods of which kind there should be."""

    replicas: Int32 | None = None
    min_ready_seconds: Int32 | None = None
    selector: LabelSelector
    template: PodTemplateSpec = PodTemplateSpec.zero()


class ReplicaSetCondition(KubeModel):
    """One yes-or-no fact about a replica set."""

    type: str
    status: ConditionStatus
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class ReplicaSetStatus(KubeModel):
    """How many pods there are."""

    replicas: Int32
    fully_labeled_replicas: Int32 | None = None
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    terminating_replicas: Int32 | None = None
    observed_generation: Int64 | None = None
    conditions: tuple[ReplicaSetCondition, ...] = ()


class ReplicaSet(KubeObject):
    """Keeps a number of equal pods running."""

    api_version: Literal["apps/v1"] = "apps/v1"
    kind: Literal["ReplicaSet"] = "ReplicaSet"
    spec: ReplicaSetSpec = ReplicaSetSpec.zero()
    status: ReplicaSetStatus = ReplicaSetStatus.zero()


class RollingUpdateStatefulSetStrategy(KubeModel):
    """How a rolling update of a stateful set goes."""

    partition: Int32 | None = None
    max_unavailable: IntOrString | None = None


class StatefulSetUpdateStrategy(KubeModel):
    """How pods of a stateful set are updated."""

    type: str | None = None
    rolling_update: RollingUpdateStatefulSetStrategy | None = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(KubeModel):
    """What becomes of the claims when pods go."""

    when_deleted: str | None = None
    when_scaled: str | None = None


class StatefulSetOrdinals(KubeModel):
    """The number of the first pod."""

    start: Int32 | None = None


class StatefulSetSpec(KubeModel):
    """What a stateful set should be."""

    replicas: Int32 | None = None
    selector: LabelSelector
    template: PodTemplateSpec
    volume_claim_templates: tuple[PersistentVolumeClaim, ...] = ()
    service_name: str | None = None
    pod_management_policy: str | None = None
    update_strategy: StatefulSetUpdateStrategy = StatefulSetUpdateStrategy.zero()
    revision_history_limit: Int32 | None = None
    min_ready_seconds: Int32 | None = None
    persistent_volume_claim_retention_policy: (
        StatefulSetPersistentVolumeClaimRetentionPolicy | None
    ) = None
    ordinals: StatefulSetOrdinals | None = None


class StatefulSetCondition(KubeModel):
    """One yes-or-no fact about a stateful set."""

    type: str
    status: ConditionStatus
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class StatefulSetStatus(KubeModel):
    """How far a stateful set is."""

    observed_generation: Int64 | None = None
    replicas: Int32
    ready_replicas: Int32 | None = None
    current_replicas: Int32 | None = None
    updated_replicas: Int32 | None = None
    current_revision: str | None = None
    update_revision: str | None = None
    collision_count: Int32 | None = None
    conditions: tuple[StatefulSetCondition, ...] = ()
    available_replicas: Int32 | None = None


class StatefulSet(KubeObject):
    """Pods with an identity: a number, a name, a volume of their own."""

    api_version: Literal["apps/v1"] = "apps/v1"
    kind: Literal["StatefulSet"] = "StatefulSet"
    spec: StatefulSetSpec = StatefulSetSpec.zero()
    status: StatefulSetStatus = StatefulSetStatus.zero()


class RollingUpdateDaemonSet(KubeModel):
    """How far a rolling update may go at once."""

    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None


class DaemonSetUpdateStrategy(KubeModel):
    """How pods of a daemon set are updated."""

    type: str | None = None
    rolling_update: RollingUpdateDaemonSet | None = None


class DaemonSetSpec(KubeModel):
    """What a daemon set should be."""

    selector: LabelSelector
    template: PodTemplateSpec
    update_strategy: DaemonSetUpdateStrategy = DaemonSetUpdateStrategy.zero()
    min_ready_seconds: Int32 | None = None
    revision_history_limit: Int32 | None = None


class DaemonSetCondition(KubeModel):
    """One yes-or-no fact about a daemon set."""

    type: str
    status: ConditionStatus
    last_transition_time: Time | None = None
    reason: str | None = None
    message: str | None = None


class DaemonSetStatus(KubeModel):
    """How far a daemon set is."""

    current_number_scheduled: Int32
    number_misscheduled: Int32
    desired_number_scheduled: Int32
    number_ready: Int32
    observed_generation: Int64 | None = None
    updated_number_scheduled: Int32 | None = None
    number_available: Int32 | None = None
    number_unavailable: Int32 | None = None
    collision_count: Int32 | None = None
    conditions: tuple[DaemonSetCondition, ...] = ()


class DaemonSet(KubeObject):
    """One pod on every node that fits."""

    api_version: Literal["apps/v1"] = "apps/v1"
    kind: Literal["DaemonSet"] = "DaemonSet"
    spec: DaemonSetSpec = DaemonSetSpec.zero()
    status: DaemonSetStatus = DaemonSetStatus.zero()


class ControllerRevision(KubeObject):
    """A kept state of a stateful set or daemon set."""

    api_version: Literal["apps/v1"] = "apps/v1"
    kind: Literal["ControllerRevision"] = "ControllerRevision"
    data: RawObject | None = None
    revision: Int64
