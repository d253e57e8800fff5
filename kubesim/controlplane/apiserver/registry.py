"""What the API server does to an object of each kind on its own account.

Creation clears what a client may not set, and gives a Service its cluster IP; an update of the main
resource keeps the status and raises ``generation`` when the spec changed, an update of the status
keeps everything else; a deletion is announced or takes place. Pure functions: the server decides
when to call them.

Mirrors: pkg/registry/*/*/strategy.go, staging/src/k8s.io/apiserver/pkg/registry/rest.
"""

from __future__ import annotations

from typing import Any, TypeVar

from kubesim.api.appsv1 import DaemonSet, Deployment
from kubesim.api.batchv1 import Job
from kubesim.api.corev1 import (
    Namespace,
    NamespaceSpec,
    NamespaceStatus,
    Node,
    Pod,
    PodCondition,
    PodStatus,
    Service,
    ServiceSpec,
    ServiceStatus,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import KubeObject, LabelSelector
from kubesim.api.podutil import pod_qos
from kubesim.api.vpav1 import VerticalPodAutoscalerCheckpoint
from kubesim.controlplane.apiserver.services import ON_NODES
from kubesim.sim.time import SECOND

K = TypeVar("K", bound=KubeObject)

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
ORPHANING_KINDS = frozenset({"Job", "ReplicationController"})
"""Kinds whose dependents stay when a deletion does not say what becomes of them."""
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
IMMORTAL_NAMESPACES = ("default", "kube-system", "kube-public")
JOB_NAME_LABELS = ("job-name", "batch.kubernetes.io/job-name")
CONTROLLER_UID_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid")
TERMINAL_PHASES = ("Succeeded", "Failed")
_WITH_STATUS = (Node, VerticalPodAutoscalerCheckpoint)
"""Kinds which may bring a status along."""
WITHOUT_GENERATION = frozenset(
    {"Namespace", "Node", "Service", "PersistentVolume", "PersistentVolumeClaim", "Lease",
     "HorizontalPodAutoscaler", "ResourceQuota", "LimitRange"}
)  # fmt: skip
"""Kinds with a spec whose strategy keeps no ``generation``."""


def prepare_for_create(obj: K) -> K:
    """The object as it will be stored: server-owned fields set, client-set status dropped.

    Args:
        obj: The object after defaulting and admission.
    """
    prepared: Any = obj
    if isinstance(obj, Pod):
        status = PodStatus(phase="Pending", qos_class=pod_qos(obj.spec))
        if obj.spec.scheduling_gates:
            gated = PodCondition(
                type="PodScheduled",
                status="False",
                reason="SchedulingGated",
                message="Scheduling is blocked due to non-empty scheduling gates",
            )
            status = status.replace(conditions=(gated,))
        prepared = obj.replace(status=status)
    elif isinstance(obj, Service):
        prepared = obj.replace(status=ServiceStatus())
    elif isinstance(obj, Namespace):
        spec = NamespaceSpec(finalizers=("kubernetes",))
        prepared = obj.replace(spec=spec, status=NamespaceStatus(phase="Active"))
    elif "status" in (fields := type(obj).model_fields) and not isinstance(obj, _WITH_STATUS):
        # A kubelet registers its Node with a status, and a checkpoint has no status subresource.
        prepared = obj.replace(status=fields["status"].default)
    if isinstance(prepared, DaemonSet):
        prepared = _with_template_generation(prepared, 1)
    if "spec" in type(obj).model_fields and type(obj).__name__ not in WITHOUT_GENERATION:
        prepared = prepared.replace(metadata=prepared.metadata.replace(generation=1))
    return prepared  # type: ignore[no-any-return]


def _template_generation(daemon_set: DaemonSet) -> int:
    text = daemon_set.metadata.annotations.get(TEMPLATE_GENERATION, "")
    return int(text) if text.isdecimal() else 1


def _with_template_generation(daemon_set: DaemonSet, generation: int) -> DaemonSet:
    metadata = daemon_set.metadata
    annotations = metadata.annotations.set(TEMPLATE_GENERATION, str(generation))
    return daemon_set.replace(metadata=metadata.replace(annotations=annotations))


def with_generated_selector(obj: K) -> K:
    """A Job with labels that only its own pods have, unless the selector was made by hand."""
    if not isinstance(obj, Job) or obj.spec.manual_selector:
        return obj
    spec = obj.spec
    generated = dict.fromkeys(JOB_NAME_LABELS, obj.name)
    generated |= dict.fromkeys(CONTROLLER_UID_LABELS, obj.uid)
    metadata = spec.template.metadata
    labels = FrozenMap({**generated, **metadata.labels})
    selector = spec.selector or LabelSelector()
    own = FrozenMap({CONTROLLER_UID_LABELS[-1]: obj.uid, **selector.match_labels})
    template = spec.template.replace(metadata=metadata.replace(labels=labels))
    spec = spec.replace(selector=selector.replace(match_labels=own), template=template)
    return obj.replace(spec=spec)


def prepare_for_update(new: K, old: K) -> K:
    """An update of the main resource: status and server-owned metadata stay, generation follows."""
    own: Any = old
    changed: Any = new
    metadata = changed.metadata.replace(
        uid=own.metadata.uid,
        creation_timestamp=own.metadata.creation_timestamp,
        deletion_timestamp=own.metadata.deletion_timestamp,
        deletion_grace_period_seconds=own.metadata.deletion_grace_period_seconds,
        generation=own.metadata.generation,
        resource_version=own.metadata.resource_version,
    )
    if own.metadata.generation is not None and _raises_generation(changed, own):
        metadata = metadata.replace(generation=own.metadata.generation + 1)
    changed = changed.replace(metadata=metadata)
    if "status" in type(new).model_fields:
        changed = changed.replace(status=own.status)
    if isinstance(new, DaemonSet) and isinstance(old, DaemonSet):
        template = changed.spec.template != own.spec.template
        changed = _with_template_generation(changed, _template_generation(old) + template)
    if isinstance(new, Namespace):
        changed = changed.replace(spec=own.spec)
    elif isinstance(new, Service):
        changed = changed.replace(spec=_with_allocated(changed.spec, own.spec))
    return changed  # type: ignore[no-any-return]


def _raises_generation(new: Any, old: Any) -> bool:
    # A Deployment's annotations are copied to its ReplicaSets, so they count as well.
    noted = isinstance(new, Deployment) and new.metadata.annotations != old.metadata.annotations
    return bool(noted or new.spec != old.spec)


def _with_allocated(new: ServiceSpec, old: ServiceSpec) -> ServiceSpec:
    """A Service's new spec with the address and the ports that it was given, unless it says others."""
    if not new.cluster_ip and "ExternalName" not in (new.type, old.type):
        new = new.replace(cluster_ip=old.cluster_ip, cluster_ips=old.cluster_ips)
    if old.type not in ON_NODES:
        return new
    given = {(port.protocol, port.port): port.node_port for port in old.ports}
    ports = []
    for port in new.ports:
        number = given.get((port.protocol, port.port))
        if new.type in ON_NODES and not port.node_port:
            port = port.replace(node_port=number)  # noqa: PLW2901
        elif new.type not in ON_NODES and port.node_port == number:
            port = port.replace(node_port=None)  # noqa: PLW2901
        ports.append(port)
    return new.replace(ports=tuple(ports))


def prepare_for_status_update(new: K, old: K) -> K:
    """An update of the status: nothing but the status changes.

    A Deployment's annotations come along: its controller notes the revision that way.
    """
    updated: Any = new
    if isinstance(new, Deployment):
        metadata = old.metadata.replace(annotations=new.metadata.annotations)
        return old.replace(metadata=metadata, status=updated.status)
    return old.replace(status=updated.status)


def prepare_for_delete(
    obj: K, *, requested: int | None, wall_ns: int, propagation: str | None = None
) -> K | None:
    """The object announced as going; itself when that was done before; ``None`` when it goes now.

    Args:
        obj: The object as it is stored.
        requested: The grace period asked for; ``None`` for the object's own.
        wall_ns: The time on the wall.
        propagation: What becomes of its dependents: ``Background``, ``Foreground``, ``Orphan``.
    """
    metadata = obj.metadata
    grace = grace_period_seconds(obj, requested)
    pending = metadata.deletion_grace_period_seconds or 0
    if metadata.deletion_timestamp is None:
        obj = _with_finalizers(obj, deletion_finalizers(obj, propagation))
        if grace == 0 and not obj.metadata.finalizers:
            return None
        generation = metadata.generation and metadata.generation + 1
        return _going(obj, at_ns=wall_ns + grace * SECOND, grace=grace, generation=generation)
    if pending == 0:
        obj = _with_finalizers(obj, deletion_finalizers(obj, propagation))
        return obj if obj.metadata.finalizers else None
    if requested is None or grace >= pending:
        return obj  # a grace period can only be made shorter
    if grace == 0 and not metadata.finalizers:
        return None
    at_ns = metadata.deletion_timestamp - (pending - grace) * SECOND
    if at_ns < wall_ns:
        at_ns, grace = wall_ns, min(grace, 1)
    return _going(obj, at_ns=at_ns, grace=grace, generation=metadata.generation)


def deletion_finalizers(obj: KubeObject, propagation: str | None) -> tuple[str, ...]:
    """The finalizers with which a deletion makes the garbage collector act first, if it does."""
    finalizers = obj.metadata.finalizers
    if propagation is None:
        if ORPHAN in finalizers:
            propagation = "Orphan"
        elif FOREGROUND in finalizers:
            propagation = "Foreground"
        elif type(obj).__name__ in ORPHANING_KINDS:
            propagation = "Orphan"
    kept = tuple(f for f in finalizers if f not in (ORPHAN, FOREGROUND))
    added = {"Orphan": (ORPHAN,), "Foreground": (FOREGROUND,)}.get(propagation or "", ())
    wanted = (*kept, *added)
    return finalizers if set(wanted) == set(finalizers) else wanted


def prepare_namespace_for_delete(namespace: K, *, wall_ns: int) -> K:
    """The namespace on its way out: nothing new comes in, and its content has to go first."""
    if namespace.metadata.deletion_timestamp is not None:
        return namespace
    going: Any = _going(
        namespace, at_ns=wall_ns, grace=0, generation=namespace.metadata.generation
    )
    status = going.status.replace(phase="Terminating")
    return going.replace(status=status)  # type: ignore[no-any-return]


def _with_finalizers(obj: K, finalizers: tuple[str, ...]) -> K:
    if finalizers == obj.metadata.finalizers:
        return obj
    return obj.replace(metadata=obj.metadata.replace(finalizers=finalizers))


def deleted_now(obj: K, *, wall_ns: int) -> K:
    """The object as its watchers see it last: a kubelet learns from it that there is no grace."""
    return _going(obj, at_ns=wall_ns, grace=0, generation=obj.metadata.generation)


def _going(obj: K, *, at_ns: int, grace: int, generation: int | None) -> K:
    metadata = obj.metadata.replace(
        deletion_timestamp=at_ns, deletion_grace_period_seconds=grace, generation=generation
    )
    return obj.replace(metadata=metadata)


def grace_period_seconds(obj: KubeObject, requested: int | None) -> int:
    """How long the deletion of an object is announced before it happens.

    Only pods have a grace period, and only those that some kubelet may be running.
    """
    if not isinstance(obj, Pod):
        return 0
    if not obj.spec.node_name or obj.status.phase in TERMINAL_PHASES:
        return 0
    period = obj.spec.termination_grace_period_seconds if requested is None else requested
    if period is None:
        return 30
    return period if period >= 0 else 1
