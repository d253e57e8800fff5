"""The next step of a StatefulSet, and the pods it is made of. Pure functions.

Pods are numbered; in order means that number n waits for all before it to be running and ready, that
pods go from the highest number down, and that one thing is done at a time.

Mirrors: pkg/controller/statefulset/stateful_set_control.go (updateStatefulSet),
stateful_set_utils.go.
Departs: ``maxUnavailable`` is not heeded, as upstream does not by default (the feature gate
MaxUnavailableStatefulSet is off).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kubesim.api.appsv1 import StatefulSet
from kubesim.api.corev1 import (
    PersistentVolumeClaim,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodTemplateSpec,
    Volume,
)
from kubesim.api.metav1 import ObjectMeta, OwnerReference, new_controller_ref
from kubesim.api.podutil import (
    get_pod_condition,
    is_pod_available,
    is_pod_ready,
    is_pod_terminal,
)
from kubesim.sim.time import SECOND

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"
REVISION_LABEL = "controller-revision-hash"
DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now.

    Attributes:
        create: The numbers of the pods to create, ascending.
        delete: The pods to delete.
        is_update: Whether a pod is deleted for the sake of its revision.
        of: The numbers of all pods that should be there, where they are looked at in batches.
    """

    create: tuple[int, ...] = ()
    delete: tuple[Pod, ...] = ()
    is_update: bool = False
    of: tuple[int, ...] = ()


@dataclass(slots=True)
class Pods:
    """The pods of a set, by what they are to it.

    Attributes:
        wanted: By number, the pods there should be; ``None`` for those that there are not.
        condemned: The pods that there should not be, the highest number first.
    """

    wanted: dict[int, Pod | None]
    condemned: list[Pod] = field(default_factory=list)

    @classmethod
    def of(cls, stateful_set: StatefulSet, pods: Iterable[Pod]) -> Pods:
        """Sort pods into those wanted and the rest."""
        first = start(stateful_set)
        found = cls(dict.fromkeys(range(first, first + replicas(stateful_set))))
        for pod in pods:
            number = ordinal(pod)
            if number in found.wanted:
                found.wanted[number] = pod
            elif number is not None:
                found.condemned.append(pod)
        found.condemned.sort(key=lambda pod: -(ordinal(pod) or 0))
        return found

    @property
    def first_unhealthy(self) -> Pod | None:
        """The lowest-numbered pod that is not running and ready; wanted ones come first."""
        present = [pod for pod in self.wanted.values() if pod is not None]
        every = (*present, *reversed(self.condemned))
        return next((pod for pod in every if not is_healthy(pod)), None)


def next_step(stateful_set: StatefulSet, pods: Pods, *, update: str, wall_ns: int) -> Step:
    """What to do now.

    Args:
        stateful_set: The set.
        pods: Its pods.
        update: The revision of its template.
        wall_ns: The time on the wall.
    """
    in_order = stateful_set.spec.pod_management_policy != "Parallel"
    min_ready = stateful_set.spec.min_ready_seconds or 0
    create: list[int] = []
    delete: list[Pod] = []
    waits = False
    for number, pod in pods.wanted.items():
        if pod is None:
            create.append(number)
        elif is_pod_terminal(pod):
            if pod.metadata.deletion_timestamp is None:
                delete.append(pod)
            waits = True
        elif not is_available(pod, min_ready, wall_ns):
            waits = True
        if in_order and (create or waits):
            return Step(tuple(create), tuple(delete))
    unhealthy = pods.first_unhealthy
    for pod in pods.condemned:
        going = pod.metadata.deletion_timestamp is not None
        if in_order:
            if going or (not is_available(pod, min_ready, wall_ns) and pod is not unhealthy):
                return Step()
            return Step(delete=(pod,))
        if not going:
            delete.append(pod)
    if create or delete or stateful_set.spec.update_strategy.type == "OnDelete":
        return Step(tuple(create), tuple(delete), of=tuple(pods.wanted))
    outdated = _outdated(stateful_set, pods, update)
    return Step(delete=outdated, is_update=bool(outdated))


def _outdated(stateful_set: StatefulSet, pods: Pods, update: str) -> tuple[Pod, ...]:
    """The next pod of a rolling update, from the highest number down to the partition."""
    lowest = start(stateful_set) + partition(stateful_set)
    for number, pod in sorted(pods.wanted.items(), reverse=True):
        if number < lowest or pod is None:
            return ()
        if revision(pod) != update and pod.metadata.deletion_timestamp is None:
            return (pod,)
        if not is_healthy(pod):
            return ()
    return ()


def is_healthy(pod: Pod) -> bool:
    """Whether a pod runs, is ready, and is not on its way out."""
    running = pod.status.phase == "Running" and is_pod_ready(pod)
    return running and pod.metadata.deletion_timestamp is None


def is_available(pod: Pod, min_ready_seconds: int, wall_ns: int) -> bool:
    """Whether it has been so for long enough."""
    return is_healthy(pod) and is_pod_available(pod, min_ready_seconds, wall_ns)


