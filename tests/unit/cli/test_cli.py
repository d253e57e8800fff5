"""The command line as its users meet it: output, exit codes, messages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kubesim.cli import main as cli
from kubesim.share import share_path

SCENARIOS = share_path("scenarios")
WriteScenario = Callable[..., Path]


class Outcome:
    """What a call of the command line left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


@pytest.fixture
def kubesim(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Calls ``kubesim`` in this process."""

    def call(*args: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["kubesim", *args])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, captured.out, captured.err)

    return call


Kubesim = Callable[..., Outcome]

GREEN = 'expectations: [{name: one node, expr: "nodes.size() == 1"}]'
RED = 'expectations: [{name: ten nodes, expr: "nodes.size() == 10"}]'
POD = """apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - name: web
      image: web:v1
"""


def test_run_prints_the_report(kubesim: Kubesim, write_scenario: WriteScenario) -> None:
    """``run`` prints digest, nodes, pods, phases, expectations, and exits 0."""
    outcome = kubesim("run", str(write_scenario(GREEN, POD)))
    assert 0 == outcome.code
    for expected in ("sha256:", "pool-0", "web", "Running", "pleg", "pass  one node"):
        assert expected in outcome.out


def test_run_says_what_is_not_simulated(kubesim: Kubesim, write_scenario: WriteScenario) -> None:
    """An unsimulated field and an image without a model are in the report."""
    manifest = POD.replace("spec:\n", "spec:\n  hostNetwork: true\n")
    outcome = kubesim("run", str(write_scenario(GREEN, manifest)))
    assert "Pod spec.hostNetwork has no effect" in outcome.out
    assert 'image "web:v1" has no model' in outcome.out


def test_run_json_contract(kubesim: Kubesim, write_scenario: WriteScenario) -> None:
    """``-o json`` prints one object whose keys are a contract."""
    outcome = kubesim("run", str(write_scenario(GREEN, POD)), "-o", "json")
    data = json.loads(outcome.out)
    keys = {
        "scenario", "seed", "digest", "virtual_seconds", "pods", "services", "expectations",
        "unsimulated", "nodes",
    }  # fmt: skip
    assert set() == keys - data.keys()
    pod_keys = {
        "namespace", "name", "node", "phase", "reason", "message", "runtimeClass", "log", "startup"
    }  # fmt: skip
    assert set() == pod_keys - data["pods"][0].keys()
    assert {"name", "passed", "actual"} <= data["expectations"][0].keys()


def test_run_yaml(kubesim: Kubesim, write_scenario: WriteScenario) -> None:
    """``-o yaml`` prints the same object as YAML."""
    outcome = kubesim("run", str(write_scenario(GREEN)), "-o", "yaml")
    assert outcome.out.startswith("scenario: small\n")


def test_failed_expectation_exits_1(kubesim: Kubesim, write_scenario: WriteScenario) -> None:
    """A failed expectation prints expected, actual and where to look, and exits 1."""
    outcome = kubesim("run", str(write_scenario(RED)))
    assert 1 == outcome.code
    for expected in ("FAIL", "ten nodes", "nodes.size() == 10", "nodes.size() = 1", "look at"):
        assert expected in outcome.out


def test_until_and_seed(kubesim: Kubesim, write_scenario: WriteScenario) -> None:
    """``--until`` ends the run earlier and ``--seed`` replaces the scenario's seed."""
    file = str(write_scenario(GREEN))
    data = json.loads(kubesim("run", file, "--until", "2s", "--seed", "42", "-o", "json").out)
    assert (2.0, 42) == (data["virtual_seconds"], data["seed"])


@pytest.mark.parametrize("until", ["soon", "-1s", "0s"])
def test_bad_until(kubesim: Kubesim, write_scenario: WriteScenario, until: str) -> None:
    """A nonsensical ``--until`` is bad input."""
    outcome = kubesim("run", str(write_scenario(GREEN)), f"--until={until}")
    assert (2, True) == (outcome.code, "--until" in outcome.err)


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_out_writes_tables(
    kubesim: Kubesim, write_scenario: WriteScenario, tmp_path: Path, file_format: str
) -> None:
    """``--out`` writes one file a table and ``run.json`` with a schema version."""
    out = tmp_path / "run"
    kubesim("run", str(write_scenario(GREEN, POD)), "--out", str(out), "--format", file_format)
    about = json.loads((out / "run.json").read_text())
    assert "kubesim.run/v1" == about["schema"]
    assert (out / about["tables"]["pods"]).stat().st_size > 0
    assert (out / f"fact_ObjectWritten.{file_format}").exists()


def test_test_writes_junit(
    kubesim: Kubesim, write_scenario: WriteScenario, tmp_path: Path
) -> None:
    """``test`` exits 1 for a false expectation, names it, and the JUnit file carries it."""
    junit = tmp_path / "out" / "junit.xml"
    outcome = kubesim("test", str(write_scenario(RED)), "--junit", str(junit))
    assert 1 == outcome.code
    assert "ten nodes" in outcome.out
    root = ET.parse(junit).getroot()
    assert "1" == root.get("failures")
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert "nodes.size() = 1" in (failure.text or "")


def test_test_runs_every_scenario_of_a_folder(
    kubesim: Kubesim, write_scenario: WriteScenario, tmp_path: Path
) -> None:
    """``test FOLDER`` runs each scenario in it, and one failure fails it all."""
    for name, expectations in (("calm", GREEN), ("doomed", RED)):
        folder = tmp_path / "scenarios" / name
        folder.mkdir(parents=True)
        write_scenario(expectations).rename(folder / "scenario.yaml")
    outcome = kubesim("test", str(tmp_path / "scenarios"))
    assert 1 == outcome.code
    assert "1 passed, 1 failed in 2 runs" in outcome.out


def test_test_goes_on_after_a_broken_scenario(
    kubesim: Kubesim, write_scenario: WriteScenario, tmp_path: Path
) -> None:
    """A scenario that cannot be loaded does not keep the others from running; the exit code is 2."""
    junit = tmp_path / "junit.xml"
    outcome = kubesim("test", "no-such", str(write_scenario(GREEN)), "--junit", str(junit))
    assert 2 == outcome.code
    assert "1 passed, 0 failed in 1 runs, 1 could not be loaded" in outcome.out
    assert "1" == ET.parse(junit).getroot().get("errors")


def test_seeds(kubesim: Kubesim, write_scenario: WriteScenario) -> None:
    """``--seeds 3`` runs with three seeds in a row."""
    outcome = kubesim("test", str(write_scenario(GREEN)), "--seeds", "3")
    assert "3 passed, 0 failed in 3 runs" in outcome.out


BAD_INPUT = {
    "typo in a field": ("imagee: web:v1", 'unknown field "spec.containers[0].imagee"', "image"),
    "wrong quantity": (
        "image: web:v1\n      resources: {requests: {memory: 128MB}}",
        "quantities must match",
        "128M",
    ),
    "wrong type": ("image: web:v1\n      ports: [{containerPort: http}]", "integer", ""),
}


@pytest.mark.parametrize(("line", "message", "hint"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_manifest(
    kubesim: Kubesim, write_scenario: WriteScenario, line: str, message: str, hint: str
) -> None:
    """A bad manifest exits 2 with one message that has file, line and column, and no traceback."""
    file = write_scenario(GREEN, POD.replace("image: web:v1", line))
    outcome = kubesim("run", str(file))
    assert 2 == outcome.code
    assert [True] == [part.startswith(f"error: {file}:") for part in outcome.err.splitlines()]
    place = outcome.err.split(str(file) + ":")[1]
    assert place.split(":")[0].isdigit()
    assert place.split(":")[1].isdigit()
    assert message in outcome.err
    assert hint in outcome.err
    assert "Traceback" not in outcome.err


def test_unknown_kind(kubesim: Kubesim, write_scenario: WriteScenario) -> None:
    """An unknown kind is named with a suggestion."""
    outcome = kubesim("run", str(write_scenario(GREEN, POD.replace("Pod", "Podd"))))
    assert 2 == outcome.code
    assert "Podd" in outcome.err
    assert "Pod" in outcome.err.split("Podd", 1)[1]


def test_missing_file(kubesim: Kubesim) -> None:
    """A scenario that does not exist is said so, with a suggestion."""
    outcome = kubesim("run", "mixed-poll")
    assert 2 == outcome.code
    assert 'error: no scenario "mixed-poll" (did you mean "mixed-pool"?)\n' == outcome.err


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"garbage", "not"), (b"\0asm\x01\0\0\0\xff\xff\xff", ""), (None, "No such file")],
)
def test_corrupt_module(
    kubesim: Kubesim, write_scenario: WriteScenario, content: bytes | None, why: str
) -> None:
    """A module that is missing or no module exits 2 at the line that names it."""
    file = write_scenario("images: [{name: a, wasm: {module: a.wasm}}]")
    if content is not None:
        (file.parent / "a.wasm").write_bytes(content)
    outcome = kubesim("run", str(file))
    assert 2 == outcome.code
    assert outcome.err.startswith(f"error: {file}:6:")
    assert 'module "a.wasm"' in outcome.err
    assert why in outcome.err
    assert "Traceback" not in outcome.err


