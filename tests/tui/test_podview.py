"""How a pod looks."""

from __future__ import annotations

from typing import Any

import pytest

from kubesim.api.corev1 import Pod
from kubesim.manifests import load_text
from kubesim.tui.podview import (
    Stage,
    pod_glyph,
    pod_readiness,
    pod_restarts,
    pod_stage,
    pod_status,
    status_tone,
)

HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: default}\n"
SPEC = "spec: {nodeName: n, containers: [{name: a, image: i}, {name: b, image: i}]}\n"


def pod(text: str) -> Any:
    (manifest,) = load_text(HEAD + text)
    assert isinstance(manifest.obj, Pod)
    return manifest.obj


def status_of(name: str, state: str, *, ready: bool = False, restarts: int = 0) -> str:
    return (
        f"{{name: {name}, image: i, imageID: x, ready: {str(ready).lower()}, "
        f"restartCount: {restarts}, state: {state}}}"
    )


def with_status(phase: str, *containers: str, more: str = "") -> Any:
    return pod(
        f"{SPEC}status: {{phase: {phase}, containerStatuses: [{', '.join(containers)}]{more}}}\n"
    )


RUNNING = '{running: {startedAt: "2026-01-01T00:00:00Z"}}'
DONE = "{terminated: {exitCode: 0, reason: Completed}}"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (pod(SPEC), "Unknown"),
        (pod(f"{SPEC}status: {{phase: Pending}}\n"), "Pending"),
        (pod(f"{SPEC}status: {{phase: Failed, reason: Evicted}}\n"), "Evicted"),
        (with_status("Running", status_of("a", RUNNING, ready=True)), "Running"),
        (
            with_status("Pending", status_of("a", "{waiting: {reason: ContainerCreating}}")),
            "ContainerCreating",
        ),
        (with_status("Succeeded", status_of("a", DONE)), "Completed"),
        (with_status("Failed", status_of("a", "{terminated: {exitCode: 3}}")), "ExitCode:3"),
        (
            with_status("Failed", status_of("a", "{terminated: {exitCode: 0, signal: 9}}")),
            "Signal:9",
        ),
        (
            with_status("Running", status_of("a", DONE), status_of("b", RUNNING, ready=True)),
            "NotReady",
        ),
        (
            with_status(
                "Running",
                status_of("a", DONE),
                status_of("b", RUNNING, ready=True),
                more=', conditions: [{type: Ready, status: "True"}]',
            ),
            "Running",
        ),
        (
            pod(
                f"{SPEC}status: {{phase: Pending, conditions: "
                '[{type: PodScheduled, status: "False", reason: SchedulingGated}]}\n'
            ),
            "SchedulingGated",
        ),
    ],
)
def test_statuses_are_kubectl_s(seen: Any, expected: str) -> None:
    """The STATUS column says what kubectl's says."""
    assert expected == pod_status(seen)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RUNNING, "Init:0/1"),
        ("{waiting: {reason: ImagePullBackOff}}", "Init:ImagePullBackOff"),
        ("{terminated: {exitCode: 1, reason: Error}}", "Init:Error"),
        ("{terminated: {exitCode: 7}}", "Init:ExitCode:7"),
        ("{terminated: {exitCode: 0}}", "Pending"),
    ],
)
def test_init_containers_come_first(state: str, expected: str) -> None:
    """While an init container is not done, the status is about it."""
    seen = pod(
        "spec: {containers: [{name: a, image: i}], initContainers: [{name: s, image: i}]}\n"
        f"status: {{phase: Pending, initContainerStatuses: [{status_of('s', state)}]}}\n"
    )

    assert expected == pod_status(seen)


def test_a_deleted_pod_is_terminating() -> None:
    """A deletion timestamp outweighs what the containers do."""
    alive = with_status("Running", status_of("a", RUNNING, ready=True))
    deleted = alive.replace(metadata=alive.metadata.replace(deletion_timestamp=1))

    assert "Terminating" == pod_status(deleted)
    assert Stage.TERMINATING is pod_stage(deleted)


def test_readiness_and_restarts_are_counted() -> None:
    """READY counts running containers that are ready; RESTARTS adds up."""
    seen = with_status(
        "Running",
        status_of("a", RUNNING, ready=True, restarts=2),
        status_of("b", RUNNING, restarts=1),
    )

    assert ("1/2", 3) == (pod_readiness(seen), pod_restarts(seen))


def test_a_pod_s_stage_follows_its_life() -> None:
    """Pending until bound, starting until running, ready when its condition says so."""
    unbound = pod("spec: {containers: [{name: a, image: i}]}\nstatus: {phase: Pending}\n")
    bound = pod(f"{SPEC}status: {{phase: Pending}}\n")
    running = pod(f"{SPEC}status: {{phase: Running}}\n")
    ready = pod(
        f"{SPEC}status: {{phase: Running, conditions: [{{type: Ready, status: 'True'}}]}}\n"
    )

    assert [Stage.PENDING, Stage.STARTING, Stage.NOT_READY, Stage.READY] == [
        pod_stage(item) for item in (unbound, bound, running, ready)
    ]


@pytest.mark.parametrize("stage", [s for s in Stage if s.value not in ("terminating", "failed")])
def test_wasm_is_told_from_containers_without_colour(stage: Stage) -> None:
    """The shape of a living pod's glyph says what runs it."""
    container, wasm = pod_glyph(stage, wasm=False)[0], pod_glyph(stage, wasm=True)[0]

    assert (container == wasm) is (stage is Stage.SUCCEEDED)


def test_bad_statuses_are_red_whatever_the_phase() -> None:
    """A crash loop in a Running pod is no good sight."""
    seen = with_status("Running", status_of("a", "{waiting: {reason: CrashLoopBackOff}}"))

    assert "bad" == status_tone(seen, pod_status(seen))
