"""What the API server does to an object of each kind on its own account.

Creation clears what a client may not set, and gives a Service its cluster IP; an update of the main
resource keeps the status and raises ``generation`` when the spec changed, an update of the status
keeps everything else. Pure functions: the server decides when to call them.

Mirrors: pkg/registry/*/*/strategy.go, staging/src/k8s.io/apiserver/pkg/registry/rest.
"""

from __future__ import annotations

import ipaddress
from typing import Any, TypeVar

from kubesim.api.corev1 import (
    Namespace,
    NamespaceSpec,
    NamespaceStatus,
    Pod,
    PodCondition,
    PodStatus,
    Service,
)
from kubesim.api.metav1 import KubeObject
from kubesim.api.podutil import pod_qos

K = TypeVar("K", bound=KubeObject)

SERVICE_CIDR = ipaddress.IPv4Network("10.96.0.0/12")  # kubeadm's default
TERMINAL_PHASES = ("Succeeded", "Failed")


def prepare_for_create(obj: K, *, service_index: int) -> K:
    """The object as it will be stored: server-owned fields set, client-set status dropped.

    Args:
        obj: The object after defaulting and admission.
        service_index: How many Services were created before, for the next cluster IP.
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
        prepared = _with_cluster_ip(obj, service_index)
    elif isinstance(obj, Namespace):
        spec = NamespaceSpec(finalizers=("kubernetes",))
        prepared = obj.replace(spec=spec, status=NamespaceStatus(phase="Active"))
    if "spec" in type(obj).model_fields and not isinstance(obj, Pod | Namespace):
        prepared = prepared.replace(metadata=prepared.metadata.replace(generation=1))
    return prepared  # type: ignore[no-any-return]


def _with_cluster_ip(service: Service, service_index: int) -> Service:
    spec = service.spec
    if spec.cluster_ip or spec.type == "ExternalName":
        return service
    # .1 is the API server's own Service and .10 the cluster's DNS by convention.
    address = str(SERVICE_CIDR.network_address + 256 + service_index)
    return service.replace(spec=spec.replace(cluster_ip=address, cluster_ips=(address,)))


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
    if own.metadata.generation is not None and changed.spec != own.spec:
        metadata = metadata.replace(generation=own.metadata.generation + 1)
    changed = changed.replace(metadata=metadata)
    if "status" in type(new).model_fields:
        changed = changed.replace(status=own.status)
    return changed  # type: ignore[no-any-return]


def prepare_for_status_update(new: K, old: K) -> K:
    """An update of the status: nothing but the status changes."""
    updated: Any = new
    return old.replace(status=updated.status)


def grace_period_seconds(obj: KubeObject, requested: int | None) -> int:
    """How long the deletion of an object is announced before it happens.

    Only pods have a grace period, and only those that some kubelet may be running.
    """
    if not isinstance(obj, Pod):
        return 0
    if not obj.spec.node_name or obj.status.phase in TERMINAL_PHASES:
        return 0
    if requested is not None:
        return requested
    period = obj.spec.termination_grace_period_seconds
    return 30 if period is None else period
