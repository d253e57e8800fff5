"""What ``kubectl get`` prints: rows of text for each kind, and columns as wide as they must be.

Mirrors: pkg/printers/internalversion/printers.go (columns of pods, nodes, Deployments, Services,
    RuntimeClasses, autoscalers), additionalPrinterColumns of custom resources,
    apimachinery/pkg/util/duration (ages).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kubesim.api.metav1 import KubeObject
from kubesim.api.scheme import SCHEME
from kubesim.manifests import to_data
from kubesim.sim.time import SECOND
from kubesim.telemetry.build import pod_reason

Row = tuple[str, ...]
NONE = "<none>"


def columns(rows: Sequence[Row]) -> list[str]:
    """Rows as lines; each column is as wide as its longest cell and three spaces."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def custom_table(objects: Iterable[KubeObject], custom: Sequence[tuple[str, str]]) -> list[Row]:
    """The table of ``-o custom-columns``."""
    rows = [tuple(head for head, _ in custom)]
    for obj in objects:
        data = to_data(obj)
        rows.append(tuple(_joined(data, path) for _, path in custom))
    return rows


def _joined(data: Any, path: str) -> str:
    found = [data]
    for part in re.findall(r"(?:\\.|[^.\[\]])+|\[\*\]", path):
        part = part.replace("\\.", ".")  # noqa: PLW2901 - a dot in a key is written so
        if part == "[*]":
            found = [item for value in found if isinstance(value, list) for item in value]
        else:
            found = [value[part] for value in found if isinstance(value, dict) and part in value]
    return ",".join(map(str, found)) or NONE


def table(kind: str, objects: Iterable[Any], *, now_ns: int, wide: bool) -> list[Row]:
    """The head and one row an object."""
    head, wide_head, cells = _PRINTERS.get(kind, (_columns_of(kind), (), _custom_cells))
    rows = [(*head, *(wide_head if wide else ()))]
    for obj in objects:
        row = cells(obj, now_ns)
        rows.append(row[: len(rows[0])])
    return rows


def age(ns: int) -> str:
    """A duration as kubectl shows ages: two units at most, the smaller only while it matters."""
    seconds = max(ns, 0) // SECOND
    if seconds < 120:
        return f"{seconds}s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 10:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours, rest = divmod(minutes, 60)
    if hours < 8:
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{hours // 24}d"


def since(obj: KubeObject, now_ns: int) -> str:
    """An object's age."""
    created_ns = obj.metadata.creation_timestamp
    return "<unknown>" if created_ns is None else age(now_ns - created_ns)


def _pod(pod: Any, now_ns: int) -> Row:
    statuses = pod.status.container_statuses
    ready = sum(status.ready for status in statuses)
    reason, _ = pod_reason(pod)
    return (
        pod.name,
        f"{ready}/{len(pod.spec.containers)}",
        reason or pod.status.phase or "Unknown",
        str(sum(status.restart_count for status in statuses)),
        since(pod, now_ns),
        pod.status.pod_ip or NONE,
        pod.spec.node_name or NONE,
    )


def _node(node: Any, now_ns: int) -> Row:
    ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)
    status = "Ready" if ready else "NotReady"
    if node.spec.unschedulable:
        status += ",SchedulingDisabled"
    info = node.status.node_info
    return (
        node.name,
        status,
        NONE,
        since(node, now_ns),
        info.kubelet_version,
        next((a.address for a in node.status.addresses if a.type == "InternalIP"), NONE),
        info.container_runtime_version,
    )


def _deployment(found: Any, now_ns: int) -> Row:
    status = found.status
    return (
        found.name,
        f"{status.ready_replicas or 0}/{found.spec.replicas or 0}",
        str(status.updated_replicas or 0),
        str(status.available_replicas or 0),
        since(found, now_ns),
    )


def _service(found: Any, now_ns: int) -> Row:
    spec = found.spec
    ports = ",".join(f"{port.port}/{port.protocol or 'TCP'}" for port in spec.ports)
    return (
        found.name,
        spec.type or "ClusterIP",
        spec.cluster_ip or NONE,
        NONE,
        ports or NONE,
        since(found, now_ns),
        ",".join(f"{key}={value}" for key, value in spec.selector.items()) or NONE,
    )


def _runtime_class(found: Any, now_ns: int) -> Row:
    return found.name, found.handler, since(found, now_ns)


def _autoscaler(found: Any, now_ns: int) -> Row:
    spec = found.spec
    return (
        found.name,
        f"{spec.scale_target_ref.kind}/{spec.scale_target_ref.name}",
        str(spec.min_replicas or 1),
        str(spec.max_replicas),
        str(found.status.current_replicas or 0),
        since(found, now_ns),
    )


def _job(found: Any, now_ns: int) -> Row:
    wanted = found.spec.completions or 1
    return found.name, f"{found.status.succeeded or 0}/{wanted}", since(found, now_ns)


def _daemon_set(found: Any, now_ns: int) -> Row:
    status = found.status
    numbers = (
        status.desired_number_scheduled, status.current_number_scheduled, status.number_ready,
    )  # fmt: skip
    return found.name, *(str(number or 0) for number in numbers), since(found, now_ns)


def _columns_of(kind: str) -> Row:
    resource = SCHEME.find_name(kind)
    shown = resource.columns if resource is not None else ()
    return ("NAME", *(column.name.upper() for column in shown if not column.wide), "AGE")


def _custom_cells(obj: KubeObject, now_ns: int) -> Row:
    data = to_data(obj)
    shown = [column for column in SCHEME.of(obj).columns if not column.wide]
    return obj.name, *(_at(data, column.json_path) for column in shown), since(obj, now_ns)


_PART = re.compile(r"\.(\w+)|\[(\d+)\]|\[\?\(@\.(\w+)==['\"](\w+)['\"]\)\]")


def _at(data: Any, path: str) -> str:
    """What a column's path leads to: fields, items by number, or the first whose field is so."""
    for part in _PART.finditer(path):
        field, number, key, value = part.groups()
        if field is not None:
            data = data.get(field) if isinstance(data, dict) else None
        elif not isinstance(data, list):
            data = None
        elif number is not None:
            data = data[int(number)] if int(number) < len(data) else None
        else:
            data = next((item for item in data if item.get(key) == value), None)
    return "" if data is None else str(data)


_Printer = tuple[Row, Row, Callable[[Any, int], Row]]
_PRINTERS: dict[str, _Printer] = {
    "Pod": (("NAME", "READY", "STATUS", "RESTARTS", "AGE"), ("IP", "NODE"), _pod),
    "Node": (
        ("NAME", "STATUS", "ROLES", "AGE", "VERSION"),
        ("INTERNAL-IP", "CONTAINER-RUNTIME"),
        _node,
    ),
    "Deployment": (("NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"), (), _deployment),
    "Service": (
        ("NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"),
        ("SELECTOR",),
        _service,
    ),
    "RuntimeClass": (("NAME", "HANDLER", "AGE"), (), _runtime_class),
    "HorizontalPodAutoscaler": (
        ("NAME", "REFERENCE", "MINPODS", "MAXPODS", "REPLICAS", "AGE"),
        (),
        _autoscaler,
    ),
    "Job": (("NAME", "COMPLETIONS", "AGE"), (), _job),
    "DaemonSet": (("NAME", "DESIRED", "CURRENT", "READY", "AGE"), (), _daemon_set),
}
