"""How a pod looks: its status in kubectl's words, its stage, its glyph.

Mirrors: pkg/printers/internalversion/printers.go (printPod).
"""

from __future__ import annotations

from enum import Enum

from kubesim.api.corev1 import Container, ContainerStatus, Pod, PodSpec, PodStatus
from kubesim.api.podutil import get_pod_condition, is_pod_ready
from kubesim.tui.ink import Span, Tone


class Stage(Enum):
    """Where a pod is on its way through life; what its colour says."""

    PENDING = "pending"
    STARTING = "starting"
    NOT_READY = "not ready"
    READY = "ready"
    TERMINATING = "terminating"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


TONES: dict[Stage, Tone] = {
    Stage.PENDING: "warn",
    Stage.STARTING: "starting",
    Stage.NOT_READY: "warn",
    Stage.READY: "ok",
    Stage.TERMINATING: "bad",
    Stage.SUCCEEDED: "done",
    Stage.FAILED: "bad",
}

# Shapes tell containers (round) from Wasm (edged) without colour; hollow is not yet running.
CONTAINER_GLYPHS = {Stage.PENDING: "◌", Stage.STARTING: "○", Stage.NOT_READY: "◐"}
WASM_GLYPHS = {Stage.PENDING: "◇", Stage.STARTING: "◇", Stage.NOT_READY: "◈"}
END_GLYPHS = {Stage.TERMINATING: "◍", Stage.SUCCEEDED: "✓", Stage.FAILED: "✗"}

_BAD_REASONS = ("BackOff", "Err", "Error", "OOMKilled", "Evicted", "DeadlineExceeded", "Invalid")


def pod_stage(pod: Pod) -> Stage:
    """The pod's stage."""
    phase = pod.status.phase
    if phase == "Succeeded":
        return Stage.SUCCEEDED
    if phase == "Failed":
        return Stage.FAILED
    if pod.metadata.deletion_timestamp is not None:
        return Stage.TERMINATING
    if not pod.spec.node_name:
        return Stage.PENDING
    if phase != "Running":
        return Stage.STARTING
    return Stage.READY if is_pod_ready(pod) else Stage.NOT_READY


def pod_glyph(stage: Stage, *, wasm: bool) -> Span:
    """One character for a pod: its shape says what it is, its colour how it is."""
    glyph = END_GLYPHS.get(stage)
    if glyph is None:
        shapes, ready = (WASM_GLYPHS, "◆") if wasm else (CONTAINER_GLYPHS, "●")
        glyph = shapes.get(stage, ready)
    if stage is Stage.READY:
        return glyph, "wasm" if wasm else "container"
    return glyph, TONES[stage]


def status_tone(pod: Pod, status: str) -> Tone:
    """The colour of a pod's row."""
    if any(reason in status for reason in _BAD_REASONS):
        return "bad"
    return TONES[pod_stage(pod)]


def pod_status(pod: Pod) -> str:
    """The STATUS column of ``kubectl get pods``."""
    reason, initializing = _init_status(pod)
    if not initializing:
        reason = _main_status(pod.status, reason)
    if pod.metadata.deletion_timestamp is not None:
        if pod.status.reason == "NodeLost":
            return "Unknown"
        if pod.status.phase not in ("Succeeded", "Failed"):
            return "Terminating"
    return reason


def pod_readiness(pod: Pod) -> str:
    """The READY column: containers that are ready, and how many there are."""
    sidecars = {c.name for c in pod.spec.init_containers if _is_sidecar(c)}
    total = len(pod.spec.containers) + len(sidecars)
    ready = sum(s.ready and s.state.running is not None for s in pod.status.container_statuses)
    ready += sum(bool(s.ready) and s.name in sidecars for s in pod.status.init_container_statuses)
    return f"{ready}/{total}"


def pod_restarts(pod: Pod) -> int:
    """How often its containers were started again."""
    return sum(status.restart_count for status in pod.status.container_statuses)


def _is_sidecar(container: Container) -> bool:
    return container.restart_policy == "Always"


def _init_status(pod: Pod) -> tuple[str, bool]:
    """What is known without the main containers, and whether that is all there is to say."""
    status, spec = pod.status, pod.spec
    reason = status.reason or status.phase or "Unknown"
    scheduled = get_pod_condition(status, "PodScheduled")
    if scheduled is not None and scheduled.reason == "SchedulingGated":
        reason = "SchedulingGated"
    by_name = {container.name: container for container in spec.init_containers}
    for number, container in enumerate(status.init_container_statuses):
        ended, waiting = container.state.terminated, container.state.waiting
        declared = by_name.get(container.name)
        if ended is not None and ended.exit_code == 0:
            continue
        if declared is not None and _is_sidecar(declared) and container.started:
            continue
        if ended is not None:
            return f"Init:{ended.reason or f'ExitCode:{ended.exit_code}'}", True
        if waiting is not None and waiting.reason not in (None, "", "PodInitializing"):
            return f"Init:{waiting.reason}", True
        return f"Init:{number}/{len(spec.init_containers)}", True
    return reason, False


def _main_status(status: PodStatus, reason: str) -> str:
    running = False
    for container in reversed(status.container_statuses):
        ended, waiting = container.state.terminated, container.state.waiting
        if waiting is not None and waiting.reason:
            reason = waiting.reason
        elif ended is not None:
            reason = ended.reason or _exit(container)
        elif container.ready and container.state.running is not None:
            running = True
    if reason == "Completed" and running:
        ready = get_pod_condition(status, "Ready")
        return "Running" if ready is not None and ready.status == "True" else "NotReady"
    return reason


def _exit(container: ContainerStatus) -> str:
    ended = container.state.terminated
    assert ended is not None, container.name
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}"


def images(spec: PodSpec) -> str:
    """The images of a pod's containers."""
    return ",".join(dict.fromkeys(c.image for c in spec.containers if c.image))
