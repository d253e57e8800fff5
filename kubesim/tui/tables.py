"""From the store to the rows of each table. Pure functions of objects, in kubectl's columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubesim.api.appsv1 import Deployment, ReplicaSet
from kubesim.api.corev1 import Namespace, Node, Pod, Service
from kubesim.api.metav1 import KubeObject
from kubesim.sim.time import human
from kubesim.tui import clock
from kubesim.tui.ink import Span, Tone, printable
from kubesim.tui.podview import (
    Stage,
    pod_readiness,
    pod_restarts,
    pod_stage,
    pod_status,
    status_tone,
)
from kubesim.tui.scene import Happening, Ref, handler_of, is_wasm
from kubesim.tui.sheet import Column, Row, Sheet

NONE = "<none>"
LATEST_EVENTS = 2000

NAMESPACE = Column("NAMESPACE", rank=5)
NAME = Column("NAME", least=26)
AGE = Column("AGE", right=True, rank=3)

POD_COLUMNS = (
    NAMESPACE,
    NAME,
    Column("READY"),
    Column("STATUS"),
    Column("RESTARTS", right=True, rank=4),
    Column("NODE", rank=2),
    Column("RUNTIME", rank=1),
    AGE,
)
NODE_COLUMNS = (
    Column("NAME", least=20),
    Column("STATUS"),
    Column("POOL", rank=5),
    Column("RUNTIMES", rank=4),
    Column("PODS", right=True),
    Column("CPU", right=True, rank=3),
    Column("%CPU", right=True),
    Column("PEAK MEM", right=True, rank=1),
    AGE,
)
SERVICE_COLUMNS = (
    NAMESPACE,
    NAME,
    Column("TYPE", rank=4),
    Column("PORTS", rank=3),
    Column("REQUESTS", right=True),
    Column("ERRORS", right=True),
    Column("P50", right=True, rank=2),
    Column("P95", right=True, rank=3),
    Column("P99", right=True),
    AGE,
)
EVENT_COLUMNS = (
    Column("TIME"),
    Column("TYPE", rank=3),
    Column("REASON"),
    Column("OBJECT", least=20),
    Column("MESSAGE", least=40),
)


def pods_sheet(pods: Iterable[Pod], handlers: Mapping[str, str], wall_ns: int) -> Sheet:
    """Pods, as ``kubectl get pods -o wide`` and k9s show them."""
    return Sheet("pods", POD_COLUMNS, tuple(_pod_row(pod, handlers, wall_ns) for pod in pods))


def _pod_row(pod: Pod, handlers: Mapping[str, str], wall_ns: int) -> Row:
    status = pod_status(pod)
    tone = status_tone(pod, status)
    quiet: Tone = "text" if tone == "ok" else tone
    handler = handler_of(pod, handlers)
    restarts = pod_restarts(pod)
    cells: tuple[Span, ...] = (
        (pod.namespace, "dim"),
        (pod.name, quiet),
        (pod_readiness(pod), quiet),
        (status, tone),
        (str(restarts), "warn" if restarts else "dim"),
        (pod.spec.node_name or NONE, quiet if pod.spec.node_name else "dim"),
        (handler, "wasm" if is_wasm(handler) else "container"),
        (_age(pod, wall_ns), "dim" if pod_stage(pod) is Stage.SUCCEEDED else quiet),
    )
    return Row(Ref("Pod", pod.namespace, pod.name), cells)


def nodes_sheet(
    nodes: Iterable[tuple[Node, Mapping[str, Any], Sequence[str]]], wall_ns: int
) -> Sheet:
    """Nodes: each with its row of the Run and its runtime handlers."""
    return Sheet("nodes", NODE_COLUMNS, tuple(_node_row(*node, wall_ns) for node in nodes))


def _node_row(node: Node, known: Mapping[str, Any], runtimes: Sequence[str], wall_ns: int) -> Row:
    status, tone = node_status(ready=known["ready"], cordoned=known["unschedulable"])
    allocatable = known["cpu_allocatable_m"]
    share = known["cpu_requested_m"] / allocatable if allocatable else 0.0
    wasm = any(is_wasm(handler) for handler in runtimes)
    cells: tuple[Span, ...] = (
        (node.name, "text" if tone == "ok" else tone),
        (status, tone),
        (known["pool"] or NONE, "dim"),
        (",".join(runtimes) or NONE, "wasm" if wasm else "container"),
        (str(known["pods"]), "text"),
        (f"{known['cpu_requested_m']}/{allocatable}m", "dim"),
        (f"{share:.0%}", load_tone(share)),
        (memory(known["memory_peak"]), "text"),
        (_age(node, wall_ns), "text"),
    )
    return Row(Ref("Node", "", node.name), cells)


def node_status(*, ready: bool, cordoned: bool) -> tuple[str, Tone]:
    """A node's STATUS column and its colour."""
    status = "Ready" if ready else "NotReady"
    if cordoned:
        return f"{status},SchedulingDisabled", "warn" if ready else "bad"
    return status, "ok" if ready else "bad"


def load_tone(share: float) -> Tone:
    """The colour of a share of what there is."""
    return "bad" if share >= 0.95 else "warn" if share >= 0.8 else "ok"


def services_sheet(services: Iterable[tuple[Service, Mapping[str, Any]]], wall_ns: int) -> Sheet:
    """Services: each with its row of the Run."""
    return Sheet("services", SERVICE_COLUMNS, tuple(_service(*item, wall_ns) for item in services))