def test_validate_manifests_and_scenarios(
    kubesim: Kubesim, write_scenario: WriteScenario, tmp_path: Path
) -> None:
    """``validate`` counts what is valid and lists on stderr what has no effect."""
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(POD.replace("spec:\n", "spec:\n  hostNetwork: true\n"))
    outcome = kubesim("validate", str(manifest), str(write_scenario(GREEN)))
    assert 0 == outcome.code
    assert "1 Pod valid" in outcome.out
    assert "scenario small" in outcome.out
    assert "Pod spec.hostNetwork has no effect" in outcome.err


def test_validate_collects_all_problems(kubesim: Kubesim, tmp_path: Path) -> None:
    """``validate`` shows the problems of all files at once."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(POD.replace("image:", "imag:"))
    outcome = kubesim("validate", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))
    assert 2 == outcome.code
    assert 2 == outcome.err.count('unknown field "spec.containers[0].imag"')


def test_version_and_schema(kubesim: Kubesim) -> None:
    """``version`` and ``schema`` print what scripts read."""
    assert {"kubesim", "kubernetes", "wasmtime", "python"} == set(
        json.loads(kubesim("version", "-o", "json").out)
    )
    shipped = json.loads((SCENARIOS / "scenario.schema.json").read_text())
    assert shipped == json.loads(kubesim("schema").out)


def test_unknown_benchmark(kubesim: Kubesim) -> None:
    """An unknown benchmark is bad input; without a name the list is printed."""
    assert 2 == kubesim("bench", "lifecycles").code
    assert "lifecycle" in kubesim("bench").out


def test_usage_error(kubesim: Kubesim) -> None:
    """An unknown option is bad input, too."""
    assert 2 == kubesim("run", "mixed-pool", "--sed", "7").code


def test_sources(kubesim: Kubesim, write_scenario: WriteScenario) -> None:
    """``--sources`` lists where every number is from."""
    outcome = kubesim("run", str(write_scenario(GREEN)), "--sources")
    assert "containerd.sandbox_network" in outcome.out
    assert "gh-pages 4336e129" in outcome.out.replace("\n", " ")
