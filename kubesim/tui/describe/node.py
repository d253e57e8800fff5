"""A node, described."""

from __future__ import annotations

from kubesim.api.corev1 import Node, Pod
from kubesim.telemetry.build import node_row
from kubesim.tui.describe.parts import condition_lines, identity_lines, listed, small_table
from kubesim.tui.ink import EMPTY, Line, Span, field, heading, meter
from kubesim.tui.podview import pod_glyph, pod_stage, pod_status, status_tone
from kubesim.tui.scene import Scene, handler_of, is_wasm
from kubesim.tui.tables import load_tone, memory, node_status

NANO = 1_000_000_000
MEBI = 2**20


def node_lines(scene: Scene, node: Node, width: int) -> list[Line]:
    """All about a node but its Events."""
    pods = [pod for pod in scene.objects(Pod) if pod.spec.node_name == node.name]
    facts = scene.node_facts(node)
    row = node_row(node, pods, facts, scene.now_ns)
    status = node_status(ready=row["ready"], cordoned=row["unschedulable"])
    lines = identity_lines(node, scene.wall_ns, width)
    lines += [field("Status", [status]), field("Pool", row["pool"] or "<none>")]
    if facts is not None:
        lines += listed("Runtimes", facts.config.runtimes, width)
    taints = [f"{t.key}{f'={t.value}' if t.value else ''}:{t.effect}" for t in node.spec.taints]
    lines += listed("Taints", taints, width) or [field("Taints", "<none>")]
    if row["cost_nano_usd"]:
        lines.append(field("Cost so far", f"${row['cost_nano_usd'] / NANO:.4f}"))
    lines += [EMPTY, heading("Resources")]
    lines += [
        _load("cpu", row["cpu_requested_m"], row["cpu_allocatable_m"], "m requested"),
        _load("pods", row["pods"], _pods_allocatable(node), ""),
        _load("memory", row["memory_peak"] // MEBI, row["memory_allocatable"] // MEBI, "Mi peak"),
    ]
    lines += [EMPTY, *condition_lines(node.status.conditions, width)]
    lines += [EMPTY, heading("Pods", str(len(pods))), *_pods(scene, pods)]
    images = [
        f"{image.names[0]} ({memory(image.size_bytes or 0)})"
        for image in node.status.images
        if image.names
    ]
    return lines + ([EMPTY, *listed("Images", images, width)] if images else [])


def _pods_allocatable(node: Node) -> int:
    allocatable = node.status.allocatable
    return allocatable["pods"].value() if "pods" in allocatable else 0


def _load(name: str, used: int, there: int, unit: str) -> Line:
    share = used / there if there else 0.0
    return (
        (f"  {name:<8}", "text"),
        *meter(share, 24, load_tone(share)),
        (f" {share:5.1%}", load_tone(share)),
        (f"  {used:,} of {there:,}{unit}", "dim"),
    )


def _pods(scene: Scene, pods: list[Pod]) -> list[Line]:
    if not pods:
        return []
    handlers = scene.handlers()
    rows: list[list[Span]] = []
    for pod in pods:
        handler = handler_of(pod, handlers)
        wasm = is_wasm(handler)
        status = pod_status(pod)
        rows.append(
            [
                pod_glyph(pod_stage(pod), wasm=wasm),
                (pod.namespace, "dim"),
                (pod.name, "text"),
                (status, status_tone(pod, status)),
                (handler, "wasm" if wasm else "container"),
            ]
        )
    return small_table(("", "NAMESPACE", "NAME", "STATUS", "RUNTIME"), rows)