def is_long_enough_ready(pod: Pod, min_ready_seconds: int, wall_ns: int) -> bool:
    """Whether it runs and has been ready for long enough, on its way out or not."""
    return pod.status.phase == "Running" and is_pod_available(pod, min_ready_seconds, wall_ns)


def next_available_in_ns(
    stateful_set: StatefulSet, pods: Iterable[Pod], *, wall_ns: int
) -> int | None:
    """When the next ready pod will have been so for long enough; ``None`` when none is due."""
    min_ready_ns = (stateful_set.spec.min_ready_seconds or 0) * SECOND
    ready = (get_pod_condition(pod.status, "Ready") for pod in pods if is_healthy(pod))
    since = (c.last_transition_time for c in ready if c is not None)
    due = (at_ns + min_ready_ns - wall_ns for at_ns in since if at_ns is not None)
    return min((left_ns for left_ns in due if left_ns > 0), default=None)


def replicas(stateful_set: StatefulSet) -> int:
    """How many pods there should be."""
    return 1 if stateful_set.spec.replicas is None else stateful_set.spec.replicas


def start(stateful_set: StatefulSet) -> int:
    """The number of the first pod."""
    ordinals = stateful_set.spec.ordinals
    return (ordinals.start or 0) if ordinals is not None else 0


def partition(stateful_set: StatefulSet) -> int:
    """How many of the lowest numbers a rolling update leaves alone."""
    rolling = stateful_set.spec.update_strategy.rolling_update
    return (rolling.partition or 0) if rolling is not None else 0


def ordinal(pod: Pod) -> int | None:
    """A pod's number, from its name."""
    digits = pod.name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else None


def revision(pod: Pod) -> str:
    """The revision of the template that a pod was made from."""
    return pod.metadata.labels.get(REVISION_LABEL, "")


def pod_of(stateful_set: StatefulSet, number: int, template: PodTemplateSpec, name: str) -> Pod:
    """The pod of a number: the template with an identity.

    Args:
        stateful_set: The set.
        number: The pod's number.
        template: The template of the revision that it should have.
        name: That revision.
    """
    pod_name = f"{stateful_set.name}-{number}"
    labels = template.metadata.labels.merge(
        {REVISION_LABEL: name, POD_NAME_LABEL: pod_name, POD_INDEX_LABEL: str(number)}
    )
    claims = stateful_set.spec.volume_claim_templates
    spec = template.spec.replace(hostname=pod_name)
    if stateful_set.spec.service_name:
        spec = spec.replace(subdomain=stateful_set.spec.service_name)
    if claims:
        own = tuple(_volume(claim.name, claim_name(claim, pod_name)) for claim in claims)
        named = {claim.name for claim in claims}
        spec = spec.replace(volumes=(*own, *(v for v in spec.volumes if v.name not in named)))
    metadata = template.metadata.replace(
        name=pod_name,
        namespace=stateful_set.namespace,
        labels=labels,
        owner_references=(new_controller_ref(stateful_set),),
    )
    return Pod(metadata=metadata, spec=spec)


def claims_of(stateful_set: StatefulSet, number: int) -> Sequence[PersistentVolumeClaim]:
    """The claims of a pod."""
    pod_name = f"{stateful_set.name}-{number}"
    labels = stateful_set.spec.selector.match_labels
    policy = stateful_set.spec.persistent_volume_claim_retention_policy
    goes = policy is not None and policy.when_deleted == DELETE
    owner = new_controller_ref(stateful_set).replace(controller=None, block_owner_deletion=None)
    return [
        PersistentVolumeClaim(
            metadata=ObjectMeta(
                name=claim_name(template, pod_name),
                namespace=stateful_set.namespace,
                labels=template.metadata.labels.merge(labels),
                annotations=template.metadata.annotations,
                owner_references=(owner,) if goes else (),
            ),
            spec=template.spec,
        )
        for template in stateful_set.spec.volume_claim_templates
    ]


def claims_go_with(stateful_set: StatefulSet, number: int) -> bool:
    """Whether the claims of that number go when its pod is scaled away."""
    policy = stateful_set.spec.persistent_volume_claim_retention_policy
    first = start(stateful_set)
    condemned = not first <= number < first + replicas(stateful_set)
    return condemned and policy is not None and policy.when_scaled == DELETE


def owned_by_pod(claim: PersistentVolumeClaim, pod: Pod) -> PersistentVolumeClaim:
    """The claim as one that goes when its pod does, whatever else it belonged to."""
    owner = OwnerReference(api_version="v1", kind="Pod", name=pod.name, uid=pod.uid)
    return claim.replace(metadata=claim.metadata.replace(owner_references=(owner,)))


def claim_name(template: PersistentVolumeClaim, pod_name: str) -> str:
    """The name of a pod's claim."""
    return f"{template.name}-{pod_name}"


def _volume(name: str, claim: str) -> Volume:
    source = PersistentVolumeClaimVolumeSource(claim_name=claim)
    return Volume(name=name, persistent_volume_claim=source)
