"""A Service, described: where its requests go and what became of them."""

from __future__ import annotations

from kubesim.api.corev1 import Service
from kubesim.api.discoveryv1 import EndpointSlice
from kubesim.sim.time import human
from kubesim.telemetry.build import service_row
from kubesim.tui.describe.parts import identity_lines, listed, small_table
from kubesim.tui.ink import EMPTY, Line, Span, bar, field, heading
from kubesim.tui.scene import Scene

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
CLASSES = 12


def service_lines(scene: Scene, service: Service, width: int) -> list[Line]:
    """All about a Service but its Events."""
    spec = service.spec
    lines = identity_lines(service, scene.wall_ns, width)
    lines.append(field("Type", spec.type or "ClusterIP"))
    lines += listed("Selector", (f"{k}={v}" for k, v in spec.selector.items()), width)
    ports = [
        f"{port.name or '<unnamed>'} {port.port}/{port.protocol or 'TCP'} to {port.target_port}"
        for port in spec.ports
    ]
    lines += listed("Ports", ports, width)
    lines += [EMPTY, *_endpoints(scene, service)]
    lines += [EMPTY, *_requests(scene, service, width)]
    return lines


def _endpoints(scene: Scene, service: Service) -> list[Line]:
    rows: list[list[Span]] = []
    for part in scene.objects(EndpointSlice, service.namespace):
        if part.metadata.labels.get(SERVICE_NAME_LABEL) != service.name:
            continue
        for endpoint in part.endpoints:
            target = endpoint.target_ref
            ready = endpoint.conditions.ready
            rows.append(
                [
                    (",".join(endpoint.addresses), "text"),
                    ("ready", "ok") if ready else ("not ready", "warn"),
                    ((target.name if target else None) or "", "text"),
                    (endpoint.node_name or "", "dim"),
                ]
            )
    if not rows:
        return [heading("Endpoints", "none")]
    table = small_table(("ADDRESS", "STATE", "POD", "NODE"), rows)
    return [heading("Endpoints", str(len(rows))), *table]


def _requests(scene: Scene, service: Service, width: int) -> list[Line]:
    totals = scene.service_totals(service)
    if not totals.requests:
        return [heading("Requests", "none yet")]
    row = service_row(service, totals)
    lines: list[Line] = [
        heading("Requests", f"{totals.requests:,}"),
        (
            (f"  {totals.requests - totals.errors:,} answered", "ok"),
            (f"  {totals.errors:,} errors", "bad" if totals.errors else "dim"),
        ),
    ]
    lines += [
        ((f"  {count:,} failed: {reason}", "bad"),) for reason, count in totals.failures.items()
    ]
    lines += [EMPTY, *_quantiles(row), EMPTY]
    return lines + _histogram(sorted(totals.latencies_ns), width)


def _quantiles(row: dict[str, int]) -> list[Line]:
    rows: list[list[Span]] = []
    for name, key, quantiles in (
        ("latency", "latency", (50, 95, 99)),
        ("  in the queue", "queue", (50, 99)),
        ("  creating an instance", "instantiate", (50, 99)),
        ("  in the handler", "execute", (50, 99)),
    ):
        values = {q: human(row[f"{key}_p{q}_ns"]) for q in quantiles}
        cells: list[Span] = [(name, "text")]
        cells += [(values.get(q, ""), "text") for q in (50, 95, 99)]
        rows.append(cells)
    return small_table(("", "P50", "P95", "P99"), rows)


def _histogram(latencies_ns: list[int], width: int) -> list[Line]:
    """How often which latency occurred, up to the 99.5th percentile: the tail would flatten it."""
    if not latencies_ns:
        return []
    top = latencies_ns[min(len(latencies_ns) - 1, len(latencies_ns) * 995 // 1000)]
    low = latencies_ns[0]
    step = max((top - low) // CLASSES, 1)
    counts = [0] * CLASSES
    for value in latencies_ns:
        if value <= top:
            counts[min((value - low) // step, CLASSES - 1)] += 1
    most = max(counts)
    chart = max(min(width - 30, 60), 8)
    lines: list[Line] = [heading("Latencies", "of 99.5 % of the answered requests")]
    for index, count in enumerate(counts):
        lines.append(
            (
                (f"  {human(low + index * step):>8}  ", "dim"),
                (bar(count / most, chart), "container"),
                (f" {count:,}", "dim"),
            )
        )
    return lines