def _service(service: Service, known: Mapping[str, Any], wall_ns: int) -> Row:
    spec = service.spec
    ports = ",".join(f"{port.port}/{port.protocol or 'TCP'}" for port in spec.ports)
    latencies = [
        (human(known[f"latency_p{q}_ns"]) if known["requests"] else "-") for q in (50, 95, 99)
    ]
    errors = known["errors"]
    cells: tuple[Span, ...] = (
        (service.namespace, "dim"),
        (service.name, "text"),
        (spec.type or "ClusterIP", "dim"),
        (ports or NONE, "text"),
        (f"{known['requests']:,}", "text"),
        (f"{errors:,}", "bad" if errors else "dim"),
        *((latency, "text") for latency in latencies),
        (_age(service, wall_ns), "text"),
    )
    return Row(Ref("Service", service.namespace, service.name), cells)


def deployments_sheet(deployments: Iterable[Deployment], wall_ns: int) -> Sheet:
    """Deployments, as ``kubectl get deployments`` shows them."""
    columns = (
        NAMESPACE, NAME, Column("READY"), Column("UP-TO-DATE", right=True),
        Column("AVAILABLE", right=True), AGE,
    )  # fmt: skip
    rows = []
    for item in deployments:
        wanted = 1 if item.spec.replicas is None else item.spec.replicas
        ready = item.status.ready_replicas or 0
        cells: tuple[Span, ...] = (
            (item.namespace, "dim"),
            (item.name, "text"),
            (f"{ready}/{wanted}", "ok" if ready >= wanted else "warn"),
            (str(item.status.updated_replicas or 0), "text"),
            (str(item.status.available_replicas or 0), "text"),
            (_age(item, wall_ns), "text"),
        )
        rows.append(Row(Ref("Deployment", item.namespace, item.name), cells))
    return Sheet("deployments", columns, tuple(rows))


def replica_sets_sheet(replica_sets: Iterable[ReplicaSet], wall_ns: int) -> Sheet:
    """ReplicaSets, as ``kubectl get replicasets`` shows them."""
    columns = (
        NAMESPACE, NAME, Column("DESIRED", right=True), Column("CURRENT", right=True),
        Column("READY", right=True), AGE,
    )  # fmt: skip
    rows = []
    for item in replica_sets:
        wanted = 1 if item.spec.replicas is None else item.spec.replicas
        ready = item.status.ready_replicas or 0
        quiet: Tone = "text" if wanted else "dim"
        cells: tuple[Span, ...] = (
            (item.namespace, "dim"),
            (item.name, quiet),
            (str(wanted), quiet),
            (str(item.status.replicas), quiet),
            (str(ready), quiet if ready >= wanted else "warn"),
            (_age(item, wall_ns), quiet),
        )
        rows.append(Row(Ref("ReplicaSet", item.namespace, item.name), cells))
    return Sheet("replicasets", columns, tuple(rows))


def events_sheet(happenings: Sequence[Happening], namespace: str) -> Sheet:
    """Events and steps of the scenario, the latest first."""
    rows = []
    for item in reversed(happenings):
        if namespace and item.ref.namespace not in ("", namespace):
            continue
        tone = event_tone(item.type)
        cells: tuple[Span, ...] = (
            (clock.stamp(item.at_ns), "dim"),
            (item.type, tone),
            (item.reason, tone),
            (item.ref.label if item.ref.kind else item.component, "text"),
            (printable(item.message), "text" if tone == "ok" else tone),
        )
        rows.append(Row(item.ref, cells))
        if len(rows) == LATEST_EVENTS:
            break
    return Sheet("events", EVENT_COLUMNS, tuple(rows))


def event_tone(kind: str) -> Tone:
    """The colour of an Event's type."""
    return {"Warning": "warn", "Step": "accent"}.get(kind, "ok")  # type: ignore[return-value]


def namespaces_sheet(namespaces: Iterable[Namespace], wall_ns: int) -> Sheet:
    """Namespaces."""
    columns = (Column("NAME", least=20), Column("STATUS"), AGE)
    rows = []
    for item in namespaces:
        phase = item.status.phase or "Active"
        cells: tuple[Span, ...] = (
            (item.name, "text"),
            (phase, "ok" if phase == "Active" else "bad"),
            (_age(item, wall_ns), "text"),
        )
        rows.append(Row(Ref("Namespace", "", item.name), cells))
    return Sheet("namespaces", columns, tuple(rows))


def objects_sheet(title: str, objects: Sequence[KubeObject], wall_ns: int) -> Sheet:
    """Objects of any other kind."""
    namespaced = any(obj.namespace for obj in objects)
    columns = (NAMESPACE, NAME, AGE) if namespaced else (NAME, AGE)
    rows = []
    for obj in objects:
        cells: tuple[Span, ...] = ((obj.name, "text"), (_age(obj, wall_ns), "text"))
        head: tuple[Span, ...] = ((obj.namespace, "dim"),) if namespaced else ()
        rows.append(Row(Ref(obj.kind, obj.namespace, obj.name), (*head, *cells)))
    return Sheet(title, columns, tuple(rows))


def memory(amount_bytes: int) -> str:
    """Bytes for people: ``512Mi``, ``7.5Gi``."""
    for unit, suffix in ((2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki")):
        if amount_bytes >= unit:
            return f"{amount_bytes / unit:.3g}{suffix}"
    return str(amount_bytes)


def _age(obj: KubeObject, wall_ns: int) -> str:
    created = obj.metadata.creation_timestamp
    return "<unknown>" if created is None else clock.age(wall_ns - created)
