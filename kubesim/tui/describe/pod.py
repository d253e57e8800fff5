"""A pod, described."""

from __future__ import annotations

from collections.abc import Iterable

from kubesim.api.corev1 import Container, ContainerStatus, Pod
from kubesim.api.podutil import pod_limits, pod_qos, pod_requests
from kubesim.telemetry.build import pod_reason
from kubesim.telemetry.startup import TOTAL
from kubesim.tui import clock
from kubesim.tui.describe.parts import condition_lines, identity_lines, listed
from kubesim.tui.describe.startup import startup_lines
from kubesim.tui.ink import EMPTY, FIELD_WIDTH, Line, Span, field, heading, printable, wrap
from kubesim.tui.podview import pod_glyph, pod_readiness, pod_stage, pod_status, status_tone
from kubesim.tui.scene import Scene, handler_of, is_wasm

LATEST_LOG = 5


def pod_lines(scene: Scene, pod: Pod, width: int) -> list[Line]:
    """All about a pod but its Events."""
    totals = scene.pod_totals(pod)
    total_ns = totals.startup.get(TOTAL) if totals else None
    lines = _head(scene, pod, width)
    lines += [EMPTY, heading("Containers")]
    lines += _containers(pod, scene.start_time_ns)
    lines += [EMPTY, *condition_lines(pod.status.conditions, width)]
    lines += [EMPTY, *startup_lines(scene.phases(pod), total_ns, width)]
    if totals and totals.log:
        lines += [EMPTY, heading("Log", f"the latest of {len(totals.log):,} lines; l for all")]
        lines += [
            ((f"  {clock.stamp(at_ns)}  ", "dim"), (printable(text), "text"))
            for at_ns, _, _, text in totals.log[-LATEST_LOG:]
        ]
    return lines


def _head(scene: Scene, pod: Pod, width: int) -> list[Line]:
    handler = handler_of(pod, scene.handlers())
    wasm = is_wasm(handler)
    status = pod_status(pod)
    glyph = pod_glyph(pod_stage(pod), wasm=wasm)
    runtime: list[Span] = [(handler, "wasm" if wasm else "container")]
    if pod.spec.runtime_class_name:
        runtime.append((f"  RuntimeClass {pod.spec.runtime_class_name}", "dim"))
    lines = identity_lines(pod, scene.wall_ns, width)
    lines += [
        field("Node", pod.spec.node_name or "<none>"),
        field("Runtime", runtime),
        field(
            "Status",
            [glyph, (f" {status}", status_tone(pod, status)), (f"  {pod_readiness(pod)}", "dim")],
        ),
    ]
    _, message = pod_reason(pod)
    if message:
        lines += [
            ((" " * FIELD_WIDTH, "text"), *line)
            for line in wrap(message, width - FIELD_WIDTH, "warn")
        ]
    if pod.status.pod_ip:
        lines.append(field("IP", pod.status.pod_ip))
    lines.append(field("QoS Class", pod.status.qos_class or pod_qos(pod.spec)))
    lines += listed("Requests", _amounts(pod_requests(pod.spec).items()), width)
    lines += listed("Limits", _amounts(pod_limits(pod.spec).items()), width)
    return lines


def _amounts(items: Iterable[tuple[str, object]]) -> list[str]:
    return [f"{name} {amount}" for name, amount in items]


def _containers(pod: Pod, start_time_ns: int) -> list[Line]:
    status = pod.status
    known = {s.name: s for s in (*status.init_container_statuses, *status.container_statuses)}
    lines: list[Line] = []
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        lines += _container(container, known.get(container.name), start_time_ns)
    return lines


def _container(
    container: Container, status: ContainerStatus | None, start_time_ns: int
) -> list[Line]:
    lines: list[Line] = [
        ((f"  {container.name}", "bold"), (f"  {container.image or ''}", "dim")),
        (("    ", "text"), *_state(status, start_time_ns)),
    ]
    if status is not None and status.restart_count:
        lines.append(((f"    {status.restart_count} restarts", "warn"),))
    return lines


def _state(status: ContainerStatus | None, start_time_ns: int) -> Line:
    if status is None:
        return (("not known to a kubelet yet", "dim"),)
    state = status.state
    if state.running is not None:
        since = state.running.started_at
        when = f" since {clock.stamp(since - start_time_ns)}" if since is not None else ""
        ready: Span = ("  ready", "ok") if status.ready else ("  not ready", "warn")
        return ((f"running{when}", "text"), ready)
    if state.terminated is not None:
        ended = state.terminated
        when = f" at {clock.stamp(ended.finished_at - start_time_ns)}" if ended.finished_at else ""
        text = f"ended{when}: {ended.reason or ''}, exit code {ended.exit_code}"
        message = f"  {printable(ended.message)}" if ended.message else ""
        return ((text, "bad" if ended.exit_code else "done"), (message, "dim"))
    waiting = state.waiting
    reason = waiting.reason if waiting is not None else None
    message = f"  {printable(waiting.message)}" if waiting is not None and waiting.message else ""
    return ((f"waiting: {reason or 'unknown'}", "starting"), (message, "dim"))
