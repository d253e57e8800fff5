"""The timeline: what its steps do to the cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kubesim import facts
from kubesim.scenario import Scenario
from kubesim.sim.time import SECOND
from kubesim.telemetry import Run

WriteScenario = Callable[..., Path]

WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:v1}]}
"""
TWO = "[{name: pool, count: 2, capacity: {cpu: '4', memory: 8Gi}}]"


def run(write: WriteScenario, spec: str, manifests: str = WEB) -> Run:
    """Run a scenario with two nodes."""
    return Scenario.load(write(spec, manifests, pools=TWO)).run()


def ready(result: Run) -> int:
    """How many pods are ready at the end."""
    return sum(pod["ready"] for pod in result.pods)


def test_scale_up_and_down(write_scenario: WriteScenario) -> None:
    """A scale step changes the number of pods, up and down again."""
    up = "{at: 5s, scale: {kind: Deployment, name: web, replicas: 4}}"
    down = "{at: 15s, scale: {kind: Deployment, name: web, replicas: 1}}"
    assert 4 == ready(run(write_scenario, f"duration: 14s\ntimeline: [{up}]"))
    assert 1 == ready(run(write_scenario, f"duration: 30s\ntimeline: [{up}, {down}]"))


def test_delete_takes_everything_along(write_scenario: WriteScenario) -> None:
    """Deleting a Deployment deletes its ReplicaSet and its pods."""
    step = "{at: 8s, delete: {kind: Deployment, name: web}}"
    result = run(write_scenario, f"duration: 30s\ntimeline: [{step}]")
    assert 0 == len(result.pods)
    deleted = [f.kind for _, f in result.journal.of(facts.ObjectWritten) if f.verb == "delete"]
    assert {"Deployment", "ReplicaSet", "Pod"} <= set(deleted)


def test_apply_later(write_scenario: WriteScenario, tmp_path: Path) -> None:
    """An apply step creates what its files say, at its time, and updates what is there."""
    (tmp_path / "more.yaml").write_text(
        WEB.replace("name: web}", "name: more}", 1)
        + "---\n"
        + WEB.replace("replicas: 2", "replicas: 3")
    )
    result = run(write_scenario, "duration: 20s\ntimeline: [{at: 5s, apply: more.yaml}]")
    assert 5 == ready(result)


def test_drain_moves_the_pods(write_scenario: WriteScenario) -> None:
    """A drained node takes no pods any more, and its pods are replaced elsewhere."""
    result = run(write_scenario, "duration: 60s\ntimeline: [{at: 10s, drain: pool-0}]")
    assert {"pool-1"} == {pod["node"] for pod in result.pods}
    assert 2 == ready(result)
    assert [True, False] == [node["unschedulable"] for node in result.nodes]


def test_failed_node(write_scenario: WriteScenario) -> None:
    """A dead node is NotReady after the grace period; its pods are replaced five minutes later."""
    spec = "duration: 8m\ntimeline: [{at: 10s, failNode: pool-0}]"
    result = run(write_scenario, spec)
    not_ready_ns = next(
        at_ns for at_ns, f in result.journal.of(facts.EventRecorded) if f.reason == "NodeNotReady"
    )
    assert 10 * SECOND + 40 * SECOND < not_ready_ns < 10 * SECOND + 60 * SECOND
    evicted_ns = next(
        at_ns
        for at_ns, f in result.journal.of(facts.EventRecorded)
        if f.reason == "TaintManagerEviction"
    )
    assert 0 <= evicted_ns - not_ready_ns - 300 * SECOND < SECOND
    assert 2 == ready(result)
    assert [False, True] == [node["ready"] for node in result.nodes]


def test_refused_objects_are_told(write_scenario: WriteScenario) -> None:
    """What the API server refuses is in the run, in its words; the rest goes on."""
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
        "spec: {runtimeClassName: nope, containers: [{name: c, image: i:v1}]}\n"
    )
    result = run(write_scenario, "", pod + "---\n" + WEB)
    message = 'pods "p" is forbidden: pod rejected: RuntimeClass "nope" not found'
    assert [("Pod", message)] == [(row["kind"], row["message"]) for row in result.refused]
    assert 2 == ready(result)
