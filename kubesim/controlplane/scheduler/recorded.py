"""Recorded cases: what a real kube-scheduler was given, and what it decided.

A case is a folder: ``input.yaml`` (objects in order of creation), ``meta.yaml`` (steps that
follow), ``scheduler-config.yaml`` (optional) and ``expected.json`` (every attempt, and the final
state).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubesim.api.appsv1 import StatefulSet
from kubesim.api.corev1 import Pod
from kubesim.api.defaults import set_defaults
from kubesim.api.metav1 import KubeObject, new_controller_ref
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.manifests import load, load_text, read_paths, to_data, validate

START_TIME_NS = 1_767_225_600 * 10**9  # 2026-01-01T00:00:00Z
BETWEEN_STARTS_NS = 60 * 10**9

CASE_DEFAULTS = {"parallelism": 1, "percentageOfNodesToScore": 100}
"""How cases were recorded, unless their configuration says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was done to the cluster after the pods of the input were placed.

    Attributes:
        verb: ``create``, ``patch``, ``delete`` or ``wait``.
        key: Kind and key of the object, such as ``("Node", "n1")``.
        obj: The new object, of ``create``.
        patch: The merge patch, of ``patch``.
        seconds: The time, of ``wait``.
    """

    verb: str
    key: tuple[str, str] = ("", "")
    obj: KubeObject | None = None
    patch: Mapping[str, Any] | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One recorded case.

    Attributes:
        name: The folder's name.
        batch: Whether everything existed before the scheduler started.
        workloads_last: Whether workloads were created after nodes and pods.
        objects: The input, with defaults filled in.
        steps: What was done afterwards.
        config: The scheduler's configuration.
        expected: What the real one did; empty when there is no recording.
    """

    name: str
    batch: bool
    workloads_last: bool
    objects: tuple[KubeObject, ...]
    steps: tuple[Step, ...]
    config: KubeSchedulerConfiguration
    expected: Mapping[str, Any]


def load_case(folder: Path) -> Case:
    """Read a case.

    Raises:
        InputError: If one of its files does not make sense.
    """
    (meta,) = read_paths([folder / "meta.yaml"])
    recorded = folder / "expected.json"
    return Case(
        name=folder.name,
        batch=meta.data.get("mode") == "batch",
        workloads_last=bool(meta.data.get("workloadsAfterScheduler")),
        objects=tuple(prepared(item.obj) for item in load(folder / "input.yaml")),
        steps=tuple(_step(item) for item in meta.data.get("steps") or ()),
        config=_load_config(folder / "scheduler-config.yaml"),
        expected=json.loads(recorded.read_text()) if recorded.exists() else {},
    )


def prepared(obj: KubeObject) -> KubeObject:
    """The object with its namespace and the API server's defaults."""
    if "namespace" not in obj.metadata.model_fields_set and _is_namespaced(obj):
        obj = obj.replace(metadata=obj.metadata.replace(namespace="default"))
    return set_defaults(obj)


def admitted(pod: Pod, expected: Mapping[str, Any]) -> Pod:
    """The pod as admission left it, which the recording says."""
    changes = expected.get("final", {}).get(pod.key, {}).get("admitted")
    metadata = pod.metadata.replace(uid=pod.key)
    if not changes:
        return pod.replace(metadata=metadata)
    data = to_data(pod)
    data["spec"] = {**data["spec"], **changes}
    return Pod.model_validate(data).replace(metadata=metadata)


def pod_of_stateful_set(owner: StatefulSet, ordinal: int) -> Pod:
    """The pod that a StatefulSet's controller creates."""
    template, name = owner.spec.template, f"{owner.name}-{ordinal}"
    labels = template.metadata.labels.merge(
        {
            "apps.kubernetes.io/pod-index": str(ordinal),
            "statefulset.kubernetes.io/pod-name": name,
        }
    )
    metadata = template.metadata.replace(
        name=name,
        namespace=owner.namespace,
        labels=labels,
        owner_references=(new_controller_ref(owner),),
    )
    return set_defaults(Pod(metadata=metadata, spec=template.spec))


def patched(obj: KubeObject, patch: Mapping[str, Any]) -> KubeObject:
    """The object after a JSON merge patch."""
    return type(obj).model_validate(_merged(to_data(obj), patch))


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _step(item: Mapping[str, Any]) -> Step:
    ((verb, body),) = item.items()
    if verb == "wait":
        return Step(verb=verb, seconds=float(body))
    if verb == "create":
        (manifest,) = load_text(json.dumps(body))
        obj = prepared(manifest.obj)
        return Step(verb=verb, key=(type(obj).__name__, obj.key), obj=obj)
    namespace = "" if body["kind"] in ("Node", "Namespace", "PersistentVolume") else "default/"
    if "namespace" in body:
        namespace = f"{body['namespace']}/"
    return Step(verb=verb, key=(body["kind"], namespace + body["name"]), patch=body.get("patch"))


def _load_config(path: Path) -> KubeSchedulerConfiguration:
    if not path.exists():
        return KubeSchedulerConfiguration.model_validate(CASE_DEFAULTS)
    (document,) = read_paths([path])
    given = validate(document, KubeSchedulerConfiguration)
    changes = {
        name: value
        for name, value in (("parallelism", 1), ("percentage_of_nodes_to_score", 100))
        if name not in given.model_fields_set
    }
    return given.replace(**changes)


def _is_namespaced(obj: KubeObject) -> bool:
    return type(obj).__name__ not in _CLUSTER_SCOPED


_CLUSTER_SCOPED: Sequence[str] = (
    "CSINode",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "VolumeAttachment",
)
