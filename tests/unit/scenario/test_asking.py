"""Why a pod is where it is, at any moment of a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubesim.cli import main as cli
from kubesim.errors import InputError
from kubesim.scenario import LiveRun, Scenario
from kubesim.scenario.asking import Question
from kubesim.sim.time import SECOND

SMALL_PODS = """apiVersion: v1
kind: Pod
metadata: {name: first}
spec:
  restartPolicy: Always
  containers:
  - {name: c, image: "crasher:1", resources: {requests: {cpu: "3"}}}
---
apiVersion: v1
kind: Pod
metadata: {name: second}
spec:
  containers:
  - {name: c, image: "crasher:1", resources: {requests: {cpu: 1500m}}}
"""
CRASHER = """images:
- name: crasher:1
  layers: [{size: 1M}]
  program: {runTime: 1s, exitCode: 3}
duration: 30s
"""


@pytest.fixture(scope="module")
def story() -> Scenario:
    """The scenario with the homeless pod."""
    return Scenario.load("mixed-pool")


def ask(scenario: Scenario, pod: str, at_s: float | None = None) -> dict[str, Any]:
    """The answer."""
    at_ns = None if at_s is None else round(at_s * SECOND)
    return Question(scenario, pod).answer(at_ns)


def test_a_homeless_pod_is_told_what_it_lacks(story: Scenario) -> None:
    """Upstream's message, the refusals by plugin, and what would make it fit."""
    answer = ask(story, "homeless", 10)
    assert answer["message"].startswith("0/4 nodes are available: ")
    assert [
        ("NodeAffinity", ["general-0", "general-1"]),
        ("TaintToleration", ["wasm-0", "wasm-1"]),
    ] == [(group["plugin"], group["nodes"]) for group in answer["attempt"]["refused"]]
    assert [
        {"nodes": ["general-0", "general-1"], "missing": ["label spin=true"]},
        {
            "nodes": ["wasm-0", "wasm-1"],
            "missing": ["tolerate workload-type=wasm:NoSchedule"],
        },
    ] == answer["nearest"]


def test_a_running_pod_is_told_why_it_is_there(story: Scenario) -> None:
    """The scores of its attempt by plugin, its start by phase, and what happened."""
    answer = ask(story, "report", 20)
    scores = answer["attempt"]["scores"]
    assert answer["node"] == scores[0]["node"]
    assert scores[0]["total"] == sum(scores[0]["plugins"].values())
    assert "sandbox-network" in answer["startup_ns"]
    told = [item["what"] for item in answer["history"]]
    assert ["created", "container report started", "is Succeeded"] == [
        what for what in told if what in ("created", "container report started", "is Succeeded")
    ]


def test_the_past_is_asked_as_it_was(story: Scenario) -> None:
    """Before a pod was bound it was on no node."""
    assert None is ask(story, "report", 0.08)["node"]
    assert "wasm" in ask(story, "report", 1)["node"]


def test_asking_does_not_change_the_run(story: Scenario) -> None:
    """The run that is asked has the digest of the one that is not."""
    question = Question(story, "shop")
    question._live.advance(30 * SECOND)
    live = LiveRun(story)
    live.advance(30 * SECOND)
    assert live.simulation.sim.journal.digest == question._live.simulation.sim.journal.digest


def test_what_is_short_is_counted_and_crashes_are_told(
    write_scenario: Callable[..., Path],
) -> None:
    """A pod without room learns how much is missing; one that crashes, how often and why."""
    scenario = Scenario.load(write_scenario(CRASHER, SMALL_PODS))
    assert [{"nodes": ["pool-0"], "missing": ["500m cpu more"]}] == ask(scenario, "second")[
        "nearest"
    ]
    answer = ask(scenario, "first")
    told = [item["what"] for item in answer["history"]]
    assert 0 < answer["restarts"]
    assert any("exit code 3" in what for what in told)
    assert any(what.startswith("container c started again (restart 1)") for what in told)


def test_a_pod_that_is_gone_is_remembered(write_scenario: Callable[..., Path]) -> None:
    """A deleted pod has a history, and no node."""
    timeline = "timeline: [{at: 10s, delete: {kind: Pod, name: first}}]\n"
    scenario = Scenario.load(write_scenario(CRASHER + timeline, SMALL_PODS))
    answer = ask(scenario, "first")
    assert ("deleted", None) == (answer["phase"], answer["node"])
    assert "deleted" == answer["history"][-1]["what"]


def test_the_beginning_of_a_name_is_enough(story: Scenario) -> None:
    """If only one pod has it; otherwise the choices are listed."""
    assert "default/homeless" == ask(story, "home", 5)["pod"]
    with pytest.raises(InputError, match='"shop" is ambiguous'):
        ask(story, "shop", 5)
    with pytest.raises(InputError, match="did you mean"):
        ask(story, "homeles_", 5)


def test_a_written_run_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--run`` finds scenario, seed and length in what ``run --out`` wrote."""

    def call(*args: str) -> int:
        monkeypatch.setattr(sys, "argv", ["kubesim", *args])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    call("run", "mixed-pool", "--seed", "3", "--until", "20s", "--out", str(tmp_path / "run"))
    capsys.readouterr()
    assert 0 == call("why", "homeless", "--run", str(tmp_path / "run"), "-o", "json")
    answer = json.loads(capsys.readouterr().out)
    assert (3, 20 * SECOND) == (answer["seed"], answer["at_ns"])
    assert 0 == call("why", "homeless", "--run", str(tmp_path / "run"), "--at", "5s")
    assert "wasm-0, wasm-1: tolerate workload-type=wasm:NoSchedule" in capsys.readouterr().out
    assert 2 == call("why", "homeless", "--run", str(tmp_path))
    assert 2 == call("why", "homeless")
