"""Ten thousand real Wasm requests: the journal does not tell whether results were remembered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kubesim.cluster.engine import MEMO_VARIABLE

ROOT = Path(__file__).parents[2]
MODULES = {
    "greeter": ROOT / "scenarios" / "mixed-pool" / "modules" / "greeter" / "greeter.wasm",
    "httpinfo": ROOT / "tests" / "fixtures" / "wasm" / "components" / "httpinfo.wasm",
    "visits": ROOT / "tests" / "fixtures" / "wasm" / "components" / "visits.wasm",
}
REQUESTS = 10_000

APPLICATION = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      runtimeClassName: spin
      containers:
        - name: main
          image: registry.example.com/{name}:v1
          command: [/]
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{port: 80, targetPort: 80}}]
---
"""
RUNTIME_CLASS = """
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: spin}
handler: spin
"""
SCENARIO = """
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {name: wasm-requests}
spec:
  seed: 3
  duration: 120s
  nodePools:
    - {name: wasm, count: 2, machine: m5.large, runtimes: [runc, spin]}
  images:
    - {name: "registry.example.com/greeter:v1", wasm: {module: greeter.wasm, kind: wagi}}
    - {name: "registry.example.com/httpinfo:v1", wasm: {module: httpinfo.wasm, kind: http}}
    - name: registry.example.com/visits:v1
      wasm: {module: visits.wasm, kind: http, spin: {keyValueStores: [default]}}
  traffic:
    - {name: g, service: greeter, from: 20s, rate: 60/s, request: {query: "n={i}"}}
    - {name: h, service: httpinfo, from: 20s, rate: 30/s, request: {path: /same}}
    - {name: v, service: visits, from: 20s, rate: 20/s, request: {path: /visits}}
"""


@pytest.fixture(scope="module")
def scenario(tmp_path_factory) -> Path:
    """A scenario of three applications: WAGI, wasi:http, and one that stores."""
    folder = tmp_path_factory.mktemp("wasm-requests")
    for name, module in MODULES.items():
        shutil.copy(module, folder / f"{name}.wasm")
    (folder / "manifests").mkdir()
    manifests = RUNTIME_CLASS + "---" + "".join(APPLICATION.format(name=n) for n in MODULES)
    (folder / "manifests" / "all.yaml").write_text(manifests)
    (folder / "scenario.yaml").write_text(SCENARIO)
    return folder / "scenario.yaml"


def summary(scenario: Path, *, memo: str, hash_seed: str) -> dict:
    """What a fresh process says of a run."""
    done = subprocess.run(
        [sys.executable, "-m", "kubesim", "run", str(scenario), "-o", "json"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, MEMO_VARIABLE: memo},
        capture_output=True,
        check=False,
        text=True,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def remembered(scenario) -> dict:
    """The run with a memo."""
    return summary(scenario, memo="on", hash_seed="0")


@pytest.mark.parametrize(
    ("memo", "hash_seed"), [("off", "0"), ("on", "1"), ("off", "1"), ("on", "2"), ("off", "2")]
)
def test_remembering_does_not_change_a_run(scenario, remembered, memo, hash_seed):
    """The digest is the same with and without a memo, under every hash seed."""
    assert remembered["digest"] == summary(scenario, memo=memo, hash_seed=hash_seed)["digest"]


def test_there_were_as_many_requests(remembered):
    """All of them were answered, by modules that were really run."""
    services = remembered["services"]
    answered = sum(service["requests"] for service in services)

    assert answered >= REQUESTS
    assert {0} == {service["errors"] for service in services}


def test_calls_of_other_services_do_not_change_with_the_memo():
    """A handler that waited for Services ran several times; the journal shows one run."""
    scenario = ROOT / "scenarios" / "service-calls" / "scenario.yaml"
    runs = [
        summary(scenario, memo=memo, hash_seed=seed) for memo, seed in (("on", "1"), ("off", "2"))
    ]

    assert runs[0]["digest"] == runs[1]["digest"]
    assert {True} == {one["passed"] for one in runs[0]["expectations"]}
