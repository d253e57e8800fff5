"""What ``kubectl describe`` prints: a pod in its own form, all else as its fields, and the events.

Mirrors: staging/src/k8s.io/kubectl/pkg/describe/describe.go (PodDescriber, GenericDescriber,
    DescribeEvents).
Departs: a pod's volumes and probes are left to the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.facts import EventRecorded
from kubesim.manifests import to_data
from kubesim.scenario.transcript.tables import NONE, Row, age, columns

Recorded = tuple[int, EventRecorded]
LABEL_WIDTH = 18


def describe(obj: KubeObject, recorded: Iterable[Recorded], now_ns: int) -> list[str]:
    """An object and what happened to it; times are of the run."""
    lines = list(_pod(obj) if isinstance(obj, Pod) else _generic(obj))
    return [*lines, *events_about(recorded, now_ns)]


def events_about(recorded: Iterable[Recorded], now_ns: int) -> list[str]:
    """The events of one object, those that were recorded again counted."""
    rows = merged(recorded, now_ns)
    if not rows:
        return [_field("Events", NONE)]
    found = [(event.type, event.reason, when, event.component, event.message)
             for when, event in rows]  # fmt: skip
    head: Row = ("Type", "Reason", "Age", "From", "Message")
    line: Row = tuple("-" * len(cell) for cell in head)
    return ["Events:", *(f"  {text}" for text in columns([head, line, *found]))]


def merged(recorded: Iterable[Recorded], now_ns: int) -> list[tuple[str, EventRecorded]]:
    """Equal events as one, with the age of the last and how often since when."""
    times: dict[EventRecorded, list[int]] = {}
    for at_ns, event in recorded:
        times.setdefault(event, []).append(at_ns)
    rows = []
    for event, found in sorted(times.items(), key=lambda item: item[1][-1]):
        when = age(now_ns - found[-1])
        if len(found) > 1:
            when += f" (x{len(found)} over {age(now_ns - found[0])})"
        rows.append((when, event))
    return rows


def _field(name: str, value: str) -> str:
    return f"{name}:".ljust(LABEL_WIDTH) + f" {value}"


def _map(name: str, pairs: Iterable[tuple[str, str]], joined: str = "=") -> Iterator[str]:
    shown = [f"{key}{joined}{value}" for key, value in pairs] or [NONE]
    yield _field(name, shown[0])
    yield from (" " * (LABEL_WIDTH + 1) + text for text in shown[1:])


def _pod(pod: Pod) -> Iterator[str]:
    spec, status = pod.spec, pod.status
    yield _field("Name", pod.name)
    yield _field("Namespace", pod.namespace)
    yield _field("Runtime Class", spec.runtime_class_name or NONE)
    yield _field("Node", spec.node_name or NONE)
    yield from _map("Labels", sorted(pod.metadata.labels.items()))
    yield _field("Status", status.phase or "")
    yield _field("IP", status.pod_ip or NONE)
    owners = [f"{o.kind}/{o.name}" for o in pod.metadata.owner_references if o.controller]
    yield _field("Controlled By", owners[0] if owners else NONE)
    yield "Containers:"
    known = {found.name: found for found in status.container_statuses}
    for container in spec.containers:
        yield f"  {container.name}:"
        yield "    " + _field("Image", container.image or "")
        found = known.get(container.name)
        if found is not None:
            yield from _state(found)
        for env in container.env:
            shown = env.value or ("<set to a key of another object>" if env.value_from else "")
            yield "    " + _field("Environment", f"{env.name}={shown}")
        for mount in container.volume_mounts:
            yield "    " + _field("Mount", f"{mount.mount_path} from {mount.name}")
    yield "Conditions:"
    for condition in status.conditions:
        yield "  " + _field(condition.type, condition.status)
    yield from _map("Node-Selectors", sorted(spec.node_selector.items()))
    tolerations = [
        (t.key or "*", f"{t.operator or 'Equal'} {t.value or ''}".strip() + f" {t.effect or ''}")
        for t in spec.tolerations
    ]
    yield from _map("Tolerations", tolerations, joined=" ")


def _state(found: Any) -> Iterator[str]:
    for name in ("running", "waiting", "terminated"):
        state = getattr(found.state, name)
        if state is not None:
            reason = getattr(state, "reason", None)
            shown = name.capitalize() + (f" ({reason})" if reason else "")
            yield "    " + _field("State", shown)
    yield "    " + _field("Ready", str(found.ready))
    yield "    " + _field("Restart Count", str(found.restart_count))


def _generic(obj: KubeObject) -> Iterator[str]:
    yield _field("Name", obj.name)
    yield _field("Namespace", obj.namespace)
    yield from _map("Labels", sorted(obj.metadata.labels.items()))
    yield from _map("Annotations", sorted(obj.metadata.annotations.items()), joined=": ")
    data = to_data(obj)
    yield _field("API Version", str(data.pop("apiVersion")))
    yield _field("Kind", str(data.pop("kind")))
    kept = data.pop("metadata", {})
    held = {key: kept[key] for key in ("finalizers", "ownerReferences") if key in kept}
    if held:
        yield from _nested({"metadata": held}, 0)
    yield from _nested(data, 0)


def _nested(data: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value in data.items():
        name = _title(key)
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from _nested(value, depth + 1)
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            yield f"{indent}{name}:"
            for item in value:
                yield from _nested(item, depth + 1)
        elif isinstance(value, list):
            yield f"{indent}{_field(name, ', '.join(map(str, value)))}"
        else:
            yield f"{indent}{_field(name, '' if value is None else str(value))}"


def _title(key: str) -> str:
    """``runtimeClassName`` as ``Runtime Class Name``; a key that is no field's name stays."""
    if not re.fullmatch(r"[a-z][A-Za-z]*", key):
        return key
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key[0].upper() + key[1:])
