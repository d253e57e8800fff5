"""``timing: measured``: Wasm executions take as long as a clock says, and the run says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kubesim.cli.main import main
from kubesim.errors import InputError
from kubesim.facts import RequestCompleted, WasmExecuted
from kubesim.report.text import text
from kubesim.scenario import Scenario
from kubesim.share import share_path
from kubesim.sim.time import MILLISECOND
from kubesim.telemetry.writing import write_run
from kubesim.wasm.memo import Memo

MODULES = share_path("scenarios") / "mixed-pool" / "modules"
MANIFESTS = """
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: spin}
handler: spin
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  runtimeClassName: spin
  containers: [{name: main, image: "web:v1", command: [/]}]
---
apiVersion: v1
kind: Pod
metadata: {name: job}
spec:
  runtimeClassName: spin
  restartPolicy: Never
  containers: [{name: main, image: "job:v1"}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 80}]
"""
SCENARIO = """apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {name: timing}
spec:
  seed: 3
  duration: 60s
  timing: TIMING
  nodePools: [{name: wasm, count: 1, machine: m5.large, runtimes: [runc, spin]}]
  images:
    - {name: "web:v1", wasm: {module: greeter.wasm, kind: wagi}}
    - {name: "job:v1", wasm: {module: report.wasm}}
  traffic: [{name: t, service: web, from: 30s, rate: 5/s, request: {query: "n=20"}}]
"""


@pytest.fixture
def scenario(tmp_path):
    """Writes the scenario with a timing."""

    def write(timing: str) -> Path:
        for name in ("greeter", "report"):
            shutil.copy(MODULES / name / f"{name}.wasm", tmp_path / f"{name}.wasm")
        (tmp_path / "manifests").mkdir(exist_ok=True)
        (tmp_path / "manifests" / "all.yaml").write_text(MANIFESTS)
        file = tmp_path / "scenario.yaml"
        file.write_text(SCENARIO.replace("TIMING", timing))
        return file

    return write


def stopped(step_ns: int):
    """A clock on which each look comes so much after the last one."""
    shown = iter(range(0, 1 << 60, step_ns))
    return lambda: next(shown)


def test_executions_take_what_the_clock_says(scenario, monkeypatch):
    """Requests and commands, each of them executed: none is replayed."""
    monkeypatch.setattr(Memo, "__init__", None)  # nobody may make one
    run = Scenario.load(scenario("measured")).run(clock=stopped(7 * MILLISECOND))
    took = {fact.execute_ns for _, fact in run.journal if isinstance(fact, RequestCompleted)}
    jobs = [fact.elapsed_ns for _, fact in run.journal if isinstance(fact, WasmExecuted)]

    assert len(took) > 0
    assert all(7 * MILLISECOND <= ns < 8 * MILLISECOND for ns in took)
    assert 1 == len(jobs)
    assert jobs[0] >= 7 * MILLISECOND


def test_the_run_says_that_it_is_not_reproducible(scenario, tmp_path):
    """In the report, in its JSON and among its tables; a modelled one is reproducible."""
    measured = Scenario.load(scenario("measured")).run(clock=stopped(MILLISECOND))
    modelled = Scenario.load(scenario("modelled")).run()
    write_run(measured, tmp_path / "out", file_format="jsonl")

    assert (False, True) == (
        measured.to_json()["reproducible"],
        modelled.to_json()["reproducible"],
    )
    assert "Not reproducible" in text(measured)
    assert "Not reproducible" not in text(modelled)
    assert False is json.loads((tmp_path / "out" / "run.json").read_text())["reproducible"]
    assert (tmp_path / "out" / "fact_ExecutionsMeasured.jsonl").is_file()
    assert "ExecutionsMeasured" not in modelled.facts()


def test_another_clock_is_another_run(scenario):
    """What the clock shows is in the journal; what it does not touch stays as it was."""
    loaded = Scenario.load(scenario("measured"))
    digests = [loaded.run(clock=stopped(ms * MILLISECOND)).digest for ms in (2, 2, 3)]

    assert digests[0] == digests[1] != digests[2]


def test_without_a_clock_there_is_no_measuring(scenario):
    """The problem names the line of the scenario."""
    with pytest.raises(InputError, match=r"scenario\.yaml:7:11: .*measured needs a clock"):
        Scenario.load(scenario("measured")).run()


def test_a_mistyped_timing_is_found(scenario):
    """It is one of two words."""
    with pytest.raises(InputError, match=r"spec\.timing"):
        Scenario.load(scenario("real"))


def test_the_command_line_has_a_clock(scenario, tmp_path, capsys, monkeypatch):
    """kubesim run measures for real; what it wrote cannot be asked for another run of it."""
    file = scenario("measured")
    out = str(tmp_path / "out")
    asked = ("run", str(file), "-o", "json", "--out", out, "--format", "jsonl")
    assert 0 == called(monkeypatch, *asked)
    assert False is json.loads(capsys.readouterr().out)["reproducible"]
    assert 2 == called(monkeypatch, "why", "web", "--run", out)
    assert "cannot be made again" in capsys.readouterr().err


def called(monkeypatch, *arguments: str) -> int:
    """Call the command line; its exit code."""
    monkeypatch.setattr("sys.argv", ["kubesim", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
