"""What of an object is shown: the fields that a recording has, by kind, as JSON drops or keeps them.

A number that Kubernetes leaves out when it is 0 is left out here; one that it keeps is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kubesim.api.appsv1 import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from kubesim.api.batchv1 import CronJob, Job
from kubesim.api.corev1 import ConfigMap, Pod
from kubesim.api.metav1 import KubeObject, controller_of
from kubesim.api.podutil import get_pod_condition
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.conformance.aliases import Aliases

DEPLOYMENT = "deployment.kubernetes.io/"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
REVISION_HASH = "controller-revision-hash"

Shown = dict[str, Any]


def shown(obj: KubeObject, aliases: Aliases) -> Shown:
    """The fields of an object that a recording has; what is absent or 0 by omission is left out."""
    fields = {"conditions": _conditions(obj), **_FIELDS[type(obj)](obj, aliases)}
    metadata = obj.metadata
    fields["deleting"] = metadata.deletion_timestamp is not None
    fields["finalizers"] = list(metadata.finalizers)
    kept = _KEPT.get(type(obj), ())
    return {
        key: value
        for key, value in fields.items()
        if key in kept or value not in (None, 0, "", [], {}, False)
    }


def _conditions(obj: Any) -> list[dict[str, str]]:
    if isinstance(obj, Pod):
        return []
    conditions = getattr(getattr(obj, "status", None), "conditions", ())
    return [
        {
            "type": condition.type,
            "status": condition.status,
            "reason": condition.reason or "",
            "message": condition.message or "",
        }
        for condition in conditions
    ]


def _deployment(obj: Any, _aliases: Aliases) -> Shown:
    status = obj.status
    return {
        "spec": obj.spec.replicas,
        "paused": obj.spec.paused,
        "revision": obj.metadata.annotations.get(DEPLOYMENT + "revision"),
        "replicas": status.replicas,
        "updatedReplicas": status.updated_replicas,
        "readyReplicas": status.ready_replicas,
        "availableReplicas": status.available_replicas,
        "unavailableReplicas": status.unavailable_replicas,
        **_pointer("terminatingReplicas", status.terminating_replicas),
    }


def _replica_set(obj: Any, _aliases: Aliases) -> Shown:
    status, annotations = obj.status, obj.metadata.annotations
    names = ("desired-replicas", "max-replicas", "revision", "revision-history")
    return {
        "spec": obj.spec.replicas,
        **{name: annotations.get(DEPLOYMENT + name) for name in names},
        "replicas": status.replicas,
        "readyReplicas": status.ready_replicas,
        "availableReplicas": status.available_replicas,
        **_pointer("terminatingReplicas", status.terminating_replicas),
    }


def _stateful_set(obj: Any, aliases: Aliases) -> Shown:
    status = obj.status
    return {
        "spec": obj.spec.replicas,
        "replicas": status.replicas,
        "readyReplicas": status.ready_replicas,
        "currentReplicas": status.current_replicas,
        "updatedReplicas": status.updated_replicas,
        "currentRevision": aliases.name(status.current_revision or ""),
        "updateRevision": aliases.name(status.update_revision or ""),
        "availableReplicas": status.available_replicas or 0,
    }


def _daemon_set(obj: Any, _aliases: Aliases) -> Shown:
    status = obj.status
    return {
        "currentNumberScheduled": status.current_number_scheduled,
        "numberMisscheduled": status.number_misscheduled,
        "desiredNumberScheduled": status.desired_number_scheduled,
        "numberReady": status.number_ready,
        "updatedNumberScheduled": status.updated_number_scheduled,
        "numberAvailable": status.number_available,
        "numberUnavailable": status.number_unavailable,
    }


def _job(obj: Any, _aliases: Aliases) -> Shown:
    spec, status = obj.spec, obj.status
    uncounted = status.uncounted_terminated_pods
    counts = {} if uncounted is None else {
        "succeeded": len(uncounted.succeeded), "failed": len(uncounted.failed)
    }  # fmt: skip
    return {
        "spec.parallelism": spec.parallelism,
        "spec.completions": spec.completions,
        "spec.suspend": spec.suspend,
        "startTime": status.start_time is not None,
        "completionTime": status.completion_time is not None,
        "active": status.active,
        "succeeded": status.succeeded,
        "failed": status.failed,
        **_pointer("terminating", status.terminating),
        **_pointer("ready", status.ready),
        "completedIndexes": status.completed_indexes,
        "failedIndexes": status.failed_indexes,
        "uncountedTerminatedPods": {name: n for name, n in counts.items() if n},
    }


def _cron_job(obj: Any, _aliases: Aliases) -> Shown:
    return {
        "active": [reference.name for reference in obj.status.active],
        "lastScheduleTime": obj.status.last_schedule_time is not None,
        "lastSuccessfulTime": obj.status.last_successful_time is not None,
    }


def _pod(obj: Pod, aliases: Aliases) -> Shown:
    ready = get_pod_condition(obj.status, "Ready")
    target = get_pod_condition(obj.status, "DisruptionTarget")
    index = obj.metadata.annotations.get(COMPLETION_INDEX)
    owned = any(owner.controller for owner in obj.metadata.owner_references)
    return {
        "node": obj.spec.node_name,
        "phase": obj.status.phase,
        **_pointer("ready", None if ready is None else ready.status == "True"),
        "rev": aliases.name(_revision(obj)),
        **_pointer("index", None if index is None else int(index)),
        "disruptionTarget": target.reason if target is not None else None,
        "orphan": not owned,
    }


def _revision(obj: Any) -> str:
    """The revision of a pod; a DaemonSet's pods have only the last part of its name."""
    label: str = obj.metadata.labels.get(REVISION_HASH, "")
    owner = controller_of(obj)
    return f"{owner.name}-{label}" if label and owner and owner.kind == "DaemonSet" else label


def _budget(obj: Any, aliases: Aliases) -> Shown:
    status = obj.status
    return {
        "disruptionsAllowed": status.disruptions_allowed,
        "currentHealthy": status.current_healthy,
        "desiredHealthy": status.desired_healthy,
        "expectedPods": status.expected_pods,
        "disruptedPods": sorted(aliases.name(name) for name in status.disrupted_pods),
    }


def _pointer(name: str, value: Any) -> Shown:
    """A field that Kubernetes keeps when it is 0 or false, and leaves out only when it is unset."""
    return {} if value is None else {name: value}


_FIELDS: Mapping[type[KubeObject], Callable[[Any, Aliases], Shown]] = {
    ConfigMap: lambda _obj, _aliases: {},
    ControllerRevision: lambda obj, _aliases: {"revision": obj.revision},
    CronJob: _cron_job,
    DaemonSet: _daemon_set,
    Deployment: _deployment,
    Job: _job,
    Pod: _pod,
    PodDisruptionBudget: _budget,
    ReplicaSet: _replica_set,
    StatefulSet: _stateful_set,
}
KINDS = tuple(_FIELDS)
"""The kinds that are watched."""

_KEPT: Mapping[type[KubeObject], tuple[str, ...]] = {
    DaemonSet: (
        "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady",
    ),
    Deployment: ("spec", "terminatingReplicas"),
    Job: ("ready", "terminating"),
    Pod: ("ready", "index"),
    PodDisruptionBudget: (
        "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods",
    ),
    ReplicaSet: ("spec", "replicas", "terminatingReplicas"),
    StatefulSet: ("spec", "replicas", "availableReplicas"),
}  # fmt: skip
